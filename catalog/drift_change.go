package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// changeForDrift starts the clock of the update that a broken mount asks for, in the hub's own name, unless it runs already for
// another. r is locked.
func (s *Service) changeForDrift(ctx context.Context, tx *db.Tx, r Resource, m Mount, broken []Drift) error {
	if r.State != Published {
		return nil
	}
	var running bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM change_event WHERE resource_id = $1 AND cause = $2 AND state IN ('open', 'submitted'))",
		r.ID, string(CauseDrift)).Scan(&running)
	if err != nil {
		return fmt.Errorf("reading the changes of an entry: %w", err)
	}
	if running {
		return nil
	}
	what := []string{}
	for _, d := range broken {
		if d.Column != "" {
			what = append(what, d.Column)
		}
	}
	detail := m.Object
	if len(what) > 0 {
		detail += ": " + strings.Join(what, ", ")
	}
	_, err = s.openChange(ctx, tx, authz.Hub("drift"), r, NewChange{Cause: CauseDrift, Detail: cutText(detail, maxSaid-1), HappenedOn: s.today()})
	return err
}

// endChangeOfDrift ends the clock that the hub started when nothing breaks the entry's mounts any more and no update was submitted:
// the source is again as it was, or the mount was replaced.
func endChangeOfDrift(ctx context.Context, tx *db.Tx, resource uuid.UUID) error {
	hub := authz.Hub("drift")
	rows, err := tx.Query(ctx, `
		UPDATE change_event c SET state = 'withdrawn', closed_at = $2, row_version = row_version + 1
		WHERE resource_id = $1 AND cause = $3 AND state = 'open' AND recorded_by = $4
		  AND NOT EXISTS (SELECT FROM drift d JOIN mount m ON m.id = d.mount_id WHERE m.resource_id = c.resource_id AND d.breaks AND d.resolved_at IS NULL)
		RETURNING id`, resource, tx.Now(), string(CauseDrift), hub.ID)
	var ended []uuid.UUID
	if err == nil {
		ended, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	}
	if err != nil {
		return fmt.Errorf("ending the change of a drift: %w", err)
	}
	for _, id := range ended {
		if err := record(ctx, tx, hub, "change_event.withdraw", "change_event", id.String(), map[string]any{"resource": resource, "from": "open", "reason": "nothing breaks any more"}); err != nil {
			return err
		}
	}
	return nil
}
