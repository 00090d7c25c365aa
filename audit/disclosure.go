package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Disclosure is a usage record with what its evidence says about it now.
type Disclosure struct {
	Usage
	Seq  string // The leaf of its event in decimal, or SeqPending.
	True bool   // The record is the one whose digest its event holds.
}

// Disclosure returns the record that an answer's evidence id names, compared with its event, or a NotFound fault. That the
// event itself is in the log that the hub signed is shown by Proof.
func (l *Log) Disclosure(ctx context.Context, id uuid.UUID) (Disclosure, error) {
	var d Disclosure
	// One snapshot, so that record and event are of one moment.
	err := pgx.BeginTxFunc(ctx, l.db.Pool, snapshot, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+usageColumns+" FROM usage u WHERE u.id = $1", id)
		if err != nil {
			return fmt.Errorf("reading usage record %s: %w", id, err)
		}
		d.Usage, err = pgx.CollectExactlyOneRow(rows, scanUsage)
		if db.NoRows(err) {
			return fault.New(fault.NotFound, "not_found", "there is no such disclosure")
		}
		if err != nil {
			return fmt.Errorf("reading usage record %s: %w", id, err)
		}
		d.Seq = SeqPending
		var leaf *int64
		var raw []byte
		err = tx.QueryRow(ctx, "SELECT l.leaf, e.body FROM event e LEFT JOIN leaf l ON l.event_id = e.id WHERE e.id = $1", d.Evidence).Scan(&leaf, &raw)
		if db.NoRows(err) {
			return nil // Nothing vouches for it.
		}
		if err != nil {
			return fmt.Errorf("reading the event of usage record %s: %w", id, err)
		}
		if leaf != nil {
			d.Seq = strconv.FormatInt(*leaf, 10)
		}
		d.True, err = d.vouched(ctx, tx, raw)
		return err
	})
	return d, err
}

// vouched compares the record, and those written with it, with what the event says.
func (d *Disclosure) vouched(ctx context.Context, tx pgx.Tx, raw []byte) (bool, error) {
	var b body
	if json.Unmarshal(raw, &b) != nil {
		return false, nil
	}
	claim, ok := newUsageClaim(&b)
	switch {
	case !ok:
		return false, nil
	case b.Action != ActionUsageBatch:
		digest, err := d.digest()
		return err == nil && claim.object == d.ID && digest == claim.sha256, err
	}
	rows, err := tx.Query(ctx, "SELECT "+usageColumns+" FROM usage u WHERE u.batch_event = $1 ORDER BY u.id", d.Evidence)
	if err != nil {
		return false, fmt.Errorf("reading usage records: %w", err)
	}
	records, err := pgx.CollectRows(rows, scanUsage)
	if err != nil {
		return false, fmt.Errorf("reading usage records: %w", err)
	}
	sum := sha256.New()
	for _, u := range records {
		line, err := u.canonical()
		if err != nil {
			return false, err
		}
		_, _ = sum.Write(line) // A hash never fails to take bytes.
	}
	return int64(len(records)) == claim.records && hex.EncodeToString(sum.Sum(nil)) == claim.sha256, nil
}

// Checkpoints lists the signed checkpoints, the newest first, with the cursor of the next page, "" after the last.
func (l *Log) Checkpoints(ctx context.Context, page db.Page) ([]Checkpoint, string, error) {
	var size int64
	more, err := page.After(&size)
	if err != nil {
		return nil, "", err
	}
	rows, err := l.db.Pool.Query(ctx, "SELECT size, root, note, signed_at FROM checkpoint WHERE NOT $1 OR size < $2 ORDER BY size DESC LIMIT $3", more, size, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing checkpoints: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanCheckpoint)
	if err != nil {
		return nil, "", fmt.Errorf("listing checkpoints: %w", err)
	}
	if len(list) <= page.Size() {
		return list, "", nil
	}
	list = list[:page.Size()]
	return list, db.Next(list[len(list)-1].Size), nil
}

func scanCheckpoint(row pgx.CollectableRow) (c Checkpoint, err error) {
	var root []byte
	err = row.Scan(&c.Size, &root, &c.Note, &c.SignedAt)
	c.Root, c.SignedAt = tlog.Hash(padded(root)), c.SignedAt.UTC()
	return c, err
}
