package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
)

// columns returns the item columns that are staged.
func (st *Staging) columns() []Column {
	if st.job.Compare {
		return nil
	}
	return st.job.Columns
}

// located reports whether the source key is staged beside each row. A filled table is the row table itself, which has no
// place for it.
func (st *Staging) located() bool { return st.job.Located && !st.fill && !st.job.Compare }

// Append stages one accepted row.
func (st *Staging) Append(r Row) {
	buf := &st.chunk.copy
	st.ordinal++
	line := buf.AvailableBuffer()
	line = transform.EncodeCopyText(line, []byte(r.Key))
	h1, h2 := halves(r.Hash)
	line = append(line, '\t')
	if st.fill {
		line = strconv.AppendInt(line, st.head.Seq+st.ordinal, 10)
		line = append(line, '\t')
		line = append(line, st.job.Run.String()...)
	} else {
		line = strconv.AppendInt(line, r.No, 10)
	}
	line = append(line, '\t')
	line = strconv.AppendInt(line, h1, 10)
	line = append(line, '\t')
	line = strconv.AppendInt(line, h2, 10)
	box := 0
	for i, c := range st.columns() {
		line = appendCell(line, r.Values[i])
		if !c.Geometry {
			continue
		}
		if r.Values[i] == nil {
			line = append(line, "\t\\N\t\\N\t\\N\t\\N"...)
			continue
		}
		for _, side := range r.Box[box : box+4] {
			line = append(line, '\t')
			line = strconv.AppendFloat(line, side, 'g', -1, 64)
		}
		box += 4
	}
	if st.job.Ordered != "" {
		line = appendCell(line, r.Order)
	}
	if st.located() {
		line = append(line, '\t')
		line = transform.EncodeCopyText(line, []byte(r.Origin))
	}
	line = append(line, '\n')
	buf.Write(line)
	st.chunk.sum.Add(r.Hash)
	st.chunk.read++
}

func appendCell(line, value []byte) []byte {
	line = append(line, '\t')
	if value == nil {
		return append(line, '\\', 'N')
	}
	return transform.EncodeCopyText(line, value)
}

// Refuse stages one rejected row.
func (st *Staging) Refuse(r Refused) {
	st.chunk.refused = append(st.chunk.refused, r)
	st.chunk.sealed += len(r.Sealed) + len(r.Reasons)
	st.chunk.read++
}

// Filter counts a row that the mount's filter drops; its key counts as missing.
func (st *Staging) Filter() {
	st.chunk.read++
	st.chunk.filtered++
}

// Gone stages a key that a partial read found to be gone: filtered, marked as deleted, or named by a delete table. Unless it
// is sure the source must be asked for the row first: see Unsure. It does not count as a row read.
func (st *Staging) Gone(key, origin string, sure bool) {
	st.chunk.gone = append(st.chunk.gone, gone{key: key, origin: origin, sure: sure})
}

// Full reports whether the chunk has reached its size and should be checkpointed.
func (st *Staging) Full() bool {
	return st.chunk.read >= chunkRows || st.chunk.copy.Len()+st.chunk.sealed >= chunkBytes || len(st.chunk.refused) >= chunkRows/4 || len(st.chunk.gone) >= chunkRows
}

// Checkpoint writes the chunk and its promise in one transaction, behind the caller's back: the caller reads on while it
// is written, at most one chunk ahead. after is the source key to resume behind, nil where the source cannot. An error
// of an earlier chunk is returned by the next call or by Flush.
func (st *Staging) Checkpoint(ctx context.Context, after []string) error {
	if err := st.Flush(); err != nil {
		return err
	}
	c := st.chunk
	c.after, c.mark = after, st.mark
	n := st.next
	st.next++
	st.chunk = chunk{}
	st.writing = make(chan error, 1)
	go func() { st.writing <- st.write(ctx, n, &c) }()
	return nil
}

// Flush waits until the chunk being written is durable.
func (st *Staging) Flush() error {
	if st.writing == nil {
		return nil
	}
	err := <-st.writing
	st.writing = nil
	if err != nil {
		return fmt.Errorf("staging rows: %w", err)
	}
	return nil
}

// copyTarget is the staged table with its columns in the order Append writes them.
func (st *Staging) copyTarget() string {
	columns := []string{"_key", "_row", "_h1", "_h2"}
	if st.fill {
		columns = []string{"_key", "_seq", "_run", "_h1", "_h2"}
	}
	columns = append(columns, copyColumns(st.columns())...)
	if st.job.Ordered != "" {
		columns = append(columns, "_ord")
	}
	if st.located() {
		columns = append(columns, "_at")
	}
	return st.table + " (" + strings.Join(columns, ", ") + ")"
}

func (st *Staging) write(ctx context.Context, n int, c *chunk) error {
	return st.store.db.InTx(ctx, func(tx *db.Tx) error {
		if err := setLimits(ctx, tx); err != nil {
			return err
		}
		// Whoever drops this staging waits for the row, and whoever comes later than the drop must not write.
		var staged bool
		err := tx.QueryRow(ctx, "SELECT true FROM store.staging WHERE run = $1 FOR KEY SHARE", st.job.Run).Scan(&staged)
		if db.NoRows(err) {
			if err := FenceTx(ctx, tx, st.job.Lease); err != nil {
				return err
			}
			return ErrStagingLost
		}
		if err != nil {
			return fmt.Errorf("finding staging: %w", err)
		}
		if c.copy.Len() > 0 {
			if _, err := tx.Conn().PgConn().CopyFrom(ctx, &c.copy, "COPY "+st.copyTarget()+" FROM STDIN"); err != nil {
				return fmt.Errorf("copying rows: %w", err)
			}
		}
		if err := copyRefused(ctx, tx, st.job.Run, c.refused); err != nil {
			return err
		}
		if err := copyGone(ctx, tx, st.job.Run, c.gone); err != nil {
			return err
		}
		hash := c.sum.Bytes()
		_, err = tx.Exec(ctx, "INSERT INTO store.chunk (run, n, rows, hash, read, filtered, base, after, mark) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
			st.job.Run, n, c.sum.Count, hash[:], c.read, c.filtered, st.head.Seq, c.after, c.mark)
		if err != nil {
			return fmt.Errorf("writing checkpoint: %w", err)
		}
		return FenceTx(ctx, tx, st.job.Lease)
	})
}

func copyRefused(ctx context.Context, tx pgx.Tx, run uuid.UUID, refused []Refused) error {
	if len(refused) == 0 {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"store", "staged_reject"}, []string{"run", "row_no", "key", "reasons", "row_hash", "sealed", "ord", "origin"},
		pgx.CopyFromSlice(len(refused), func(i int) ([]any, error) {
			r := refused[i]
			return []any{run, r.No, r.Key, r.Reasons, r.Hash, r.Sealed, r.Order, r.Origin}, nil
		}))
	if err != nil {
		return fmt.Errorf("copying rejects: %w", err)
	}
	return nil
}

func copyGone(ctx context.Context, tx pgx.Tx, run uuid.UUID, found []gone) error {
	if len(found) == 0 {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"store", "staged_gone"}, []string{"run", "key", "origin", "sure"},
		pgx.CopyFromSlice(len(found), func(i int) ([]any, error) { return []any{run, found[i].key, found[i].origin, found[i].sure}, nil }))
	if err != nil {
		return fmt.Errorf("copying keys that are gone: %w", err)
	}
	return nil
}
