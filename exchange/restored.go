package exchange

import (
	"context"
	"fmt"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
)

// GiveBackAllTx puts every active run back into the queue under its id and with a new fencing token, and returns how many:
// in a restored database the nodes that carried them out are not those that live. It also takes silent nodes off the list.
func GiveBackAllTx(ctx context.Context, tx *db.Tx) (int, error) {
	runs, err := db.Collect(ctx, tx, scanRun, `
		SELECT `+runColumns+` FROM run r WHERE r.state IN ('running', 'reconciling') ORDER BY r.id FOR UPDATE`)
	if err != nil {
		return 0, fmt.Errorf("reading active runs: %w", err)
	}
	for _, r := range runs {
		_, err := tx.Exec(ctx, "UPDATE store.lease SET token = nextval('store.fence'), taken_at = clock_timestamp() WHERE name = $1 AND run = $2",
			store.WriterLease(r.ResourceID), r.ID)
		if err != nil {
			return 0, fmt.Errorf("taking the lease of run %s: %w", r.ID, err)
		}
		if err := surrender(ctx, tx, r, authz.Hub("restore"), map[string]any{"cause": "restored"}); err != nil {
			return 0, err
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM node WHERE seen_at < clock_timestamp() - interval '1 minute'"); err != nil {
		return 0, fmt.Errorf("taking silent nodes off the list: %w", err)
	}
	return len(runs), nil
}
