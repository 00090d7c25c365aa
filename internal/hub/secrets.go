package hub

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/sharing"
)

// auditKey is the name of the file with the key that signs checkpoints.
const auditKey = audit.KeyFile

// firstOf returns the first name of a path with slashes.
func firstOf(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

// opens reports whether the key ring is the one that sealed the database's secrets; a database that holds none opens with any.
func opens(ctx context.Context, d *db.DB, keyring *secret.Keyring) error {
	var sealed []byte
	err := d.Pool.QueryRow(ctx, "SELECT sealed FROM hub_secret WHERE name = $1", SubjectKeyName).Scan(&sealed)
	if db.NoRows(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the subject key: %w", err)
	}
	if _, err := keyring.Open(SealedSecrets, sealed, []byte(SubjectKeyName)); err != nil {
		return fault.New(fault.Invalid, "backup_wrong_key", "this hub.key is not the one that sealed the secrets of the backup; look for the one of that time").Wrap(err)
	}
	return nil
}

// Lost is what could not be kept without the master key.
type Lost struct {
	Sources []string // Names of the sources whose passwords must be entered again, as "department: source".
	Grants  int      // Whose pseudonyms (_rid) are others from now on.
	Rejects int64    // Refused rows that cannot be shown any more.
	Factors int64    // People who must set up their second factor again.
	Keys    int64    // Signing keys of clients, which are revoked.

	Channels int64 // Channels of alarms, which are paused until somebody enters their secrets again.
}

// loseSecrets gives up what the lost master key sealed, so that a hub with a new one can be served: passwords of sources are
// taken away, grants get new keys under another terms version, and the key of subject tokens is made anew, so that look-ups
// in evidence of before by a person's key find nothing.
func loseSecrets(ctx context.Context, d *db.DB, keyring *secret.Keyring) (Lost, error) {
	var lost Lost
	err := d.InTx(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `
			WITH emptied AS (UPDATE source SET sealed = NULL, updated_at = $1 WHERE sealed IS NOT NULL RETURNING department_id, name)
			SELECT d.name || ': ' || e.name FROM emptied e JOIN department d ON d.id = e.department_id ORDER BY 1`, tx.Now())
		if err == nil {
			lost.Sources, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			return fmt.Errorf("giving passwords of sources up: %w", err)
		}
		rows, err = tx.Query(ctx, "SELECT id FROM sharing_grant WHERE rid_key IS NOT NULL ORDER BY id FOR UPDATE")
		if err != nil {
			return fmt.Errorf("reading grants: %w", err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("reading grants: %w", err)
		}
		for _, id := range ids {
			sealed, err := sharing.NewRidKey(keyring, id)
			if err == nil {
				_, err = tx.Exec(ctx, "UPDATE sharing_grant SET rid_key = $2, terms_version = terms_version + 1 WHERE id = $1", id, sealed)
			}
			if err != nil {
				return fmt.Errorf("giving grants new keys: %w", err)
			}
		}
		lost.Grants = len(ids)
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM reject WHERE state = 'open'").Scan(&lost.Rejects); err != nil {
			return fmt.Errorf("counting refused rows: %w", err)
		}
		tag, err := tx.Exec(ctx, "DELETE FROM second_factor")
		if err != nil {
			return fmt.Errorf("giving second factors up: %w", err)
		}
		lost.Factors = tag.RowsAffected()
		tag, err = tx.Exec(ctx, "UPDATE client_key SET revoked_at = $1 WHERE kind = 'hmac' AND revoked_at IS NULL", tx.Now())
		if err != nil {
			return fmt.Errorf("revoking signing keys: %w", err)
		}
		lost.Keys = tag.RowsAffected()
		tag, err = tx.Exec(ctx, "UPDATE alarm_channel SET sealed = NULL, state = 'paused', row_version = row_version + 1, updated_at = $1 WHERE sealed IS NOT NULL", tx.Now())
		if err != nil {
			return fmt.Errorf("giving the secrets of channels up: %w", err)
		}
		lost.Channels = tag.RowsAffected()
		_, err = tx.Exec(ctx, "DELETE FROM hub_secret")
		if err != nil {
			return fmt.Errorf("giving the hub's own keys up: %w", err)
		}
		return record(ctx, tx, "secrets lost", map[string]any{
			"sources": len(lost.Sources), "grants": lost.Grants, "rejects": lost.Rejects, "second_factors": lost.Factors, "signing_keys": lost.Keys,
			"alarm_channels": lost.Channels,
		})
	})
	if err != nil {
		return Lost{}, err
	}
	return lost, nil
}
