package sharing

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// Reader is a person who may open refused rows of a resource: all items of rows that did not pass validation, in clear. No
// other rows are shown to people.
type Reader struct {
	UserID   uuid.UUID    `json:"user_id"`
	Username string       `json:"username"` // As it is now.
	Roles    []authz.Role `json:"roles"`
	Way      Way          `json:"way"`
}

// maxReaders bounds the people of one answer: those of one department.
const maxReaders = 1000

// readers returns the people of the provider who may open refused rows; with all also those of them who may not.
func (m *moment) readers(ctx context.Context, r *catalog.Resource, all bool) ([]Reader, error) {
	sql, args := `
		SELECT id, username, roles FROM hub_user WHERE department_id = $1 AND state = 'active' ORDER BY username LIMIT $2`,
		[]any{r.ProviderDeptID, maxReaders}
	if m.past {
		sql = `
			SELECT h.user_id, u.username, h.roles
			FROM (SELECT DISTINCT user_id FROM user_history WHERE department_id = $1) w
			JOIN LATERAL (SELECT * FROM user_history o WHERE o.user_id = w.user_id AND o.at <= $3
				ORDER BY o.at DESC, o.seq DESC LIMIT 1) h ON true
			JOIN hub_user u ON u.id = h.user_id
			WHERE h.department_id = $1 AND h.state = 'active' ORDER BY u.username LIMIT $2`
		args = append(args, m.at)
	}
	rows, err := m.service.db.Pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the provider's people: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Reader, error) {
		var p Reader
		return p, row.Scan(&p.UserID, &p.Username, &p.Roles)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the provider's people: %w", err)
	}
	target := authz.Target{
		Kind: "resource", ID: r.ID.String(), Department: r.ProviderDeptID, State: string(r.State),
		ShareType: string(r.Version.ShareType), Grade: string(r.Version.Grade),
	}
	out := []Reader{}
	for _, p := range found {
		person := authz.Principal{Kind: audit.ActorUser, ID: p.UserID, Name: p.Username, Department: r.ProviderDeptID, Roles: p.Roles}
		v := m.policy.Explain(person, authz.RejectRead, target)
		p.Way = Way{Action: authz.RejectRead, Allowed: v.Allowed, RuleID: v.RuleID}
		if v.Allowed || all {
			out = append(out, p)
		}
	}
	return out, nil
}
