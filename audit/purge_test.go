package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
)

// plantOld writes disclosures as a hub of that time did: a group of n complete ones, and a stream that was opened then and ended later.
func plantOld(t *testing.T, d *db.DB, at, ended time.Time, n int) (batch []uuid.UUID, stream uuid.UUID) {
	t.Helper()
	put := func(e Event, at time.Time) uuid.UUID {
		id, args, err := newEvent(e, at)
		noError(t, err)
		exec(t, d, insertEvent, args...)
		return id
	}
	records := make([]Usage, n)
	for i := range records {
		u := sampleUsage(ModeRow)
		noError(t, u.validate())
		u.ID, u.State = db.NewID(), UsageDone
		records[i] = u
	}
	e, err := batchEvent(records, at)
	noError(t, err)
	exec(t, d, insertUsage, usageArgs(records, put(e, at))...)
	for _, u := range records {
		batch = append(batch, u.ID)
	}

	u := sampleUsage(ModeStream)
	noError(t, u.validate())
	u.ID = db.NewID()
	u = u.asOpened()
	u.At = at
	u.normalise()
	tell := func(action string, at time.Time, u Usage) uuid.UUID {
		digest, err := u.digest()
		noError(t, err)
		return put(Event{
			Actor: actorRecorder, Action: action, Object: Object{Kind: "usage", ID: u.ID.String()},
			Detail: map[string]any{"sha256": digest, "state": u.State, "rows": u.Rows},
		}, at)
	}
	exec(t, d, insertUsage, usageArgs([]Usage{u}, tell(ActionUsageOpen, at, u))...)
	u.State, u.Rows, u.Digest, u.EndedAt = UsageDone, 7, []byte("0123456789abcdef0123456789abcdef"), &ended
	u.normalise()
	event := tell(ActionUsageEnd, ended, u)
	exec(t, d, "UPDATE usage SET state = 'done', rows = 7, digest = $2, ended_at = $3, batch_event = $4 WHERE id = $1", u.ID, u.Digest, ended, event)
	return batch, u.ID
}

// Records of months whose period is over go with their partition, or out of the default one, and the log verifies as before; what
// disappears otherwise is still found, also when it went before its month did.
func TestPurgeUsage(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	// The first moments of the months of four years ago and after; the stream of the first month ends in the second.
	now := value[time.Time](t, d, "SELECT clock_timestamp()").UTC()
	first := time.Date(now.Year()-4, now.Month(), 1, 0, 0, 0, 0, time.UTC)
	second, third := first.AddDate(0, 1, 0), first.AddDate(0, 2, 0)
	exec(t, d, fmt.Sprintf("CREATE TABLE usage_%s PARTITION OF usage FOR VALUES FROM ('%s') TO ('%s')",
		first.Format("200601"), first.Format(time.RFC3339), second.Format(time.RFC3339)))
	plantOld(t, d, first.Add(20*24*time.Hour), second.Add(time.Hour), 3)
	lost, _ := plantOld(t, d, second.Add(time.Minute), second.Add(time.Hour), 2)
	young, stream := plantOld(t, d, now.AddDate(-1, 0, 0), now.AddDate(-1, 0, 0).Add(time.Minute), 2)
	writeEvents(t, d, 2)
	sealNow(t, d, nil)
	if report := verify(t, d); !report.OK() || report.Usage != 10 {
		t.Fatalf("before anything is removed: %+v", report)
	}

	months, err := UsageMonths(t.Context(), d, leastUsage)
	noError(t, err)
	if diff := cmp.Diff([]time.Time{first, second}, months); diff != "" {
		t.Fatalf("months whose period is over (-want +got):\n%s", diff)
	}
	removed, err := PurgeUsage(t.Context(), d, first, nil)
	if noError(t, err); removed != 4 {
		t.Errorf("removed %d records of the first month, want 4", removed)
	}
	for _, sealed := range []bool{false, true} {
		if sealed {
			sealNow(t, d, nil)
		}
		if report := verify(t, d); !report.OK() || report.Purged != 4 || report.Usage != 6 {
			t.Errorf("after the first month was removed (event sealed: %v): %+v", sealed, report)
		}
	}
	if exists := value[bool](t, d, "SELECT to_regclass($1) IS NOT NULL", "usage_"+first.Format("200601")); exists {
		t.Error("the partition of the first month is still there")
	}

	// A record that went before its month did.
	exec(t, d, "DELETE FROM usage WHERE id = $1", lost[0])
	removed, err = PurgeUsage(t.Context(), d, second, nil)
	if noError(t, err); removed != 2 {
		t.Errorf("removed %d records of the second month, want 2", removed)
	}
	sealNow(t, d, nil)
	checkKinds(t, verify(t, d), UsageMissing)

	// Younger records cannot be explained away: neither by the function, nor by an event that says so.
	if _, err := PurgeUsage(t.Context(), d, time.Date(now.Year()-1, now.Month(), 1, 0, 0, 0, 0, time.UTC), nil); err == nil {
		t.Error("records of a year ago were removed")
	}
	if _, err := PurgeUsage(t.Context(), d, third.Add(24*time.Hour), nil); err == nil {
		t.Error("a month was removed that does not begin with its first day")
	}
	month := time.Date(now.Year()-1, now.Month(), 1, 0, 0, 0, 0, time.UTC)
	_, err = Write(t.Context(), d, Event{
		Actor: actorRetention, Action: ActionUsagePurge, Object: Object{Kind: "usage", ID: month.Format("200601")},
		Detail: map[string]any{"from": month.Format(time.RFC3339), "until": month.AddDate(0, 1, 0).Format(time.RFC3339), "records": 3},
	})
	noError(t, err)
	exec(t, d, "DELETE FROM usage WHERE id = ANY($1)", append(young, stream))
	sealNow(t, d, nil)
	checkKinds(t, verify(t, d), UsageAltered, UsageMissing)
}
