package catalog

import (
	"context"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/db"
)

// The rank of an entry is one number, the sum of points: up to 200 for how much is stated, and as signals 300 for data, 200 for data
// that arrive on time (60 for late ones), and up to 320 for use. Searches walk it from the top.
const (
	maxRank     = 1023
	dataPoints  = 300
	freshPoints = 200
	latePoints  = 60
	usePoints   = 320
)

// complete gives the points for how much a version states.
func (d document) complete() int {
	m := d.metadata
	points := 0
	add := func(worth int, stated bool) {
		if stated {
			points += worth
		}
	}
	add(30, utf8.RuneCountInString(m.Summary) >= 20)
	add(15, len(m.Tags) > 0)
	add(15, len(m.Themes) > 0)
	add(15, m.ContactPhone != "")
	add(15, m.SystemID != uuid.Nil)
	add(10, m.BaseDatabase != "")
	add(10, m.UsageTerms != "")
	add(10, len(m.RelatedCodes) > 0)
	if n := len(d.items); n > 0 {
		defined, bound := 0, 0
		for _, item := range d.items {
			if item.Defined {
				defined++
			}
			if item.Bound {
				bound++
			}
		}
		points += 20*min(n, 10)/10 + 30*defined/n + 30*bound/n
	}
	return points
}

// used gives the points for what was taken of an entry within usedDays.
func used(use audit.ResourceUse) int {
	return min(usePoints, int(30*math.Log10(1+float64(max(use.Rows, 0)))+50*math.Log10(1+float64(max(use.Calls, 0)))))
}

const (
	// ranksEvery is how often ranks are counted anew.
	ranksEvery = time.Hour
	// rankChunk is how many rows are looked at in one transaction.
	rankChunk = 2000
	// rankedUse bounds how many entries have points for use: those that were used most.
	rankedUse = 100_000
)

// KeepSearch does what searches need now and then: the first time, entries without a row in resource_search get one; and where the last
// count of the ranks, by whatever node, is an hour old they are counted anew. It returns how many ranks changed.
func (s *Service) KeepSearch(ctx context.Context) (int, error) {
	if !s.indexed.Load() {
		if _, err := RebuildSearch(ctx, s.db, false, nil); err != nil {
			return 0, err
		}
		s.indexed.Store(true)
	}
	tag, err := s.db.Pool.Exec(ctx, "UPDATE search_refresh SET at = now() WHERE at < now() - $1::interval", ranksEvery)
	if err != nil {
		return 0, fmt.Errorf("looking when ranks were counted: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return 0, nil
	}
	return s.CountRanks(ctx)
}

// CountRanks counts the signals of all entries anew, puts each on its tier, and returns how many rows got another rank or tier.
func (s *Service) CountRanks(ctx context.Context) (int, error) {
	changed, err := s.countRanks(ctx)
	if err != nil {
		return changed, err
	}
	laid, err := s.layTiers(ctx)
	if err != nil || !laid {
		return changed, err
	}
	moved, err := s.countRanks(ctx)
	return changed + moved, err
}

func (s *Service) countRanks(ctx context.Context) (int, error) {
	uses, err := audit.MostUsed(ctx, s.db.Pool, s.clock().UTC().AddDate(0, 0, -usedDays), rankedUse)
	if err != nil {
		return 0, err
	}
	points := make(map[uuid.UUID]int, len(uses))
	for _, use := range uses {
		points[use.ResourceID] = used(use)
	}
	changed := 0
	after := uuid.Nil
	for {
		var ids []uuid.UUID
		err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
			ids, err = column[uuid.UUID](ctx, tx, "SELECT resource_id FROM resource_search WHERE resource_id > $1 ORDER BY resource_id LIMIT $2", after, rankChunk)
			if err != nil || len(ids) == 0 {
				return err
			}
			worth := make([]int, len(ids))
			for i, id := range ids {
				worth[i] = points[id]
			}
			tag, err := tx.Exec(ctx, countSignals, ids, worth, maxRank)
			changed += int(tag.RowsAffected())
			return err
		})
		if err != nil {
			return changed, fmt.Errorf("counting ranks: %w", err)
		}
		if len(ids) == 0 {
			return changed, nil
		}
		after = ids[len(ids)-1]
	}
}

// countSignals writes the ranks and tiers of the entries $1, which have $2 points for use; no rank is above $3.
var countSignals = `
	WITH now AS (
		SELECT DISTINCT u.id, u.worth + CASE WHEN a.at IS NULL THEN 0
			WHEN a.at < now() - ` + allowanceSQL("s.update_cycle") + fmt.Sprintf(" THEN %d ELSE %d END AS signals, s.version", dataPoints+latePoints, dataPoints+freshPoints) + `
		FROM unnest($1::uuid[], $2::int[]) AS u (id, worth) JOIN resource_search s ON s.resource_id = u.id ` + arrivals + `),
	place AS (
		SELECT now.*, least(s.complete + now.signals, $3) AS rank, search_tier_of(s.state, least(s.complete + now.signals, $3), s.resource_id) AS tier
		FROM now JOIN resource_search s ON s.resource_id = now.id AND s.version = now.version)
	UPDATE resource_search s SET signals = place.signals, rank = place.rank, tier = place.tier
	FROM place WHERE place.id = s.resource_id AND place.version = s.version AND (s.signals <> place.signals OR s.tier <> place.tier)`

// arrivals joins to resource_search s what has arrived (a): rows now at the hub, and when the source was last read to its end. It is
// read from the heads of the store and from where the runs say how far they came.
const arrivals = `
	LEFT JOIN LATERAL (
		SELECT h.rows, greatest(h.changed_at, (SELECT k.at FROM task t JOIN store.shuqiao_cursor k ON k.task = t.id
			WHERE t.resource_id = s.resource_id AND t.kind = 'collect')) AS at
		FROM store.store_head h WHERE h.resource = s.resource_id AND h.layout > 0) a ON true`
