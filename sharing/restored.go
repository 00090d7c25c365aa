package sharing

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// RestoredReason is the reason in the history of a grant that the hub suspended because its database was restored.
const RestoredReason = "restored"

// SuspendRestoredTx suspends every active grant on the hub's own behalf, and returns how many: the backup cannot know which of
// them were suspended, changed or ended after it was made, so people confirm them. The caller renews the policy log, which
// makes every node decide anew; single entries for what may be a million grants would say no more.
func SuspendRestoredTx(ctx context.Context, tx *db.Tx) (int64, error) {
	tag, err := tx.Exec(ctx, `
		WITH moved AS (
			UPDATE sharing_grant SET state = 'suspended', state_reason = $2, row_version = row_version + 1, updated_at = $1
			WHERE state = 'active' RETURNING id)
		INSERT INTO grant_step (id, grant_id, action, from_state, to_state, side, reason, at)
		SELECT gen_random_uuid(), id, 'suspend', 'active', 'suspended', 'hub', $2, $1 FROM moved`, tx.Now(), RestoredReason)
	if err != nil {
		return 0, fmt.Errorf("suspending restored grants: %w", err)
	}
	return tag.RowsAffected(), nil
}

// SuspendedBy says who suspended a grant last.
type SuspendedBy string

// The origins of a suspension.
const (
	ByProvider  SuspendedBy = "provider"
	ByAuthority SuspendedBy = "authority"
	ByRestore   SuspendedBy = "restore" // The hub, because its database was restored from a backup.
)

// side is the side under which the history keeps the origin; "" for an origin that is not known.
func (b SuspendedBy) side() (Side, error) {
	switch b {
	case "":
		return "", nil
	case ByProvider:
		return ProviderSide, nil
	case ByAuthority:
		return AuthoritySide, nil
	case ByRestore:
		return HubSide, nil
	}
	return "", fault.InvalidFields([]fault.Field{{Name: "suspended_by", Code: "unknown", Message: "use provider, authority or restore"}})
}

// suspendedFrom is the origin that a side of the history stands for.
func suspendedFrom(s Side) SuspendedBy {
	switch s {
	case ProviderSide:
		return ByProvider
	case AuthoritySide:
		return ByAuthority
	case HubSide:
		return ByRestore
	}
	return ""
}

// suspendedBySQL is a condition on sharing_grant g: its last suspension came from the side in the parameter, if that is not "".
func suspendedBySQL(parameter string) string {
	return `(` + parameter + ` = '' OR g.state = 'suspended' AND ` + parameter + ` = (
		SELECT side FROM grant_step WHERE grant_id = g.id AND action = 'suspend' ORDER BY at DESC, id DESC LIMIT 1))`
}

// Confirmation is what a confirmation of restored grants did.
type Confirmation struct {
	Confirmed int   `json:"confirmed"`
	Left      int64 `json:"left"` // How many still wait; call again while this is not 0.
}

// confirmBatch is how many grants one call confirms: each has its history, event and policy entries in the same transaction.
const confirmBatch = 200

// ConfirmRestored resumes grants that a restore suspended, for the authority, which has made sure that they are still in
// force: those of ids, or all where there are none, at most 200 in one call, the oldest first. Grants whose period is over are left to
// expire. Single ones may also be resumed by their provider.
func (s *Service) ConfirmRestored(ctx context.Context, p authz.Principal, reason string, ids []uuid.UUID) (Confirmation, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.GrantConfirmRestored, authz.Target{Kind: "grant"}); err != nil {
		return Confirmation{}, err
	}
	var f findings
	f.text("reason", reason, true)
	if err := f.fault(); err != nil {
		return Confirmation{}, err
	}
	var done Confirmation
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		waiting := `FROM sharing_grant g WHERE g.state = 'suspended' AND g.valid_to > $1 AND ` + suspendedBySQL("'"+string(HubSide)+"'::text") + `
			AND ($2::uuid[] IS NULL OR g.id = ANY ($2))`
		var only []uuid.UUID
		if len(ids) > 0 {
			only = ids
		}
		rows, err := loadGrantRows(ctx, tx, "SELECT g.* "+waiting+" ORDER BY g.created_at, g.id LIMIT $3 FOR UPDATE OF g", tx.Now(), only, confirmBatch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			g := row.grant()
			m, err := findGrantMove(g.State, GrantResume)
			if err != nil {
				return err
			}
			if err := s.shiftGrant(ctx, tx, p, &g, m, AuthoritySide, strings.TrimSpace(reason), nil); err != nil {
				return err
			}
		}
		done.Confirmed = len(rows)
		if err := tx.QueryRow(ctx, "SELECT count(*) "+waiting, tx.Now(), only).Scan(&done.Left); err != nil {
			return fmt.Errorf("counting restored grants: %w", err)
		}
		return nil
	})
	if err != nil {
		return Confirmation{}, err
	}
	return done, nil
}

// CountRestored returns how many grants wait for ConfirmRestored; 0 for those who may not confirm them.
func (s *Service) CountRestored(ctx context.Context, p authz.Principal) (n int64, err error) {
	if !s.enforcer.Allowed(p, authz.GrantConfirmRestored, authz.Target{Kind: "grant"}) {
		return 0, nil
	}
	err = s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM sharing_grant g WHERE "+suspendedBySQL("'"+string(HubSide)+"'::text")).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting restored grants: %w", err)
	}
	return n, nil
}
