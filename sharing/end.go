package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// EndRevoked terminates the grants of resources that were revoked, and returns how many: their filing is that of the resource, which was
// taken offline first. It is bookkeeping: nothing of a revoked resource is disclosed from the second of its revocation on. Several
// nodes may call it at once.
func (s *Service) EndRevoked(ctx context.Context) (int, error) {
	return s.endAll(ctx, authz.Hub("expiry"), GrantRevoke, `
		SELECT g.* FROM sharing_grant g
		WHERE g.state IN ('active', 'suspended', 'pending_delivery') AND g.resource_id IN (SELECT id FROM resource WHERE state = 'revoked') AND g.created_at <= $1
		ORDER BY g.valid_to LIMIT $2 FOR UPDATE OF g SKIP LOCKED`)
}

// endAll takes one step of the hub with every grant that the query names (its parameters are the time and a number of rows), batch by batch.
func (s *Service) endAll(ctx context.Context, p authz.Principal, step GrantStep, query string) (int, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.GrantExpire, authz.Target{Kind: "grant"}); err != nil {
		return 0, err
	}
	total := 0
	for {
		moved := 0
		err := s.db.InTx(ctx, func(tx *db.Tx) error {
			due, err := loadGrantRows(ctx, tx, query, tx.Now(), expireBatch)
			if err != nil {
				return err
			}
			for _, row := range due {
				g := row.grant()
				m, err := findGrantMove(g.State, step)
				if err != nil {
					return err
				}
				if err := s.shiftGrant(ctx, tx, p, &g, m, HubSide, "", nil); err != nil {
					return err
				}
			}
			moved = len(due)
			return nil
		})
		if err != nil {
			return total, err
		}
		total += moved
		if moved < expireBatch {
			return total, nil
		}
	}
}

// ForgetKeys erases the keys of _rid of up to limit grants that have been over and unchanged for longer than after, so that nobody can
// compute their row identifiers any more, and returns how many. Each is an event; noted, where it is not nil, is called in the same
// transaction. A grant that is over never returns, so nothing needs its key but cursors, which end with it.
func (s *Service) ForgetKeys(ctx context.Context, after time.Duration, limit int, noted func(tx *db.Tx, n int64) error) (int, error) {
	forgotten := 0
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		due, err := loadGrantRows(ctx, tx, `
			SELECT * FROM sharing_grant
			WHERE rid_key IS NOT NULL AND state IN ('expired', 'terminated', 'disposing', 'closed') AND updated_at < clock_timestamp() - $1::interval
			ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED`, after, limit)
		if err != nil {
			return err
		}
		for _, row := range due {
			g := row.grant()
			tag, err := tx.Exec(ctx, "UPDATE sharing_grant SET rid_key = NULL WHERE id = $1 AND state = $2", g.ID, string(g.State))
			if err != nil {
				return fmt.Errorf("erasing the key of a grant: %w", err)
			}
			if err := one(tag.RowsAffected()); err != nil {
				return err
			}
			if err := record(ctx, tx, authz.Hub("retention"), "grant.forget_key", "grant", g.ID, map[string]any{"state": g.State, "over_since": g.UpdatedAt}); err != nil {
				return err
			}
			// Nodes that hold the key in memory drop it.
			if err := logGrant(tx, g); err != nil {
				return err
			}
		}
		forgotten = len(due)
		if forgotten == 0 || noted == nil {
			return nil
		}
		return noted(tx, int64(forgotten))
	})
	return forgotten, err
}
