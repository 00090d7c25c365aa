package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/migrations"
)

// benchResources is how many entries the directory of the benchmark has; BENCH_RESOURCES sets another number.
func benchResources(b *testing.B) int {
	text := os.Getenv("BENCH_RESOURCES")
	if text == "" {
		b.Skip("make bench-catalog or make bench-small sets BENCH_RESOURCES")
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// fixture opens the directory of n entries. It lies in a private PostgreSQL of its own in BENCH_DATA (or the user's cache), is made
// when it is missing, or made for another schema, and stays.
func fixture(b *testing.B, n int) *db.DB {
	ctx := context.Background()
	dir := os.Getenv("BENCH_DATA")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			b.Fatal(err)
		}
		dir = filepath.Join(cache, "shuqiao-bench")
	}
	cluster, err := pglocal.Start(ctx, pglocal.Options{DataDir: dir, Settings: map[string]string{
		"shared_buffers": "1GB", "maintenance_work_mem": "512MB", "max_wal_size": "4GB", "fsync": "off", "wal_level": "minimal", "max_wal_senders": "0",
	}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			b.Error(err)
		}
	})
	admin, err := pgx.Connect(ctx, cluster.SocketURL("postgres"))
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close(ctx)
	var made bool
	name := fmt.Sprintf("catalog_%d_%d", n, builtBy)
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&made); err != nil {
		b.Fatal(err)
	}
	if !made {
		start := time.Now()
		making := name + "_making"
		for _, sql := range []string{"DROP DATABASE IF EXISTS " + making, "CREATE DATABASE " + making + " TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"} {
			if _, err := admin.Exec(ctx, sql); err != nil {
				b.Fatal(err)
			}
		}
		if err := makeDirectory(ctx, cluster.SocketURL(making), n); err != nil {
			b.Fatal(err)
		}
		if _, err := admin.Exec(ctx, "ALTER DATABASE "+making+" RENAME TO "+name); err != nil {
			b.Fatal(err)
		}
		b.Logf("made the directory of %d entries in %s", n, time.Since(start).Round(time.Second))
	}
	d, err := db.Open(ctx, db.Options{URL: cluster.SocketURL(name), ApplicationName: "bench", MaxConns: 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(d.Close)
	if err := migrations.Up(ctx, d.SQL()); err != nil {
		b.Fatal(err)
	}
	var size string
	if err := d.Pool.QueryRow(ctx, "SELECT pg_size_pretty(pg_database_size(current_database()))").Scan(&size); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d entries, %s", n, size)
	return d
}

// timings are how long each of many calls took.
type timings []time.Duration

func (t timings) at(share float64) time.Duration {
	slices.Sort(t)
	return t[min(int(share*float64(len(t))), len(t)-1)]
}

// timed has clients call do calls times altogether.
func timed(b *testing.B, name string, clients, calls int, do func(n int) error) {
	var wait sync.WaitGroup
	all := make([]timings, clients)
	start := time.Now()
	for c := range clients {
		wait.Go(func() {
			for n := c; n < calls; n += clients {
				begun := time.Now()
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
				all[c] = append(all[c], time.Since(begun))
			}
		})
	}
	wait.Wait()
	took := timings(slices.Concat(all...))
	if len(took) == 0 {
		b.Fatal("no call came back")
	}
	const ms = float64(time.Millisecond)
	b.Logf("%-44s %2d clients  p50 %7.2f ms  p99 %7.2f ms  %6.0f/s", name, clients, float64(took.at(0.5))/ms, float64(took.at(0.99))/ms,
		float64(len(took))/time.Since(start).Seconds())
}

// BenchmarkCatalog measures what people wait for in a directory of BENCH_RESOURCES entries of 12 items each.
func BenchmarkCatalog(b *testing.B) {
	n := benchResources(b)
	d := fixture(b, n)
	node := authztest.Start(b, d)
	s, err := New(Options{DB: d, Enforcer: node.Enforcer})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	p := authztest.Person(benchDepartment(0), authz.DeptOperator)
	words := benchWords()
	search := func(q func(n int) Query) func(int) error {
		return func(n int) error {
			_, _, err := s.Search(ctx, p, q(n), db.Page{Limit: 20})
			return err
		}
	}
	word := func(n int) string { return words[n%len(words)] }
	for range b.N {
		warm := search(func(n int) Query { return Query{Text: word(n), Sort: ByRelevance} })
		timed(b, "first searches: pages read, statements planned", 16, 2*len(words), warm)
		for _, clients := range []int{1, 16} {
			timed(b, "two characters, ranked first page", clients, 1600, warm)
			timed(b, "two words, ranked first page", clients, 400, search(func(n int) Query { return Query{Text: word(n) + " " + word(n*7+3), Sort: ByRelevance} }))
			timed(b, "one character, ranked first page", clients, 400, search(func(n int) Query { return Query{Text: string([]rune(word(n))[:1]), Sort: ByRelevance} }))
			timed(b, "pinyin initials, ranked first page", clients, 400, search(func(n int) Query {
				initials, _ := sounds(word(n))
				return Query{Text: initials, Sort: ByRelevance}
			}))
			timed(b, "two characters and filters, ranked first page", clients, 400, search(func(n int) Query {
				return Query{Text: word(n), Grade: L3, UpdateCycle: Daily, Sort: ByRelevance}
			}))
			timed(b, "two characters, last changed first", clients, 200, search(func(n int) Query { return Query{Text: word(n)} }))
			timed(b, "no text, ranked first page", clients, 400, search(func(int) Query { return Query{Sort: ByRelevance} }))
			timed(b, "suggestions", clients, 400, func(n int) error { _, err := s.Suggest(ctx, p, word(n)); return err })
			timed(b, "facets of two characters", clients, 200, func(n int) error { _, err := s.Facets(ctx, p, Query{Text: word(n)}); return err })
			timed(b, "one entry", clients, 1600, func(i int) error { _, err := s.Get(ctx, p, benchResource(i*7919%n)); return err })
		}
		timed(b, "the most rows first, no text", 1, 5, search(func(int) Query { return Query{Sort: ByRows} }))
		timed(b, "overview, counted anew", 1, 1, func(int) error { _, err := s.countedNow(ctx); return err })
	}
}

func benchDepartment(n int) uuid.UUID { return benchID(1, n) }

func benchResource(n int) uuid.UUID { return benchID(2, n) }

func benchID(kind byte, n int) (id uuid.UUID) {
	id[0], id[6], id[8] = kind, 0x70, 0x80
	for i := range 6 {
		id[15-i] = byte(n >> (8 * i))
	}
	return id
}
