package hub

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// Marked is what a mark changed.
type Marked struct {
	Resources int64 // Whose cursors must begin anew.
	Grants    int64 // Suspended until somebody confirms them.
	Sessions  int64 // Ended.
	Runs      int   // Given back to the queue.
}

// origin is the PostgreSQL that serves: its cluster, and the timeline that a promotion renews.
type origin struct {
	system   string
	timeline int64
}

// RestoreMark says that the database is an older state of itself, or a copy: cursors of before cannot be continued, every
// node decides anew, active grants are suspended until people confirm them, sessions end, and active runs go back to the
// queue. Answers to repeated writes are kept. It works beside a running hub, too.
func RestoreMark(ctx context.Context, d *db.DB) (Marked, error) {
	var done Marked
	err := d.InTx(ctx, func(tx *db.Tx) error {
		now, _, err := readOrigin(ctx, tx)
		if err != nil {
			return err
		}
		done, err = mark(ctx, tx, now, "restore-mark")
		return err
	})
	if err != nil {
		return Marked{}, fmt.Errorf("marking the database as restored: %w", err)
	}
	return done, nil
}

// noticeOrigin compares the PostgreSQL that serves with the one noted. Another timeline is a promotion: the newest commits may
// be missing, so cursors begin anew. Another cluster is a copy of the database, which may be of any age, so the whole mark is
// made.
func noticeOrigin(ctx context.Context, d *db.DB, log *slog.Logger) error {
	err := d.InTx(ctx, func(tx *db.Tx) error {
		now, noted, err := readOrigin(ctx, tx)
		if err != nil {
			return err
		}
		switch {
		case noted == now:
			return nil
		case noted == origin{}:
			return note(ctx, tx, now)
		case noted.system != now.system:
			done, err := mark(ctx, tx, now, "copied")
			if err != nil {
				return err
			}
			log.WarnContext(ctx, "this database was copied from another PostgreSQL: it counts as restored, and its grants are suspended until they are confirmed",
				"grants", done.Grants, "resources", done.Resources)
			return nil
		}
		resources, err := renew(ctx, tx, now)
		if err != nil {
			return err
		}
		log.WarnContext(ctx, "the database was promoted since the last start: cursors begin anew; if it was recovered to an earlier point in time, run shuqiao restore-mark",
			"timeline", now.timeline, "before", noted.timeline, "resources", resources)
		return record(ctx, tx, "promotion", map[string]any{"timeline": now.timeline, "before": noted.timeline, "resources": resources})
	})
	if err != nil {
		return fmt.Errorf("comparing the database with the one noted: %w", err)
	}
	return nil
}

// readOrigin returns which PostgreSQL serves and which one is noted, the zero origin where none is. Of two callers one waits
// for the other. A service that keeps the identity of its clusters to itself is known by its timeline only.
func readOrigin(ctx context.Context, tx *db.Tx) (now, noted origin, err error) {
	if _, err := tx.Exec(ctx, "LOCK TABLE hub_origin IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		return now, noted, fmt.Errorf("locking the origin: %w", err)
	}
	identity := "'unknown'"
	var may bool
	if err := tx.QueryRow(ctx, "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')").Scan(&may); err != nil {
		return now, noted, fmt.Errorf("asking for the hub's rights: %w", err)
	}
	if may {
		identity = "(SELECT system_identifier::text FROM pg_control_system())"
	}
	// A file of the log bears its timeline in its first eight digits; the control file would lag behind a promotion.
	err = tx.QueryRow(ctx, `
		SELECT `+identity+`, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint,
			coalesce((SELECT system_identifier FROM hub_origin), ''), coalesce((SELECT timeline FROM hub_origin), 0)`).
		Scan(&now.system, &now.timeline, &noted.system, &noted.timeline)
	if err != nil {
		return now, noted, fmt.Errorf("asking the database who it is: %w", err)
	}
	return now, noted, nil
}

func note(ctx context.Context, tx *db.Tx, o origin) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO hub_origin (system_identifier, timeline) VALUES ($1, $2)
		ON CONFLICT (one) DO UPDATE SET system_identifier = $1, timeline = $2, noted_at = clock_timestamp()`, o.system, o.timeline)
	if err != nil {
		return fmt.Errorf("noting the origin: %w", err)
	}
	return nil
}

// renew makes cursors begin anew and every node decide anew.
func renew(ctx context.Context, tx *db.Tx, now origin) (resources int64, err error) {
	if resources, err = store.RenewTx(ctx, tx); err != nil {
		return 0, err
	}
	authz.RenewTx(tx)
	return resources, note(ctx, tx, now)
}

func mark(ctx context.Context, tx *db.Tx, now origin, cause string) (done Marked, err error) {
	if done.Resources, err = renew(ctx, tx, now); err != nil {
		return done, err
	}
	if err := store.ForgetStagingTx(ctx, tx); err != nil {
		return done, err
	}
	if done.Grants, err = sharing.SuspendRestoredTx(ctx, tx); err != nil {
		return done, err
	}
	if done.Sessions, err = identity.EndAllSessionsTx(ctx, tx); err != nil {
		return done, err
	}
	if done.Runs, err = exchange.GiveBackAllTx(ctx, tx); err != nil {
		return done, err
	}
	// The size of the log says up to which leaf it is that of the backup: checkpoints beyond it, kept elsewhere, belong to what
	// was lost.
	var leaves int64
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(leaf) + 1, 0) FROM leaf").Scan(&leaves); err != nil {
		return done, fmt.Errorf("counting sealed events: %w", err)
	}
	return done, record(ctx, tx, cause, map[string]any{
		"resources": done.Resources, "grants": done.Grants, "sessions": done.Sessions, "runs": done.Runs, "sealed_events": leaves,
	})
}

func record(ctx context.Context, tx *db.Tx, cause string, detail map[string]any) error {
	detail["cause"] = cause
	_, err := audit.WriteTx(ctx, tx, audit.Event{
		Actor: audit.Actor{Kind: audit.ActorSystem, ID: "restore"}, Action: "hub.renew",
		Object: audit.Object{Kind: "hub", ID: "database"}, Detail: detail,
	})
	return err
}
