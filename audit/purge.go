package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/retain"
)

// ActionUsagePurge is the event that says which month of usage records was removed after its period. Its object's id is the
// month (YYYYMM). Detail: from, until (RFC 3339), records.
const ActionUsagePurge = "usage.purge"

// actorRetention is the part of the hub that removes what is due.
var actorRetention = Actor{Kind: ActorSystem, ID: "retention"}

// leastUsage is the shortest time that usage records are kept: verification accepts no purge of younger ones.
// Source: 政务数据共享条例 Art 29 (at least three years).
const leastUsage = retain.ThreeYears * 24 * time.Hour

// UsageMonths returns the months (UTC, by their first moment, oldest first) of usage records that are wholly older than keep.
func UsageMonths(ctx context.Context, d *db.DB, keep time.Duration) ([]time.Time, error) {
	return db.OldMonths(ctx, d, "usage", "at", keep)
}

// PurgeUsage removes the usage records of a month, whose period must be over, and returns how many there were. The event that says
// so is written in the same transaction, and more where it is not nil: verification goes by that event, and the events that vouched for the
// records stay. It waits at most 200 ms for those who use the table, and then fails: the next call tries again.
func PurgeUsage(ctx context.Context, d *db.DB, month time.Time, more func(tx *db.Tx, removed int64) error) (removed int64, err error) {
	err = d.InTx(ctx, func(tx *db.Tx) error {
		// Making and dropping partitions at once would deadlock on the table that holds them.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(partitionLock)); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT drop_month('usage', $1::date)", month.Format(time.DateOnly)).Scan(&removed); err != nil {
			return err
		}
		_, err := WriteTx(ctx, tx, Event{
			Actor: actorRetention, Action: ActionUsagePurge, Object: Object{Kind: "usage", ID: month.Format("200601")},
			Detail: map[string]any{"from": month.Format(time.RFC3339), "until": month.AddDate(0, 1, 0).Format(time.RFC3339), "records": removed},
		})
		if err != nil || more == nil {
			return err
		}
		return more(tx, removed)
	})
	if err != nil {
		return 0, fmt.Errorf("removing usage records of %s: %w", month.Format("2006-01"), err)
	}
	return removed, nil
}

// purge is what an event says about usage records that were removed.
type purge struct {
	event       uuid.UUID
	at          time.Time
	from, until time.Time
	records     int64 // As the event says.
	vouched     int64 // As the events that stayed say.
}

// purges reads which months were removed. An event counts when the records' period was over by its own time and is over by the
// database's clock: whoever could write events could otherwise explain away any record. That the event itself is the one
// that was sealed is for the pass over the leaves to find.
func (v *verification) purges(ctx context.Context) error {
	rows, err := v.tx.Query(ctx, `
		SELECT e.id, e.body, clock_timestamp() FROM event e WHERE e.action = $1 AND e.actor_kind = 'system' AND e.actor_id = $2 ORDER BY e.at, e.id`,
		ActionUsagePurge, actorRetention.ID)
	if err != nil {
		return fmt.Errorf("reading what was purged: %w", err)
	}
	var id uuid.UUID
	var raw []byte
	var now time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &raw, &now}, func() error {
		var b struct {
			At     time.Time
			Action string
			Actor  Actor
			Detail struct {
				From, Until time.Time
				Records     int64
			}
		}
		if json.Unmarshal(raw, &b) != nil || b.Action != ActionUsagePurge || b.Actor != actorRetention {
			return nil // The pass over the leaves says what is wrong with it.
		}
		p := purge{event: id, at: b.At, from: b.Detail.From, until: b.Detail.Until, records: b.Detail.Records}
		if p.until.After(b.At.Add(-leastUsage)) || p.until.After(now.Add(-leastUsage)) {
			return nil
		}
		v.removed = append(v.removed, &p)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what was purged: %w", err)
	}
	return nil
}

// purgedAt returns the purge that removed records of a time, nil for none.
func (v *verification) purgedAt(at time.Time) *purge {
	for _, p := range v.removed {
		if !at.Before(p.from) && at.Before(p.until) {
			return p
		}
	}
	return nil
}

// gone reports whether what an event says is about records that were removed after their period, and counts them.
func (v *verification) gone(c *usageClaim) bool {
	p := v.purgedAt(c.body.At)
	if p == nil {
		return false
	}
	switch c.body.Action {
	case ActionUsageBatch:
		p.vouched += c.records
	case ActionUsageOpen:
		p.vouched++
	}
	return true
}

// openedBefore reports whether the record of a stream was removed although its end is younger: it counts by when it was opened.
func (v *verification) openedBefore(ctx context.Context, record uuid.UUID) (bool, error) {
	if len(v.removed) == 0 {
		return false, nil
	}
	rows, err := v.tx.Query(ctx, "SELECT "+boundedAt("at")+" FROM event WHERE object_kind = 'usage' AND object_id = $1 AND action = $2", record.String(), ActionUsageOpen)
	if err != nil {
		return false, fmt.Errorf("reading when usage was opened: %w", err)
	}
	times, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return false, fmt.Errorf("reading when usage was opened: %w", err)
	}
	for _, at := range times {
		if v.purgedAt(at) != nil {
			return true, nil
		}
	}
	return false, nil
}

// purgedWhole compares how many records were removed with how many the events vouch for: one that went missing before its
// month was removed is still noticed.
func (v *verification) purgedWhole(context.Context) error {
	// A month may be removed twice, when records of it turned up in between; the events vouch for all of them together.
	for i, p := range v.removed {
		total, first := int64(0), true
		for j, q := range v.removed {
			if q.from.Equal(p.from) {
				total += q.records
				first = first && j >= i
			}
		}
		v.report.Purged += p.records
		if first && total != p.vouched {
			v.add(Problem{
				Kind: UsageMissing, Event: p.event, At: p.at, Action: ActionUsagePurge,
				Text: fmt.Sprintf("%d usage records of %s were removed after their period, but events vouch for %d", total, p.from.Format("2006-01"), p.vouched),
			})
		}
	}
	return nil
}
