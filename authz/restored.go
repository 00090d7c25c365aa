package authz

import (
	"context"
	"fmt"

	"github.com/shuqiao/shuqiao/internal/db"
)

// RenewTx gives the policy log another incarnation, as one of the last statements before COMMIT: numbers of before may have
// been given again to other changes, so every node forgets what it remembers and decides anew within a second.
func RenewTx(tx *db.Tx) {
	tx.Last("policy incarnation", func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE policy_head SET incarnation = gen_random_uuid()"); err != nil {
			return fmt.Errorf("renewing the policy log's incarnation: %w", err)
		}
		return nil
	})
}
