package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
)

// DuplicateReason is the reason of every row whose key occurs more than once in one read.
const DuplicateReason = "duplicate_key"

// Settle closes reading: duplicate keys are resolved, and the staged rows are indexed. Where the mount names an order
// column the last row of a key stays and the others are superseded; otherwise all rows of the key are rejected, together
// with an already rejected row of that key. seal encloses a row for the provider. Settle may be called again after a
// crash: the second call changes nothing.
func (st *Staging) Settle(ctx context.Context, seal func(row []byte) ([]byte, error)) error {
	err := st.store.db.InTx(ctx, func(tx *db.Tx) error {
		if err := setLimits(ctx, tx); err != nil {
			return err
		}
		var settled bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM store.chunk WHERE run = $1 AND n < 0)", st.job.Run).Scan(&settled); err != nil {
			return fmt.Errorf("looking for settled rows: %w", err)
		}
		if settled {
			return FenceTx(ctx, tx, st.job.Lease)
		}
		// The staged tables have no statistics yet, and a guess of one row turns a join into a scan per row.
		if _, err := tx.Exec(ctx, "SET LOCAL enable_nestloop = off; SET LOCAL maintenance_work_mem = '256MB'"); err != nil {
			return fmt.Errorf("preparing to settle: %w", err)
		}
		unique, err := st.tryIndex(ctx, tx)
		if err != nil {
			return err
		}
		if unique {
			err = st.recordTaken(ctx, tx, transform.Sum{}, 0)
		} else if err = st.takeBack(ctx, tx, seal); err == nil {
			err = st.index(ctx, tx)
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE store.staging SET closing = $2, swept = $3 WHERE run = $1", st.job.Run, st.closing, st.swept); err != nil {
			return fmt.Errorf("noting what was settled: %w", err)
		}
		return FenceTx(ctx, tx, st.job.Lease)
	})
	if err != nil {
		return fmt.Errorf("settling staged rows: %w", err)
	}
	return nil
}

// tryIndex builds the indexes and reports whether that worked, which proves that no key is staged twice. Most reads have
// no duplicates, and building the index answers that without grouping every key first.
func (st *Staging) tryIndex(ctx context.Context, tx pgx.Tx) (unique bool, err error) {
	var refusedToo bool
	if err := tx.QueryRow(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM store.staged_reject x JOIN %s s ON s._key = x.key WHERE x.run = $1)", st.table), st.job.Run).Scan(&refusedToo); err != nil {
		return false, fmt.Errorf("comparing with rejected keys: %w", err)
	}
	if refusedToo {
		return false, nil
	}
	inner, err := tx.Begin(ctx)
	if err != nil {
		return false, fmt.Errorf("setting a savepoint: %w", err)
	}
	err = st.index(ctx, inner)
	if err == nil {
		if err := inner.Commit(ctx); err != nil {
			return false, fmt.Errorf("releasing a savepoint: %w", err)
		}
		return true, nil
	}
	if rollbackErr := inner.Rollback(ctx); rollbackErr != nil {
		return false, fmt.Errorf("rolling back to a savepoint: %w", rollbackErr)
	}
	if db.IsUnique(err, "") {
		return false, nil
	}
	return false, err
}

// recordTaken writes chunk -1: what was taken back from staging.
func (st *Staging) recordTaken(ctx context.Context, tx pgx.Tx, back transform.Sum, replaced int64) error {
	hash := back.Bytes()
	_, err := tx.Exec(ctx, "INSERT INTO store.chunk (run, n, rows, hash, replaced, base) VALUES ($1, -1, $2, $3, $4, $5)",
		st.job.Run, back.Count, hash[:], replaced, st.head.Seq)
	if err != nil {
		return fmt.Errorf("recording duplicate keys: %w", err)
	}
	return nil
}

// takeBack removes the rows of duplicate keys from staging and records chunk -1, which takes their sums back.
func (st *Staging) takeBack(ctx context.Context, tx pgx.Tx, seal func([]byte) ([]byte, error)) error {
	number := "_row"
	if st.fill {
		number = "_seq"
	}
	if err := st.findDuplicates(ctx, tx, number); err != nil {
		return err
	}
	replaced := int64(0)
	if st.job.Ordered == "" {
		if err := st.refuseDuplicates(ctx, tx, number, seal); err != nil {
			return err
		}
	}
	back, err := scanSum(tx.QueryRow(ctx, fmt.Sprintf(`
		WITH gone AS (DELETE FROM %s s USING duplicate d WHERE d._key = s._key AND s.%s IS DISTINCT FROM d.winner RETURNING _h1, _h2)
		SELECT %s FROM gone`, st.table, number, sumColumns)))
	if err != nil {
		return fmt.Errorf("taking duplicate rows back: %w", err)
	}
	if st.job.Ordered != "" {
		replaced = back.Count
	}
	var taken transform.Sum
	taken.SubSum(back)
	return st.recordTaken(ctx, tx, taken, replaced)
}

// findDuplicates makes the temporary table duplicate(_key, winner): the keys of which not every staged row stays, and the
// number of the one that does, if any.
func (st *Staging) findDuplicates(ctx context.Context, tx pgx.Tx, number string) error {
	// A key that was rejected once and accepted once is a duplicate, too.
	sql := fmt.Sprintf(`
		CREATE TEMP TABLE duplicate ON COMMIT DROP AS
		SELECT _key, NULL::bigint AS winner FROM (
			SELECT _key FROM %[1]s GROUP BY _key HAVING count(*) > 1
			UNION SELECT s._key FROM %[1]s s JOIN store.staged_reject x ON x.key = s._key AND x.run = '%[2]s') k`, st.table, st.job.Run)
	if st.job.Ordered != "" {
		// Of several rows the last one by the order column wins. Where that one was refused nothing of the key is taken: an
		// accepted row that is older could be older than the stored row, which is held instead.
		sql = fmt.Sprintf(`
			CREATE TEMP TABLE duplicate ON COMMIT DROP AS
			SELECT s._key, CASE WHEN x.key IS NULL OR s.ord > x.ord OR (x.ord IS NULL AND s.ord IS NOT NULL) THEN s.winner END AS winner
			FROM (SELECT _key, count(*) AS n, (array_agg(%[2]s ORDER BY _ord DESC NULLS LAST, %[2]s DESC))[1] AS winner, max(_ord) AS ord
				FROM %[1]s GROUP BY _key) s
			LEFT JOIN (SELECT key, max((ord::%[3]s)) AS ord FROM store.staged_reject WHERE run = '%[4]s' AND key IS NOT NULL GROUP BY key) x ON x.key = s._key
			WHERE s.n > 1 OR x.key IS NOT NULL`, st.table, number, st.orderType(), st.job.Run)
	}
	if _, err := tx.Exec(ctx, sql); err != nil {
		return fmt.Errorf("finding duplicate keys: %w", err)
	}
	return nil
}

// refuseDuplicates stages the rows of duplicate keys as rejected ones, a few at a time, so that memory stays flat even where
// a whole table repeats one key.
func (st *Staging) refuseDuplicates(ctx context.Context, tx pgx.Tx, number string, seal func([]byte) ([]byte, error)) error {
	origin := "NULL::text"
	if st.located() {
		origin = "s._at"
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`DECLARE duplicate_row NO SCROLL CURSOR FOR
		SELECT s._key, s.%[2]s AS number, s._h1, s._h2, row_to_json(s)::text AS body, %[3]s AS origin FROM %[1]s s JOIN duplicate d ON d._key = s._key`, st.table, number, origin))
	if err != nil {
		return fmt.Errorf("reading duplicate rows: %w", err)
	}
	for {
		batch, err := st.duplicateRows(ctx, tx)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			break
		}
		var refused []Refused
		for _, d := range batch {
			sealed, err := seal(d.row)
			if err != nil {
				return fmt.Errorf("sealing a duplicate row: %w", err)
			}
			refused = append(refused, Refused{No: d.no, Key: &d.key, Reasons: duplicateReasons(), Hash: d.digest(), Sealed: sealed, Origin: d.origin})
		}
		if err := copyRefused(ctx, tx, st.job.Run, refused); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "CLOSE duplicate_row"); err != nil {
		return fmt.Errorf("reading duplicate rows: %w", err)
	}
	return nil
}

type duplicateRow struct {
	key    string
	no     int64
	h1, h2 int64
	row    []byte
	origin *string
}

// digest recognises the row in the next run: its content hash.
func (d duplicateRow) digest() []byte {
	hash := joined(d.h1, d.h2)
	return hash[:]
}

// duplicateRows returns the next rows of the cursor that refuseDuplicates opened.
func (st *Staging) duplicateRows(ctx context.Context, tx pgx.Tx) ([]duplicateRow, error) {
	rows, err := tx.Query(ctx, "FETCH 200 FROM duplicate_row")
	if err != nil {
		return nil, fmt.Errorf("reading duplicate rows: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (duplicateRow, error) {
		var d duplicateRow
		var text string
		err := row.Scan(&d.key, &d.no, &d.h1, &d.h2, &text, &d.origin)
		d.row = []byte(text)
		if st.fill {
			d.no -= st.head.Seq
		}
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading duplicate rows: %w", err)
	}
	return out, nil
}

func duplicateReasons() json.RawMessage {
	return json.RawMessage(`[{"item_no":0,"code":"` + DuplicateReason + `","message":"this key occurs more than once in one read"}]`)
}

// index makes the staged rows findable by key; for a fill these are the indexes of the row table itself.
func (st *Staging) index(ctx context.Context, tx pgx.Tx) error {
	if st.fill {
		if st.job.Ordered != "" {
			if _, err := tx.Exec(ctx, "ALTER TABLE "+st.table+" DROP COLUMN _ord"); err != nil {
				return fmt.Errorf("dropping order column: %w", err)
			}
		}
		if err := indexRows(ctx, tx, st.rows); err != nil {
			return err
		}
	} else if _, err := tx.Exec(ctx, "ALTER TABLE "+st.table+" ADD PRIMARY KEY (_key)"); err != nil {
		return fmt.Errorf("indexing staged rows: %w", err)
	}
	analysed := st.table
	if !st.fill {
		analysed += " (_key)" // A merge joins by key and looks at nothing else.
	}
	if _, err := tx.Exec(ctx, "ANALYZE "+analysed); err != nil {
		return fmt.Errorf("analysing staged rows: %w", err)
	}
	return nil
}
