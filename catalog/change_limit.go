package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
func (s *Service) due(r limitRule, start time.Time, days int) (time.Time, bool) {
	if r.Working {
		due, provisional := s.calendar.Due(start, days)
		return due.UTC(), provisional
	}
	due, _ := s.calendar.Due(start.AddDate(0, 0, days), 0)
	return due.UTC(), false
}

// changeLimits are the moments of the clock of a change.
type changeLimits struct {
	due, warn, red time.Time
	provisional    bool
}

// changeClock computes when the update for a change of that day is due, more working days later than the rule says. A limit that
// was shown is never shortened: before holds it, or is zero.
func (s *Service) changeClock(ctx context.Context, tx *db.Tx, department uuid.UUID, happenedOn string, more int, before time.Time) (changeLimits, error) {
	r, err := limitOf(ctx, tx, limitUpdate, department)
	if err != nil {
		return changeLimits{}, err
	}
	start, err := time.ParseInLocation(time.DateOnly, happenedOn, s.zone)
	if err != nil {
		return changeLimits{}, fmt.Errorf("reading the day of a change: %w", err)
	}
	var out changeLimits
	out.due, out.provisional = s.due(r, start, r.Days+more)
	if out.due.Before(before) {
		out.due = before
	}
	out.warn, _ = s.due(r, start, int(float64(r.Days+more)*r.WarnAt))
	red, _ := s.calendar.Due(out.due, r.RedAt)
	out.red = red.UTC()
	return out, nil
}
