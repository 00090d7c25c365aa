package hub

import (
	"context"
	"fmt"

	"github.com/shuqiao/shuqiao/internal/db"
)

// appendOnly are the tables of evidence: rows are added and never changed.
const appendOnly = "event, leaf, checkpoint, tree_hash"

// protect takes the right to change evidence from whoever owns its tables, as the migrations do. A superuser is not bound by
// it.
func protect(ctx context.Context, d *db.DB) error {
	if _, err := d.Pool.Exec(ctx, "REVOKE UPDATE, DELETE, TRUNCATE ON "+appendOnly+" FROM PUBLIC, CURRENT_USER"); err != nil {
		return fmt.Errorf("protecting the evidence: %w", err)
	}
	return nil
}
