package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/shuqiao/shuqiao/internal/db"
)

const (
	// sealerLock is the key of the advisory lock that makes one sealer out of many nodes: "shu_seal" in ASCII.
	sealerLock = 0x7368755f7365616c
	// sealBatch bounds the memory of a round and the time a reader waits for evidence behind a backlog.
	sealBatch = 5000
	// idleBeat is how often an idle sealer says that it lives.
	idleBeat = 5 * time.Second
	// stopLimit bounds the last round after the hub was told to stop.
	stopLimit = 5 * time.Second
)

// errLost says that another sealer has taken over: its token is in force.
var errLost = errors.New("another sealer has taken over")

// Options configures a Sealer.
type Options struct {
	DB              *db.DB
	Signer          note.Signer      // Signs checkpoints; nil for none.
	Clock           func() time.Time // Paces checkpoints and signs of life; nil means time.Now. Times stored are the database's.
	Log             *slog.Logger     // nil means discard.
	Interval        time.Duration    // Pause between rounds: 0 or more than 1 s means 1 s.
	CheckpointEvery time.Duration    // Least time between two checkpoints while the tree grows; 0 means 10 s.
}

// Sealer numbers the events that transactions have left pending and puts them into the tree. Every node runs one; an
// advisory lock lets one of them work, the others stand by, and a token in each of its transactions keeps a sealer that
// lost the lock from writing.
type Sealer struct {
	opt          Options
	id           uuid.UUID
	checkpointAt time.Time // When the last checkpoint was signed, by Clock.
	beatAt       time.Time // When the last sign of life was written, by Clock.
}

// NewSealer returns a sealer that does nothing until Run.
func NewSealer(opt Options) *Sealer {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Interval <= 0 || opt.Interval > time.Second {
		opt.Interval = time.Second
	}
	if opt.CheckpointEvery <= 0 {
		opt.CheckpointEvery = 10 * time.Second
	}
	return &Sealer{opt: opt, id: db.NewID()}
}

// Run seals until ctx ends, then seals once more, signs a checkpoint if the tree grew, and returns nil. Failures are
// logged and tried again after the interval: a hub without a sealer shows in Late.
func (s *Sealer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.session(ctx); err != nil && ctx.Err() == nil {
			s.opt.Log.ErrorContext(ctx, "sealing failed", "error", err)
		}
		pause(ctx, s.opt.Interval)
	}
	return nil
}

// session is the life of one connection: it waits for the lock, then seals until something fails or ctx ends. The lock
// and the work share the connection, so that one cannot outlive the other.
func (s *Sealer) session(ctx context.Context) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		_ = conn.Close(closing) // Ends the session on the server, and with it the lock.
	}()
	for {
		var mine bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(sealerLock)).Scan(&mine); err != nil {
			return fmt.Errorf("asking for the sealer's lock: %w", err)
		}
		if mine {
			break
		}
		if !pause(ctx, s.opt.Interval) {
			return nil
		}
	}
	// Work under way when ctx ends is completed, within a limit.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopLimit, cancel) })()
	token, err := s.takeOver(work, conn)
	if err != nil {
		return err
	}
	for {
		if err := s.round(ctx, work, conn, token); err != nil {
			return err
		}
		if !pause(ctx, s.opt.Interval) {
			break
		}
	}
	if err := s.sealAll(ctx, work, conn, token); err != nil {
		return err
	}
	return s.sign(work, conn, token)
}

// connect takes a connection out of the pool for good: a session lock must not travel to other users of the pool.
func (s *Sealer) connect(ctx context.Context) (*pgx.Conn, error) {
	pooled, err := s.opt.DB.Pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting the sealer: %w", err)
	}
	return pooled.Hijack(), nil
}

// takeOver raises the token. It waits for a sealing transaction of the sealer before us, because that holds the row.
func (s *Sealer) takeOver(ctx context.Context, conn *pgx.Conn) (token int64, err error) {
	err = conn.QueryRow(ctx, "UPDATE sealer SET token = token + 1, holder = $1, seen_at = clock_timestamp() RETURNING token", s.id).Scan(&token)
	if err != nil {
		return 0, fmt.Errorf("taking the sealer's token: %w", err)
	}
	s.opt.Log.InfoContext(ctx, "sealing", "token", token)
	return token, nil
}

// round seals everything pending, and signs a checkpoint when one is due.
func (s *Sealer) round(run, ctx context.Context, conn *pgx.Conn, token int64) error {
	if err := s.sealAll(run, ctx, conn, token); err != nil {
		return err
	}
	now := s.opt.Clock()
	if now.Sub(s.checkpointAt) >= s.opt.CheckpointEvery {
		if err := s.sign(ctx, conn, token); err != nil {
			return err
		}
		s.checkpointAt = now
	}
	return nil
}

// sealAll seals batch after batch, oldest event first, until nothing is pending; once run has ended it stops after one
// batch. A pending event whose row is gone
// stays pending: Late and Verify show it, and the events behind it are sealed all the same.
func (s *Sealer) sealAll(run, ctx context.Context, conn *pgx.Conn, token int64) error {
	var after uuid.UUID
	for {
		ids, err := pendingAfter(ctx, conn, after)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return s.beat(ctx, conn, token)
		}
		after = ids[len(ids)-1]
		sealed, err := sealBatchTx(ctx, conn, token, ids)
		if err != nil {
			return err
		}
		s.beatAt = s.opt.Clock()
		if sealed < len(ids) {
			s.opt.Log.ErrorContext(ctx, "pending events cannot be sealed: their rows are missing or sealed before; run the verification",
				"count", len(ids)-sealed)
		}
		if run.Err() != nil {
			return nil
		}
	}
}

func (s *Sealer) beat(ctx context.Context, conn *pgx.Conn, token int64) error {
	now := s.opt.Clock()
	if now.Sub(s.beatAt) < idleBeat {
		return nil
	}
	if err := hold(ctx, conn, token); err != nil {
		return err
	}
	s.beatAt = now
	return nil
}

func pendingAfter(ctx context.Context, conn *pgx.Conn, after uuid.UUID) ([]uuid.UUID, error) {
	rows, err := conn.Query(ctx, "SELECT event_id FROM pending WHERE event_id > $1 ORDER BY event_id LIMIT $2", after, sealBatch)
	if err != nil {
		return nil, fmt.Errorf("reading pending events: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading pending events: %w", err)
	}
	return ids, nil
}

// execer is a connection or a transaction.
type execer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// hold checks the token and keeps it for the rest of the transaction: a sealer that takes over waits on this row.
func hold(ctx context.Context, q execer, token int64) error {
	var one bool
	err := q.QueryRow(ctx, "UPDATE sealer SET seen_at = clock_timestamp() WHERE token = $1 RETURNING one", token).Scan(&one)
	if db.NoRows(err) {
		return errLost
	}
	if err != nil {
		return fmt.Errorf("checking the sealer's token: %w", err)
	}
	return nil
}

// sealBatchTx seals the events in one transaction and returns how many it sealed.
func sealBatchTx(ctx context.Context, conn *pgx.Conn, token int64, ids []uuid.UUID) (sealed int, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := hold(ctx, tx, token); err != nil {
			return err
		}
		tree, now, err := head(ctx, tx)
		if err != nil {
			return err
		}
		b := batch{tree: tree, at: now, nextHash: tlog.StoredHashCount(tree.size)}
		if err := b.read(ctx, tx, ids); err != nil {
			return err
		}
		sealed = len(b.leaves)
		return b.write(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("sealing %d events: %w", len(ids), err)
	}
	return sealed, nil
}

// head reads the tree as it is, and the database's time.
func head(ctx context.Context, tx pgx.Tx) (*frontier, time.Time, error) {
	var size int64
	var now time.Time
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(leaf) + 1, 0), clock_timestamp() FROM leaf").Scan(&size, &now); err != nil {
		return nil, now, fmt.Errorf("reading the size of the tree: %w", err)
	}
	tree, err := loadFrontier(ctx, tx, size)
	return tree, now, err
}

// batch is what one sealing transaction adds.
type batch struct {
	tree     *frontier
	at       time.Time
	nextHash int64
	sealed   []uuid.UUID
	leaves   [][]any // leaf, event_id, data, hash, sealed_at
	hashes   [][]any // idx, hash
}

// read hashes the bodies as they stream by; none is kept.
func (b *batch) read(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT e.id, e.body FROM event e
		WHERE e.id = ANY($1) AND NOT EXISTS (SELECT FROM leaf l WHERE l.event_id = e.id)
		ORDER BY e.id`, ids)
	if err != nil {
		return fmt.Errorf("reading pending bodies: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var body pgtype.DriverBytes
		if err := rows.Scan(&id, &body); err != nil {
			return fmt.Errorf("reading pending bodies: %w", err)
		}
		if err := b.add(id, LeafData(id, body)); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (b *batch) add(event uuid.UUID, data []byte) error {
	leaf := b.tree.size
	hashes, err := b.tree.append(tlog.RecordHash(data))
	if err != nil {
		return err
	}
	b.sealed = append(b.sealed, event)
	b.leaves = append(b.leaves, []any{leaf, event, data, hashes[0][:], b.at})
	for _, h := range hashes {
		b.hashes = append(b.hashes, []any{b.nextHash, h[:]})
		b.nextHash++
	}
	return nil
}

func (b *batch) write(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"leaf"}, []string{"leaf", "event_id", "data", "hash", "sealed_at"}, pgx.CopyFromRows(b.leaves))
	if err != nil {
		return fmt.Errorf("writing leaves: %w", err)
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"tree_hash"}, []string{"idx", "hash"}, pgx.CopyFromRows(b.hashes))
	if err != nil {
		return fmt.Errorf("writing tree hashes: %w", err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM pending WHERE event_id = ANY($1)", b.sealed); err != nil {
		return fmt.Errorf("deleting pending marks: %w", err)
	}
	return nil
}

// sign stores a signed checkpoint of the whole tree, unless the newest one covers it already.
func (s *Sealer) sign(ctx context.Context, conn *pgx.Conn, token int64) error {
	if s.opt.Signer == nil {
		return nil
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := hold(ctx, tx, token); err != nil {
			return err
		}
		tree, now, err := head(ctx, tx)
		if err != nil {
			return err
		}
		var covered int64
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(size), 0) FROM checkpoint").Scan(&covered); err != nil {
			return fmt.Errorf("reading the newest checkpoint: %w", err)
		}
		if tree.size <= covered {
			return nil
		}
		root, err := tree.root()
		if err != nil {
			return err
		}
		text, err := signCheckpoint(tree.size, root, s.opt.Signer)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO checkpoint (size, root, note, signed_at) VALUES ($1, $2, $3, $4)", tree.size, root[:], text, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("signing a checkpoint: %w", err)
	}
	return nil
}

// Late returns the age of the oldest event that waits to be sealed, by the database's clock; 0 when none waits. It asks
// the database, so it speaks for the cluster, whichever node seals. Readiness fails above a few intervals. A pending mark
// without its event is an error: evidence is missing.
func (s *Sealer) Late(ctx context.Context) (time.Duration, error) { return late(ctx, s.opt.DB.Pool) }

func late(ctx context.Context, q querier) (time.Duration, error) {
	var seconds *float64
	err := q.QueryRow(ctx, `
		SELECT extract(epoch FROM clock_timestamp() - e.at)::float8
		FROM (SELECT event_id FROM pending ORDER BY event_id LIMIT 1) p LEFT JOIN event e ON e.id = p.event_id`).Scan(&seconds)
	if db.NoRows(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the oldest pending event: %w", err)
	}
	if seconds == nil {
		return 0, errors.New("an event that waits to be sealed is missing; run the verification")
	}
	return max(0, time.Duration(*seconds*float64(time.Second))), nil
}

// pause waits and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
