package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/migrations"
)

// testedVersion is the oldest PostgreSQL the hub is tested on.
const testedVersion = 15

// openDatabase connects the subject to the hub's database and says what answered. The function it returns gives back what it
// took, and is never nil.
func openDatabase(ctx context.Context, s *subject) (Finding, func()) {
	const name = "database"
	nothing := func() {}
	if s.private() && !s.hasCluster() {
		return warn(name, "There is no database yet.", "No hub has run on this data folder, and none is named.",
			"Start the hub with shuqiao serve, or name a database with SHUQIAO_DATABASE_URL."), nothing
	}
	url, release, err := hub.Database(ctx, s.Config, s.Log)
	if err != nil {
		return fail(name, "The private PostgreSQL does not start.", message(err), "Do what its message says; its log is in the data folder."), nothing
	}
	d, err := db.Open(ctx, db.Options{URL: url, ApplicationName: "shuqiao doctor", MaxConns: 4})
	if err != nil {
		release()
		return fail(name, "The database does not answer.", databaseCauseOr(err), databaseMend(err)), nothing
	}
	giveBack := func() { d.Close(); release() }
	var number int
	if err := d.Pool.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&number); err != nil {
		return unread(name, err)[0], giveBack
	}
	s.db = d
	which := "named"
	if s.private() {
		which = "private"
	}
	found := fmt.Sprintf("PostgreSQL %d.%d answers (%s).", number/10_000, number%10_000, which)
	switch major := number / 10_000; {
	case major < pglocal.MinVersion:
		return fail(name, found, fmt.Sprintf("The hub needs PostgreSQL %d or newer.", pglocal.MinVersion), "Move the database to a newer server."), giveBack
	case major < testedVersion:
		return warn(name, found, fmt.Sprintf("The hub is tested on PostgreSQL %d and newer.", testedVersion), "Plan to move to a newer server."), giveBack
	}
	return ok(name, found), giveBack
}

// databaseCause says an error of a connection or a query in one sentence, without the text of the error, which may hold the
// address with its password; "" for any other error.
func databaseCause(err error) string {
	if answer, isAnswer := errors.AsType[*pgconn.PgError](err); isAnswer {
		switch answer.Code {
		case "28P01", "28000":
			return "The server refuses the user or the password."
		case "3D000":
			return "The server has no database of that name."
		case "53300":
			return "All connections of the server are taken."
		case "57P03":
			return "The server is starting or stopping."
		case "42501":
			return "The hub's role may not do this."
		}
		return "The server answers with the error " + answer.Code + "."
	}
	if unknown, isUnknown := errors.AsType[*net.DNSError](err); isUnknown && !unknown.IsTimeout {
		return "The server's name is not known to this machine."
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens at the server's address."
	case errors.Is(err, syscall.ENOENT):
		return "The server's socket does not exist: it does not run."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "The server did not answer in time."
	}
	return ""
}

func databaseCauseOr(err error) string {
	if cause := databaseCause(err); cause != "" {
		return cause
	}
	return message(err)
}

func databaseMend(err error) string {
	if answer, isAnswer := errors.AsType[*pgconn.PgError](err); isAnswer && answer.Code != "57P03" && answer.Code != "53300" {
		return "Correct SHUQIAO_DATABASE_URL, or the role and the database on the server."
	}
	return "Check that PostgreSQL runs and that SHUQIAO_DATABASE_URL names it."
}

// primary asks whether the server is the one that takes writes: decisions are never read from a replica.
func primary(ctx context.Context, s *subject) []Finding {
	const name = "role"
	var replica, readOnly bool
	err := s.db.Pool.QueryRow(ctx, "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool").Scan(&replica, &readOnly)
	switch {
	case err != nil:
		return unread(name, err)
	case replica:
		return one(fail(name, "The server is a replica.", "SHUQIAO_DATABASE_URL names a standby, or the primary has changed.", "Name the primary."))
	case readOnly:
		return one(fail(name, "The database takes no writes.", "default_transaction_read_only is on.", "Switch it off for the hub's database and role."))
	}
	return one(ok(name, "The server is the primary."))
}

// schema compares the database's schema with the one this program knows.
func schema(ctx context.Context, s *subject) []Finding {
	const name = "schema"
	has, err := migrations.Version(ctx, s.db.SQL())
	if err != nil {
		return unread(name, err)
	}
	knows, err := migrations.Latest()
	if err != nil {
		return unread(name, err)
	}
	err = migrations.Check(ctx, s.db.SQL())
	found := fmt.Sprintf("The database is at schema version %d; this program knows %d.", has, knows)
	switch {
	case err == nil:
		return one(ok(name, found))
	case has == 0:
		return one(warn(name, "The database has no schema yet.", "No hub has run on it.", "Start the hub with shuqiao serve, which makes it."))
	case errors.Is(err, migrations.ErrNewerSchema):
		return one(fail(name, found, "A newer release has run on this database.", "Use that release on every node."))
	case errors.Is(err, migrations.ErrOlderSchema):
		return one(fail(name, found, "The release is newer than the database.", "Back the database up, stop all nodes and run shuqiao migrate up."))
	}
	return unread(name, err)
}

// privileges asks for what the hub's role needs in its database.
func privileges(ctx context.Context, s *subject) []Finding {
	const name = "privileges"
	var role string
	var missing *string
	err := s.db.Pool.QueryRow(ctx, `
		SELECT current_user, string_agg(what, ', ' ORDER BY what) FROM (
			SELECT 'CONNECT on the database' AS what WHERE NOT has_database_privilege(current_database(), 'CONNECT')
			UNION ALL
			SELECT 'USAGE on schema ' || n.nspname FROM pg_namespace n
			WHERE n.nspname IN ('public', 'store') AND NOT has_schema_privilege(n.oid, 'USAGE')
			UNION ALL
			SELECT 'CREATE on schema store' FROM pg_namespace n WHERE n.nspname = 'store' AND NOT has_schema_privilege(n.oid, 'CREATE')
			UNION ALL
			SELECT 'CREATE on the empty database' WHERE to_regclass('public.hub_user') IS NULL AND NOT has_schema_privilege('public', 'CREATE')
			UNION ALL
			SELECT 'SELECT on ' || min(c.relname) || ' (one of ' || count(*) || ' tables)' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname IN ('public', 'store') AND c.relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, 'SELECT') HAVING count(*) > 0
		) lacking`).Scan(&role, &missing)
	if err != nil {
		return unread(name, err)
	}
	if missing != nil {
		return one(fail(name, "The role "+role+" lacks "+*missing+".", "The schema was made by another role, or rights were taken away.",
			"Give the role these rights, or use the role that owns the tables."))
	}
	return one(ok(name, "The role "+role+" has what the hub needs."))
}

// A node takes up to 24 connections for work and some of its own beside them.
const (
	fewConnections = 40
	noConnections  = 5
)

// connections counts what is left of the server's connections, and of the role's and the database's where they have a limit.
func connections(ctx context.Context, s *subject) []Finding {
	const name = "connections"
	var left, most int
	err := s.db.Pool.QueryRow(ctx, `
		WITH used AS (SELECT datname, usename FROM pg_stat_activity WHERE backend_type = 'client backend'),
		limits (most, used) AS (
			SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, (SELECT count(*) FROM used)
			UNION ALL
			SELECT rolconnlimit, (SELECT count(*) FROM used WHERE usename = current_user)
			FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0 AND NOT rolsuper
			UNION ALL
			SELECT datconnlimit, (SELECT count(*) FROM used WHERE datname = current_database())
			FROM pg_database WHERE datname = current_database() AND datconnlimit >= 0)
		SELECT (most - used)::int, most FROM limits ORDER BY most - used LIMIT 1`).Scan(&left, &most)
	if err != nil {
		return unread(name, err)
	}
	found := fmt.Sprintf("%d of %d connections are left.", max(0, left), most)
	const cause, mend = "Each node of the hub takes about 30.", "Raise max_connections (or the limit of the role), or close what else uses this server."
	switch {
	case left < noConnections:
		return one(fail(name, found, cause, mend))
	case left < fewConnections:
		return one(warn(name, found, cause, mend))
	}
	return one(ok(name, found))
}

// How far this machine's clock may be from the database's.
const (
	skewWarns = time.Second
	skewFails = time.Minute
)

// clock compares this machine's time with the database's, which is the one that decides. The policy lease counts
// CLOCK_MONOTONIC, which stands still while a machine sleeps.
func clock(ctx context.Context, s *subject) []Finding {
	const name = "clock"
	before := s.Clock()
	var there time.Time
	if err := s.db.Pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&there); err != nil {
		return unread(name, err)
	}
	after := s.Clock()
	trip := after.Sub(before)
	skew := there.Sub(before.Add(trip / 2)).Abs()
	found := fmt.Sprintf("This machine and the database differ by %s.", skew.Round(time.Millisecond))
	const cause, mend = "One of the two clocks is not kept by NTP; terms and schedules follow the database's, log lines and sessions' cookies this one's.",
		"Let chrony or systemd-timesyncd keep both clocks."
	var out []Finding
	switch {
	case skew-trip/2 > skewFails:
		out = append(out, fail(name, found, cause, mend))
	case skew-trip/2 > skewWarns:
		out = append(out, warn(name, found, cause, mend))
	default:
		out = append(out, ok(name, found))
	}
	if slept, known := s.Suspended(); known && slept > time.Second {
		out = append(out, warn(name, fmt.Sprintf("This machine has slept for %s since it started.", slept.Round(time.Second)),
			"While a machine sleeps CLOCK_MONOTONIC stands still and CLOCK_BOOTTIME goes on, so a node may take its policy for current for up to 0.7 s after waking.",
			"Keep machines that run a hub from being suspended."))
	}
	return out
}
