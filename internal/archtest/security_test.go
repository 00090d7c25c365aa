package archtest_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every file and every test that docs/security.md points at is there.
func TestSecurityPageIsTrue(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, f := range testFunctions(t) {
		known[f[1]] = true
	}
	tests, files := 0, 0
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(page), -1) {
		switch name := m[1]; {
		case strings.HasPrefix(name, "Test"):
			if tests++; !known[name] {
				t.Errorf("there is no test %s", name)
			}
		case regexp.MustCompile(`^(api|audit|authz|catalog|console|exchange|internal|migrations|sharing)(/[a-z_0-9.]+)*$`).MatchString(name):
			files++
			if _, err := os.Stat("../../" + name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if tests < 40 || files < 20 {
		t.Errorf("%d tests and %d files were found on the page", tests, files)
	}
}

// secretName is what a value is called whose comparison must not tell by its time how much of it was right. Digests of what is
// public (rows, bodies, plans, the log) are called otherwise, or stand in publicDigests.
var secretName = regexp.MustCompile(`(?i)(secret|password|token|tokenhash|token_hash|signature|challenge|passphrase|mac|recovery)$`)

// noSecrets are names that look like those of secrets and are none.
var noSecrets = map[string]string{
	"FieldSecret": "a kind of setting", "connectors.FieldSecret": "a kind of setting", "NotSecret": "a word of the directory", "byPassword": "a way of signing in",
	"json.Delim('{')": "a token of JSON", "r.Job.Lease.Token": "a fencing number", "a.run.lease.Token": "a fencing number",
}

// Secrets and what proves them are compared with crypto/subtle or crypto/hmac, never with == or bytes.Equal. The test goes by
// names: it finds what is called a secret. Comparison with a literal, such as "", is no comparison of secrets.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	walked := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || name == "node_modules" || name == "demo" || strings.HasPrefix(name, ".") && len(name) > 2) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		walked++
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, found := range secretComparisons(set, tree) {
			t.Errorf("%s: compare with subtle.ConstantTimeCompare or hmac.Equal", found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if walked < 200 {
		t.Fatalf("the walk found %d files", walked)
	}

	// It finds what it is there to find.
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "x.go", `package x
		var a = k.secret == given
		var b = bytes.Equal(row.TokenHash, hash)
		var c = password == ""
		var d = mac != nil`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got := secretComparisons(set, tree); len(got) != 2 {
		t.Errorf("found %q", got)
	}
}

func secretComparisons(set *token.FileSet, tree *ast.File) (found []string) {
	text := func(e ast.Expr) string {
		var b bytes.Buffer
		_ = printer.Fprint(&b, set, e)
		return b.String()
	}
	check := func(n ast.Node, x, y ast.Expr) {
		for _, e := range []ast.Expr{x, y} {
			if _, literal := e.(*ast.BasicLit); literal || text(e) == "nil" {
				return
			}
			if noSecrets[text(e)] != "" {
				return
			}
		}
		if secretName.MatchString(text(x)) || secretName.MatchString(text(y)) {
			found = append(found, set.Position(n.Pos()).String())
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch e := n.(type) {
		case *ast.BinaryExpr:
			if e.Op == token.EQL || e.Op == token.NEQ {
				check(e, e.X, e.Y)
			}
		case *ast.CallExpr:
			if len(e.Args) == 2 && text(e.Fun) == "bytes.Equal" {
				check(e, e.Args[0], e.Args[1])
			}
		}
		return true
	})
	return found
}
