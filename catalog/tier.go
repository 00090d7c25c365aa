package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// tiers is how many tiers published entries stand on; the highest number is the best, 1 takes the rest. Migration 0276 makes an index for each.
const tiers = 7

// tiering says how the published entries of a directory are spread over the tiers.
type tiering struct {
	highest int64 // Entries on the highest tier; each further one has four times as many.
	least   int64 // A directory of fewer entries has one tier.
}

// usualTiering looks a word that is in every tenth entry up among some hundred rows, and one in 100,000 among a quarter of a million.
func usualTiering() tiering { return tiering{highest: 256, least: 2000} }

// wanted returns how many of so many published entries stand on each tier and the ones above it.
func (t tiering) wanted(published int64) (down [tiers + 1]int64) {
	sum, size := int64(0), t.highest
	for tier := tiers; tier > 1; tier-- {
		if published >= t.least {
			sum = min(sum+size, published)
		}
		down[tier], size = sum, 4*size
	}
	down[1] = published
	return down
}

// layTiers draws the borders of the tiers anew where a tier, with those above it, holds less than half or more than twice as many entries
// as it should, and reports whether it did. Entries stay where they stand until CountRanks puts them on their tier.
func (s *Service) layTiers(ctx context.Context) (bool, error) {
	laid := false
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM search_refresh FOR UPDATE"); err != nil { // One node lays.
			return err
		}
		now, err := occupied(ctx, tx)
		if err != nil {
			return err
		}
		wanted := s.tiering.wanted(now[1])
		if laid = askew(wanted, now); !laid {
			return nil
		}
		if _, err := tx.Exec(ctx, "DELETE FROM search_tier"); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO search_tier (tier, rank, resource_id)
			SELECT w.tier, p.rank, p.resource_id
			FROM (SELECT rank, resource_id, row_number() OVER (ORDER BY rank DESC, resource_id DESC) AS n FROM resource_search WHERE state = 'published') p
			JOIN unnest($1::bigint[]) WITH ORDINALITY AS w (n, tier) USING (n) WHERE w.tier > 1`, wanted[1:])
		return err
	})
	if err != nil {
		return false, fmt.Errorf("laying the tiers of the directory: %w", err)
	}
	return laid, nil
}

// occupied counts the published entries that stand on each tier and above it.
func occupied(ctx context.Context, tx *db.Tx) (down [tiers + 1]int64, err error) {
	found, err := tx.Query(ctx, "SELECT tier, count(*) FROM resource_search WHERE state = 'published' GROUP BY tier")
	if err != nil {
		return down, err
	}
	var tier int
	var n int64
	_, err = pgx.ForEachRow(found, []any{&tier, &n}, func() error {
		for below := tier; below > 0; below-- {
			down[below] += n
		}
		return nil
	})
	return down, err
}

// askew reports whether a border is far from where it should be.
func askew(wanted, now [tiers + 1]int64) bool {
	for tier := tiers; tier > 1; tier-- {
		if now[tier] > 2*wanted[tier] || 2*now[tier] < wanted[tier] {
			return true
		}
	}
	return false
}
