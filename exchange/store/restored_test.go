package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
)

// contents adds the store up.
func (b *bundle) contents(t *testing.T) (out []store.Content) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), b.db.Pool, func(tx pgx.Tx) (err error) {
		out, err = store.Contents(t.Context(), tx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What the rows of a store add up to follows from the rows alone. A mark of a restored database gives every resource another
// incarnation, leaves its rows as they are, and removes what runs had staged, so that they start from zero.
func TestRestoredStore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	filling := b.job(t)
	b.recordRun(t, filling.Run, "running")
	st, err := b.store.Open(t.Context(), filling, false)
	if err != nil {
		t.Fatal(err)
	}
	st.Append(row(1, "a", [2]string{"330602", "1"}))
	checkpoint(t, st, []string{"a"})

	rows := rowsOf{"a": {"330602", "1"}, "b": {"330603", "2"}}
	other, same := b.another(t), b.another(t)
	other.collect(t, rows)
	same.collect(t, rows)
	merging := other.job(t)
	other.recordRun(t, merging.Run, "reconciling")
	other.stage(t, merging, rowsOf{"a": {"330602", "3"}}, nil, "bad")

	before := b.contents(t)
	if len(before) != 2 || before[0].Rows != 2 || before[0].Sum != before[1].Sum || before[0].Sum == "" {
		t.Fatalf("contents: %+v", before)
	}
	var transient []string
	err = pgx.BeginFunc(t.Context(), b.db.Pool, func(tx pgx.Tx) (err error) {
		transient, err = store.TransientTables(t.Context(), tx)
		return err
	})
	if err != nil || len(transient) != 3 || transient[0] != "s_*" || transient[2] != transient[1]+"_log" {
		t.Errorf("transient tables: %v, %v", transient, err)
	}

	head, err := b.store.ReadHead(t.Context(), other.resource)
	if err != nil {
		t.Fatal(err)
	}
	err = b.db.InTx(t.Context(), func(tx *db.Tx) error {
		n, err := store.RenewTx(t.Context(), tx)
		if err == nil && n != 3 {
			t.Errorf("%d resources renewed, want 3", n)
		}
		if err == nil {
			err = store.ForgetStagingTx(t.Context(), tx)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := b.store.ReadHead(t.Context(), other.resource)
	if err != nil || renewed.Incarnation == head.Incarnation || renewed.Seq != head.Seq {
		t.Errorf("head: %+v, was %+v, %v", renewed, head, err)
	}
	if diff := cmp.Diff(before, b.contents(t)); diff != "" {
		t.Errorf("contents (-before +after):\n%s", diff)
	}
	if got := b.tables(t); got != "rows 2 logs 2 staging 0 chunks 0 rejects 0" {
		t.Errorf("left: %s", got)
	}
	if st, err = b.store.Open(t.Context(), filling, true); err != nil {
		t.Fatal(err)
	}
	if _, _, resumed, err := st.Resumed(t.Context()); resumed || err != nil {
		t.Errorf("resumed %v, %v; want to start from zero", resumed, err)
	}
	other.collect(t, rowsOf{"a": {"330602", "4"}})
	if got := b.contents(t); cmp.Equal(before, got) {
		t.Error("contents do not follow the rows")
	}
}
