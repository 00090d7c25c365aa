package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Options says how to reach the database.
type Options struct {
	URL             string
	ApplicationName string // Shown in pg_stat_activity; takeovers end sessions by it.
	MaxConns        int32  // 0 means 16.
	Tracer          pgx.QueryTracer
}

// DB is the hub's database: a pgx pool and a gorm handle over the same pool.
type DB struct {
	Pool *pgxpool.Pool
	sql  *sql.DB
	gorm *gorm.DB
}

// Open connects and checks that the server answers. It returns an Unavailable fault "database_down" when it does not.
func Open(ctx context.Context, opt Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(opt.URL)
	if err != nil {
		// The parser's error text may hold the password.
		return nil, fault.New(fault.Invalid, "database_url", "the database URL is malformed; expected postgres://user:password@host:port/database")
	}
	cfg.MaxConns = opt.MaxConns
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 16
	}
	cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	cfg.ConnConfig.RuntimeParams["application_name"] = opt.ApplicationName
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	if opt.Tracer != nil {
		cfg.ConnConfig.Tracer = opt.Tracer
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("making database pool: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fault.New(fault.Unavailable, "database_down", "the hub's database does not answer; check that it runs and that the URL is right").Wrap(err)
	}
	sqlDB := stdlib.OpenDBFromPool(pool)
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: sqlDB}), &gorm.Config{
		Logger:                 logger.Discard,
		TranslateError:         true,
		SkipDefaultTransaction: true,
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("opening gorm over the pool: %w", err)
	}
	return &DB{Pool: pool, sql: sqlDB, gorm: g}, nil
}

// Close ends all connections. It is safe to call twice.
func (d *DB) Close() {
	_ = d.sql.Close()
	d.Pool.Close()
}

// SQL returns a database/sql handle over the same pool, for the migrator.
func (d *DB) SQL() *sql.DB { return d.sql }

// Gorm returns a gorm session bound to ctx, outside any transaction. Only store.go files may use it.
func (d *DB) Gorm(ctx context.Context) *gorm.DB { return d.gorm.WithContext(ctx) }

// Tx is one READ COMMITTED transaction with a fixed time.
type Tx struct {
	pgx.Tx
	gorm *gorm.DB
	now  time.Time
	last []lastStep
}

type lastStep struct {
	name string
	run  func(ctx context.Context, tx *Tx) error
}

// Now returns the database's time at the start of the transaction, in UTC with microseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// Gorm returns a gorm session inside the transaction. Only store.go files may use it.
func (tx *Tx) Gorm(ctx context.Context) *gorm.DB { return tx.gorm.WithContext(ctx) }

// Last registers work that must be the last statements before COMMIT, such as numbering policy changes. Steps run in
// the order of registration; a second registration under the same name is ignored and reported by false.
func (tx *Tx) Last(name string, run func(ctx context.Context, tx *Tx) error) bool {
	for _, s := range tx.last {
		if s.name == name {
			return false
		}
	}
	tx.last = append(tx.last, lastStep{name, run})
	return true
}

// InTx runs fn in one transaction and commits when it returns nil. An error of fn is returned as it is. A serialization
// failure or deadlock rolls back and is returned as a Conflict fault "try_again".
func (d *DB) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return fmt.Errorf("taking a database connection: %w", err)
	}
	defer conn.Close()
	var pgConn *pgx.Conn
	if err := conn.Raw(func(driverConn any) error {
		pgConn = driverConn.(*stdlib.Conn).Conn()
		return nil
	}); err != nil {
		return fmt.Errorf("taking a database connection: %w", err)
	}
	inner, err := pgConn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	// Rolling back after a commit does nothing; after a cancelled ctx it must still reach the server.
	defer func() { _ = inner.Rollback(context.WithoutCancel(ctx)) }()
	tx := &Tx{Tx: inner}
	if err := inner.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&tx.now); err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	tx.now = tx.now.UTC()
	tx.gorm = d.gorm.Session(&gorm.Session{NewDB: true, Context: ctx})
	tx.gorm.Statement.ConnPool = conn
	if err := fn(tx); err != nil {
		return retryable(err)
	}
	if err := runBeforeCommit(ctx, tx); err != nil {
		return retryable(err)
	}
	for _, step := range tx.last {
		if err := step.run(ctx, tx); err != nil {
			return retryable(fmt.Errorf("closing transaction (%s): %w", step.name, err))
		}
	}
	if err := inner.Commit(ctx); err != nil {
		return retryable(fmt.Errorf("committing: %w", err))
	}
	return nil
}

// retryable turns the errors that another try may mend into a Conflict that says so. Deferred constraints and
// serialization show only at commit, so commits pass through here as well.
func retryable(err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if ok && (pgErr.Code == "40001" || pgErr.Code == "40P01") {
		return fault.New(fault.Conflict, "try_again", "somebody else changed the same thing at the same time; try again").Wrap(err)
	}
	return err
}

// IsUnique reports whether err is a violation of the named unique constraint or index; "" stands for any.
func IsUnique(err error, constraint string) bool { return violates(err, "23505", constraint) }

// IsCheck reports whether err is a violation of the named CHECK constraint; "" stands for any.
func IsCheck(err error, constraint string) bool { return violates(err, "23514", constraint) }

// IsForeignKey reports whether err is a violation of the named foreign key; "" stands for any.
func IsForeignKey(err error, constraint string) bool { return violates(err, "23503", constraint) }

func violates(err error, code, constraint string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == code && (constraint == "" || pgErr.ConstraintName == constraint)
}

// NoRows reports whether err says that a query found nothing, in pgx or gorm.
func NoRows(err error) bool {
	return errors.Is(err, pgx.ErrNoRows) || errors.Is(err, sql.ErrNoRows) || errors.Is(err, gorm.ErrRecordNotFound)
}
