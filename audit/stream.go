package audit

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Open writes that a stream, export or delivery begins, and returns its id and time when that is durable: only then may
// the first byte leave. The event usage.open holds the record's digest. Faults are those of Record.
func (r *Recorder) Open(ctx context.Context, u Usage) (id uuid.UUID, at time.Time, err error) {
	if err := u.validate(); err != nil {
		return uuid.Nil, time.Time{}, err
	}
	u.ID = db.NewID()
	u = u.asOpened()
	u.normalise()
	err = r.db.InTx(ctx, func(tx *db.Tx) error {
		u.At = tx.Now()
		digest, err := u.digest()
		if err != nil {
			return err
		}
		event, err := WriteTx(ctx, tx, Event{
			Actor:  Actor{Kind: ActorClient, ID: u.ClientID.String(), Department: u.Department},
			Action: ActionUsageOpen,
			Object: Object{Kind: "usage", ID: u.ID.String()},
			Detail: map[string]any{"grant": u.GrantID, "terms": u.TermsVersion, "resource": u.ResourceID, "mode": u.Mode, "sha256": digest},
		})
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, insertUsage, usageArgs([]Usage{u}, event)...)
		return err
	})
	if err != nil {
		return uuid.Nil, time.Time{}, unavailable(fmt.Errorf("opening usage: %w", err))
	}
	return u.ID, u.At, nil
}

// Reserve writes that rows up to the given total are about to leave, and returns when that is durable: call it before
// each block (at most 10,000 rows or one second of sending). at is what Open returned. A total below an earlier one
// changes nothing but the time of the last sign of life. When the record is no longer open (the sweep took the stream for dead) it
// returns a Conflict fault "usage_not_open", and the stream must stop.
func (r *Recorder) Reserve(ctx context.Context, id uuid.UUID, at time.Time, upTo int64) error {
	tag, err := r.db.Pool.Exec(ctx, `
		UPDATE usage SET reserved_rows = greatest(reserved_rows, $3), reserved_at = clock_timestamp()
		WHERE id = $1 AND at = $2 AND state = 'opened'`, id, at, upTo)
	if err != nil {
		return unavailable(fmt.Errorf("reserving rows: %w", err))
	}
	if tag.RowsAffected() != 1 {
		return notOpen()
	}
	return nil
}

func notOpen() error {
	return fault.New(fault.Conflict, "usage_not_open", "this disclosure is no longer open; start it again").At("evidence")
}

// End writes how a stream ended: rows that left and the SHA-256 of its bytes. The event usage.end holds the digest of the
// final record. It returns a Conflict fault "usage_not_open" when the sweep was first.
func (r *Recorder) End(ctx context.Context, id uuid.UUID, at time.Time, rows int64, digest []byte) error {
	err := r.db.InTx(ctx, func(tx *db.Tx) error {
		u, err := lockOpened(ctx, tx, id, at)
		if err != nil {
			return err
		}
		u.State, u.Rows, u.Digest = UsageDone, rows, digest
		return end(ctx, tx, u, Actor{Kind: ActorClient, ID: u.ClientID.String()}, OK)
	})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return unavailable(fmt.Errorf("ending usage %s: %w", id, err))
	}
	return err
}

func lockOpened(ctx context.Context, tx *db.Tx, id uuid.UUID, at time.Time) (Usage, error) {
	rows, err := tx.Query(ctx, "SELECT "+usageColumns+" FROM usage u WHERE u.id = $1 AND u.at = $2 AND u.state = 'opened' FOR UPDATE", id, at)
	if err != nil {
		return Usage{}, fmt.Errorf("reading usage %s: %w", id, err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, scanUsage)
	if db.NoRows(err) {
		return Usage{}, notOpen()
	}
	if err != nil {
		return Usage{}, fmt.Errorf("reading usage %s: %w", id, err)
	}
	return u, nil
}

// end writes the final form of a locked, opened record and its event.
func end(ctx context.Context, tx *db.Tx, u Usage, actor Actor, outcome Outcome) error {
	now := tx.Now()
	u.EndedAt = &now
	u.normalise()
	digest, err := u.digest()
	if err != nil {
		return err
	}
	event, err := WriteTx(ctx, tx, Event{
		Actor: actor, Action: ActionUsageEnd, Object: Object{Kind: "usage", ID: u.ID.String()}, Outcome: outcome,
		Detail: map[string]any{"grant": u.GrantID, "state": u.State, "rows": u.Rows, "sha256": digest},
	})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE usage SET state = $3, rows = $4, digest = $5, ended_at = $6, batch_event = $7
		WHERE id = $1 AND at = $2 AND state = 'opened'`, u.ID, u.At, string(u.State), u.Rows, u.Digest, u.EndedAt, event)
	if err != nil {
		return fmt.Errorf("ending usage %s: %w", u.ID, err)
	}
	return nil
}

// sweepBatch bounds one transaction of the sweep.
const sweepBatch = 100

// SweepInterrupted closes streams that neither reserved rows nor ended for longer than idle as "interrupted": at most the
// reserved rows have left. It returns how many it closed. Several nodes may sweep at once.
func (r *Recorder) SweepInterrupted(ctx context.Context, idle time.Duration) (int, error) {
	total := 0
	for {
		var swept int
		err := r.db.InTx(ctx, func(tx *db.Tx) error {
			rows, err := tx.Query(ctx, "SELECT "+usageColumns+` FROM usage u
				WHERE u.state = 'opened' AND u.at < clock_timestamp() - $1::interval
					AND coalesce(u.reserved_at, u.at) < clock_timestamp() - $1::interval
				ORDER BY u.at LIMIT $2 FOR UPDATE SKIP LOCKED`, idle, sweepBatch)
			if err != nil {
				return fmt.Errorf("reading open usage: %w", err)
			}
			silent, err := pgx.CollectRows(rows, scanUsage)
			if err != nil {
				return fmt.Errorf("reading open usage: %w", err)
			}
			swept = len(silent)
			for _, u := range silent {
				u.State, u.Rows = UsageInterrupted, u.ReservedRows
				if err := end(ctx, tx, u, actorRecorder, Failed); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return total, fmt.Errorf("sweeping interrupted usage: %w", err)
		}
		total += swept
		if swept < sweepBatch {
			return total, nil
		}
	}
}

func sortUsage(records []Usage) {
	slices.SortFunc(records, func(a, b Usage) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}
