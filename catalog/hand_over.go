package catalog

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
)

// HandOverTx passes on the entries that a leaver was writing: drafts and those returned to their maker. Where "to" is a
// person, that person is their maker from now on, and so nobody who may review them; the history keeps who began. Where "to" is
// uuid.Nil, any operator of the department goes on with them.
func (s *Service) HandOverTx(ctx context.Context, tx *db.Tx, by authz.Principal, leaver, to uuid.UUID) ([]identity.Handed, error) {
	type draft struct {
		Resource uuid.UUID
		Version  int
		State    string
		Name     string
	}
	rows, err := tx.Query(ctx, `
		SELECT v.resource_id, v.version, v.state, v.name FROM resource r JOIN resource_version v ON v.resource_id = r.id
		WHERE v.made_by = $1 AND v.state IN ('draft', 'returned') ORDER BY v.resource_id, v.version FOR UPDATE OF r`, leaver)
	if err != nil {
		return nil, fmt.Errorf("reading drafts: %w", err)
	}
	drafts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[draft])
	if err != nil {
		return nil, fmt.Errorf("reading drafts: %w", err)
	}
	out := make([]identity.Handed, 0, len(drafts))
	for _, d := range drafts {
		h := identity.Handed{Kind: "resource", ID: d.Resource, Title: d.Name}
		if to != uuid.Nil {
			h.To = &to
			_, err := tx.Exec(ctx, "UPDATE resource_version SET made_by = $3, updated_at = $4 WHERE resource_id = $1 AND version = $2",
				d.Resource, d.Version, to, tx.Now())
			if err == nil {
				_, err = tx.Exec(ctx, "UPDATE resource SET row_version = row_version + 1, updated_at = $2 WHERE id = $1", d.Resource, tx.Now())
			}
			if err != nil {
				return nil, fmt.Errorf("handing a draft over: %w", err)
			}
			if err := index(ctx, tx, d.Resource); err != nil {
				return nil, err
			}
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO resource_step (id, resource_id, version, action, from_state, to_state, actor_id, at) VALUES ($1, $2, $3, $4, $5, $5, $6, $7)`,
			db.NewID(), d.Resource, d.Version, string(StepHandOver), d.State, by.ID, tx.Now())
		if err != nil {
			return nil, fmt.Errorf("writing history: %w", err)
		}
		err = record(ctx, tx, by, "resource."+string(StepHandOver), "resource", d.Resource.String(),
			map[string]any{"version": d.Version, "from": leaver, "to": h.To})
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}
