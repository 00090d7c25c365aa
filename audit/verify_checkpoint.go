package audit

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// statement is a checkpoint to compare the tree with.
type statement struct {
	size  int64
	root  tlog.Hash
	where string // For people: which checkpoint.
}

// checkpointCheck compares the growing tree with checkpoints in order of size.
type checkpointCheck struct {
	verifiers  note.Verifiers // nil: signatures are not checked.
	published  []statement    // In order of size; shrinks from the front.
	stored     []statement    // Fetched and not yet compared.
	fetched    int64          // Stored checkpoints up to this size have been fetched.
	good       int64          // The greatest size at which a checkpoint fitted.
	mismatched bool           // One did not fit; those after it are only counted.
	further    int64
}

func (c *checkpointCheck) prepare(opt VerifyOptions) error {
	verifiers, err := newVerifiers(opt.VerifierKeys)
	if err != nil {
		return err
	}
	if len(opt.VerifierKeys) > 0 {
		c.verifiers = verifiers
	}
	c.fetched = math.MinInt64
	for i, signed := range opt.Published {
		s := statement{where: fmt.Sprintf("published checkpoint %d", i+1)}
		if s.size, s.root, err = c.open(signed); err != nil {
			return fmt.Errorf("reading %s: %w", s.where, err)
		}
		c.published = append(c.published, s)
	}
	slices.SortStableFunc(c.published, func(a, b statement) int { return int(min(1, max(-1, a.size-b.size))) })
	return nil
}

func (c *checkpointCheck) open(signed string) (int64, tlog.Hash, error) {
	if c.verifiers == nil {
		return readCheckpoint(signed)
	}
	return openCheckpoint(signed, c.verifiers)
}

// reach fetches and compares what speaks of the empty tree.
func (c *checkpointCheck) reach(ctx context.Context, v *verification) error {
	if err := c.fetch(ctx, v.tx, 0); err != nil {
		return err
	}
	return c.compare(v)
}

// storedCheckpoint is a row of the checkpoint table.
type storedCheckpoint struct {
	Size int64
	Root []byte
	Note string
}

// fetch reads the stored checkpoints up to a size.
func (c *checkpointCheck) fetch(ctx context.Context, tx pgx.Tx, to int64) error {
	rows, err := tx.Query(ctx, "SELECT size, root, note FROM checkpoint WHERE size > $1 AND size <= $2 ORDER BY size", c.fetched, to)
	if err != nil {
		return fmt.Errorf("reading checkpoints: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[storedCheckpoint])
	if err != nil {
		return fmt.Errorf("reading checkpoints: %w", err)
	}
	c.fetched = to
	for _, row := range found {
		c.stored = append(c.stored, statement{size: row.Size, where: row.Note, root: tlog.Hash(padded(row.Root))})
	}
	return nil
}

// padded makes a hash of another length, which only a superuser can store, comparable: it then equals none.
func padded(hash []byte) []byte {
	if len(hash) == tlog.HashSize {
		return hash
	}
	return make([]byte, tlog.HashSize)
}

// compare takes every checkpoint of the tree's present size.
func (c *checkpointCheck) compare(v *verification) error {
	size := v.tree.size
	for len(c.stored) > 0 && c.stored[0].size <= size {
		row := c.stored[0]
		c.stored = c.stored[1:]
		s, ok := c.read(v, row)
		if !ok {
			continue
		}
		if err := c.one(v, s); err != nil {
			return err
		}
	}
	for len(c.published) > 0 && c.published[0].size <= size {
		s := c.published[0]
		c.published = c.published[1:]
		if err := c.one(v, s); err != nil {
			return err
		}
	}
	return nil
}

// read checks a stored row against its own note, which is all that is believed of it.
func (c *checkpointCheck) read(v *verification, row statement) (statement, bool) {
	size, root, err := c.open(row.where)
	if err != nil {
		v.add(Problem{Kind: CheckpointSignature, Leaf: &row.size, Text: fmt.Sprintf("the checkpoint of %d leaves is not signed by any key given, or is no checkpoint", row.size)})
		return statement{}, false
	}
	if size != row.size || root != row.root {
		v.add(Problem{Kind: CheckpointAltered, Leaf: &row.size, Text: fmt.Sprintf("size or root beside the checkpoint of %d leaves are not those of its note", row.size)})
		return statement{}, false
	}
	return statement{size: size, root: root, where: fmt.Sprintf("checkpoint of %d leaves", size)}, true
}

func (c *checkpointCheck) one(v *verification, s statement) error {
	v.report.Checkpoints++
	root, err := v.tree.root()
	if err != nil {
		return err
	}
	switch {
	case s.size == v.tree.size && s.root == root:
		c.good = s.size
	case c.mismatched:
		c.further++
	default:
		c.mismatched = true
		v.add(Problem{Kind: CheckpointMismatch, Leaf: &s.size, Text: fmt.Sprintf(
			"%s has another root: leaves from %d on were rewritten after it was signed", s.where, c.good)})
	}
	return nil
}

// checkpointsBeyond reports checkpoints of more leaves than there are, and those that followed a mismatch.
func (v *verification) checkpointsBeyond(ctx context.Context) error {
	c := &v.checkpoints
	end := v.tree.size
	v.report.Checkpoints += int64(len(c.stored) + len(c.published))
	beyond := append(c.stored, c.published...)
	if !v.broken {
		var count int64
		var greatest *int64
		if err := v.tx.QueryRow(ctx, "SELECT count(*), max(size) FROM checkpoint WHERE size > $1", c.fetched).Scan(&count, &greatest); err != nil {
			return fmt.Errorf("reading checkpoints: %w", err)
		}
		v.report.Checkpoints += count
		if greatest != nil {
			beyond = append(beyond, statement{size: *greatest, where: fmt.Sprintf("checkpoint of %d leaves", *greatest)})
		}
	}
	for _, s := range beyond {
		if v.broken {
			break // The missing leaves have been reported; nothing can be said about these.
		}
		v.add(Problem{Kind: CheckpointMismatch, Leaf: &end, Text: fmt.Sprintf(
			"a checkpoint of %d leaves was signed, but the log ends after %d: its end was cut off", s.size, end)})
	}
	if c.further > 0 {
		v.add(Problem{Kind: CheckpointMismatch, Text: fmt.Sprintf("%d further checkpoints have other roots, too", c.further)})
	}
	return nil
}
