package pull

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const codeExportsFull = "exports_full"

// How long a caller waits for space, at least and at most.
const (
	leastSpaceWait = time.Minute
	mostSpaceWait  = time.Hour
)

func exportsFull() *fault.Fault {
	return fault.New(fault.Exhausted, "exports_full", "the hub has no space for another export; delete files you no longer need, or try again later").At("store")
}

// takeSpaceTx weighs an order against the space that is left: what the files take, what those under way will take yet, and
// what this one is expected to. Orders wait for each other, so that they do not pass the bound together. An order
// that turns out larger than expected is bounded while it is written.
func (x *Exports) takeSpaceTx(ctx context.Context, tx *db.Tx, e *Export) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('space of exports', 0))"); err != nil {
		return fmt.Errorf("locking the space of exports: %w", err)
	}
	var promised int64
	var next *time.Time
	err := tx.QueryRow(ctx, `
		SELECT (SELECT coalesce(sum(CASE WHEN state = 'running' AND total > 0 THEN expected * (1 - least(rows, total)::float8 / total) ELSE expected END), 0)::bigint
				FROM export WHERE state IN ('queued', 'running')),
			coalesce((SELECT size FROM export WHERE resource_id = $1 AND format = $2 AND compression = $3 AND size > 0 ORDER BY created_at DESC LIMIT 1), 0),
			(SELECT min(expires_at) FROM export WHERE state = 'ready')`, e.ResourceID, string(e.Format), string(e.Compression)).
		Scan(&promised, &e.expected, &next)
	if err != nil {
		return fmt.Errorf("adding up what exports will take: %w", err)
	}
	used, err := x.opt.Files.Used()
	if err != nil {
		return err
	}
	if used < x.opt.Space && used+promised+e.expected <= x.opt.Space {
		return nil
	}
	wait := mostSpaceWait
	if next != nil {
		wait = min(max(next.Sub(tx.Now()), leastSpaceWait), mostSpaceWait)
	}
	return exportsFull().With("retry_after", strconv.Itoa(int(wait.Seconds())))
}

// free removes files that nobody may fetch any more, and reports whether it could. It does so in transactions of its own, which
// take no part in the caller's.
func (x *Exports) free() bool {
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	err := x.Destroy(ctx)
	if err == nil {
		err = x.Tidy(ctx)
	}
	if err != nil {
		x.opt.Log.WarnContext(ctx, "freeing space for an export", "error", err)
	}
	return err == nil
}

// overfull returns why writing has to stop when the files take more than they may, nil while they do not.
func (x *Exports) overfull() error {
	used, err := x.opt.Files.Used()
	if err != nil || used <= x.opt.Space {
		return nil // A folder that cannot be listed shows when the file is written.
	}
	return exportsFull()
}
