package city

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The bounds of a scale.
const (
	MinScale = 0.01
	MaxScale = 10
)

// buildLock is the advisory lock that serialises builders of one database. The number has no meaning of its own.
const buildLock = 330600

// Options say what to build.
type Options struct {
	Scale float64 // Multiplies the row counts; MinScale to MaxScale, 0 means 1.
	Seed  uint64  // Decides the content, together with Scale.
	// Parallel is how many databases are filled at the same time; 0 means 2.
	Parallel int
	// Log is told the progress: name of the database, rows written, rows in all. Calls come one at a time; nil is silent.
	Log func(stage string, done, total int)
}

// DSN gives the connection string of a source database by its name. The role in it must own the database; the caller has
// created both.
type DSN func(database string) string

// Build fills the six source databases and returns the inventory of the rows that are wrong on purpose, in the order of
// Databases, table and row. Each database is filled in one transaction whose last statement writes the marker: a build
// that was killed leaves that database as it was, and the next Build redoes it. A database already built with the same
// seed and scale is left alone, changes made since included; one built otherwise is replaced.
func Build(ctx context.Context, opts Options, dsn DSN) ([]Wrong, error) {
	if opts.Scale == 0 {
		opts.Scale = 1
	}
	if !(opts.Scale >= MinScale && opts.Scale <= MaxScale) { // written so that NaN fails too
		return nil, fmt.Errorf("building the city: scale must lie between %v and %v", MinScale, MaxScale)
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 2
	}
	w, err := newWorld(opts.Seed, opts.Scale)
	if err != nil {
		return nil, err
	}
	b := &builder{opts: opts, world: w}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan system)
	var workers sync.WaitGroup
	for range opts.Parallel {
		workers.Go(func() {
			for s := range work {
				if err := b.build(ctx, s, dsn(s.Name)); err != nil {
					cancel(fmt.Errorf("building %s: %w", s.Name, err))
				}
			}
		})
	}
	for _, s := range systems() {
		work <- s
	}
	close(work)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return Inventory(ctx, dsn)
}

// Built reports whether all six databases carry the marker of a finished build, of whatever seed and scale. A database
// that does not exist counts as not built.
func Built(ctx context.Context, dsn DSN) (bool, error) {
	for _, s := range systems() {
		built, err := databaseBuilt(ctx, dsn(s.Name))
		if err != nil {
			return false, fmt.Errorf("looking for the marker in %s: %w", s.Name, err)
		}
		if !built {
			return false, nil
		}
	}
	return true, nil
}

func databaseBuilt(ctx context.Context, dsn string) (bool, error) {
	conn, err := pgx.Connect(ctx, dsn)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "3D000" { // invalid_catalog_name: no such database
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	mark, err := readMark(ctx, conn)
	return mark != "", err
}

// builder fills databases; it is shared by the workers.
type builder struct {
	opts  Options
	world *world
	mu    sync.Mutex // orders the calls of opts.Log
}

func (b *builder) report(stage string, done, total int) {
	if b.opts.Log == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opts.Log(stage, done, total)
}

// mark is what the marker of a finished build says.
func (b *builder) mark() string {
	return "seed " + strconv.FormatUint(b.opts.Seed, 10) + ", scale " + strconv.FormatFloat(b.opts.Scale, 'g', -1, 64)
}

func (b *builder) build(ctx context.Context, s system, dsn string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	total := 0
	for _, t := range s.tables {
		total += t.RowsAt(b.opts.Scale)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("opening the transaction: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // the error that led here is the one to report
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, buildLock); err != nil {
		return fmt.Errorf("waiting for another builder: %w", err)
	}
	mark, err := readMark(ctx, conn)
	if err != nil {
		return err
	}
	if mark == b.mark() {
		b.report(s.Name, total, total)
		return nil
	}
	if _, err := tx.Exec(ctx, markerSchema); err != nil {
		return fmt.Errorf("creating the marker: %w", err)
	}
	done := 0
	for _, t := range s.tables {
		n := t.RowsAt(b.opts.Scale)
		wrong, err := b.fill(ctx, conn, s, t, n, func(rows int) { b.report(s.Name, done+rows, total) })
		if err != nil {
			return fmt.Errorf("filling table %s: %w", t.Name, err)
		}
		if err := writeInventory(ctx, tx, wrong); err != nil {
			return err
		}
		done += n
	}
	if _, err := tx.Exec(ctx, `INSERT INTO shuqiao_demo.build (mark) VALUES ($1)`, b.mark()); err != nil {
		return fmt.Errorf("writing the marker: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// fill creates one table, copies n rows into it and returns which of them are wrong.
func (b *builder) fill(ctx context.Context, conn *pgx.Conn, s system, t table, n int, report func(int)) ([]Wrong, error) {
	if _, err := conn.Exec(ctx, createTable(t.Table)); err != nil {
		return nil, fmt.Errorf("creating: %w", err)
	}
	produce, err := t.open(b.world, n)
	if err != nil {
		return nil, err
	}
	sp := newSpoiler(s.Name, t, b.opts.Seed, n)
	stream := &copyStream{n: n, produce: produce, spoil: sp.apply, report: report}
	// FREEZE: the table is new in this transaction, and readers need not visit the rows' hint bits later.
	if _, err := conn.PgConn().CopyFrom(ctx, stream, "COPY "+tableName(t.Name)+" FROM STDIN WITH (FREEZE)"); err != nil {
		return nil, fmt.Errorf("copying: %w", err)
	}
	if _, err := conn.Exec(ctx, indexTable(t.Table)); err != nil {
		return nil, fmt.Errorf("indexing: %w", err)
	}
	return sp.inventory, nil
}

func tableName(name string) string { return pgx.Identifier{"public", name}.Sanitize() }

// createTable is the statements that create an empty table with its comments, without any constraint: systems of record of
// this age seldom declare one, and the wrong rows need none.
func createTable(t Table) string {
	name := tableName(t.Name)
	var b strings.Builder
	fmt.Fprintf(&b, "DROP TABLE IF EXISTS %s;\nCREATE TABLE %s (", name, name)
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n\t%s %s", c.Name, c.Type)
	}
	fmt.Fprintf(&b, "\n);\nCOMMENT ON TABLE %s IS '%s';\n", name, t.NameZH)
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "COMMENT ON COLUMN %s.%s IS '%s';\n", name, c.Name, c.Comment)
	}
	return b.String()
}

// indexTable is the statements that index the row number and, in binary order, the first key column; neither is unique.
func indexTable(t Table) string {
	name, key := tableName(t.Name), t.Mapping()[t.KeyItems[0]]
	if len(t.KeyItems) > 1 {
		// The first part alone hardly divides a composite key.
		parts := make([]string, 0, len(t.KeyItems))
		for _, item := range t.KeyItems {
			parts = append(parts, t.Mapping()[item])
		}
		key = strings.Join(parts, ` COLLATE "C", `)
	}
	return fmt.Sprintf("CREATE INDEX ON %s (%s COLLATE \"C\");\nCREATE INDEX ON %s (%s);\nANALYZE %s;", name, key, name, t.RowColumn, name)
}
