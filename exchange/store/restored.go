package store

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Content is what the rows of one resource add up to: two stores with the same contents hold the same rows.
type Content struct {
	Resource uuid.UUID `json:"resource"`
	Layout   int       `json:"layout"`
	Seq      int64     `json:"seq"`  // Head of the resource: number of its newest change.
	Rows     int64     `json:"rows"` // Held ones, too.
	Sum      string    `json:"sum"`  // Sum of the rows' content hashes mod 2^128, in hexadecimal.
}

// Contents adds up the active layout of every resource as the transaction sees it, ordered by resource. A resource that
// never collected has none.
func Contents(ctx context.Context, tx pgx.Tx) ([]Content, error) {
	rows, err := tx.Query(ctx, `
		SELECT h.resource, h.layout, h.seq, l.table_name FROM store.store_head h
		JOIN store.layout l ON l.resource = h.resource AND l.layout = h.layout ORDER BY h.resource`)
	if err != nil {
		return nil, fmt.Errorf("listing store tables: %w", err)
	}
	var tables []string
	out := []Content{}
	var c Content
	var table string
	_, err = pgx.ForEachRow(rows, []any{&c.Resource, &c.Layout, &c.Seq, &table}, func() error {
		out, tables = append(out, c), append(tables, table)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing store tables: %w", err)
	}
	for i := range out {
		sum, err := scanSum(tx.QueryRow(ctx, "SELECT "+sumColumns+" FROM "+qualified(tables[i])))
		if err != nil {
			return nil, fmt.Errorf("summing the rows of resource %s: %w", out[i].Resource, err)
		}
		bytes := sum.Bytes()
		out[i].Rows, out[i].Sum = sum.Count, hex.EncodeToString(bytes[:])
	}
	return out, nil
}

// TransientTables returns patterns and names, in schema store, of the tables that only runs under way use, as the
// transaction sees them: a backup leaves them out, since runs drop and rebuild them and start from zero without them.
func TransientTables(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, "SELECT table_name FROM store.layout WHERE state = 'filling' ORDER BY table_name")
	if err != nil {
		return nil, fmt.Errorf("listing layouts being filled: %w", err)
	}
	filling, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing layouts being filled: %w", err)
	}
	out := []string{"s_*"}
	for _, t := range filling {
		out = append(out, t, t+"_log")
	}
	return out, nil
}

// RenewTx gives every resource's rows another incarnation: cursors of before cannot be continued, because the changes they
// were behind may be missing or others by now. It returns how many there are.
func RenewTx(ctx context.Context, tx *db.Tx) (int64, error) {
	// In one order, so that two callers wait for each other instead of deadlocking.
	if _, err := tx.Exec(ctx, "SELECT 1 FROM store.store_head ORDER BY resource FOR UPDATE"); err != nil {
		return 0, fmt.Errorf("locking store heads: %w", err)
	}
	tag, err := tx.Exec(ctx, "UPDATE store.store_head SET incarnation = gen_random_uuid()")
	if err != nil {
		return 0, fmt.Errorf("renewing the store's incarnations: %w", err)
	}
	return tag.RowsAffected(), nil
}

// ForgetStagingTx removes what runs had staged: after a restore its tables may be missing. Runs that had not merged start
// from zero, and a comparison that was under way counts as one that could not be made. The caller holds every head.
func ForgetStagingTx(ctx context.Context, tx *db.Tx) error {
	if err := setLimits(ctx, tx); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'store'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 's\\_%'")
	if err != nil {
		return fmt.Errorf("listing staging tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing staging tables: %w", err)
	}
	rows, err = tx.Query(ctx, "DELETE FROM store.layout WHERE state = 'filling' RETURNING table_name")
	if err != nil {
		return fmt.Errorf("forgetting layouts being filled: %w", err)
	}
	filling, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("forgetting layouts being filled: %w", err)
	}
	for _, t := range filling {
		tables = append(tables, t, t+"_log")
	}
	for _, t := range tables {
		if err := dropTables(ctx, tx, qualified(t)); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM store.staging; DELETE FROM store.chunk; DELETE FROM store.staged_reject"); err != nil {
		return fmt.Errorf("forgetting what was staged: %w", err)
	}
	return nil
}
