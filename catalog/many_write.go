package catalog

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Stated is what a file states of one entry: of a new one where Before is the zero Resource, else of the entry as SameEntriesTx read
// it under lock.
type Stated struct {
	Before Resource
	Code   string // Of a new entry that comes from another directory and keeps its code; "" as a rule.
	Metadata
}

// CompileManyTx compiles entries of p's department as CreateResource, EditDraft and StartVersion do it one by one: a new entry becomes a
// draft, a draft is edited, a published entry gets a draft beside it. Each has its step in the history and its event in the log. The
// caller has checked the statements with Storable and the entries with Compilable; one that does not hold refuses all.
func (s *Service) CompileManyTx(ctx context.Context, tx *db.Tx, p authz.Principal, all []Stated) ([]Resource, error) {
	decision, err := s.enforcer.Check(ctx, p, authz.ResourceCompile, authz.Target{Kind: "resource", Department: p.Department})
	if err != nil {
		return nil, err
	}
	p = decision.Principal()
	out := make([]Resource, len(all))
	steps := make([]Step, len(all))
	for i, st := range all {
		if err := fault.InvalidFields(Storable(&st.Metadata)); err != nil {
			return nil, err
		}
		if out[i], steps[i], err = restated(tx, p, st); err != nil {
			return nil, err
		}
	}
	if err := numberMany(ctx, tx, out); err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	for i := range out {
		if err := s.queueEntry(batch, tx, p, &out[i], steps[i]); err != nil {
			return nil, err
		}
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, resourceFault(err)
	}
	if err := copyItems(ctx, tx, out); err != nil {
		return nil, resourceFault(err)
	}
	if err := keepCodes(ctx, tx, all); err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(out))
	for i := range out {
		ids[i] = out[i].ID
	}
	return out, index(ctx, tx, ids...)
}

// restated is an entry as it is after the statement.
func restated(tx *db.Tx, p authz.Principal, st Stated) (Resource, Step, error) {
	now := tx.Now()
	r := st.Before
	if r.ID == uuid.Nil {
		r = Resource{
			ID: db.NewID(), Code: st.Code, ProviderDeptID: p.Department, Name: st.Name, State: Draft, Newest: 1, NextItemNo: 1, RowVersion: 1,
			CreatedBy: p.ID, CreatedAt: now, UpdatedAt: now,
			Version: Version{Number: 1, State: Draft, Round: 1, MadeBy: p.ID, CreatedAt: now, UpdatedAt: now, Metadata: st.Metadata},
		}
		return r, StepCreate, nil
	}
	if r.ProviderDeptID != p.Department {
		return Resource{}, "", fault.New(fault.Forbidden, "forbidden", "this is an entry of another department").At("policy")
	}
	if err := Compilable(r); err != nil {
		return Resource{}, "", err
	}
	step := StepEdit
	v := r.Version
	if !editable(v.State) {
		step = StepCreate
		v.Number, v.State, v.Round, v.MadeBy, v.SubmittedBy = v.Number+1, Draft, 1, p.ID, uuid.Nil
		v.PublishedAt, v.CreatedAt = nil, now
		r.Newest = v.Number
	}
	v.Metadata, v.UpdatedAt = st.Metadata, now
	if r.Published == 0 {
		r.Name = v.Name
	}
	r.Version, r.RowVersion, r.UpdatedAt = v, r.RowVersion+1, now
	return r, step, nil
}

// numberMany gives the items of all entries their numbers and ids, as numberItems does it for one.
func numberMany(ctx context.Context, tx *db.Tx, all []Resource) error {
	type key struct {
		resource   uuid.UUID
		identifier string
	}
	type known struct {
		ResourceID uuid.UUID
		Identifier string
		DataType   string
		No         int
		ID         uuid.UUID
	}
	ids := make([]uuid.UUID, 0, len(all))
	for _, r := range all {
		if r.RowVersion > 1 { // New ones have no items yet.
			ids = append(ids, r.ID)
		}
	}
	before := map[key]known{}
	if len(ids) > 0 {
		rows, err := tx.Query(ctx, `
			SELECT DISTINCT ON (resource_id, identifier) resource_id, identifier, data_type, no, id FROM item
			WHERE resource_id = ANY($1) ORDER BY resource_id, identifier, version DESC`, ids)
		if err != nil {
			return fmt.Errorf("reading item numbers: %w", err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[known])
		if err != nil {
			return fmt.Errorf("reading item numbers: %w", err)
		}
		for _, k := range found {
			before[key{k.ResourceID, k.Identifier}] = k
		}
	}
	for n := range all {
		r := &all[n]
		for i := range r.Version.Items {
			item := &r.Version.Items[i]
			if k, ok := before[key{r.ID, item.Identifier}]; ok && k.DataType == string(item.DataType) {
				item.No, item.ID = k.No, k.ID
				continue
			}
			item.No, item.ID = r.NextItemNo, db.NewID()
			r.NextItemNo++
		}
	}
	return nil
}

// queueEntry queues the rows of one entry, without its items, with its step and its event.
func (s *Service) queueEntry(batch *pgx.Batch, tx *db.Tx, p authz.Principal, r *Resource, step Step) error {
	v := &r.Version
	v.ShareType, v.Grade = deriveShareType(v.Items), deriveGrade(v.Items)
	row, err := newResourceRow(*r)
	if err != nil {
		return err
	}
	batch.Queue(`
		INSERT INTO resource (id, code, provider_dept_id, name, state, newest, published, next_item_no, live, standing_consent, row_version,
			created_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (id) DO UPDATE SET
			name = excluded.name, newest = excluded.newest, next_item_no = excluded.next_item_no, row_version = excluded.row_version,
			updated_at = excluded.updated_at`,
		row.ID, row.Code, row.ProviderDeptID, row.Name, row.State, row.Newest, row.Published, row.NextItemNo, row.Live, row.StandingConsent,
		row.RowVersion, row.CreatedBy, row.CreatedAt, row.UpdatedAt)
	version, err := newVersionRow(r.ID, *v)
	if err != nil {
		return err
	}
	batch.Queue(writeVersion, version.args()...)
	if step == StepEdit {
		batch.Queue("DELETE FROM item WHERE resource_id = $1 AND version = $2", r.ID, v.Number)
	}
	batch.Queue(`
		INSERT INTO resource_step (id, resource_id, version, action, from_state, to_state, actor_id, at) VALUES ($1, $2, $3, $4, $5, $5, $6, $7)`,
		db.NewID(), r.ID, v.Number, string(step), string(v.State), p.ID, tx.Now())
	digest, err := digestOf(v.Metadata)
	if err != nil {
		return err
	}
	detail := map[string]any{"version": v.Number, "from": v.State, "to": v.State, "metadata_sha256": digest}
	if r.Code != "" {
		detail["code"] = r.Code
	}
	return audit.QueueTx(batch, tx, audit.Event{
		Actor: p.Actor(), Action: "resource." + string(step), Object: audit.Object{Kind: "resource", ID: r.ID.String()}, Detail: detail,
	})
}

// copyItems writes the items of all entries at once.
func copyItems(ctx context.Context, tx *db.Tx, all []Resource) error {
	n, at := 0, 0
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"item"}, itemColumns, pgx.CopyFromFunc(func() ([]any, error) {
		for n < len(all) && at == len(all[n].Version.Items) {
			n, at = n+1, 0
		}
		if n == len(all) {
			return nil, nil
		}
		r := all[n]
		at++
		return newItemRow(r.ID, r.Version.Number, at, r.Version.Items[at-1]).values(), nil
	}))
	if err != nil {
		return fmt.Errorf("writing items: %w", err)
	}
	return nil
}

// keepCodes sees to it that the hub never gives a code again that an entry has brought along: the counter of its class goes on
// behind it.
func keepCodes(ctx context.Context, tx *db.Tx, all []Stated) error {
	last := map[string]int64{}
	for _, st := range all {
		class, serial, found := strings.Cut(st.Code, "/")
		n, err := strconv.ParseInt(serial, 10, 64)
		if st.Before.ID != uuid.Nil || !found || err != nil {
			continue
		}
		last[class] = max(last[class], n)
	}
	classes, serials := make([]string, 0, len(last)), make([]int64, 0, len(last))
	for class, n := range last {
		classes, serials = append(classes, class), append(serials, n)
	}
	if len(classes) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO resource_code AS c (class_code, last) SELECT class, n FROM unnest($1::text[], $2::bigint[]) AS u(class, n) ORDER BY class
		ON CONFLICT (class_code) DO UPDATE SET last = greatest(c.last, excluded.last)`, classes, serials)
	if err != nil {
		return fmt.Errorf("keeping codes: %w", err)
	}
	return nil
}
