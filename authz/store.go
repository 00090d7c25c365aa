package authz

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// querier is what reading needs: a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// loadRules reads all rules, in the order of their ids.
func loadRules(ctx context.Context, q querier) ([]Rule, error) {
	rows, err := q.Query(ctx, `
		SELECT id, role, action, share_type, grade, state, granted, effect, note FROM policy_rule ORDER BY id COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("reading the policy rules: %w", err)
	}
	rules, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Rule])
	if err != nil {
		return nil, fmt.Errorf("reading the policy rules: %w", err)
	}
	return rules, nil
}
