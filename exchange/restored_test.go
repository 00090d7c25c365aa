package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
)

// A run that was active when the database was copied goes back to the queue, and whatever its attempt still does cannot
// commit: the next attempt starts from zero and merges, once.
func TestGiveBackAll(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.sql(t, `INSERT INTO thing VALUES ('1', '330602', '甲', NULL, 1)`)
	before := h.start(t, processOptions{idle: true})
	id := h.now(t)
	release := h.holdRead(t)
	_, done := h.carry(t, before)
	h.reaches(t, id, engine.StageRead)
	given := 0
	err := h.db.InTx(h.ctx, func(tx *db.Tx) (err error) {
		if _, err = store.RenewTx(h.ctx, tx); err == nil {
			err = store.ForgetStagingTx(h.ctx, tx)
		}
		if err == nil {
			given, err = GiveBackAllTx(h.ctx, tx)
		}
		return err
	})
	if err != nil || given != 1 {
		t.Fatalf("%d runs given back, %v; want 1", given, err)
	}
	if r := h.run(t, id); r.State != Queued || r.Attempt != 1 {
		t.Errorf("after the mark: %+v", r)
	}
	release()
	<-done
	h.start(t, processOptions{})
	r := h.final(t, id)
	if r.State != Succeeded || r.Attempt != 2 || h.events(t, "run.merge", id) != 1 || h.events(t, "run.give_back", id) != 1 {
		t.Fatalf("got %+v", r)
	}
	if diff := cmp.Diff(map[string]string{"1": "甲"}, h.titles(t)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
