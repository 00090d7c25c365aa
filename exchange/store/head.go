package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Head is the state of a resource's rows: everything committed has _seq <= Seq. Layout 0 means that nothing was ever
// attached. A cursor below MinSeq, or of another Incarnation, cannot be continued.
type Head struct {
	Resource    uuid.UUID
	Seq         int64
	MinSeq      int64
	Layout      int
	Incarnation uuid.UUID
	ChangedAt   *time.Time

	// FilterableFrom is, per item number, the head at which an item became filterable after its layout was made.
	FilterableFrom map[int]int64
}

// Follows reports whether changes behind seq can be told under a filter that uses these items: the log has their old
// values from then on. Where it cannot, the rows must be read again (resync_required).
func (h Head) Follows(seq int64, items ...int) bool {
	for _, no := range items {
		if seq < h.FilterableFrom[no] {
			return false
		}
	}
	return true
}

const headColumns = "resource, seq, min_seq, layout, incarnation, changed_at, filterable_from"

func scanHead(row pgx.Row) (Head, error) {
	var h Head
	err := row.Scan(&h.Resource, &h.Seq, &h.MinSeq, &h.Layout, &h.Incarnation, &h.ChangedAt, &h.FilterableFrom)
	return h, err
}

// lockHead makes the head if need be and locks it until the transaction ends. Every writer calls it first; statements
// after it see everything that was committed before (READ COMMITTED).
func lockHead(ctx context.Context, tx pgx.Tx, resource uuid.UUID) (Head, error) {
	if _, err := tx.Exec(ctx, "INSERT INTO store.store_head (resource, incarnation) VALUES ($1, gen_random_uuid()) ON CONFLICT DO NOTHING", resource); err != nil {
		return Head{}, fmt.Errorf("making store head: %w", err)
	}
	h, err := scanHead(tx.QueryRow(ctx, "SELECT "+headColumns+" FROM store.store_head WHERE resource = $1 FOR UPDATE", resource))
	if err != nil {
		return Head{}, fmt.Errorf("locking store head: %w", err)
	}
	return h, nil
}

// ReadHead returns the head of a resource; a resource that never collected has the zero Head with its id.
func (s *Store) ReadHead(ctx context.Context, resource uuid.UUID) (Head, error) {
	h, err := scanHead(s.db.Pool.QueryRow(ctx, "SELECT "+headColumns+" FROM store.store_head WHERE resource = $1", resource))
	if db.NoRows(err) {
		return Head{Resource: resource}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("reading store head: %w", err)
	}
	return h, nil
}

// ErrFenced says that another attempt holds the lease: whatever this one wrote is rolled back, and it must stop.
var ErrFenced = errors.New("another attempt holds the lease of this run")

// WriterLease is the name of the lease that every writer of a resource's rows holds from its first source read on.
func WriterLease(resource uuid.UUID) string { return "store:" + resource.String() }

// Lease is what a writer holds: the name, its run, its token, and the process it lives in.
type Lease struct {
	Name        string
	Run         uuid.UUID
	Token       int64
	Incarnation uuid.UUID
}

// TakeLeaseTx takes the lease for a run with a new fencing token, whoever held it before. Tokens come from one global
// sequence drawn while the lease row is locked, so a later holder always has a higher one.
func TakeLeaseTx(ctx context.Context, tx pgx.Tx, name string, run, incarnation uuid.UUID) (Lease, error) {
	l := Lease{Name: name, Run: run, Incarnation: incarnation}
	err := tx.QueryRow(ctx, `
		INSERT INTO store.lease (name, run, token, incarnation) VALUES ($1, $2, nextval('store.fence'), $3)
		ON CONFLICT (name) DO UPDATE SET run = EXCLUDED.run, token = nextval('store.fence'), incarnation = EXCLUDED.incarnation, taken_at = clock_timestamp()
		RETURNING token`, name, run, incarnation).Scan(&l.Token)
	if err != nil {
		return Lease{}, fmt.Errorf("taking lease: %w", err)
	}
	return l, nil
}

// FenceTx must be the last statement of a writer's transaction before it commits: it holds the lease row against a
// takeover until the commit, and returns ErrFenced when the lease is lost.
func FenceTx(ctx context.Context, tx pgx.Tx, l Lease) error {
	var one int
	err := tx.QueryRow(ctx, "SELECT 1 FROM store.lease WHERE name = $1 AND run = $2 AND token = $3 FOR SHARE", l.Name, l.Run, l.Token).Scan(&one)
	if db.NoRows(err) {
		return ErrFenced
	}
	if err != nil {
		return fmt.Errorf("checking lease: %w", err)
	}
	return nil
}

// Result is what a writer's commit left behind, found by whoever must know whether the commit happened.
type Result struct {
	Run    uuid.UUID
	Token  int64
	Seq    int64
	Counts Counts

	NoDeletes bool // The commit carried no deletes: what only the store has is explained.
}

// CommittedResult returns the result of the last commit of a task, and false when it never committed. After an error at
// COMMIT this is read before anything else is decided.
func (s *Store) CommittedResult(ctx context.Context, task uuid.UUID) (Result, bool, error) {
	var r Result
	err := s.db.Pool.QueryRow(ctx, "SELECT run, token, cursor, counts FROM store.shuqiao_cursor WHERE task = $1 AND run IS NOT NULL", task).
		Scan(&r.Run, &r.Token, &r.Seq, &r.Counts)
	if db.NoRows(err) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, fmt.Errorf("reading committed result: %w", err)
	}
	return r, true, nil
}
