package identity

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Columns in the order of the fields of what they are read into.
const (
	userColumns = "id, username, display_name, department_id, roles, state, locked_until, last_sign_in_at, " +
		"EXISTS (SELECT FROM second_factor f WHERE f.user_id = hub_user.id AND f.confirmed_at IS NOT NULL), password_temporary, " +
		"language, row_version, created_at, updated_at"
	clientColumns = "id, department_id, name, allowed_networks, signed_only, certificates, state, row_version, created_at, updated_at"
	keyColumns    = "key_id, client_id, kind, created_at, expires_at, revoked_at, last_used_at"
)

func one[T any](ctx context.Context, q db.Querier, sql string, args ...any) (T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
}

func many[T any](ctx context.Context, q db.Querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

func findUser(ctx context.Context, q db.Querier, id uuid.UUID) (User, error) {
	u, err := one[User](ctx, q, "SELECT "+userColumns+" FROM hub_user WHERE id = $1", id)
	switch {
	case db.NoRows(err):
		return User{}, unknown("user")
	case err != nil:
		return User{}, fmt.Errorf("reading user: %w", err)
	}
	return u, nil
}

// move changes the state of a row that is in the state it is to leave; otherwise it is a Conflict "illegal_move".
func move(ctx context.Context, tx *db.Tx, table string, id uuid.UUID, from, to State) error {
	tag, err := tx.Exec(ctx, "UPDATE "+pgx.Identifier{table}.Sanitize()+" SET state = $3 WHERE id = $1 AND state = $2", id, string(from), string(to))
	if err != nil {
		return fmt.Errorf("moving %s to %s: %w", table, to, err)
	}
	if tag.RowsAffected() == 0 {
		allowed := "enable"
		if to == Active {
			allowed = "disable"
		}
		return fault.New(fault.Conflict, "illegal_move", "this is %s already", to).With("allowed", allowed)
	}
	return nil
}

// record closes every change: an entry in the log of events and one in the log that nodes follow.
func record(ctx context.Context, tx *db.Tx, actor audit.Actor, a authz.Action, kind authz.Kind, id string, detail map[string]any) error {
	if err := authz.LogTx(tx, kind, id); err != nil {
		return err
	}
	_, err := audit.WriteTx(ctx, tx, audit.Event{
		Actor: actor, Action: string(a), Object: audit.Object{Kind: string(kind), ID: id}, Detail: detail,
	})
	return err
}
