package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
)

// rule is a limit of sla_rule.
type rule struct {
	days    int
	working bool
}

// limit returns the limit of a matter for a sharing type at the level of a department, the most particular rule there is, and
// the calendar in force.
func (s *Service) limit(ctx context.Context, tx *db.Tx, matter string, share catalog.ShareType, department uuid.UUID) (rule, *calendar.Calendar, error) {
	var r rule
	var version int64
	err := tx.QueryRow(ctx, `
		SELECT s.days, s.day_kind = 'working', (SELECT version FROM calendar_version)
		FROM sla_rule s JOIN department d ON d.id = $3
		WHERE s.matter = $1 AND s.share_type IN ($2, '*') AND s.level IN (d.level, '*')
		ORDER BY s.share_type = '*', s.level = '*' LIMIT 1`, matter, string(share), department).Scan(&r.days, &r.working, &version)
	if err != nil {
		return rule{}, nil, fmt.Errorf("reading the limit %q: %w", matter, err)
	}
	c, err := catalog.FreshCalendar(ctx, tx, s.calendar, version)
	return r, c, err
}

// due counts a limit, and working days by which it was extended, from when a request was received.
func (r rule) due(c *calendar.Calendar, received time.Time, extended int) (due time.Time, provisional bool) {
	if r.working {
		due, provisional = c.Due(received, r.days+extended)
		return due.UTC(), provisional
	}
	due, _ = c.Due(received.AddDate(0, 0, r.days), 0)
	if extended > 0 {
		due, provisional = c.Due(due, extended)
	}
	return due.UTC(), provisional
}

// setDue computes when the reply to a received request is due. A limit already shown is never shortened.
func (s *Service) setDue(ctx context.Context, tx *db.Tx, r *Request) error {
	limit, c, err := s.limit(ctx, tx, "reply", r.ShareType, r.ProviderDeptID)
	if err != nil {
		return err
	}
	if due, provisional := limit.due(c, *r.ReceivedAt, r.ExtendedDays); r.DueAt == nil || due.After(*r.DueAt) {
		r.DueAt, r.DueProvisional = &due, provisional
	}
	return nil
}

// CountAgainTx counts the due dates of undecided requests that lie at or after from, or are provisional, by a changed calendar.
// Dates that were shown do not become earlier, but stop being provisional. It returns how many became later.
func (s *Service) CountAgainTx(ctx context.Context, tx *db.Tx, c *calendar.Calendar, from time.Time) (int, error) {
	// Who is about to set a due date by the old calendar holds a lock on its request: waiting for all of them here, before any
	// row is locked, lets none be missed and none wait in a circle.
	if _, err := tx.Exec(ctx, "LOCK TABLE sharing_request IN EXCLUSIVE MODE"); err != nil {
		return 0, fmt.Errorf("locking requests: %w", err)
	}
	moved := 0
	for after := uuid.Nil; ; {
		some, err := undecided(ctx, tx, from, after)
		if err != nil {
			return 0, err
		}
		var ids []uuid.UUID
		var dues []time.Time
		var flags []bool
		for _, u := range some {
			due, provisional := u.limit.due(c, u.received, u.extended)
			if due.After(u.due) {
				moved++
			} else {
				due = u.due
			}
			if !due.Equal(u.due) || provisional != u.provisional {
				ids, dues, flags = append(ids, u.id), append(dues, due), append(flags, provisional)
			}
		}
		_, err = tx.Exec(ctx, `
			UPDATE sharing_request r SET due_at = n.due, due_provisional = n.provisional, row_version = r.row_version + 1, updated_at = $4
			FROM unnest($1::uuid[], $2::timestamptz[], $3::bool[]) AS n (id, due, provisional) WHERE r.id = n.id`, ids, dues, flags, tx.Now())
		if err != nil {
			return 0, fmt.Errorf("writing due dates: %w", err)
		}
		if len(some) < countedAtOnce {
			return moved, nil
		}
		after = some[len(some)-1].id
	}
}

// countedAtOnce is how many due dates are counted again by one statement.
const countedAtOnce = 1000

// clocked is a request whose clock runs.
type clocked struct {
	id            uuid.UUID
	received, due time.Time
	provisional   bool
	extended      int
	limit         rule
}

func undecided(ctx context.Context, tx *db.Tx, from time.Time, after uuid.UUID) ([]clocked, error) {
	rows, err := tx.Query(ctx, `
		SELECT r.id, r.received_at, r.due_at, r.due_provisional, r.extended_days, l.days, l.working
		FROM sharing_request r JOIN department d ON d.id = r.provider_dept_id CROSS JOIN LATERAL (
			SELECT s.days, s.day_kind = 'working' AS working FROM sla_rule s
			WHERE s.matter = 'reply' AND s.share_type IN (r.share_type, '*') AND s.level IN (d.level, '*')
			ORDER BY s.share_type = '*', s.level = '*' LIMIT 1) l
		WHERE r.state IN ('pending_acceptance', 'in_review', 'supplement_required') AND r.received_at IS NOT NULL AND r.due_at IS NOT NULL
			AND (r.due_provisional OR r.due_at >= $1) AND r.id > $2
		ORDER BY r.id LIMIT $3`, from, after, countedAtOnce)
	if err != nil {
		return nil, fmt.Errorf("reading running clocks: %w", err)
	}
	defer rows.Close()
	var out []clocked
	for rows.Next() {
		var u clocked
		if err := rows.Scan(&u.id, &u.received, &u.due, &u.provisional, &u.extended, &u.limit.days, &u.limit.working); err != nil {
			return nil, fmt.Errorf("reading running clocks: %w", err)
		}
		out = append(out, u)
	}
	return out, rows.Err()
}
