package sharing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// NoQuota is what QuotaLeft returns for grants without a quota.
const NoQuota = int64(-1)

// period names the quota period that a moment falls into: days and months begin at midnight in Asia/Shanghai.
func (s *Service) period(g Grant, at time.Time) string {
	at = at.In(s.calendar.Zone())
	switch g.QuotaPeriod {
	case "day":
		return at.Format(time.DateOnly)
	case "month":
		return at.Format("2006-01")
	}
	return "total"
}

// UseQuota books rows against the grant's quota before they leave. All of them are booked or none: when fewer are left it
// returns the Exhausted fault "quota_exhausted" whose detail "remaining" says how many. One row per grant and period is
// locked for the moment of the booking, so callers at the same time never exceed the quota together.
func (s *Service) UseQuota(ctx context.Context, p Permit, rows int64) error {
	g := p.Grant
	if g.Quota == 0 || rows <= 0 {
		return nil
	}
	period := s.period(g, s.enforcer.Follower().Now())
	tag, err := s.db.Pool.Exec(ctx, `
		INSERT INTO quota_use AS q (grant_id, period, used) SELECT $1::uuid, $2::text, $3::bigint WHERE $3::bigint <= $4::bigint
		ON CONFLICT (grant_id, period) DO UPDATE SET used = q.used + excluded.used WHERE q.used + excluded.used <= $4::bigint`,
		g.ID, period, rows, g.Quota)
	if err != nil {
		return fmt.Errorf("booking quota: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	left, err := s.QuotaLeft(ctx, p)
	if err != nil {
		return err
	}
	return fault.New(fault.Exhausted, "quota_exhausted", "the quota of this grant has fewer rows left than this call needs").
		At("policy").With("remaining", strconv.FormatInt(left, 10))
}

// QuotaLeft returns how many rows of the grant's quota are left in the current period, NoQuota for grants without one.
func (s *Service) QuotaLeft(ctx context.Context, p Permit) (int64, error) {
	if p.Grant.Quota == 0 {
		return NoQuota, nil
	}
	var used int64
	err := s.db.Pool.QueryRow(ctx, "SELECT used FROM quota_use WHERE grant_id = $1 AND period = $2",
		p.Grant.ID, s.period(p.Grant, s.enforcer.Follower().Now())).Scan(&used)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("reading quota: %w", err)
	}
	return max(0, p.Grant.Quota-used), nil
}
