package authz

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Kind is the kind of a thing whose change must be decided anew.
type Kind string

// The kinds of the policy log.
const (
	KindGrant      Kind = "grant"
	KindClient     Kind = "client"
	KindKey        Kind = "key"
	KindResource   Kind = "resource"
	KindMask       Kind = "mask"
	KindRule       Kind = "rule"
	KindUser       Kind = "user"
	KindDepartment Kind = "department"
	KindSession    Kind = "session"

	// KindAll is never in the log. The follower hands it out at start and when the log does not continue what was applied
	// (a restored database): everything remembered is void.
	KindAll Kind = "all"
)

// Entry is one change of the policy log.
type Entry struct {
	N    int64
	Kind Kind
	ID   string // Id of the changed thing; "" for KindAll.
}

// UUID parses the id of an entry about things with uuids; it is false for others.
func (e Entry) UUID() (uuid.UUID, bool) {
	id, err := uuid.Parse(e.ID)
	return id, err == nil
}

// LogTx notes that a thing changed, so that every node decides anew within a second of the commit. The entry is numbered by
// the last statements before COMMIT: the row lock of policy_head, held from there on, makes the order of numbers the order of
// commits, and holding it any longer would queue all writers. The same thing is noted once per transaction.
func LogTx(tx *db.Tx, kind Kind, id string) error {
	if kind == KindAll {
		return fmt.Errorf("logging policy change: kind %q is not for the log", kind)
	}
	tx.Last("policy "+string(kind)+" "+id, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			WITH head AS (UPDATE policy_head SET n = n + 1 RETURNING n)
			INSERT INTO policy_log (n, kind, id) SELECT n, $1, $2 FROM head`, string(kind), id)
		if err != nil {
			return fmt.Errorf("numbering policy change of %s: %w", kind, err)
		}
		return nil
	})
	return nil
}
