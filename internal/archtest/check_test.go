package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source is one Go file of the module.
type source struct {
	pkg  string // Folder relative to the module's root.
	name string // File name.
	test bool
	tree *ast.File
	set  *token.FileSet
}

// at is where in the module a node is, for messages.
func (s source) at(node ast.Node) string {
	return fmt.Sprintf("%s/%s:%d", s.pkg, s.name, s.set.Position(node.Pos()).Line)
}

// check returns one sentence for each rule broken in the module at the root of tree.
func check(tree fs.FS) ([]string, error) {
	files, err := read(tree)
	if err != nil {
		return nil, err
	}
	var broken []string
	unlisted := map[string]bool{}
	for _, f := range files {
		room, known := roomOf(f.pkg)
		if !known && !unlisted[f.pkg] {
			unlisted[f.pkg] = true
			broken = append(broken, fmt.Sprintf("%s: package is not in the table of rooms", f.pkg))
		}
		if known {
			broken = append(broken, checkImports(f, room)...)
		}
		broken = append(broken, checkFences(f)...)
		broken = append(broken, checkNames(f)...)
		broken = append(broken, checkHabits(f)...)
	}
	slices.Sort(broken)
	return slices.Compact(broken), nil
}

// read parses all Go files of the module, build constraints or not. Nested modules, test data and hidden folders are
// other worlds.
func read(tree fs.FS) ([]source, error) {
	var files []source
	err := fs.WalkDir(tree, ".", func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if p == "." {
				return nil
			}
			if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
				slices.Contains([]string{"testdata", "node_modules", "vendor"}, name) {
				return fs.SkipDir
			}
			if _, err := fs.Stat(tree, p+"/go.mod"); err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		f := source{pkg: path.Dir(p), name: name, test: strings.HasSuffix(name, "_test.go"), set: token.NewFileSet()}
		f.tree, err = parser.ParseFile(f.set, p, text, parser.SkipObjectResolution)
		files = append(files, f)
		return err
	})
	return files, err
}

// roomOf finds a package's list: its own entry, else that of the pattern above it.
func roomOf(pkg string) ([]string, bool) {
	if room, ok := rooms[pkg]; ok {
		return room, true
	}
	room, ok := rooms[path.Dir(pkg)+"/*"]
	return room, ok
}

// listed reports whether a list names pkg itself or by a pattern "parent/*".
func listed(list []string, pkg string) bool {
	return slices.Contains(list, pkg) || slices.ContainsFunc(list, func(entry string) bool {
		parent, isPattern := strings.CutSuffix(entry, "/*")
		return isPattern && strings.HasPrefix(pkg, parent+"/")
	})
}

// imported calls yield for each import of a file.
func imported(f source, yield func(spec *ast.ImportSpec, to string)) {
	for _, spec := range f.tree.Imports {
		if to, err := strconv.Unquote(spec.Path.Value); err == nil {
			yield(spec, to)
		}
	}
}

func checkImports(f source, room []string) (broken []string) {
	imported(f, func(spec *ast.ImportSpec, to string) {
		to, ours := strings.CutPrefix(to, modulePath+"/")
		if !ours || to == f.pkg {
			return
		}
		allowed := slices.Contains(room, to) ||
			!listed(testSupport, to) && (listed(room, to) || slices.Contains(room, anything)) ||
			f.test && listed(forTests, to)
		if !allowed {
			broken = append(broken, fmt.Sprintf("%s: %s may not import %s", f.at(spec), f.pkg, to))
		}
	})
	return broken
}

func checkFences(f source) (broken []string) {
	if listed(peers, f.pkg) {
		return nil
	}
	imported(f, func(spec *ast.ImportSpec, to string) {
		for _, fence := range fences {
			if isLibrary(to, fence.library) && !fence.open(f.pkg, f.name) {
				broken = append(broken, fmt.Sprintf("%s: %s is fenced off from here", f.at(spec), to))
			}
		}
		for pkgs, libraries := range onlyLibraries {
			thirdParty := strings.Contains(strings.Split(to, "/")[0], ".") && !strings.HasPrefix(to, modulePath+"/")
			if f.test || !thirdParty || !listed([]string{pkgs}, f.pkg) {
				continue
			}
			if !slices.ContainsFunc(libraries, func(library string) bool { return isLibrary(to, library) }) {
				broken = append(broken, fmt.Sprintf("%s: %s does without %s", f.at(spec), f.pkg, to))
			}
		}
	})
	return broken
}

func isLibrary(to, library string) bool { return to == library || strings.HasPrefix(to, library+"/") }

func checkNames(f source) (broken []string) {
	if slices.Contains(emptyNames, path.Base(f.pkg)) || slices.Contains(emptyNames, strings.TrimSuffix(f.tree.Name.Name, "_test")) {
		broken = append(broken, fmt.Sprintf("%s: the package's name says nothing about what it owns", f.pkg))
	}
	return broken
}

// checkHabits finds init functions, which run on import and cannot be seen where things are wired, and gorm's Save, which
// writes all columns and so undoes what another writer has just changed.
func checkHabits(f source) (broken []string) {
	usesGorm := false
	imported(f, func(_ *ast.ImportSpec, to string) { usesGorm = usesGorm || isLibrary(to, "gorm.io") })
	ast.Inspect(f.tree, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				broken = append(broken, fmt.Sprintf("%s: no init functions", f.at(n)))
			}
		case *ast.CallExpr:
			if selected, ok := n.Fun.(*ast.SelectorExpr); ok && usesGorm && selected.Sel.Name == "Save" {
				broken = append(broken, fmt.Sprintf("%s: gorm's Save writes all columns; use Updates with the columns meant", f.at(n)))
			}
		}
		return true
	})
	return broken
}
