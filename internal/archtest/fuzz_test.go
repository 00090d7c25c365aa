package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parsers names everything that reads text or bytes which somebody outside the hub wrote, and the fuzz test that reads
// anything by it. A parser: package, what it reads, fuzz test.
var parsers = [][3]string{
	{"api", "the signature of a request", "FuzzReadSignature"},
	{"api", "Accept", "FuzzNegotiate"},
	{"api", "If-Match, field errors, paths", "FuzzSmallHeaders"},
	{"api", "Range", "FuzzRange"},
	{"api", "Idempotency-Key", "FuzzIdempotencyKey"},
	{"api/client", "lines of a stream", "FuzzReadLine"},
	{"api/client", "problems", "FuzzProblem"},
	{"audit", "checkpoint notes", "FuzzCheckpoint"},
	{"catalog", "documents of assessments", "FuzzDocumentKind"},
	{"catalog/calendar", "notices of days off", "FuzzParse"},
	{"catalog", "texts and what is looked for in them", "FuzzWords"},
	{"catalog/codes", "credit codes, identity numbers and other codes", "FuzzValidators"},
	{"catalog/codes", "check characters", "FuzzCheckCharacters"},
	{"catalog/mask", "masked text", "FuzzMasks"},
	{"catalog/reverse", "names and comments of columns", "FuzzNames"},
	{"catalog/sheet", "files of entries", "FuzzRead"},
	{"catalog/sheet", "lists in cells, cells of CSV", "FuzzCells"},
	{"cmd/shuqiao", "answers of a setup", "FuzzAnswers"},
	{"cmd/shuqiao/cli", "kept sign-ins", "FuzzProfile"},
	{"connectors/postgres", "names of tables", "FuzzParseObject"},
	{"exchange", "cron text", "FuzzParseSpec"},
	{"exchange/pull", "keys, filters, items and cursors of the pull API", "FuzzHostileInput"},
	{"exchange/transform", "dates and times of a source", "FuzzMoment"},
	{"exchange/transform", "numbers of a source", "FuzzNumber"},
	{"exchange/transform", "WKB and its text", "FuzzGeometry"},
	{"exchange/transform", "COPY text", "FuzzEncodeCopyText"},
	{"exchange/transform", "texts of a source", "FuzzText"},
	{"exchange/transform", "composite keys", "FuzzSplitKey"},
	{"internal/backup", "archives", "FuzzArchive"},
	{"internal/config", "settings, database URLs among them", "FuzzSettings"},
	{"internal/db", "cursors of lists", "FuzzPage"},
	{"internal/edge", "X-Forwarded-For and Forwarded", "FuzzOrigin"},
	{"internal/netguard", "networks that may be reached", "FuzzParse"},
	{"internal/secret", "password hashes", "FuzzPasswordHash"},
	{"internal/secret", "lines of a key file", "FuzzKeyLine"},
	{"sharing/filter", "row filters", "FuzzParse"},
	{"sharing/filter", "values of row filters", "FuzzBind"},
}

// Every parser has its fuzz test, and every fuzz test of the module is in the table.
func TestEveryParserIsFuzzed(t *testing.T) {
	t.Parallel()
	var want []string
	for _, p := range parsers {
		want = append(want, p[0]+" "+p[2])
	}
	var got []string
	for _, f := range testFunctions(t) {
		if strings.HasPrefix(f[1], "Fuzz") {
			got = append(got, f[0]+" "+f[1])
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s is not there", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s is not in the table of parsers", g)
		}
	}
}

// testFunctions returns package and name of every test and fuzz function of the module.
func testFunctions(t *testing.T) [][2]string {
	t.Helper()
	var out [][2]string
	for depth := range 5 {
		files, err := filepath.Glob("../../" + strings.Repeat("*/", depth) + "*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tree.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
					pkg := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../../")))
					out = append(out, [2]string{pkg, f.Name.Name})
				}
			}
		}
	}
	if len(out) < 500 {
		t.Fatalf("the walk found %d functions", len(out))
	}
	return out
}
