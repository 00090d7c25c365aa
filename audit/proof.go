package audit

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Proof shows that an event is in the log that a checkpoint signs, to somebody who has nothing but the verifier key.
type Proof struct {
	Leaf       int64            `json:"leaf"`
	Event      uuid.UUID        `json:"event"`
	Body       []byte           `json:"body"` // The event's bytes as they were hashed; base64 in JSON.
	Hashes     tlog.RecordProof `json:"hashes"`
	Checkpoint Checkpoint       `json:"checkpoint"`
}

// Check returns nil when the checkpoint is signed by one of the keys and the body is that of the leaf in its tree. It asks no
// database. Otherwise it returns an Invalid fault: those of OpenCheckpoint, or "proof_wrong".
func (p Proof) Check(verifierKeys ...string) error {
	size, root, err := OpenCheckpoint(p.Checkpoint.Note, verifierKeys...)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(p.Hashes, size, root, p.Leaf, tlog.RecordHash(LeafData(p.Event, p.Body))); err != nil {
		return fault.New(fault.Invalid, "proof_wrong", "the event is not at this place of the log that the checkpoint signs").Wrap(err)
	}
	return nil
}

// Checkpoint returns the newest signed checkpoint, or a NotFound fault "no_checkpoint" while nothing has been signed.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	return newestCheckpoint(ctx, l.db.Pool)
}

func newestCheckpoint(ctx context.Context, q querier) (Checkpoint, error) {
	var c Checkpoint
	var root []byte
	err := q.QueryRow(ctx, "SELECT size, root, note, signed_at FROM checkpoint ORDER BY size DESC LIMIT 1").Scan(&c.Size, &root, &c.Note, &c.SignedAt)
	if db.NoRows(err) {
		return c, fault.New(fault.NotFound, "no_checkpoint", "no checkpoint has been signed yet; try again in some seconds")
	}
	if err != nil {
		return c, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	c.Root, c.SignedAt = tlog.Hash(padded(root)), c.SignedAt.UTC()
	return c, nil
}

// Proof proves a leaf under the newest checkpoint. It returns a NotFound fault when there is no such leaf, and a Conflict
// fault "not_signed_yet" for a leaf younger than the checkpoint.
func (l *Log) Proof(ctx context.Context, leaf int64) (Proof, error) {
	p := Proof{Leaf: leaf}
	// One snapshot, so that event, tree and checkpoint are of one moment.
	err := pgx.BeginTxFunc(ctx, l.db.Pool, snapshot, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT e.id, e.body FROM leaf l JOIN event e ON e.id = l.event_id WHERE l.leaf = $1", leaf).Scan(&p.Event, &p.Body)
		if db.NoRows(err) {
			return fault.New(fault.NotFound, "not_found", "there is no such leaf")
		}
		if err != nil {
			return fmt.Errorf("reading leaf %d: %w", leaf, err)
		}
		if p.Checkpoint, err = newestCheckpoint(ctx, tx); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if leaf >= p.Checkpoint.Size {
			return fault.New(fault.Conflict, "not_signed_yet", "no checkpoint covers this leaf yet; try again in some seconds")
		}
		p.Hashes, err = tlog.ProveRecord(p.Checkpoint.Size, leaf, hashReader(ctx, tx))
		if err != nil {
			return fmt.Errorf("proving leaf %d: %w", leaf, err)
		}
		if p.Hashes == nil {
			p.Hashes = tlog.RecordProof{} // A tree of one leaf needs no hashes; JSON says [].
		}
		return nil
	})
	return p, err
}

var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// Consistency proves that the newest checkpoint's log begins with the log of an older size, such as that of a checkpoint
// kept elsewhere (RFC 6962 2.1.2); tlog.CheckTree checks it. A size of 0, or beyond the checkpoint, is an Invalid fault
// "size_out_of_range".
func (l *Log) Consistency(ctx context.Context, older int64) (tlog.TreeProof, Checkpoint, error) {
	var proof tlog.TreeProof
	var newest Checkpoint
	err := pgx.BeginTxFunc(ctx, l.db.Pool, snapshot, func(tx pgx.Tx) (err error) {
		if newest, err = newestCheckpoint(ctx, tx); err != nil {
			return err
		}
		if older < 1 || older > newest.Size {
			return fault.New(fault.Invalid, "size_out_of_range", "give a size between 1 and that of the newest checkpoint").
				With("newest", fmt.Sprint(newest.Size))
		}
		proof, err = tlog.ProveTree(newest.Size, older, hashReader(ctx, tx))
		return err
	})
	return proof, newest, err
}
