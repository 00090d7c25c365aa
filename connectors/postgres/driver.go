package postgres

import (
	"context"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
)

// Driver opens PostgreSQL databases as sources.
type Driver struct{}

// The keys of the settings.
const (
	keyDSN              = "dsn"
	keyHost             = "host"
	keyPort             = "port"
	keyDatabase         = "database"
	keyUser             = "user"
	keyPassword         = "password"
	keySSLMode          = "sslmode"
	keySchema           = "schema"
	keyStatementTimeout = "statement_timeout"
	keyOptions          = "options"
)

// sslModes are libpq's, see PostgreSQL 15 documentation, 34.19.
func sslModes() []string {
	return []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
}

// Spec describes the settings. Either dsn is given, or host, database and user.
func (Driver) Spec() connectors.Spec {
	return connectors.Spec{
		Name:      "postgres",
		Summary:   "Reads tables and views of PostgreSQL databases.",
		SummaryZH: "读取 PostgreSQL 数据库的表和视图。",
		Fields: []connectors.Field{
			{
				Key: keyDSN, Kind: connectors.FieldSecret,
				Doc:   "Connection URL, postgres://user:password@host:port/database?sslmode=require; instead of the single settings below.",
				DocZH: "连接地址,形如 postgres://user:password@host:port/database?sslmode=require;填写后不再填写下列单项。",
			},
			{
				Key: keyHost, Kind: connectors.FieldString,
				Doc:   "Host name or address, or the absolute path of a socket folder.",
				DocZH: "主机名或地址,或本机套接字目录的绝对路径。",
			},
			{
				Key: keyPort, Kind: connectors.FieldInt, Default: "5432", Min: 1, Max: 65535,
				Doc: "TCP port.", DocZH: "端口。",
			},
			{Key: keyDatabase, Kind: connectors.FieldString, Doc: "Name of the database.", DocZH: "数据库名。"},
			{
				Key: keyUser, Kind: connectors.FieldString,
				Doc:   "Account; it needs SELECT on the objects and nothing else.",
				DocZH: "账号;只需要对象的 SELECT 权限。",
			},
			{Key: keyPassword, Kind: connectors.FieldSecret, Doc: "Password of the account.", DocZH: "账号口令。"},
			{
				Key: keySSLMode, Kind: connectors.FieldEnum, Default: "prefer", Choices: sslModes(),
				Doc:   "Encryption of the connection, as in libpq.",
				DocZH: "连接加密方式,含义同 libpq。",
			},
			{
				Key: keySchema, Kind: connectors.FieldString, Default: "public",
				Doc:   "Schema of objects that are named without one.",
				DocZH: "未写模式名的对象所在的模式。",
			},
			{
				Key: keyStatementTimeout, Kind: connectors.FieldDuration, Default: "60s",
				Doc:   "How long the server may work on one look-up or catalogue query; a full read is bounded by its pauses instead. 0s for no limit.",
				DocZH: "服务器执行一次查找或目录查询的最长时间;整表读取只限制停顿时间。0s 表示不限制。",
			},
			{
				Key: keyOptions, Kind: connectors.FieldString,
				Doc:   "Further server settings as command-line options, such as \"-c work_mem=64MB\".",
				DocZH: "其他服务器参数,按命令行选项书写,例如“-c work_mem=64MB”。",
			},
		},
		Check: checkSettings,
	}
}

// OpenSource returns a source; it connects on the first call.
func (Driver) OpenSource(_ context.Context, config connectors.Config) (connectors.Source, error) {
	t, err := newTarget(config)
	if err != nil {
		return nil, err
	}
	return &source{target: t}, nil
}

// Host is the host of the settings, or the folder of a socket.
func (Driver) Host(config connectors.Config) string {
	if !config.Has(keyDSN) {
		return config.String(keyHost)
	}
	a, _ := parseURL(config.String(keyDSN))
	return a.host
}

var (
	_ connectors.Driver = Driver{}
	_ connectors.Source = (*source)(nil)
	_ connectors.Reader = (*reader)(nil)

	_ connectors.ManySource    = (*source)(nil)
	_ connectors.PendingSource = (*source)(nil)
	_ connectors.Addressed     = Driver{}
)

// Traits says that reads see one snapshot, resume by key and can be narrowed to what changed.
func (*source) Traits() connectors.Traits {
	return connectors.Traits{Resume: connectors.ResumeKey, Snapshot: true, Since: true}
}

// Now is the clock of the server, not the start of the transaction.
func (s *source) Now(ctx context.Context) (now time.Time, err error) {
	err = s.inSnapshot(ctx, func(q *session) error {
		now, err = q.now(ctx)
		return err
	})
	return now, err
}

// pendingSQL asks for the open transactions. Other people's sessions show neither kind, state nor start without the right to read
// all statistics; prepared transactions are visible to everybody. A replica sees none of its primary's.
const pendingSQL = `
WITH begun AS (
  SELECT a.xact_start AS at, a.state IS NULL AS hidden FROM pg_stat_activity a
  WHERE a.datname = current_database() AND coalesce(a.backend_type, 'client backend') = 'client backend' AND a.pid <> pg_backend_pid()
  UNION ALL SELECT p.prepared, false FROM pg_prepared_xacts p WHERE p.database = current_database())
SELECT coalesce((greatest(extract(epoch FROM clock_timestamp() - min(at)), 0) * 1000000)::bigint, 0), NOT pg_is_in_recovery() AND NOT coalesce(bool_or(hidden), false)
FROM begun`

// Pending is the server's clock and the age of the oldest transaction that the account can see.
func (s *source) Pending(ctx context.Context) (out connectors.Pending, err error) {
	err = s.inSnapshot(ctx, func(q *session) error {
		if out.Now, err = q.now(ctx); err != nil {
			return err
		}
		rows, err := q.rows(ctx, pendingSQL)
		if err != nil {
			return err
		}
		out.Oldest = time.Duration(integer(rows[0][0])) * time.Microsecond
		out.Complete = string(rows[0][1]) == "t"
		return nil
	})
	return out, err
}
