package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
)

// The matters of the table of limits that changes of entries are under (Order 809, Art 17: 10, 5 and 2 working days).
const (
	limitUpdate    = "update_catalogue"
	limitExtension = "update_catalogue_extension"
	limitReview    = "review_update"
)

// limitRule is one row of the table of limits.
type limitRule struct {
	Days    int
	Working bool
	WarnAt  float64 // Share of the time after which a warning is due.
	RedAt   int     // Working days after the limit.
}

// limitOf returns the limit of a matter at the level of a department: the most particular rule there is.
func limitOf(ctx context.Context, q Querier, matter string, department uuid.UUID) (limitRule, error) {
	found, err := q.Query(ctx, `
		SELECT s.days, s.day_kind = 'working' AS working, s.warn_at::float8 AS warn_at, s.red_at FROM sla_rule s JOIN department d ON d.id = $2
		WHERE s.matter = $1 AND s.share_type = '*' AND s.level IN (d.level, '*') ORDER BY s.level = '*' LIMIT 1`, matter, department)
	if err != nil {
		return limitRule{}, fmt.Errorf("reading the limit %q: %w", matter, err)
	}
	r, err := pgx.CollectExactlyOneRow(found, pgx.RowToStructByName[limitRule])
	if err != nil {
		return limitRule{}, fmt.Errorf("reading the limit %q: %w", matter, err)
	}
	return r, nil
}

// due returns the end of the days-th day after the day of start, and whether that is provisional.
func (r limitRule) due(c *calendar.Calendar, start time.Time, days int) (time.Time, bool) {
	if r.Working {
		due, provisional := c.Due(start, days)
		return due.UTC(), provisional
	}
	due, _ := c.Due(start.AddDate(0, 0, days), 0)
	return due.UTC(), false
}

// changeLimits are the moments of the clock of a change.
type changeLimits struct {
	due, warn, red time.Time
	provisional    bool
}

// changeClock computes when the update for a change of that day is due, more working days later than the rule says. A limit that
// was shown is never shortened: before holds it, or is zero.
func (s *Service) changeClock(ctx context.Context, tx *db.Tx, c *calendar.Calendar, department uuid.UUID, happenedOn string, more int, before time.Time) (changeLimits, error) {
	r, err := limitOf(ctx, tx, limitUpdate, department)
	if err != nil {
		return changeLimits{}, err
	}
	start, err := time.ParseInLocation(time.DateOnly, happenedOn, s.zone)
	if err != nil {
		return changeLimits{}, fmt.Errorf("reading the day of a change: %w", err)
	}
	var out changeLimits
	out.due, out.provisional = r.due(c, start, r.Days+more)
	if out.due.Before(before) {
		out.due = before
	}
	out.warn, _ = r.due(c, start, int(float64(r.Days+more)*r.WarnAt))
	red, _ := c.Due(out.due, r.RedAt)
	out.red = red.UTC()
	return out, nil
}

// CountChangesAgainTx counts the limits of changes that still wait and that lie at or after from, or are provisional, by a changed
// calendar. Limits that were shown do not become earlier, but stop being provisional. It returns how many became later.
func (s *Service) CountChangesAgainTx(ctx context.Context, tx *db.Tx, c *calendar.Calendar, from time.Time) (int, error) {
	waiting, err := many(ctx, tx, changeRow.event, changeSQL+`
		WHERE c.state IN ('open', 'submitted') AND (c.due_at >= $1 OR c.provisional OR c.review_due_at >= $1) ORDER BY c.id FOR UPDATE OF c`, from)
	if err != nil {
		return 0, fmt.Errorf("reading limits of changes: %w", err)
	}
	moved := 0
	for _, e := range waiting {
		more := 0
		if e.Extension != nil {
			more = e.Extension.Days
		}
		limits, err := s.changeClock(ctx, tx, c, e.DepartmentID, e.HappenedOn, more, e.DueAt)
		if err != nil {
			return 0, err
		}
		review, err := reviewAgain(ctx, tx, c, e)
		if err != nil {
			return 0, err
		}
		later := review != nil && review.After(*e.ReviewDueAt)
		if limits.due.Equal(e.DueAt) && limits.provisional == e.Provisional && !later {
			continue
		}
		_, err = tx.Exec(ctx, `
			UPDATE change_event SET due_at = $2, warn_at = $3, red_at = $4, provisional = $5, review_due_at = $6, row_version = row_version + 1 WHERE id = $1`,
			e.ID, limits.due, limits.warn, limits.red, limits.provisional, review)
		if err != nil {
			return 0, fmt.Errorf("moving the limit of a change: %w", err)
		}
		if later || limits.due.After(e.DueAt) {
			moved++
		}
	}
	return moved, nil
}

// reviewAgain returns until when the authority must decide on what it has received, by a changed calendar and never earlier than was
// shown; nil while it has received nothing.
func reviewAgain(ctx context.Context, tx *db.Tx, c *calendar.Calendar, e ChangeEvent) (*time.Time, error) {
	if e.SubmittedAt == nil || e.ReviewDueAt == nil {
		return e.ReviewDueAt, nil
	}
	r, err := limitOf(ctx, tx, limitReview, e.DepartmentID)
	if err != nil {
		return nil, err
	}
	due, _ := r.due(c, *e.SubmittedAt, r.Days)
	if due.Before(*e.ReviewDueAt) {
		due = *e.ReviewDueAt
	}
	return &due, nil
}
