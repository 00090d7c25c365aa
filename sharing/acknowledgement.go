package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// GrantChange is a publication that touches a grant.
type GrantChange struct {
	Version        int             `json:"version"`
	At             time.Time       `json:"at"`
	Breaks         []catalog.Break `json:"breaks"` // Those that touch this grant.
	AcknowledgedAt *time.Time      `json:"acknowledged_at,omitempty"`
	AcknowledgedBy string          `json:"acknowledged_by"`
	Note           string          `json:"note"`
}

// touchedSQL joins a sharing_grant g with each version_change v that touches it.
func touchedSQL() string {
	return `v.resource_id = g.resource_id AND v.version > g.resource_version AND v.at BETWEEN g.valid_from AND g.valid_to AND ` +
		usesSQL("v.items", "v.identifiers", "v.whole")
}

// GrantChanges lists the publications that touch a grant, the newest first.
func (s *Service) GrantChanges(ctx context.Context, p authz.Principal, id uuid.UUID) ([]GrantChange, error) {
	g, err := s.GetGrant(ctx, p, id)
	if err != nil {
		return nil, err
	}
	return s.grantChanges(ctx, s.db.Pool, g, 0)
}

// grantChanges reads the publications that touch a grant, or the one with a number.
func (s *Service) grantChanges(ctx context.Context, q db.Querier, g Grant, version int) ([]GrantChange, error) {
	found, err := q.Query(ctx, `
		SELECT v.version, v.at, v.breaks, a.at AS acknowledged_at,
			coalesce((SELECT u.display_name FROM hub_user u WHERE u.id = a.by), '') AS acknowledged_by, coalesce(a.note, '') AS note
		FROM sharing_grant g JOIN version_change v ON `+touchedSQL()+`
			LEFT JOIN change_acknowledgement a ON a.resource_id = v.resource_id AND a.version = v.version AND a.grant_id = g.id
		WHERE g.id = $1 AND ($2 = 0 OR v.version = $2) ORDER BY v.version DESC LIMIT $3`, g.ID, version, db.MaxPage)
	if err != nil {
		return nil, fmt.Errorf("reading the changes of a grant: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[GrantChange])
	if err != nil {
		return nil, fmt.Errorf("reading the changes of a grant: %w", err)
	}
	filtered := filteredBy(g.RowFilter)
	for i := range out {
		c := &out[i]
		all := c.Breaks
		c.At, c.AcknowledgedAt, c.Breaks = c.At.UTC(), db.UTC(c.AcknowledgedAt), []catalog.Break{}
		for _, b := range all {
			if b.No == 0 || contains(g.Items, b.No) || slices.Contains(filtered, b.Identifier) {
				c.Breaks = append(c.Breaks, b)
			}
		}
	}
	return out, nil
}

// AcknowledgeChange records that the consumer of a grant has taken note of a publication that touches it. A note may say what
// the consumer does about it. A grant that is served the old version beside the published one is served that from then on.
func (s *Service) AcknowledgeChange(ctx context.Context, p authz.Principal, id uuid.UUID, version int, note string) (GrantChange, error) {
	g, err := s.GetGrant(ctx, p, id)
	if err != nil {
		return GrantChange{}, err
	}
	decision, err := s.enforcer.Check(ctx, p, authz.GrantAcknowledge, authz.Target{Kind: "grant", ID: id.String(), Department: g.ConsumerDeptID})
	if err != nil {
		return GrantChange{}, err
	}
	var f findings
	f.text("note", note, false)
	if err := f.fault(); err != nil {
		return GrantChange{}, err
	}
	var out GrantChange
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		changes, err := s.grantChanges(ctx, tx, g, max(version, 1))
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return notFound("change of this grant")
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO change_acknowledgement (resource_id, version, grant_id, note, by, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			g.ResourceID, version, id, note, decision.Principal().ID, tx.Now())
		if err != nil {
			return fmt.Errorf("recording an acknowledgement: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Conflict, "already_acknowledged", "somebody of your department has taken note of this change before")
		}
		if changes, err = s.grantChanges(ctx, tx, g, version); err != nil {
			return err
		}
		out = changes[0]
		// An old version that the grant was served until now is served it no longer.
		if err := logGrant(tx, g); err != nil {
			return err
		}
		return record(ctx, tx, decision.Principal(), "grant.acknowledge", "grant", id, map[string]any{"resource": g.ResourceID, "version": version})
	})
	return out, err
}

// CountUnacknowledged returns how many grants of p's department are touched by a publication that nobody has taken note of; 0 for
// those who cannot.
func (s *Service) CountUnacknowledged(ctx context.Context, p authz.Principal) (n int64, err error) {
	if !s.MayAcknowledge(p) {
		return 0, nil
	}
	err = s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM sharing_grant g WHERE g.consumer_dept_id = $1 AND "+unacknowledgedSQL(), p.Department).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting changes to take note of: %w", err)
	}
	return n, nil
}

// MayAcknowledge reports whether p takes note of changes for the own department.
func (s *Service) MayAcknowledge(p authz.Principal) bool {
	return p.Department != uuid.Nil && s.enforcer.Allowed(p, authz.GrantAcknowledge, authz.Target{Kind: "grant", Department: p.Department})
}

// unacknowledgedSQL is a condition on sharing_grant g: a publication touches it that its consumer has not taken note of.
func unacknowledgedSQL() string {
	return `EXISTS (SELECT FROM version_change v WHERE ` + touchedSQL() + ` AND NOT EXISTS (
	SELECT FROM change_acknowledgement a WHERE a.resource_id = v.resource_id AND a.version = v.version AND a.grant_id = g.id))`
}

// filteredBy are the identifiers of the items that a row filter asks for.
func filteredBy(raw json.RawMessage) []string {
	if n, err := filter.Parse(raw); len(raw) > 0 && err == nil {
		return n.Items()
	}
	return nil
}
