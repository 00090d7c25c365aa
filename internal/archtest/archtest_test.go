package archtest_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// The module keeps every rule.
func TestModule(t *testing.T) {
	t.Parallel()
	tree := os.DirFS("../..")
	files, err := read(tree)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(files, func(f source) bool { return f.pkg == "internal/archtest" }) {
		t.Fatal("the walk did not even find this package")
	}
	broken, err := check(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

// Each rule finds what it is there to find, and leaves alone what is allowed.
func TestRules(t *testing.T) {
	t.Parallel()
	const ours = `"` + modulePath + `/`
	for _, tc := range []struct {
		name, file, text string
		want             []string
	}{
		{
			"imports that point down are allowed", "exchange/run.go",
			"import (\n" + ours + "sharing\"\n" + ours + "catalog/codes\"\n" + ours + "internal/db\"\n)", nil,
		},
		{
			"an import that points up", "catalog/resource.go", "import " + ours + "sharing\"",
			[]string{"catalog/resource.go:2: catalog may not import sharing"},
		},
		{
			"console does not reach through api", "console/page.go", "import " + ours + "api\"",
			[]string{"console/page.go:2: console may not import api"},
		},
		{
			"the client has its own wire structs", "api/client/client.go", "import " + ours + "catalog\"",
			[]string{"api/client/client.go:2: api/client may not import catalog"},
		},
		{
			"the client needs the standard library only", "api/client/client.go", `import "github.com/google/uuid"`,
			[]string{"api/client/client.go:2: api/client does without github.com/google/uuid"},
		},
		{
			"connectors know no domain", "connectors/mysql/source.go", "import " + ours + "catalog/codes\"",
			[]string{"connectors/mysql/source.go:2: connectors/mysql may not import catalog/codes"},
		},
		{
			"a connector does not know another", "connectors/mysql/source.go", "import " + ours + "connectors/postgres\"",
			[]string{"connectors/mysql/source.go:2: connectors/mysql may not import connectors/postgres"},
		},
		{"the list of drivers knows all of them", "connectors/all/all.go", "import " + ours + "connectors/postgres\"", nil},
		{
			"the list of drivers has no test support", "connectors/all/all.go", "import " + ours + "connectors/connectortest\"",
			[]string{"connectors/all/all.go:2: connectors/all may not import connectors/connectortest"},
		},
		{
			"sharing does not talk to other systems", "sharing/request.go", "import " + ours + "connectors\"",
			[]string{"sharing/request.go:2: sharing may not import connectors"},
		},
		{"the pure rooms are open to transform", "exchange/transform/row.go", "import (\n" + ours + "catalog/mask\"\n" + ours + "sharing/filter\"\n)", nil},
		{
			"pull reads the store but does not run tasks", "exchange/pull/page.go", "import (\n" + ours + "exchange/store\"\n" + ours + "exchange\"\n)",
			[]string{"exchange/pull/page.go:4: exchange/pull may not import exchange"},
		},
		{
			"filter is pure", "sharing/filter/parse.go", "import " + ours + "sharing\"",
			[]string{"sharing/filter/parse.go:2: sharing/filter may not import sharing"},
		},
		{
			"the demo plays through the API only", "internal/demo/story.go", "import (\n" + ours + "api/client\"\n" + ours + "sharing\"\n)",
			[]string{"internal/demo/story.go:4: internal/demo may not import sharing"},
		},
		{
			"the demo speaks to databases by pgx", "internal/demo/city/people.go", "import (\n\"github.com/jackc/pgx/v5\"\n\"github.com/shopspring/decimal\"\n)",
			[]string{"internal/demo/city/people.go:4: internal/demo/city does without github.com/shopspring/decimal"},
		},
		{"tests use a real database", "audit/seal_test.go", "import " + ours + "internal/pgtest\"", nil},
		{
			"test support stays out of the product", "cmd/shuqiao/main.go", "import " + ours + "internal/pgtest\"",
			[]string{"cmd/shuqiao/main.go:2: cmd/shuqiao may not import internal/pgtest"},
		},
		{
			"tests point down, too", "audit/seal_test.go", "import " + ours + "exchange\"",
			[]string{"audit/seal_test.go:2: audit may not import exchange"},
		},
		{"cmd wires everything", "cmd/shuqiao/program.go", "import (\n" + ours + "connectors/all\"\n" + ours + "internal/demo\"\n)", nil},
		{
			"the room is not in the table", "reports/report.go", "",
			[]string{"reports: package is not in the table of rooms"},
		},
		{
			"a room below a listed one is not in the table", "sharing/clock/clock.go", "",
			[]string{"sharing/clock: package is not in the table of rooms"},
		},
		{
			"an empty name", "internal/util/strings.go", "",
			[]string{"internal/util: package is not in the table of rooms", "internal/util: the package's name says nothing about what it owns"},
		},
		{
			"gin outside the doors", "exchange/run.go", `import "github.com/gin-gonic/gin"`,
			[]string{"exchange/run.go:2: github.com/gin-gonic/gin is fenced off from here"},
		},
		{"gin and huma in a door", "api/routes.go", "import (\n\"github.com/gin-gonic/gin\"\n\"github.com/danielgtaylor/huma/v2\"\n)", nil},
		{"gorm in a store", "catalog/store.go", `import "gorm.io/gorm"`, nil},
		{
			"gorm in a service", "catalog/service.go", `import "gorm.io/gorm"`,
			[]string{"catalog/service.go:2: gorm.io/gorm is fenced off from here"},
		},
		{
			"gorm in the data plane, also in a store.go", "exchange/store/store.go", `import "gorm.io/gorm"`,
			[]string{"exchange/store/store.go:2: gorm.io/gorm is fenced off from here"},
		},
		{
			"gorm in a connector", "connectors/postgres/store.go", `import "gorm.io/gorm"`,
			[]string{"connectors/postgres/store.go:2: gorm.io/gorm is fenced off from here"},
		},
		{
			"casbin outside authz", "authz/identity/user.go", `import "github.com/casbin/casbin/v2"`,
			[]string{"authz/identity/user.go:2: github.com/casbin/casbin/v2 is fenced off from here"},
		},
		{
			"cron outside exchange", "sharing/clock.go", `import "github.com/robfig/cron/v3"`,
			[]string{"sharing/clock.go:2: github.com/robfig/cron/v3 is fenced off from here"},
		},
		{
			"the Merkle log outside audit", "cmd/shuqiao/verify.go", `import "golang.org/x/mod/sumdb/tlog"`,
			[]string{"cmd/shuqiao/verify.go:2: golang.org/x/mod/sumdb/tlog is fenced off from here"},
		},
		{"peers are built with what they are built with", "bench/peers/peer.go", `import "gorm.io/gorm"`, nil},
		{
			"an init function", "audit/event.go", "func init() {}",
			[]string{"audit/event.go:2: no init functions"},
		},
		{"a method named init", "audit/event.go", "type event struct{}\nfunc (event) init() {}", nil},
		{
			"gorm's Save", "catalog/store.go", "import \"gorm.io/gorm\"\nfunc f(db *gorm.DB) { db.Where(1).Save(nil) }",
			[]string{"catalog/store.go:3: gorm's Save writes all columns; use Updates with the columns meant"},
		},
		{"somebody else's Save", "catalog/draft.go", "func f(d interface{ Save() }) { d.Save() }", nil},
		{"test data is not code of ours", "catalog/testdata/x.go", "import \"gorm.io/gorm\"\nfunc init() {}", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := tc.file[:strings.LastIndex(tc.file, "/")]
			text := "package " + dir[strings.LastIndex(dir, "/")+1:] + "\n" + tc.text + "\n"
			got, err := check(fstest.MapFS{tc.file: {Data: []byte(text)}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("rules broken (-want +got):\n%s", diff)
			}
		})
	}
}

// A nested module is not walked: it has its own go.mod and its own rules.
func TestNestedModuleIsSkipped(t *testing.T) {
	t.Parallel()
	got, err := check(fstest.MapFS{
		"go.mod":                     {Data: []byte("module " + modulePath + "\n")},
		"internal/tools/go.mod":      {Data: []byte("module x\n")},
		"internal/tools/util/use.go": {Data: []byte("package util\nfunc init() {}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string(nil), got); diff != "" {
		t.Errorf("rules broken (-want +got):\n%s", diff)
	}
}

// The table itself points down: no room reaches itself by any chain of imports it allows.
func TestTableHasNoCycle(t *testing.T) {
	t.Parallel()
	var visit func(pkg string, chain []string)
	done := map[string]bool{}
	visit = func(pkg string, chain []string) {
		if slices.Contains(chain, pkg) {
			t.Errorf("cycle: %s", strings.Join(append(chain, pkg), " > "))
			return
		}
		if done[pkg] {
			return
		}
		for _, to := range rooms[pkg] {
			if to != anything && to != pkg {
				visit(to, append(chain, pkg))
			}
		}
		done[pkg] = true
	}
	for pkg := range rooms {
		visit(pkg, nil)
	}
}
