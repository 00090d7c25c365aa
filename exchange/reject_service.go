package exchange

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const rejectColumns = "j.id, j.resource_id, j.first_run, j.last_run, j.key, j.row_no, j.reasons, j.held, j.state, j.note, j.created_at, j.closed_at"

func scanReject(row pgx.Row) (Reject, error) {
	var j Reject
	var reasons []byte
	err := row.Scan(&j.ID, &j.ResourceID, &j.FirstRun, &j.LastRun, &j.Key, &j.RowNo, &reasons, &j.Held, &j.State, &j.Note, &j.CreatedAt, &j.ClosedAt)
	if err != nil {
		return Reject{}, err
	}
	j.CreatedAt, j.ClosedAt = j.CreatedAt.UTC(), db.UTC(j.ClosedAt)
	if j.Reasons, err = decodeReasons(reasons); err != nil {
		return Reject{}, fmt.Errorf("decoding reasons: %w", err)
	}
	return j, nil
}

// RejectFilter narrows Rejects to a resource and, when the fields are not nil, to a run that met them, to a state, and to a reason.
type RejectFilter struct {
	ResourceID uuid.UUID
	RunID      *uuid.UUID // The last run that met them.
	State      *RejectState
	Reason     *RejectReason // One of their reasons has this item and code; its count does not matter.
}

// RejectReason is one reason for which rows of a resource were refused.
type RejectReason struct {
	ItemNo int // 0 when it is about the row as a whole.
	Code   string
	Rows   int64
}

// reasonOf is the reason of a filter as a part of the reasons that rows have; nil for none.
func (f RejectFilter) reasonOf() ([]byte, error) {
	if f.Reason == nil {
		return nil, nil
	}
	return json.Marshal([]map[string]any{{"item_no": f.Reason.ItemNo, "code": f.Reason.Code}})
}

// RejectReasons counts the refused rows that a filter leaves by their reasons, the commonest first. A row with two reasons counts
// for both. The filter's own reason does not narrow it.
func (s *Service) RejectReasons(ctx context.Context, p authz.Principal, f RejectFilter) ([]RejectReason, error) {
	if _, err := s.check(ctx, p, authz.RejectRead, f.ResourceID, "resource", f.ResourceID); err != nil {
		return nil, err
	}
	return db.Collect(ctx, s.db.Pool, func(row pgx.Row) (r RejectReason, err error) {
		return r, row.Scan(&r.ItemNo, &r.Code, &r.Rows)
	}, `
		SELECT (e->>'item_no')::int, e->>'code', count(*) FROM reject j, jsonb_array_elements(j.reasons) e
		WHERE j.resource_id = $1 AND ($2::uuid IS NULL OR j.last_run = $2) AND ($3::text IS NULL OR j.state = $3)
		GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 200`, f.ResourceID, f.RunID, f.State)
}

// Rejects lists the refused rows of a resource, newest first, with reasons but without the rows. Keys are masked unless p
// belongs to the provider.
func (s *Service) Rejects(ctx context.Context, p authz.Principal, f RejectFilter, page db.Page) ([]Reject, string, error) {
	fact, err := s.check(ctx, p, authz.RejectRead, f.ResourceID, "resource", f.ResourceID)
	if err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	reason, err := f.reasonOf()
	if err != nil {
		return nil, "", fmt.Errorf("encoding a reason: %w", err)
	}
	found, err := db.Collect(ctx, s.db.Pool, scanReject, `
		SELECT `+rejectColumns+` FROM reject j WHERE j.resource_id = $1 AND ($2::uuid IS NULL OR j.last_run = $2) AND ($3::text IS NULL OR j.state = $3)
		  AND (NOT $4 OR (j.created_at, j.id) < ($5, $6)) AND ($8::jsonb IS NULL OR j.reasons @> $8)
		ORDER BY j.created_at DESC, j.id DESC LIMIT $7`, f.ResourceID, f.RunID, f.State, more, at, id, page.Size()+1, reason)
	if err != nil {
		return nil, "", err
	}
	out, next := db.Cut(found, page, func(j Reject) string { return db.Next(j.CreatedAt, j.ID) })
	for i := range out {
		out[i] = out[i].seenBy(p, fact)
	}
	return out, next, nil
}

// seenBy masks the key of a refused row for people outside its provider.
func (j Reject) seenBy(p authz.Principal, f facts) Reject {
	if f.Provider != p.Department && j.Key != nil {
		masked := maskKey(*j.Key)
		j.Key = &masked
	}
	return j
}

// Reject returns one refused row with its reasons, without the row. Its key is masked as in Rejects.
func (s *Service) Reject(ctx context.Context, p authz.Principal, id uuid.UUID) (Reject, error) {
	j, err := scanReject(s.db.Pool.QueryRow(ctx, "SELECT "+rejectColumns+" FROM reject j WHERE j.id = $1", id))
	if db.NoRows(err) {
		return Reject{}, notFound("reject")
	}
	if err != nil {
		return Reject{}, fmt.Errorf("reading reject: %w", err)
	}
	f, err := s.check(ctx, p, authz.RejectRead, j.ResourceID, "reject", id)
	if err != nil {
		return Reject{}, err
	}
	return j.seenBy(p, f), nil
}

// RejectedRow opens one refused row for the provider's people, and only for them. Each opening is evidence.
func (s *Service) RejectedRow(ctx context.Context, p authz.Principal, id uuid.UUID) (RejectRow, error) {
	var out RejectRow
	j, err := scanReject(s.db.Pool.QueryRow(ctx, "SELECT "+rejectColumns+" FROM reject j WHERE j.id = $1", id))
	if db.NoRows(err) {
		return RejectRow{}, notFound("reject")
	}
	if err != nil {
		return RejectRow{}, fmt.Errorf("reading reject: %w", err)
	}
	out.Reject = j
	f, err := s.check(ctx, p, authz.RejectRead, j.ResourceID, "reject", id)
	if err != nil {
		return RejectRow{}, err
	}
	if f.Provider != p.Department {
		return RejectRow{}, fault.New(fault.Forbidden, "forbidden", "a refused row is opened for the people of its provider only").At("policy")
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		var sealed []byte
		if err := tx.QueryRow(ctx, "SELECT sealed_row FROM reject WHERE id = $1", id).Scan(&sealed); err != nil {
			return fmt.Errorf("reading a sealed row: %w", err)
		}
		if sealed == nil {
			return fault.New(fault.Gone, "row_removed", "this row was corrected long ago and is not kept any more; see the row at the source")
		}
		row, err := s.keyring.Open(sealReject, sealed, []byte(j.ResourceID.String()))
		if err != nil {
			return fault.New(fault.Gone, "row_unreadable", "this row was sealed with a key that the hub no longer has; see the row at the source").Wrap(err)
		}
		if out.Row, err = decodeRow(row); err != nil {
			return err
		}
		return record(ctx, tx, p.Actor(), string(authz.RejectRead), "reject", id.String(), map[string]any{"resource": j.ResourceID, "opened": true})
	})
	if err != nil {
		return RejectRow{}, err
	}
	return out, nil
}

// maxWaiver bounds the reason of a waiver, in characters.
const maxWaiver = 500

// WaiveReject says that a refused row need not be corrected; the reason is mandatory. The last good row stays held, and the
// reject stays waived for as long as the source has the very same row.
func (s *Service) WaiveReject(ctx context.Context, p authz.Principal, id uuid.UUID, reason string) (Reject, error) {
	reason = strings.TrimSpace(reason)
	j, err := scanReject(s.db.Pool.QueryRow(ctx, "SELECT "+rejectColumns+" FROM reject j WHERE j.id = $1", id))
	if db.NoRows(err) {
		return Reject{}, notFound("reject")
	}
	if err != nil {
		return Reject{}, fmt.Errorf("reading reject: %w", err)
	}
	if _, err := s.check(ctx, p, authz.RejectWaive, j.ResourceID, "reject", id); err != nil {
		return Reject{}, err
	}
	if reason == "" || utf8.RuneCountInString(reason) > maxWaiver || strings.ContainsRune(reason, 0) {
		return Reject{}, fault.InvalidFields([]fault.Field{{Name: "reason", Code: "required", Message: fmt.Sprintf("say in up to %d characters why the row need not be corrected", maxWaiver)}})
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		move, err := findRejectMove(j.State, RejectWaive)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE reject SET state = $3, note = $4, closed_by = $5, closed_at = $6 WHERE id = $1 AND state = $2", id, move.From, move.To, reason, p.ID, tx.Now())
		if err != nil {
			return fmt.Errorf("waiving a refused row: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Conflict, "try_again", "a run has met this row meanwhile; read it again")
		}
		now := tx.Now()
		j.State, j.Note, j.ClosedAt = move.To, reason, &now
		return record(ctx, tx, p.Actor(), string(authz.RejectWaive), "reject", id.String(), map[string]any{"resource": j.ResourceID, "run": j.LastRun, "reason": reason})
	})
	if err != nil {
		return Reject{}, err
	}
	return j, nil
}

// decodeRow reads a sealed row: an object of texts as the source gave them, or, of a duplicate key, of whatever the staged
// values are in JSON.
func decodeRow(raw []byte) (map[string]*string, error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, errors.New("decoding a refused row: not an object")
	}
	out := make(map[string]*string, len(values))
	for name, value := range values {
		var text *string
		if err := json.Unmarshal(value, &text); err != nil {
			plain := string(value)
			text = &plain
		}
		out[name] = text
	}
	return out, nil
}

// ReconciliationFilter narrows Reconciliations to a resource and, when it is not nil, to a run.
type ReconciliationFilter struct {
	ResourceID uuid.UUID
	RunID      *uuid.UUID
}

func scanReconciliation(row pgx.Row) (Reconciliation, error) {
	var r Reconciliation
	var source, stored, differences []byte
	err := row.Scan(&r.ID, &r.RunID, &r.ResourceID, &r.Fresh, &r.Part, &r.Equal, &r.SourceRows, &r.StoreRows, &source, &stored, &r.Held, &r.Rejected,
		&r.Superseded, &r.Missing, &r.Extra, &r.Changed, &differences, &r.StoreSeq, &r.At)
	if err != nil {
		return Reconciliation{}, err
	}
	r.SourceHash, r.StoreHash, r.At = hex.EncodeToString(source), hex.EncodeToString(stored), r.At.UTC()
	if err := json.Unmarshal(differences, &r.Differences); err != nil {
		return Reconciliation{}, fmt.Errorf("decoding differences: %w", err)
	}
	return r, nil
}

// Reconciliations lists the comparisons of a resource, newest first.
func (s *Service) Reconciliations(ctx context.Context, p authz.Principal, f ReconciliationFilter, page db.Page) ([]Reconciliation, string, error) {
	if _, err := s.check(ctx, p, authz.TaskRead, f.ResourceID, "resource", f.ResourceID); err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := db.Collect(ctx, s.db.Pool, scanReconciliation, `
		SELECT id, run_id, resource_id, fresh, part, equal, source_rows, store_rows, source_hash, store_hash, held, rejected, superseded, missing, extra,
			changed, differences, store_seq, at
		FROM reconciliation WHERE resource_id = $1 AND ($2::uuid IS NULL OR run_id = $2) AND (NOT $3 OR (at, id) < ($4, $5))
		ORDER BY at DESC, id DESC LIMIT $6`, f.ResourceID, f.RunID, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	out, next := db.Cut(found, page, func(r Reconciliation) string { return db.Next(r.At, r.ID) })
	return out, next, nil
}

// Freshness says how current a resource's rows are. It holds figures only and asks no policy: whoever may see the entry
// may see them.
func (s *Service) Freshness(ctx context.Context, resource uuid.UUID) (Freshness, error) {
	var f Freshness
	var stored *int64
	var mode *TaskMode
	var settings *Settings
	var rule string
	err := s.db.Pool.QueryRow(ctx, `
		SELECT (SELECT changed_at FROM store.store_head WHERE resource = $1), coalesce((SELECT seq FROM store.store_head WHERE resource = $1), 0),
		       coalesce((SELECT rows FROM store.store_head WHERE resource = $1), c.store_rows + c.held), coalesce(c.held, 0), c.equal,
		       (SELECT count(*) FROM reject WHERE resource_id = $1 AND state = 'open'),
		       t.mode, t.settings, coalesce((SELECT m.delete_rule FROM mount m WHERE m.resource_id = $1 AND m.state = 'active'), ''),
		       (SELECT w.watermark FROM store.watermark w WHERE w.task = t.id AND t.mode = 'incremental'), (SELECT k.at FROM store.shuqiao_cursor k WHERE k.task = t.id)
		FROM (VALUES (1)) one LEFT JOIN task t ON t.resource_id = $1 AND t.kind = 'collect' LEFT JOIN LATERAL (SELECT * FROM reconciliation WHERE resource_id = $1 ORDER BY at DESC LIMIT 1) c ON true`, resource).
		Scan(&f.ArrivedAt, &f.Seq, &stored, &f.Held, &f.Equal, &f.RejectsOpen, &mode, &settings, &rule, &f.Watermark, &f.ReadAt)
	if err != nil {
		return Freshness{}, fmt.Errorf("reading how fresh resource %s is: %w", resource, err)
	}
	f.ArrivedAt, f.ReadAt = db.UTC(f.ArrivedAt), db.UTC(f.ReadAt)
	if mode != nil && settings != nil {
		f.Deletes = arrival(*mode, *settings, rule)
	}
	if stored != nil {
		f.Rows = *stored
	}
	return f, nil
}
