package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

const (
	// truthEvery is how often what lists show of the data is computed again.
	truthEvery = time.Hour
	// truthBatch is how many entries one transaction of it takes.
	truthBatch = 2000
	// useKept is for how many days use is kept by day: somewhat longer than anything looks back.
	useKept = sleepDays + 10
)

// RefreshTruth computes anew what lists show of the data behind every published entry, unless that was begun less than an hour ago,
// by whichever node. It returns how many entries it looked at. Nobody has to be allowed this: the hub does it for itself.
func (s *Service) RefreshTruth(ctx context.Context) (int, error) {
	mine, err := s.takeRefresh(ctx)
	if err != nil || !mine {
		return 0, err
	}
	if err := s.countUse(ctx); err != nil {
		return 0, err
	}
	var last uuid.UUID
	n := 0
	for {
		ids, err := column[uuid.UUID](ctx, s.db.Pool, "SELECT id FROM resource WHERE id > $1 AND state = 'published' ORDER BY id LIMIT $2", last, truthBatch)
		if err != nil {
			return n, err
		}
		if len(ids) == 0 {
			break
		}
		if err := s.refresh(ctx, ids); err != nil {
			return n, err
		}
		n, last = n+len(ids), ids[len(ids)-1]
	}
	_, err = s.db.Pool.Exec(ctx, "DELETE FROM resource_truth t USING resource r WHERE r.id = t.resource_id AND r.state <> 'published'")
	if err == nil {
		_, err = s.db.Pool.Exec(ctx, "UPDATE truth_refresh SET ended_at = now()")
	}
	if err != nil {
		return n, fmt.Errorf("ending the refresh: %w", err)
	}
	return n, nil
}

// takeRefresh reports whether this node is the one to do it now.
func (s *Service) takeRefresh(ctx context.Context) (bool, error) {
	tag, err := s.db.Pool.Exec(ctx, "UPDATE truth_refresh SET began_at = now() WHERE began_at <= now() - $1::interval", truthEvery)
	if err != nil {
		return false, fmt.Errorf("beginning the refresh: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// countUse adds up the records of use by day: all days that are looked back on at first, later only the last two, since records
// are written when use happens. Streams that have not ended are counted with what they have said so far.
func (s *Service) countUse(ctx context.Context) error {
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO resource_use_day (resource_id, day, calls, rows)
			SELECT resource_id, (at AT TIME ZONE 'Asia/Shanghai')::date, count(*), coalesce(sum(rows), 0)
			FROM usage WHERE at >= (SELECT (date_trunc('day', CASE WHEN ended_at > now() - interval '80 days' THEN ended_at ELSE now() - $1::interval END
				AT TIME ZONE 'Asia/Shanghai') - interval '1 day') AT TIME ZONE 'Asia/Shanghai' FROM truth_refresh)
			GROUP BY 1, 2
			ON CONFLICT (resource_id, day) DO UPDATE SET calls = excluded.calls, rows = excluded.rows`, time.Duration(useKept)*24*time.Hour)
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM resource_use_day WHERE day < current_date - $1::int - 1", useKept)
		}
		if err != nil {
			return fmt.Errorf("counting use by day: %w", err)
		}
		return nil
	})
}

// refresh writes what is behind some published entries. Rows that would stay as they are are not written.
func (s *Service) refresh(ctx context.Context, ids []uuid.UUID) error {
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		found, err := readTruth(ctx, tx, ids)
		if err != nil {
			return err
		}
		if err := describe(ctx, tx, found); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for _, f := range found {
			t := f.truth()
			score := *f.Described + delivered(Metadata{DeclaredShare: f.ShareType}, t)
			batch.Queue(`
				INSERT INTO resource_truth AS t (resource_id, department_id, mounted, rows, arrived_at, accepted, rejected, quality, uses_30d, rows_30d,
					used_at, grants, score, described, version, described_at, rules, sleeping, sleeping_since, refreshed_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, now())
				ON CONFLICT (resource_id) DO UPDATE SET department_id = excluded.department_id, mounted = excluded.mounted, rows = excluded.rows,
					arrived_at = excluded.arrived_at, accepted = excluded.accepted, rejected = excluded.rejected, quality = excluded.quality,
					uses_30d = excluded.uses_30d, rows_30d = excluded.rows_30d, used_at = excluded.used_at, grants = excluded.grants, score = excluded.score,
					described = excluded.described, version = excluded.version, described_at = excluded.described_at, rules = excluded.rules,
					sleeping = excluded.sleeping, sleeping_since = excluded.sleeping_since, refreshed_at = excluded.refreshed_at
				WHERE (t.department_id, t.mounted, t.rows, t.arrived_at, t.accepted, t.rejected, t.uses_30d, t.rows_30d, t.used_at, t.grants, t.score,
						t.described, t.version, t.described_at, t.rules, t.sleeping, t.sleeping_since)
					IS DISTINCT FROM (excluded.department_id, excluded.mounted, excluded.rows, excluded.arrived_at, excluded.accepted, excluded.rejected,
						excluded.uses_30d, excluded.rows_30d, excluded.used_at, excluded.grants, excluded.score, excluded.described, excluded.version,
						excluded.described_at, excluded.rules, excluded.sleeping, excluded.sleeping_since)`,
				f.ID, f.DepartmentID, f.Mounted, f.Rows, f.ArrivedAt, f.Accepted, f.Refused, t.Quality, f.Uses, f.Taken, f.UsedAt, f.Grants, score,
				*f.Described, f.Version, f.VersionAt, completenessRevision, string(t.Sleeping), t.SleptFrom)
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("writing what is behind entries: %w", err)
		}
		return nil
	})
}

// describe fills in what the texts of entries earn, reading only those that changed since that was last computed.
func describe(ctx context.Context, q Querier, found []truthFacts) error {
	var ids []uuid.UUID
	var numbers []int
	for _, f := range found {
		if !f.describedNow() {
			ids, numbers = append(ids, f.ID), append(numbers, f.Version)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	type text struct {
		id uuid.UUID
		m  Metadata
	}
	versions, err := many(ctx, q, func(r versionRow) (text, error) {
		v, err := r.version()
		return text{r.ResourceID, v.Metadata}, err
	}, "SELECT v.* FROM unnest($1::uuid[], $2::int[]) AS a (id, version) JOIN resource_version v ON v.resource_id = a.id AND v.version = a.version", ids, numbers)
	if err != nil {
		return err
	}
	type ofEntry struct {
		id   uuid.UUID
		item Item
	}
	items, err := many(ctx, q, func(r itemRow) (ofEntry, error) {
		i, err := r.item()
		return ofEntry{r.ResourceID, i}, err
	}, "SELECT i.* FROM unnest($1::uuid[], $2::int[]) AS a (id, version) JOIN item i ON i.resource_id = a.id AND i.version = a.version", ids, numbers)
	if err != nil {
		return err
	}
	of := map[uuid.UUID][]Item{}
	for _, o := range items {
		of[o.id] = append(of[o.id], o.item)
	}
	earned := map[uuid.UUID]int{}
	for _, v := range versions {
		v.m.Items = of[v.id]
		earned[v.id] = described(v.m)
	}
	for i := range found {
		if f := &found[i]; !f.describedNow() {
			points := earned[f.ID]
			f.Described = &points
		}
	}
	return nil
}

// describedNow reports whether what is stored was computed from the version as it is, by the rules as they are.
func (f truthFacts) describedNow() bool {
	return f.Described != nil && *f.DescribedVersion == f.Version && f.DescribedAt.Equal(f.VersionAt) && *f.DescribedBy == completenessRevision
}
