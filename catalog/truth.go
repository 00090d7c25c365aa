package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Truth is what there is behind an entry: whether and how its data come, and whether anybody takes them.
type Truth struct {
	ResourceID uuid.UUID  `json:"resource_id"`
	Mounted    bool       `json:"mounted"`              // An active mount brings data.
	Live       bool       `json:"live"`                 // Nothing is kept at the hub: pulls go through to the source.
	Rows       int64      `json:"rows"`                 // Now at the hub.
	ArrivedAt  *time.Time `json:"arrived_at,omitempty"` // When data last arrived, or the source was last read to its end.
	Timeliness Timeliness `json:"timeliness"`           // Against the update cycle; "" for withheld entries.
	Quality    *float64   `json:"quality,omitempty"`    // Accepted / (accepted + refused) rows of the last runs, 0 to 1; nil where none read a row.
	Uses30d    int64      `json:"uses_30d"`             // Records of use in the last 30 days: a stream, an export or a delivery is one.
	Rows30d    int64      `json:"rows_30d"`             // Rows that left in the last 30 days.
	UsedAt     *string    `json:"used_at,omitempty"`    // Day of the last use of the last 90 days, YYYY-MM-DD; nil where there was none.
	Grants     int        `json:"grants"`               // In force.
	Sleeping   Sleep      `json:"sleeping"`             // Why it sleeps, "" when it does not.
	SleptFrom  *time.Time `json:"sleeping_since,omitempty"`
	Score      int        `json:"score"`  // Completeness, 0 to 100.
	Points     []Point    `json:"points"` // What every rule of it gives.
	UseCounted *time.Time `json:"use_counted_at,omitempty"`
}

// truthFacts is what one query says about an entry; the rest of Truth is computed from it.
type truthFacts struct {
	ID, DepartmentID  uuid.UUID
	State             State
	Version           int
	VersionAt         time.Time
	ShareType         ShareType
	UpdateCycle       UpdateCycle
	Live, Mounted     bool
	Rows              int64
	ArrivedAt         *time.Time
	PublishedAt       *time.Time // Of the first version that was.
	Accepted, Refused int64
	Uses, Taken       int64
	UsedAt            *time.Time
	Grants            int
	Described         *int // As stored, with what it was computed from.
	DescribedVersion  *int
	DescribedAt       *time.Time
	DescribedBy       *int
	UseCounted        *time.Time
	Now               time.Time
}

// lastRuns is how many runs quality is judged by.
const lastRuns = 5

// readTruth reads the facts of entries. Published entries are judged by what is published, others by their newest version.
func readTruth(ctx context.Context, q Querier, ids []uuid.UUID) ([]truthFacts, error) {
	found, err := q.Query(ctx, `
		SELECT r.id, r.provider_dept_id AS department_id, r.state, v.version, v.updated_at AS version_at, v.share_type, v.update_cycle, r.live,
			EXISTS (SELECT FROM mount m WHERE m.resource_id = r.id AND m.state = 'active') AS mounted,
			coalesce(a.rows, 0) AS rows, a.at AS arrived_at,
			(SELECT min(f.published_at) FROM resource_version f WHERE f.resource_id = r.id) AS published_at,
			coalesce(c.accepted, 0)::bigint AS accepted, coalesce(c.refused, 0)::bigint AS refused,
			coalesce(u.uses, 0)::bigint AS uses, coalesce(u.taken, 0)::bigint AS taken, u.used_at::timestamptz AS used_at,
			(SELECT count(*) FROM sharing_grant g WHERE g.resource_id = r.id AND g.state = 'active')::int AS grants,
			t.described, t.version AS described_version, t.described_at, t.rules AS described_by,
			(SELECT ended_at FROM truth_refresh) AS use_counted, now() AS now
		FROM unnest($1::uuid[]) AS asked (id) JOIN resource r ON r.id = asked.id
		JOIN resource_version v ON v.resource_id = r.id AND v.version = coalesce(r.published, r.newest)
		LEFT JOIN resource_truth t ON t.resource_id = r.id
		LEFT JOIN LATERAL (
			SELECT h.rows, greatest(h.changed_at, (SELECT k.at FROM task j JOIN store.shuqiao_cursor k ON k.task = j.id
				WHERE j.resource_id = r.id AND j.kind = 'collect')) AS at
			FROM store.store_head h WHERE h.resource = r.id AND h.layout > 0) a ON true
		LEFT JOIN LATERAL (
			SELECT sum((counts->>'inserted')::bigint + (counts->>'updated')::bigint + (counts->>'unchanged')::bigint) AS accepted,
				sum((counts->>'rejected')::bigint) AS refused
			FROM (SELECT n.counts FROM (
					SELECT resource_id, kind, state, counts, queued_at FROM run UNION ALL SELECT resource_id, kind, state, counts, queued_at FROM run_history) n
				WHERE n.resource_id = r.id AND n.kind = 'collect' AND n.state IN ('succeeded', 'partial')
					AND EXISTS (SELECT FROM task j WHERE j.resource_id = r.id AND j.kind = 'collect')
				ORDER BY n.queued_at DESC LIMIT $2) last) c ON true
		LEFT JOIN LATERAL (
			SELECT sum(calls) FILTER (WHERE day > current_date - $3::int) AS uses, sum(rows) FILTER (WHERE day > current_date - $3::int) AS taken, max(day) AS used_at
			FROM resource_use_day d WHERE d.resource_id = r.id AND day > current_date - $4::int) u ON true`,
		ids, lastRuns, usedDays, sleepDays)
	if err != nil {
		return nil, fmt.Errorf("reading what is behind entries: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[truthFacts])
	if err != nil {
		return nil, fmt.Errorf("reading what is behind entries: %w", err)
	}
	return out, nil
}

// truth computes everything but the completeness.
func (f truthFacts) truth() Truth {
	t := Truth{
		ResourceID: f.ID, Mounted: f.Mounted, Live: f.Live, Rows: f.Rows, ArrivedAt: db.UTC(f.ArrivedAt), Uses30d: f.Uses, Rows30d: f.Taken,
		Grants: f.Grants, UseCounted: db.UTC(f.UseCounted),
	}
	if f.ShareType != Withheld {
		t.Timeliness = Punctuality(f.UpdateCycle, f.ArrivedAt, f.Now)
	}
	if n := f.Accepted + f.Refused; n > 0 {
		quality := float64(f.Accepted*10_000/n) / 10_000 // Rounded down: 99.999 % is not all.
		t.Quality = &quality
	}
	if f.UsedAt != nil {
		day := f.UsedAt.Format(time.DateOnly)
		t.UsedAt = &day
	}
	t.Sleeping, t.SleptFrom = f.sleep()
	return t
}

// Truth returns what there is behind an entry now; use is as of the last count. Its completeness is that of the version that the
// caller is shown.
func (s *Service) Truth(ctx context.Context, p authz.Principal, id uuid.UUID) (Truth, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return Truth{}, err
	}
	var out Truth
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		v, err := loadVersion(ctx, tx, id, shown(r))
		if err != nil {
			return err
		}
		if out, err = truthOf(ctx, tx, id); err != nil {
			return err
		}
		out.Score, out.Points = Completeness(v.Metadata, out)
		return nil
	})
	return out, err
}

// truthOf reads what is behind one entry, without its completeness.
func truthOf(ctx context.Context, q Querier, id uuid.UUID) (Truth, error) {
	found, err := readTruth(ctx, q, []uuid.UUID{id})
	if err != nil {
		return Truth{}, err
	}
	if len(found) == 0 {
		return Truth{}, notFound("resource")
	}
	return found[0].truth(), nil
}
