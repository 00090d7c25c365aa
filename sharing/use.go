package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// UseDay is what was disclosed under a grant on one day in Asia/Shanghai.
type UseDay struct {
	Day   time.Time // Midnight in Asia/Shanghai.
	Calls int64
	Rows  int64 // Of calls that have ended, and the most that others can have been given.
}

// GrantUse is how a grant was used lately.
type GrantUse struct {
	Days   []UseDay   // The last days one by one, the oldest first, days without use among them.
	Used   int64      // Rows of the current period of the quota that are used up or reserved by a node; 0 without a quota.
	LastAt *time.Time // Of the newest call; nil where there was none.
}

// GrantUse returns the use of the last days of a grant, today included. Both departments and the authority may see it, as they see
// the grant.
func (s *Service) GrantUse(ctx context.Context, p authz.Principal, id uuid.UUID, days int) (GrantUse, error) {
	g, err := s.GetGrant(ctx, p, id)
	if err != nil {
		return GrantUse{}, err
	}
	now := s.enforcer.Follower().Now().In(s.calendar.Now().Zone())
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, s.calendar.Now().Zone())
	first := today.AddDate(0, 0, 1-days)
	rows, err := s.db.Pool.Query(ctx, `
		SELECT (at AT TIME ZONE 'Asia/Shanghai')::date::text, count(*), coalesce(sum(CASE state WHEN 'opened' THEN reserved_rows ELSE rows END), 0)::bigint
		FROM usage WHERE grant_id = $1 AND at >= $2 GROUP BY 1`, g.ID, first)
	if err != nil {
		return GrantUse{}, fmt.Errorf("reading the use of a grant: %w", err)
	}
	found := map[string]UseDay{}
	var day string
	var u UseDay
	_, err = pgx.ForEachRow(rows, []any{&day, &u.Calls, &u.Rows}, func() error {
		found[day] = u
		return nil
	})
	if err != nil {
		return GrantUse{}, fmt.Errorf("reading the use of a grant: %w", err)
	}
	var out GrantUse
	for day := first; !day.After(today); day = day.AddDate(0, 0, 1) {
		one := found[day.Format(time.DateOnly)]
		one.Day = day
		out.Days = append(out.Days, one)
	}
	err = s.db.Pool.QueryRow(ctx, `
		SELECT coalesce((SELECT used FROM quota_use WHERE grant_id = $1 AND period = $2), 0),
			(SELECT at FROM usage WHERE grant_id = $1 ORDER BY at DESC LIMIT 1)`, g.ID, s.period(g, now)).Scan(&out.Used, &out.LastAt)
	if err != nil {
		return GrantUse{}, fmt.Errorf("reading the use of a grant: %w", err)
	}
	out.LastAt = inUTC(out.LastAt)
	return out, nil
}
