package api

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The table of problem codes in docs/api.md holds every code that the rooms behind the contract write down, with its statuses,
// and no other. Codes that are put together at run time are not in it.
func TestProblemCodesAreDocumented(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for kind, status := range statuses() {
		kinds[strings.ReplaceAll(string(kind), "_", "")] = status
	}
	plain := map[string]int{
		"StatusUnsupportedMediaType": http.StatusUnsupportedMediaType, "StatusMethodNotAllowed": http.StatusMethodNotAllowed,
		"StatusNotAcceptable": http.StatusNotAcceptable, "StatusRequestedRangeNotSatisfiable": http.StatusRequestedRangeNotSatisfiable,
		"StatusServiceUnavailable": http.StatusServiceUnavailable,
	}
	found := map[string][]int{}
	for _, room := range []string{"api", "authz", "catalog", "sharing", "exchange", "audit"} {
		err := filepath.WalkDir("../"+room, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/client/") {
				return err
			}
			tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) < 2 {
					return true
				}
				first, isName := call.Args[0].(*ast.SelectorExpr)
				code, isText := call.Args[1].(*ast.BasicLit)
				if !isName || !isText || code.Kind != token.STRING {
					return true
				}
				status := 0
				switch fun := call.Fun.(type) {
				case *ast.SelectorExpr:
					if fun.Sel.Name == "New" && fmt.Sprint(fun.X) == "fault" && first.Sel.Name != "Internal" {
						status = kinds[strings.ToLower(first.Sel.Name)]
					}
				case *ast.Ident:
					if fun.Name == "plainProblem" {
						status = plain[first.Sel.Name]
					}
				}
				if name, err := strconv.Unquote(code.Value); err == nil && status != 0 && !slices.Contains(found[name], status) {
					found[name] = append(found[name], status)
					slices.Sort(found[name])
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "## Problem codes\n")
	if !ok {
		t.Fatal("docs/api.md has no table of problem codes")
	}
	documented := map[string][]int{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\| ([0-9, ]+) \\|").FindAllStringSubmatch(table, -1) {
		for _, text := range strings.Split(row[2], ", ") {
			status, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				t.Errorf("%s: %v", row[1], err)
			}
			documented[row[1]] = append(documented[row[1]], status)
		}
	}
	if diff := cmp.Diff(found, documented); diff != "" {
		t.Errorf("problem codes (-code +docs/api.md):\n%s", diff)
	}
	if len(fault.Kinds()) != len(kinds) {
		t.Errorf("%d kinds of faults, %d known here", len(fault.Kinds()), len(kinds))
	}
}
