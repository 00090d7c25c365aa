package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A chunk is staged, checkpointed and forgotten; its size bounds the memory of a run.
const (
	chunkRows  = 20_000
	chunkBytes = 8 << 20
)

// Job says what a run stages and for whom.
type Job struct {
	Resource uuid.UUID
	Task     uuid.UUID
	Run      uuid.UUID
	Version  int      // Resource version whose items are staged.
	Columns  []Column // In item order.
	Lease    Lease
	Mapping  []byte // Digest of how source rows become staged rows; an attempt under another one starts from zero.
	Ordered  string // SQL type of the mount's order column ("numeric" or "text"), or "" when there is none.
	Compare  bool   // Only keys and hashes are staged, to be compared with the store instead of merged.

	Part    bool            // Only what changed is staged: keys that are not staged are not missing. Never where Fills.
	Located bool            // The source key of every row is kept beside it, so that one that turns out to be refused can be read again.
	Note    json.RawMessage // What the reader decided; kept for whoever continues.
}

// Row is one accepted row to stage. Values are in the order of Job.Columns, in the text form of PostgreSQL, nil for
// NULL; Box has the bounding boxes of the geometry columns that are not NULL, four values each.
type Row struct {
	No     int64 // Position in the source read, from 1.
	Key    string
	Hash   [16]byte
	Values [][]byte
	Box    []float64
	Order  []byte // Value of the order column, nil when there is none.
	Origin string // Its key at the source; kept only where Job.Located.
}

// Refused is one rejected row to stage. Key is nil when the row has no usable key.
type Refused struct {
	No      int64
	Key     *string
	Reasons json.RawMessage
	Hash    []byte // Digest of the raw row, to recognise it in the next run.
	Sealed  []byte
	Order   *string // Value of the order column, nil when it is NULL or there is none.
	Origin  *string // Its key at the source, nil where it is not known.
}

// gone is a key that the source does not have any more, or not among the rows that count.
type gone struct {
	key    string
	origin string
	sure   bool
}

// Staging collects the rows of one run until they are merged or attached.
//
// A resource whose layout stays is merged: its rows go to a table of their own first; items that were added are given their
// columns before. A resource without rows, or with a new layout, is filled: its rows go straight to the detached row table of that layout.
type Staging struct {
	store *Store
	job   Job
	fill  bool
	head  Head   // As of opening; a fill asserts that it has not moved.
	rows  Layout // The layout that will hold the rows.
	table string // Quoted name of the table that is staged into.

	note    json.RawMessage // Of the attempt that began, where its rows were kept.
	closing json.RawMessage // Of the attempt that settled, where its rows were kept.
	mark    *string         // The highest watermark read so far.
	swept   *int64          // Keys of a sweep, nil without one.

	next    int   // Number of the next chunk.
	ordinal int64 // Accepted rows staged so far, for numbering a fill.
	staged  int64 // Rows in staging when they were last found intact.
	carried int64 // Rows of the layout before that an attach carried over.
	resumed bool  // Earlier chunks of this run were kept.

	chunk   chunk
	writing chan error // Result of the chunk being written behind the reader's back; nil when there is none.
}

// chunk is what was read since the last checkpoint.
type chunk struct {
	copy     bytes.Buffer
	refused  []Refused
	gone     []gone
	sealed   int // Bytes of the refused rows.
	sum      transform.Sum
	read     int64
	filtered int64
	after    []string
	mark     *string
}

// Open prepares staging for a run. When an earlier attempt of the same run left chunks, and resume is wanted, and the
// staged rows still are what their checkpoints say, they are kept and After tells where to go on; otherwise staging
// starts from zero.
func (s *Store) Open(ctx context.Context, job Job, resume bool) (*Staging, error) {
	st := &Staging{store: s, job: job}
	if !job.Compare {
		if err := s.widen(ctx, job); err != nil {
			return nil, fmt.Errorf("opening staging: %w", err)
		}
	}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		if err := setLimits(ctx, tx); err != nil {
			return err
		}
		head, err := lockHead(ctx, tx, job.Resource)
		if err != nil {
			return err
		}
		st.head = head
		if err := st.place(ctx, tx); err != nil {
			return err
		}
		if resume {
			if err := st.adopt(ctx, tx); err != nil {
				return err
			}
		}
		if !st.resumed {
			if err := st.start(ctx, tx); err != nil {
				return err
			}
		}
		return FenceTx(ctx, tx, job.Lease)
	})
	if err != nil {
		return nil, fmt.Errorf("opening staging: %w", err)
	}
	return st, nil
}

// Fills reports whether a run of the job would fill a new layout, for which it must read every row.
func (s *Store) Fills(ctx context.Context, job Job) (bool, error) {
	st := &Staging{store: s, job: job}
	if err := s.widen(ctx, job); err != nil {
		return false, fmt.Errorf("looking for the layout: %w", err)
	}
	err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if st.head, err = lockHead(ctx, tx, job.Resource); err != nil {
			return err
		}
		return st.place(ctx, tx)
	})
	if err != nil {
		return false, fmt.Errorf("looking for the layout: %w", err)
	}
	return st.fill, nil
}

// setLimits bounds what a stopped process can hold: its locks go when the server ends its session.
func setLimits(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '30s'; SET LOCAL statement_timeout = '30min'; SET LOCAL idle_in_transaction_session_timeout = '60s'")
	return err
}

// place decides between merging and filling and names the tables.
func (st *Staging) place(ctx context.Context, tx pgx.Tx) error {
	if st.head.Layout > 0 {
		active, err := readLayout(ctx, tx, st.job.Resource, st.head.Layout)
		if err != nil {
			return err
		}
		if st.job.Compare || active.holds(st.job.Columns) {
			st.rows = active
			if !st.job.Compare {
				st.rows.Columns = st.job.Columns
			}
			st.table = stagingName(st.job.Run)
			return nil
		}
	}
	if st.job.Compare {
		return fault.New(fault.NotFound, "not_collected", "no data of this resource have arrived at the hub yet").At("store")
	}
	st.fill = true
	var number int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(layout), 0) + 1 FROM store.layout WHERE resource = $1 AND state <> 'filling'", st.job.Resource).Scan(&number); err != nil {
		return fmt.Errorf("numbering layout: %w", err)
	}
	st.rows = Layout{Resource: st.job.Resource, Number: number, Version: st.job.Version, Table: tableName(st.job.Resource, number), Columns: st.job.Columns, State: LayoutFilling}
	st.table = st.rows.Name()
	return nil
}

// stagingName returns the quoted name of the table a run stages into before its merge.
func stagingName(run uuid.UUID) string {
	return qualified("s_" + strings.ReplaceAll(run.String(), "-", ""))
}

// adopt keeps the chunks of an earlier attempt when the staged rows still equal them. A lost table does not; one whose place in
// the source is unknown, that was staged under another mapping, or whose head has moved since, is not continued either: its
// rows would overwrite newer ones. Rows that are settled need no place: nothing is left to read.
func (st *Staging) adopt(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	err := tx.QueryRow(ctx, `
		SELECT to_regclass($1) IS NOT NULL
		   AND EXISTS (SELECT 1 FROM store.staging WHERE run = $2 AND layout = $4 AND fill = $5 AND mapping = $6)
		   AND EXISTS (SELECT 1 FROM store.chunk WHERE run = $2)
		   AND NOT EXISTS (SELECT 1 FROM store.chunk WHERE run = $2 AND base <> $3)
		   AND CASE WHEN EXISTS (SELECT 1 FROM store.chunk WHERE run = $2 AND n < 0) THEN EXISTS (SELECT 1 FROM store.staging WHERE run = $2 AND closing IS NOT NULL)
		       ELSE NOT EXISTS (SELECT 1 FROM store.chunk WHERE run = $2 AND after IS NULL) END`,
		st.table, st.job.Run, st.head.Seq, st.rows.Number, st.fill, st.mapping()).Scan(&exists)
	if err != nil {
		return fmt.Errorf("looking for staged rows: %w", err)
	}
	if !exists {
		return nil
	}
	_, equal, err := st.intact(ctx, tx)
	if err != nil || !equal {
		return err
	}
	err = tx.QueryRow(ctx, `
		SELECT max(n) + 1, sum(rows)::bigint, (SELECT note FROM store.staging WHERE run = $1),
		       (SELECT mark FROM store.chunk WHERE run = $1 ORDER BY n DESC LIMIT 1), (SELECT closing FROM store.staging WHERE run = $1),
		       (SELECT swept FROM store.staging WHERE run = $1)
		FROM store.chunk WHERE run = $1`, st.job.Run).Scan(&st.next, &st.ordinal, &st.note, &st.mark, &st.closing, &st.swept)
	if err != nil {
		return fmt.Errorf("reading checkpoints: %w", err)
	}
	if err := st.sweepIntact(ctx, tx); errors.Is(err, ErrStagingLost) {
		st.next, st.ordinal, st.note, st.mark, st.closing, st.swept = 0, 0, nil, nil, nil, nil
		return nil
	} else if err != nil {
		return err
	}
	st.resumed = true
	return nil
}

// mapping is the digest of what was asked for: the caller's mapping and the shape of the staged rows.
func (st *Staging) mapping() []byte {
	digest := sha256.New()
	fmt.Fprintf(digest, "%d %q %t %t %t %v ", st.job.Version, st.job.Ordered, st.job.Compare, st.located(), st.job.Part, st.job.Columns)
	digest.Write(st.job.Mapping)
	return digest.Sum(nil)[:16]
}

// intact returns what the checkpoints promise, and whether the staged rows are that.
func (st *Staging) intact(ctx context.Context, tx pgx.Tx) (promised transform.Sum, equal bool, err error) {
	promised, err = st.promised(ctx, tx)
	if err != nil {
		return transform.Sum{}, false, err
	}
	found, err := scanSum(tx.QueryRow(ctx, "SELECT "+sumColumns+" FROM "+st.table))
	if err != nil {
		return transform.Sum{}, false, fmt.Errorf("summing staged rows: %w", err)
	}
	return promised, promised.Equal(found), nil
}

// promised adds up the checkpoints of the run.
func (st *Staging) promised(ctx context.Context, tx pgx.Tx) (transform.Sum, error) {
	var sum transform.Sum
	var count int64
	var hash []byte
	rows, err := tx.Query(ctx, "SELECT rows, hash FROM store.chunk WHERE run = $1", st.job.Run)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&count, &hash}, func() error { return addChunk(&sum, count, hash) })
	}
	if err != nil {
		return transform.Sum{}, fmt.Errorf("adding checkpoints up: %w", err)
	}
	return sum, nil
}

// start empties whatever an earlier attempt left and makes the tables.
func (st *Staging) start(ctx context.Context, tx pgx.Tx) error {
	if err := st.discard(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO store.staging (run, resource, layout, fill, mapping, part, note) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		st.job.Run, st.job.Resource, st.rows.Number, st.fill, st.mapping(), st.job.Part, st.job.Note)
	if err != nil {
		return fmt.Errorf("recording staging: %w", err)
	}
	ordered := ""
	if st.job.Ordered != "" {
		ordered = ", _ord " + st.orderType()
	}
	if st.fill {
		columns, err := json.Marshal(st.rows.Columns)
		if err != nil {
			return fmt.Errorf("encoding columns: %w", err)
		}
		if err := createRows(ctx, tx, st.rows); err != nil {
			return err
		}
		if ordered != "" {
			if _, err := tx.Exec(ctx, "ALTER TABLE "+st.table+" ADD COLUMN "+ordered[2:]); err != nil {
				return fmt.Errorf("adding order column: %w", err)
			}
		}
		_, err = tx.Exec(ctx, "INSERT INTO store.layout (resource, layout, version, table_name, columns, state, created_at) VALUES ($1, $2, $3, $4, $5, 'filling', clock_timestamp())",
			st.rows.Resource, st.rows.Number, st.rows.Version, st.rows.Table, columns)
		if err != nil {
			return fmt.Errorf("recording layout: %w", err)
		}
		return nil
	}
	if st.located() {
		ordered += `, _at text COLLATE "C" NOT NULL`
	}
	sql := fmt.Sprintf(`CREATE TABLE %s (_key text COLLATE "C" NOT NULL, _row bigint NOT NULL, _h1 bigint NOT NULL, _h2 bigint NOT NULL%s%s)`,
		st.table, prefixed(", ", itemDefinitions(st.columns())), ordered)
	if _, err := tx.Exec(ctx, sql); err != nil {
		return fmt.Errorf("creating staging table: %w", err)
	}
	return nil
}

// orderType is the SQL type of the order column.
func (st *Staging) orderType() string {
	if st.job.Ordered == "numeric" {
		return "numeric"
	}
	return `text COLLATE "C"`
}

// discard removes everything this run staged, and what fillings of the resource left detached: the caller holds the writer
// lease, so nobody fills them any more. A chunk that is still being written is waited for; later ones find no staging.
func (st *Staging) discard(ctx context.Context, tx pgx.Tx) error {
	if err := dropStaged(ctx, tx, st.job.Run); err != nil {
		return err
	}
	return dropDetached(ctx, tx, st.job.Resource)
}

// dropStaged removes what a run staged, except a layout that it filled.
func dropStaged(ctx context.Context, tx pgx.Tx, run uuid.UUID) error {
	for _, table := range []string{"staging", "chunk", "staged_reject", "staged_gone"} {
		if _, err := tx.Exec(ctx, "DELETE FROM store."+table+" WHERE run = $1", run); err != nil {
			return fmt.Errorf("emptying staging: %w", err)
		}
	}
	return dropTables(ctx, tx, stagingName(run), sweepName(run))
}

// dropDetached drops the tables of layouts that were never attached.
func dropDetached(ctx context.Context, tx pgx.Tx, resource uuid.UUID) error {
	rows, err := tx.Query(ctx, "DELETE FROM store.layout WHERE resource = $1 AND state = 'filling' RETURNING table_name", resource)
	if err != nil {
		return fmt.Errorf("dropping detached layouts: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("dropping detached layouts: %w", err)
	}
	for _, t := range tables {
		if err := dropTables(ctx, tx, qualified(t), qualified(t+"_log")); err != nil {
			return err
		}
	}
	return nil
}

func dropTables(ctx context.Context, tx pgx.Tx, names ...string) error {
	for _, n := range names {
		if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+n); err != nil {
			return fmt.Errorf("dropping table %s: %w", n, err)
		}
	}
	return nil
}

// Resumed reports whether rows of an earlier attempt were kept, and the source key to continue behind.
func (st *Staging) Resumed(ctx context.Context) (after []string, read int64, ok bool, err error) {
	if !st.resumed {
		return nil, 0, false, nil
	}
	err = st.store.db.Pool.QueryRow(ctx, "SELECT (SELECT after FROM store.chunk WHERE run = $1 ORDER BY n DESC LIMIT 1), sum(read)::bigint FROM store.chunk WHERE run = $1", st.job.Run).Scan(&after, &read)
	if err != nil {
		return nil, 0, false, fmt.Errorf("reading checkpoint: %w", err)
	}
	return after, read, true, nil
}

// Note returns what the attempt that began staging decided, and the highest watermark read until its rows were kept. Both are
// nil when this attempt began.
func (st *Staging) Note() (note json.RawMessage, mark *string) { return st.note, st.mark }

// Closing returns what the attempt knew that settled the rows, nil when they are not settled: then reading goes on.
func (st *Staging) Closing() json.RawMessage { return st.closing }

// SetClosing says what whoever continues must know once the rows are settled; Settle keeps it.
func (st *Staging) SetClosing(closing json.RawMessage) { st.closing = closing }

// SetMark says what the highest watermark read so far is; the next checkpoint keeps it.
func (st *Staging) SetMark(mark *string) { st.mark = mark }

// Filling reports whether the rows go to a detached table that is attached, rather than merged.
func (st *Staging) Filling() bool { return st.fill }
