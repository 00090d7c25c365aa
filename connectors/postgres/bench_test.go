package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
)

// BenchmarkRead reads 200,000 rows of 12 columns, and by turns the limit to compare with: the same rows by COPY in text
// form, thrown away. It reports rows per second of both and the ratio of the median times, since a busy machine
// disturbs single turns.
func BenchmarkRead(b *testing.B) {
	settings := benchTable(b)
	registry, err := connectors.NewRegistry(Driver{})
	if err != nil {
		b.Fatal(err)
	}
	c, err := connectors.Open(b.Context(), registry, "postgres", settings, connectors.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	conn := connect(b, settings[keyDatabase]).PgConn()
	var reads, copies []time.Duration
	for b.Loop() {
		start := time.Now()
		readAll(b, c)
		reads = append(reads, time.Since(start))
		start = time.Now()
		var sink counter
		if _, err := conn.CopyTo(b.Context(), &sink, "COPY (SELECT * FROM bench) TO STDOUT"); err != nil {
			b.Fatal(err)
		}
		copies = append(copies, time.Since(start))
	}
	slices.Sort(reads)
	slices.Sort(copies)
	read, limit := reads[len(reads)/2].Seconds(), copies[len(copies)/2].Seconds()
	b.ReportMetric(benchRows/read, "rows/s")
	b.ReportMetric(benchRows/limit, "copy-rows/s")
	b.ReportMetric(limit/read, "of-copy")
}

func readAll(b *testing.B, c *connectors.Connection) {
	b.Helper()
	s, err := c.Read(b.Context(), connectors.ReadRequest{Object: "bench", Columns: benchColumns()})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for {
		batch, err := s.Next(b.Context())
		if err == connectors.ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		n += batch.Rows
	}
	if err := s.Close(); err != nil || n != benchRows {
		b.Fatal(n, err)
	}
}

const benchRows = 200_000

func benchColumns() []string {
	return []string{"id", "code", "name", "sex", "birth", "division", "address", "mobile", "amount", "active", "updated", "score"}
}

func benchTable(b *testing.B) map[string]string {
	settings := newDatabase(b, "")
	mustExec(b, connect(b, settings[keyDatabase]), `
CREATE TABLE bench (id bigint PRIMARY KEY, code varchar(18), name text, sex char(1), birth date, division varchar(12),
  address text, mobile varchar(20), amount numeric(14,2), active boolean, updated timestamptz, score integer)`, `
INSERT INTO bench SELECT i, '330600' || lpad(i::text, 12, '0'), '示例' || i, (i % 2)::text, date '1950-01-01' + i % 25000, '330602001000',
  '示例市示例区示例街道' || i || '号', '100' || lpad(i::text, 8, '0'), i * 1.25, i % 3 = 0, timestamptz '2026-01-01' + i * interval '1.5 second', i % 100
FROM generate_series(1, 200000) AS i`, "VACUUM ANALYZE bench")
	return settings
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
