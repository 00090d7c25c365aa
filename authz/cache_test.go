package authz_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
)

// cacheOver starts a node with a cache of departments' names, dropped by their entries.
func cacheOver(t *testing.T, d *db.DB, size int) (*authztest.Node, *authz.Cache[string, string]) {
	t.Helper()
	var cache *authz.Cache[string, string]
	n := authztest.Start(t, d, func(f *authz.Follower) {
		cache = authz.NewCache[string, string](f, size)
		f.Subscribe(func(entries []authz.Entry) error {
			for _, e := range entries {
				switch e.Kind {
				case authz.KindAll:
					cache.DropAll()
				case authz.KindDepartment:
					cache.Drop(e.ID)
				}
			}
			return nil
		})
	})
	return n, cache
}

// readName reads a department's name and the policy head in one statement.
func readName(d *db.DB, id string) func(context.Context) (string, int64, error) {
	return func(ctx context.Context) (name string, n int64, err error) {
		err = d.Pool.QueryRow(ctx, "SELECT name, (SELECT n FROM policy_head) FROM department WHERE id = $1", id).Scan(&name, &n)
		return name, n, err
	}
}

func newDepartment(t testing.TB, d *db.DB, name string) string {
	t.Helper()
	id := db.NewID().String()
	_, err := d.Pool.Exec(t.Context(), `
		INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at)
		VALUES ($1::uuid, $1::uuid::text, $2, '330600', 'city', now(), now())`, id, name)
	if err != nil {
		t.Fatalf("inserting a department: %v", err)
	}
	return id
}

func rename(t testing.TB, d *db.DB, id, name string) {
	t.Helper()
	err := d.InTx(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Exec(t.Context(), "UPDATE department SET name = $2 WHERE id = $1", id, name); err != nil {
			return err
		}
		return authz.LogTx(tx, authz.KindDepartment, id)
	})
	if err != nil {
		t.Fatalf("renaming: %v", err)
	}
}

// A reader that read the row before a change and inserts after the change was dropped does not bring the old value back, and
// does not return it either: it loads again.
func TestCacheLoadOvertakenByAChange(t *testing.T) {
	t.Parallel()
	d := authztest.Open(t)
	id := newDepartment(t, d, "示例水利局")
	n, cache := cacheOver(t, d, 10)
	var loads atomic.Int64
	got, err := cache.Get(t.Context(), id, func(ctx context.Context) (string, int64, error) {
		name, head, err := readName(d, id)(ctx)
		if loads.Add(1) == 1 {
			// Between the statement and the insertion the row changes and this node applies the change.
			rename(t, d, id, "示例交通局")
			if err := authztest.Sync(ctx, n.Follower); err != nil {
				return "", 0, err
			}
		}
		return name, head, err
	})
	if err != nil || got != "示例交通局" || loads.Load() != 2 {
		t.Errorf("got %q after %d loads, err %v", got, loads.Load(), err)
	}
	again, err := cache.Get(t.Context(), id, readName(d, id))
	if err != nil || again != "示例交通局" {
		t.Errorf("the next reader: got %q, err %v", again, err)
	}
}

// A load that a restored log overtakes is void although its number is higher than the restored head's.
func TestCacheLoadOvertakenByARestore(t *testing.T) {
	t.Parallel()
	d := authztest.Open(t)
	id := newDepartment(t, d, "示例水利局")
	rename(t, d, id, "示例水务局")
	n, cache := cacheOver(t, d, 10)
	first := true
	got, err := cache.Get(t.Context(), id, func(ctx context.Context) (string, int64, error) {
		name, head, err := readName(d, id)(ctx)
		if first && err == nil {
			first = false
			_, err = d.Pool.Exec(ctx, `
				WITH r AS (UPDATE department SET name = '示例水利局'), l AS (DELETE FROM policy_log)
				UPDATE policy_head SET n = 0, incarnation = gen_random_uuid()`)
			if err == nil {
				err = authztest.Sync(ctx, n.Follower)
			}
		}
		return name, head, err
	})
	if err != nil || got != "示例水利局" {
		t.Errorf("got %q, err %v", got, err)
	}
}

// Readers and a writer race for many rounds; after each change that this node has applied, no reader gets the value before.
func TestCacheNeverServesWhatWasDropped(t *testing.T) {
	t.Parallel()
	d := authztest.Open(t)
	id := newDepartment(t, d, "0")
	n, cache := cacheOver(t, d, 10)
	var floor atomic.Int64 // Every reader that starts now must see at least this.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := floor.Load()
				name, err := cache.Get(context.WithoutCancel(t.Context()), id, readName(d, id))
				var got int64
				if _, scanErr := fmt.Sscan(name, &got); err != nil || scanErr != nil || got < least {
					t.Errorf("got %q, err %v; at least %d was applied", name, err, least)
					return
				}
			}
		})
	}
	for i := range int64(25) {
		rename(t, d, id, fmt.Sprint(i+1))
		if err := authztest.Sync(t.Context(), n.Follower); err != nil {
			t.Fatal(err)
		}
		floor.Store(i + 1)
	}
	close(stop)
	wg.Wait()
}

// Callers that miss the same key at once share one load, an error is returned to all of them and not remembered, and a
// caller that gives up does not spoil the load for the others.
func TestCacheSharesLoads(t *testing.T) {
	t.Parallel()
	_, cache := cacheOver(t, authztest.Open(t), 10)
	var loads atomic.Int64
	entered, release := make(chan struct{}), make(chan struct{})
	load := func(context.Context) (string, int64, error) {
		loads.Add(1)
		close(entered)
		<-release
		return "value", 1 << 40, nil
	}
	impatient, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := cache.Get(impatient, "k", load); !errors.Is(err, context.Canceled) {
			t.Errorf("the impatient caller: got %v", err)
		}
	})
	<-entered
	for range 4 {
		wg.Go(func() {
			got, err := cache.Get(t.Context(), "k", func(context.Context) (string, int64, error) { return "value", 1 << 40, nil })
			if err != nil || got != "value" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	cancel()
	close(release)
	wg.Wait()
	if loads.Load() != 1 {
		t.Errorf("loaded %d times", loads.Load())
	}
	broken := errors.New("broken on purpose")
	if _, err := cache.Get(t.Context(), "e", func(context.Context) (string, int64, error) { return "", 0, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if got, err := cache.Get(t.Context(), "e", func(context.Context) (string, int64, error) { return "mended", 1 << 40, nil }); err != nil || got != "mended" {
		t.Errorf("after an error: got %q, %v", got, err)
	}
}

// The cache holds no more than its size and forgets what was not used for the longest time.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	_, cache := cacheOver(t, authztest.Open(t), 3)
	loads := map[string]int{}
	get := func(key string) {
		_, err := cache.Get(t.Context(), key, func(context.Context) (string, int64, error) {
			loads[key]++
			return key, 1 << 40, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a", "b", "c", "a", "d", "a", "b"} {
		get(key)
	}
	if cache.Len() != 3 || loads["a"] != 1 || loads["b"] != 2 || loads["d"] != 1 {
		t.Errorf("length %d, loads %v", cache.Len(), loads)
	}
}
