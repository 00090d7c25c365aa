package exchange

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// Arrivals is what collecting runs brought on one day (Asia/Shanghai).
type Arrivals struct {
	Day      string // YYYY-MM-DD.
	Runs     int64  // Runs that finished, failed ones included.
	Failed   int64
	Changed  int64 // Rows inserted, updated or deleted at the hub.
	Rejected int64 // Rows that were refused; 0 for readers who may not see them.
}

// Arrivals adds up the collecting runs of a resource by day, the days up to today, oldest first; days without a run are among them.
// Like Freshness it holds figures that whoever may see the entry may see; how much was refused is for the people who may read
// rejects.
func (s *Service) Arrivals(ctx context.Context, p authz.Principal, resource uuid.UUID, days int) ([]Arrivals, error) {
	f, err := loadFacts(ctx, s.db.Pool, resource)
	if err != nil {
		return nil, err
	}
	action := authz.ResourceRead
	if f.State != "published" {
		action = authz.ResourceReadDraft
	}
	if _, err := s.enforcer.Check(ctx, p, action, f.target("resource", resource)); err != nil {
		return nil, err
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT to_char(d.day, 'YYYY-MM-DD') AS day, count(r.id) AS runs, count(*) FILTER (WHERE r.state = 'failed') AS failed,
			coalesce(sum((r.counts->>'inserted')::bigint + (r.counts->>'updated')::bigint + (r.counts->>'deleted')::bigint), 0)::bigint AS changed,
			coalesce(sum((r.counts->>'rejected')::bigint), 0)::bigint AS rejected
		FROM (SELECT date_trunc('day', now() AT TIME ZONE 'Asia/Shanghai') - make_interval(days => n) AS day FROM generate_series(0, $2::int - 1) n) d
		LEFT JOIN `+allRuns+` ON r.resource_id = $1 AND r.kind = 'collect' AND r.state IN ('succeeded', 'partial', 'failed')
			AND r.queued_at >= now() - make_interval(days => $2::int + 1)
			AND date_trunc('day', coalesce(r.finished_at, r.queued_at) AT TIME ZONE 'Asia/Shanghai') = d.day
		GROUP BY d.day ORDER BY d.day`, resource, min(max(days, 1), maxArrivalDays))
	if err != nil {
		return nil, fmt.Errorf("adding up runs: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[Arrivals])
	if err != nil {
		return nil, fmt.Errorf("adding up runs: %w", err)
	}
	if !s.enforcer.Allowed(p, authz.RejectRead, f.target("reject", resource)) {
		for i := range out {
			out[i].Rejected = 0
		}
	}
	return out, nil
}

// maxArrivalDays bounds how far back Arrivals looks.
const maxArrivalDays = 92
