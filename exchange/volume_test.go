package exchange

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/store"
)

// The survey is counted from what the hub holds: nothing before the first rows, everything that a grant opens, once where two grants
// open the same, and what is open to the public. Nothing that is not in force counts, and nothing remains when the rows are gone.
func TestCountVolumes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.start(t, processOptions{})
	h.sql(t, `INSERT INTO thing (no, division, title, born, amount)
		SELECT 'A' || n, CASE WHEN n <= 30 THEN '330602' WHEN n <= 50 THEN '330603' ELSE '330604' END, '名称', '2020-01-01', n FROM generate_series(1, 200) n`)
	// Only what counts of a grant is written here; requests and clients are another matter.
	h.exec(t, "ALTER TABLE sharing_grant DROP CONSTRAINT sharing_grant_request_id_fkey, DROP CONSTRAINT sharing_grant_client_id_fkey")
	grant := func(state, until string, filter any) {
		t.Helper()
		h.exec(t, `
			INSERT INTO sharing_grant (id, request_id, client_id, consumer_dept_id, provider_dept_id, resource_id, resource_version, share_type, grade, items,
				row_filter, rid_key, share_methods, purpose, purpose_text, valid_from, valid_to, state, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, 1, 'conditional', 'L2', '{1}', $7, '', '{api}', 'x', 'x', now() - interval '1 day', now() + $8::interval, $9, now(), now())`,
			uuid.New(), uuid.New(), uuid.New(), h.market.ID, h.police.ID, h.resource.ID, filter, until, state)
	}
	count := func(wantCounted int) catalog.Volume {
		t.Helper()
		n, err := CountVolumes(h.ctx, h.db, 0)
		if err != nil || n != wantCounted {
			t.Fatalf("counted %d resources, %v, want %d", n, err, wantCounted)
		}
		v, err := h.catalog.Volume(h.ctx, h.operator, h.resource.ID)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := count(0); v.CountedAt != nil {
		t.Errorf("before the first rows: %+v", v)
	}
	h.collected(t, store.Counts{Read: 200, Inserted: 200})

	type rows struct{ total, shared, open int64 }
	want := func(step string, want rows) {
		t.Helper()
		v := count(1)
		if got := (rows{v.RowsTotal, v.RowsShared, v.RowsOpen}); got != want {
			t.Errorf("%s: got %+v, want %+v", step, got, want)
		}
		if v.CountedAt == nil || time.Since(*v.CountedAt) > time.Minute || v.TotalGB <= 0 || v.TotalGB > 0.01 {
			t.Errorf("%s: %+v", step, v)
		}
		if (v.SharedGB > 0) != (want.shared > 0) || v.SharedGB > v.TotalGB || (v.OpenGB > 0) != (want.open > 0) {
			t.Errorf("%s: volumes %+v", step, v)
		}
	}
	want("no grant", rows{200, 0, 0})
	if n, err := CountVolumes(h.ctx, h.db, time.Hour); n != 0 || err != nil {
		t.Errorf("what was counted just now was counted again: %d, %v", n, err)
	}
	grant("suspended", "1 day", nil)
	grant("active", "-1 hour", nil)
	want("none in force", rows{200, 0, 0})
	grant("active", "1 day", `{"op":"eq","item":"division","value":"330602"}`)
	want("a part", rows{200, 30, 0})
	grant("active", "1 day", `{"op":"in","item":"division","values":["330602","330603"]}`)
	want("two parts that overlap", rows{200, 50, 0})
	grant("active", "1 day", nil)
	want("all", rows{200, 200, 0})
	h.exec(t, "UPDATE resource_version SET open = true WHERE resource_id = $1", h.resource.ID)
	want("open", rows{200, 200, 200})
	h.exec(t, "UPDATE store.layout SET state = 'dropped' WHERE resource = $1", h.resource.ID)
	if v := count(0); v.CountedAt != nil {
		t.Errorf("the volume of what is gone remains: %+v", v)
	}
}
