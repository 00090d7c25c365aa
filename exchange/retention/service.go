package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/retain"
	"github.com/shuqiao/shuqiao/sharing"
)

const (
	// Every is how often each kind has its turn, on whichever node comes first.
	Every = time.Hour
	// batch is how many rows one transaction removes.
	batch = 5_000
	// batches is how many transactions one turn takes: what is left waits for the next.
	batches = 200
	// roundLock is the key of the advisory lock that the node at work holds: "shu_keep" in ASCII.
	roundLock = 0x7368755f6b656570
)

// actor is the part of the hub that removes what is due.
var actor = audit.Actor{Kind: audit.ActorSystem, ID: "retention"}

// Options says what a Service needs. Everything without a remark is required.
type Options struct {
	DB       *db.DB
	Enforcer *authz.Enforcer
	Store    *store.Store
	Sharing  *sharing.Service
	Days     retain.Days  // nil keeps everything as the table says.
	Log      *slog.Logger // nil means slog.Default.
}

// Service removes what is due and reports it. All times are the database's.
type Service struct {
	opt Options
	db  *db.DB
	log *slog.Logger
}

// New returns a service.
func New(opt Options) *Service {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Service{opt: opt, db: opt.DB, log: opt.Log}
}

// Round gives every kind whose last turn is an hour ago its turn, and writes the events about the days before. It does nothing
// while another node is at it. Kinds that fail do not hold up the others: their errors are joined, noted in the report, and tried again
// an hour later.
func (s *Service) Round(ctx context.Context) error {
	conn, err := s.db.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("taking a database connection: %w", err)
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(roundLock)).Scan(&mine); err != nil {
		return fmt.Errorf("asking whether another node removes what is due: %w", err)
	}
	if !mine {
		return nil
	}
	defer func() {
		// A lock that cannot be given back ends with its session.
		if _, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(roundLock)); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx))
		}
	}()
	failed := s.tellDays(ctx)
	for _, r := range retain.Rules() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = errors.Join(failed, s.turn(ctx, r.Kind))
	}
	return failed
}

// turn removes what is due of one kind, unless it was its turn within the hour.
func (s *Service) turn(ctx context.Context, kind retain.Kind) error {
	tag, err := s.db.Pool.Exec(ctx, `
		INSERT INTO retention AS r (kind, last_run_at) VALUES ($1, clock_timestamp())
		ON CONFLICT (kind) DO UPDATE SET last_run_at = clock_timestamp() WHERE r.last_run_at IS NULL OR r.last_run_at <= clock_timestamp() - $2::interval`, kind, Every)
	if err != nil {
		return fmt.Errorf("beginning the turn of %s: %w", kind, err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	way := ways[kind]
	removed, err := way.remove(s, ctx, s.opt.Days.Period(kind))
	var oldest *time.Time
	if err == nil && way.oldest != "" {
		if err = s.db.Pool.QueryRow(ctx, way.oldest).Scan(&oldest); err != nil {
			err = fmt.Errorf("looking for the oldest: %w", err)
		}
	}
	sentence := ""
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "removing what is due", "kind", string(kind), "error", err)
		}
		sentence = "this kind could not be removed; the hub's log says why" // An error's text may hold more than readers of the report may know.
		err = fmt.Errorf("removing %s: %w", kind, err)
	}
	_, noting := s.db.Pool.Exec(context.WithoutCancel(ctx), `
		UPDATE retention SET last_removed = $2, oldest = $3, error = $4 WHERE kind = $1`, kind, removed, oldest, sentence)
	if noting != nil {
		err = errors.Join(err, fmt.Errorf("noting the turn of %s: %w", kind, noting))
	}
	return err
}

// countTx notes a removal in the transaction that makes it.
func countTx(ctx context.Context, tx *db.Tx, kind retain.Kind, removed int64) error {
	if removed == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		WITH day AS (
			INSERT INTO retention_day AS d (kind, day, removed) VALUES ($1, (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date, $2)
			ON CONFLICT (kind, day) DO UPDATE SET removed = d.removed + EXCLUDED.removed)
		INSERT INTO retention AS r (kind, total, removed_at) VALUES ($1, $2, clock_timestamp())
		ON CONFLICT (kind) DO UPDATE SET total = r.total + EXCLUDED.total, removed_at = EXCLUDED.removed_at`, kind, removed)
	if err != nil {
		return fmt.Errorf("counting what was removed: %w", err)
	}
	return nil
}

// tellDays writes one event for each kind and day that is over.
func (s *Service) tellDays(ctx context.Context) error {
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `
			DELETE FROM retention_day WHERE day < (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date RETURNING kind, to_char(day, 'YYYY-MM-DD'), removed`)
		if err != nil {
			return err
		}
		type told struct {
			Kind    retain.Kind
			Day     string
			Removed int64
		}
		days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[told])
		if err != nil {
			return err
		}
		for _, d := range days {
			rule, _ := retain.Find(d.Kind)
			_, err := audit.WriteTx(ctx, tx, audit.Event{
				Actor: actor, Action: "retention.remove", Object: audit.Object{Kind: "retention", ID: string(d.Kind)},
				Detail: map[string]any{"day": d.Day, "removed": d.Removed, "days": s.opt.Days.Of(d.Kind), "basis": string(rule.Basis)},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("telling what was removed: %w", err)
	}
	return nil
}
