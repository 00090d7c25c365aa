package bench_test

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// rowCount is how many rows the peers move; BENCH_ROWS sets another number.
func rowCount(b *testing.B) int {
	text := os.Getenv("BENCH_ROWS")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// twelve is a table of 12 items of mixed types, as registration systems keep them.
const twelve = `CREATE TABLE person AS SELECT
	'330600' || to_char(date '1950-01-01' + (n % 20000), 'YYYYMMDD') || lpad((n / 20000)::text, 3, '0') || 'X' || n AS id,
	'示例' || n AS name, (n % 2 + 1)::text AS sex, lpad((n % 56 + 1)::text, 2, '0') AS ethnic,
	to_char(date '1950-01-01' + (n % 20000), 'YYYYMMDD') AS birth, '3306' || lpad((n % 83)::text, 2, '0') || '000000' AS division,
	'示例市示例区示例路' || n || '号' AS address, (n * 1.25)::numeric(18, 2) AS amount, n AS visits, (n % 3 = 0) AS married,
	date '2020-01-01' + (n % 2000) AS registered, timestamptz '2026-01-01 00:00:00+08' + n * interval '1 second' AS changed
	FROM generate_series(1, $rows) n`

var twelveItems = []engine.Mapped{
	{Item: transform.Item{No: 1, Identifier: "id", Letter: 'C', Length: 40, Key: true, Required: true}, Column: "id", Kind: transform.KindText},
	{Item: transform.Item{No: 2, Identifier: "name", Letter: 'C', Length: 64}, Column: "name", Kind: transform.KindText},
	{Item: transform.Item{No: 3, Identifier: "sex", Letter: 'C', Length: 1, Codes: []string{"0", "1", "2", "9"}}, Column: "sex", Kind: transform.KindText},
	{Item: transform.Item{No: 4, Identifier: "ethnic", Letter: 'C', Length: 2}, Column: "ethnic", Kind: transform.KindText},
	{Item: transform.Item{No: 5, Identifier: "birth", Letter: 'D'}, Column: "birth", Kind: transform.KindText},
	{Item: transform.Item{No: 6, Identifier: "division", Letter: 'C', Length: 12}, Filterable: true, Column: "division", Kind: transform.KindText},
	{Item: transform.Item{No: 7, Identifier: "address", Letter: 'C', Length: 200}, Column: "address", Kind: transform.KindText},
	{Item: transform.Item{No: 8, Identifier: "amount", Letter: 'N', Length: 18, Scale: 2}, Column: "amount", Kind: transform.KindDecimal},
	{Item: transform.Item{No: 9, Identifier: "visits", Letter: 'I'}, Column: "visits", Kind: transform.KindInteger},
	{Item: transform.Item{No: 10, Identifier: "married", Letter: 'L'}, Column: "married", Kind: transform.KindBool},
	{Item: transform.Item{No: 11, Identifier: "registered", Letter: 'D'}, Column: "registered", Kind: transform.KindDate},
	{Item: transform.Item{No: 12, Identifier: "changed", Letter: 'T'}, Column: "changed", Kind: transform.KindTimestamp},
}

// BenchmarkCollect moves the same rows four ways: a binary COPY piped from source to target (the limit), Go's CopyFrom
// over a query, the hub's first collect (validated, hashed, checkpointed, indexed, reconciled), and a second collect that
// finds nothing changed.
func BenchmarkCollect(b *testing.B) {
	ctx := context.Background()
	sourceURL, hubURL := pgtest.Empty(b), pgtest.URL(b)
	source, err := pgxpool.New(ctx, sourceURL)
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	n := rowCount(b)
	for _, sql := range []string{strings.ReplaceAll(twelve, "$rows", strconv.Itoa(n)), "VACUUM ANALYZE person"} {
		if _, err := source.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
	hub, err := db.Open(ctx, db.Options{URL: hubURL, ApplicationName: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer hub.Close()
	for range b.N {
		limit := timed(b, "binary COPY piped", n, func() { pipe(b, source, hub) })
		copyFrom := timed(b, "Go CopyFrom", n, func() { copyRows(b, source, hub) })
		c := newCollect(b, hub, sourceURL)
		first := timed(b, "hub, first collect", n, func() { c.run(b) })
		second := timed(b, "hub, nothing changed", n, func() { c.run(b) })
		b.ReportMetric(limit.Seconds()/first.Seconds(), "first/binary-COPY")
		b.ReportMetric(copyFrom.Seconds()/first.Seconds(), "first/CopyFrom")
		b.ReportMetric(limit.Seconds()/second.Seconds(), "unchanged/binary-COPY")
	}
}

func timed(b *testing.B, name string, rows int, do func()) time.Duration {
	start := time.Now()
	do()
	d := time.Since(start)
	b.Logf("%-22s %8.2f s  %9.0f rows/s", name, d.Seconds(), float64(rows)/d.Seconds())
	return d
}

func pipe(b *testing.B, source *pgxpool.Pool, hub *db.DB) {
	ctx := context.Background()
	from, err := source.Acquire(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer from.Release()
	to, err := hub.Pool.Acquire(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer to.Release()
	emptyTarget(b, hub)
	r, w := io.Pipe()
	go func() {
		_, err := from.Conn().PgConn().CopyTo(ctx, w, "COPY person TO STDOUT (FORMAT binary)")
		w.CloseWithError(err)
	}()
	if _, err := to.Conn().PgConn().CopyFrom(ctx, r, "COPY target FROM STDIN (FORMAT binary)"); err != nil {
		b.Fatal(err)
	}
}

func emptyTarget(b *testing.B, hub *db.DB) {
	_, err := hub.Pool.Exec(context.Background(), `DROP TABLE IF EXISTS target; CREATE TABLE target (id text, name text, sex text, ethnic text, birth text,
		division text, address text, amount numeric(18, 2), visits int, married boolean, registered date, changed timestamptz)`)
	if err != nil {
		b.Fatal(err)
	}
}

func copyRows(b *testing.B, source *pgxpool.Pool, hub *db.DB) {
	ctx := context.Background()
	emptyTarget(b, hub)
	rows, err := source.Query(ctx, "SELECT * FROM person")
	if err != nil {
		b.Fatal(err)
	}
	columns := []string{"id", "name", "sex", "ethnic", "birth", "division", "address", "amount", "visits", "married", "registered", "changed"}
	if _, err := hub.Pool.CopyFrom(ctx, pgx.Identifier{"target"}, columns, rows); err != nil {
		b.Fatal(err)
	}
}

// collect is a resource of its own with a source connection.
type collect struct {
	engine.Collect
	hub *db.DB
}

func newCollect(b *testing.B, hub *db.DB, sourceURL string) *collect {
	ctx := context.Background()
	registry, err := all.Registry()
	if err != nil {
		b.Fatal(err)
	}
	connection, err := connectors.Open(ctx, registry, "postgres", map[string]string{"dsn": sourceURL}, connectors.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { connection.Close() })
	c := &collect{hub: hub}
	c.Store, c.Source, c.Object, c.Items = store.New(hub), connection, "public.person", twelveItems
	c.Job = store.Job{Resource: db.NewID(), Task: db.NewID(), Version: 1}
	c.CarryDeletes, c.AsOf = true, time.Now()
	c.Seal = func(row []byte) ([]byte, error) { return row, nil }
	c.Continue = func(context.Context) error { return nil }
	return c
}

func (c *collect) run(b *testing.B) {
	ctx := context.Background()
	c.Job.Run = db.NewID()
	err := c.hub.InTx(ctx, func(tx *db.Tx) (err error) {
		c.Job.Lease, err = store.TakeLeaseTx(ctx, tx, store.WriterLease(c.Job.Resource), c.Job.Run, db.NewID())
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.Run(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if !out.Comparison.Equal() || out.Result.Counts.Rejected > 0 {
		b.Fatalf("outcome %+v", out)
	}
	if err := c.Store.DropStaging(ctx, c.Job); err != nil {
		b.Fatal(err)
	}
}
