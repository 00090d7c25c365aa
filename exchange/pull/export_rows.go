package pull

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// exportColumns are the columns that scanExport reads, in its order.
const exportColumns = `id, resource_id, grant_id, format, compression, items, state, reason, rows, total, size, evidence, as_of, created_at,
	finished_at, expires_at, terms_version, version, client_id, department_id, purpose, case_number, request_id, attempt, file, sealed_key,
	digest, seq, sealed_filter, coalesce(demands, version)`

func (x *Exports) scanExport(row pgx.Row) (*Export, error) {
	var e Export
	var sealedFilter []byte
	err := row.Scan(&e.ID, &e.ResourceID, &e.GrantID, &e.Format, &e.Compression, &e.Items, &e.State, &e.Reason, &e.Rows, &e.Total, &e.Size,
		&e.EvidenceID, &e.AsOf, &e.CreatedAt, &e.FinishedAt, &e.ExpiresAt, &e.terms, &e.version, &e.client, &e.department, &e.purpose,
		&e.caseNumber, &e.requestID, &e.attempt, &e.file, &e.sealedKey, &e.sum, &e.seq, &sealedFilter, &e.demands)
	if err != nil {
		return nil, err
	}
	if len(e.sum) > 0 {
		e.Digest = contentDigest(e.sum)
	}
	for _, at := range []*time.Time{e.AsOf, e.FinishedAt, e.ExpiresAt, &e.CreatedAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	if sealedFilter != nil {
		if e.Filter, err = x.pull.keyring.Open(exportFilterPurpose, sealedFilter, e.ID[:]); err != nil {
			return nil, fmt.Errorf("opening the filter of export %s: %w", e.ID, err)
		}
	}
	return &e, nil
}

func (x *Exports) find(ctx context.Context, id uuid.UUID) (*Export, error) {
	e, err := x.scanExport(x.db.Pool.QueryRow(ctx, "SELECT "+exportColumns+" FROM export WHERE id = $1", id))
	if err != nil {
		return nil, fmt.Errorf("reading export %s: %w", id, err)
	}
	return e, nil
}

// countOpenTx counts a grant's exports under way. Orders of one grant wait for each other, so that they do not pass the
// bound together.
func countOpenTx(ctx context.Context, tx *db.Tx, grant uuid.UUID) (open int, err error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('export ' || $1::text, 0))", grant); err != nil {
		return 0, fmt.Errorf("locking the exports of a grant: %w", err)
	}
	err = tx.QueryRow(ctx, "SELECT count(*) FROM export WHERE grant_id = $1 AND state IN ('queued', 'running')", grant).Scan(&open)
	if err != nil {
		return 0, fmt.Errorf("counting the exports of a grant: %w", err)
	}
	return open, nil
}

func (x *Exports) insertTx(ctx context.Context, tx *db.Tx, e Export) error {
	var sealedFilter []byte
	if len(e.Filter) > 0 {
		var err error
		if sealedFilter, err = x.pull.keyring.Seal(exportFilterPurpose, e.Filter, e.ID[:]); err != nil {
			return fmt.Errorf("sealing the filter of an export: %w", err)
		}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO export (id, grant_id, terms_version, client_id, department_id, resource_id, version, purpose, case_number, request_id,
			format, compression, items, sealed_filter, state, evidence, created_at, expected, demands)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'queued', $15, $16, $17, $18)`,
		e.ID, e.GrantID, e.terms, e.client, e.department, e.ResourceID, e.version, e.purpose, e.caseNumber, e.requestID,
		string(e.Format), string(e.Compression), e.Items, sealedFilter, e.EvidenceID, e.CreatedAt, e.expected, e.demands)
	if err != nil {
		return fmt.Errorf("storing an export: %w", err)
	}
	return nil
}

// claim takes the oldest export that waits, or whose node has fallen silent; nil when there is none.
func (x *Exports) claim(ctx context.Context) (*Export, error) {
	e, err := x.scanExport(x.db.Pool.QueryRow(ctx, `
		UPDATE export SET state = 'running', attempt = attempt + 1, node = $1, seen_at = clock_timestamp(), rows = 0, total = NULL
		WHERE id = (
			SELECT id FROM export
			WHERE state = 'queued' OR state = 'running' AND seen_at < clock_timestamp() - $2::interval
			ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING `+exportColumns, x.opt.NodeID, x.opt.Silence))
	if db.NoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claiming an export: %w", err)
	}
	return e, nil
}

// beat says that an attempt lives and how far it is; ok is false when it is not its turn any more.
func (x *Exports) beat(ctx context.Context, e *Export, rows, total int64) (ok bool, err error) {
	tag, err := x.db.Pool.Exec(ctx, `
		UPDATE export SET seen_at = clock_timestamp(), rows = $3, total = nullif($4, -1)
		WHERE id = $1 AND attempt = $2 AND state = 'running'`, e.ID, e.attempt, rows, total)
	if err != nil {
		return false, fmt.Errorf("saying that export %s lives: %w", e.ID, err)
	}
	return tag.RowsAffected() == 1, nil
}

// release puts an attempt's export back into the queue.
func (x *Exports) release(ctx context.Context, e *Export) error {
	_, err := x.db.Pool.Exec(ctx, "UPDATE export SET state = 'queued', seen_at = NULL WHERE id = $1 AND attempt = $2 AND state = 'running'", e.ID, e.attempt)
	if err != nil {
		return fmt.Errorf("putting export %s back: %w", e.ID, err)
	}
	return nil
}

// releaseOwn puts back what an earlier process of this node was writing.
func (x *Exports) releaseOwn(ctx context.Context) error {
	_, err := x.db.Pool.Exec(ctx, "UPDATE export SET state = 'queued', seen_at = NULL WHERE node = $1 AND state = 'running'", x.opt.NodeID)
	if err != nil {
		return fmt.Errorf("putting exports of an earlier process back: %w", err)
	}
	return nil
}

// destroyTx destroys the key of one export, or stops the writing of it. It reports whether there was anything to destroy.
func destroyTx(ctx context.Context, tx *db.Tx, id uuid.UUID, reason string, evidence uuid.UUID) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE export SET state = 'gone', reason = $2, sealed_key = NULL, sealed_filter = NULL, evidence = $3,
			finished_at = coalesce(finished_at, clock_timestamp())
		WHERE id = $1 AND state IN ('queued', 'running', 'ready')`, id, reason, evidence)
	if err != nil {
		return false, fmt.Errorf("destroying the key of export %s: %w", id, err)
	}
	return tag.RowsAffected() == 1, nil
}
