package identity

import (
	"context"
	"fmt"

	"github.com/shuqiao/shuqiao/internal/db"
)

// EndAllSessionsTx signs everybody out and returns how many sessions it ended: after a restore, one that was ended since the
// backup would be open again. The caller renews the policy log, so that every node forgets the sessions it remembers.
func EndAllSessionsTx(ctx context.Context, tx *db.Tx) (int64, error) {
	tag, err := tx.Exec(ctx, "UPDATE session SET ended_at = $1 WHERE ended_at IS NULL", tx.Now())
	if err != nil {
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	return tag.RowsAffected(), nil
}
