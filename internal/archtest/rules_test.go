package archtest_test

import "slices"

// modulePath is the module whose packages the table names relative to its root.
const modulePath = "github.com/shuqiao/shuqiao"

// anything stands for every package except test support, in a room's list.
const anything = "*"

// foundation is what every room of the product may build on.
var foundation = []string{"internal/config", "internal/db", "internal/fault", "internal/retain", "internal/secret"}

// domain is all that the two doors (api and console) may call.
var domain = []string{
	"alarm", "audit", "authz", "authz/identity", "catalog", "catalog/calendar", "catalog/codes", "catalog/mask", "catalog/sample", "exchange", "exchange/engine",
	"exchange/pull", "exchange/retention", "exchange/store", "exchange/transform", "sharing", "sharing/filter",
}

// below holds the domain rooms that the engine's inner rooms stand on.
var below = []string{
	"audit", "authz", "authz/identity", "catalog", "catalog/calendar", "catalog/codes", "catalog/mask", "exchange/transform", "sharing",
	"sharing/filter",
}

// pure are rooms of plain functions that data passes through.
var pure = []string{"catalog/codes", "catalog/mask", "sharing/filter"}

// rooms says, for each package, which of our packages its ordinary files may import. A name that ends in "/*" stands for
// every package below. Imports point down: cmd, then api and console, exchange, sharing, catalog, authz, audit, internal.
var rooms = map[string][]string{
	"cmd/shuqiao":     {anything},
	"cmd/shuqiao/cli": {"api/client", "api/client/replica", "internal/fault"},

	"api":                join(domain, foundation, []string{"internal/edge"}),
	"api/client":         {},
	"api/client/replica": {"api/client"},
	"console":            join(domain, foundation, []string{"internal/edge", "internal/netguard"}),

	"alarm": join(foundation, []string{"audit", "authz", "internal/netguard"}),

	"exchange": join(below, foundation, []string{
		"connectors", "exchange/engine", "exchange/pull", "exchange/store",
	}),
	"exchange/engine":    join(foundation, []string{"connectors", "exchange/transform", "exchange/store"}),
	"exchange/pull":      join(below, foundation, []string{"exchange/store"}),
	"exchange/retention": join(below, foundation, []string{"exchange", "exchange/store"}),
	"exchange/store":     join(below, foundation),
	"exchange/transform": join(pure, []string{"connectors", "internal/fault"}),

	"sharing": join(foundation, []string{
		"audit", "authz", "authz/identity", "catalog", "catalog/calendar", "catalog/codes", "catalog/mask", "sharing/filter",
	}),
	"sharing/filter": {"internal/fault"},

	"catalog": join(foundation, []string{
		"audit", "authz", "authz/identity", "catalog/calendar", "catalog/codes", "catalog/mask", "connectors",
	}),
	"catalog/codes":    {"internal/fault"},
	"catalog/mask":     {"internal/fault"},
	"catalog/calendar": {"internal/fault"},
	"catalog/sample":   {"catalog", "catalog/codes", "catalog/mask"},

	"authz":           join(foundation, []string{"audit"}),
	"authz/identity":  join(foundation, []string{"audit", "authz"}),
	"authz/authztest": join(foundation, []string{"audit", "authz", "internal/pgtest"}),
	"audit":           foundation,

	"connectors":     {"internal/fault"},
	"connectors/*":   {"connectors", "internal/fault"},
	"connectors/all": {"connectors", "connectors/*", "internal/fault"},

	"migrations": {},

	"internal/backup":        join(foundation, []string{"audit", "exchange/store", "internal/pglocal"}),
	"internal/config":        {"internal/fault", "internal/netguard", "internal/retain", "internal/secret"},
	"internal/db":            {"internal/fault"},
	"internal/edge":          {"internal/fault"},
	"internal/edge/edgetest": {},
	"internal/fault":         {},
	"internal/netguard":      {},
	"internal/retain":        {},
	"internal/sbom":          {},
	"internal/secret":        {"internal/fault"},
	"internal/systemd":       {},
	"internal/pglocal":       {},
	"internal/demo":          join(foundation, []string{"api/client", "internal/demo/*", "internal/pglocal"}),
	"internal/demo/*":        {},
	"internal/archtest":      {},
	"internal/hub":           {anything},
	"internal/doctor": join(foundation, []string{
		"audit", "catalog", "catalog/calendar", "connectors", "connectors/all", "exchange", "internal/hub", "internal/pglocal", "migrations",
	}),
	"internal/hubtest":       {anything, "internal/pgtest"},
	"internal/pgtest":        {"internal/pglocal", "migrations"},
	"internal/pgtest/withpg": {"internal/pgtest"},

	"bench":   {anything, "internal/pgtest"},
	"bench/*": {anything, "internal/pgtest"},
}

// testSupport is imported by tests only, and by the rooms above that name it.
var testSupport = []string{"authz/authztest", "connectors/connectortest", "internal/archtest", "internal/edge/edgetest", "internal/hubtest", "internal/pgtest", "internal/pgtest/withpg"}

// forTests is what test files of every room may import besides their room's list: real parts to test against.
var forTests = []string{
	"api/client", "authz/authztest", "catalog/calendar", "connectors", "connectors/*", "internal/edge/edgetest", "internal/fault", "internal/hubtest", "internal/pglocal", "internal/pgtest",
	"internal/secret", "migrations",
}

// fence keeps a third-party library inside some rooms.
type fence struct {
	library string // Import path, or the start of one followed by "/" or a version.
	open    func(pkg, file string) bool
}

var fences = []fence{
	{"filippo.io/age", in("internal/backup")},
	{"github.com/gin-gonic/gin", in("api", "console")},
	{"github.com/danielgtaylor/huma", in("api", "console")},
	{"github.com/casbin", in("authz")},
	{"github.com/robfig/cron", in("exchange")},
	{"golang.org/x/mod/sumdb/tlog", in("audit")},
	{"github.com/pressly/goose", in("migrations")},
	{"gorm.io", gormAllowed},
}

// dataPlane is where rows move. They go by COPY, pgx and database/sql, never through an object mapper.
var dataPlane = []string{
	"exchange/engine", "exchange/pull", "exchange/store", "exchange/transform", "connectors", "connectors/*",
}

func gormAllowed(pkg, file string) bool {
	if listed(dataPlane, pkg) {
		return false
	}
	return pkg == "internal/db" || file == "store.go" || file == "store_test.go"
}

// onlyLibraries names rooms that may use no third-party library but these.
var onlyLibraries = map[string][]string{
	"api/client":         {},
	"api/client/replica": {"github.com/jackc/pgx"},
	"internal/demo":      {"github.com/jackc/pgx"},
	"internal/demo/*":    {"github.com/jackc/pgx"},
	"internal/fault":     {},
}

// peers is where other stacks are built to measure against, so no fence holds there.
var peers = []string{"bench", "bench/*"}

// emptyNames say nothing about what a package owns.
var emptyNames = []string{"common", "helper", "helpers", "manager", "managers", "model", "models", "type", "types", "util", "utils"}

func in(pkgs ...string) func(pkg, file string) bool {
	return func(pkg, _ string) bool { return slices.Contains(pkgs, pkg) }
}

func join(lists ...[]string) []string { return slices.Concat(lists...) }
