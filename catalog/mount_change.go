package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// mountFor returns a mount and its entry when p may do a to it.
func (s *Service) mountFor(ctx context.Context, p authz.Principal, a authz.Action, id uuid.UUID) (Mount, Resource, error) {
	m, err := one(ctx, s.db.Pool, mountRow.mount, notFound("mount"), "SELECT * FROM mount WHERE id = $1", id)
	if err != nil {
		return Mount{}, Resource{}, err
	}
	r, err := loadResource(ctx, s.db.Pool, m.ResourceID, "")
	if err != nil {
		return Mount{}, Resource{}, err
	}
	target := mountTarget(m, r)
	if !s.enforcer.Allowed(p, authz.SourceRead, target) {
		return Mount{}, Resource{}, notFound("mount")
	}
	if _, err := s.enforcer.Check(ctx, p, a, target); err != nil {
		return Mount{}, Resource{}, err
	}
	return m, r, nil
}

func mountTarget(m Mount, r Resource) authz.Target {
	t := authz.Target{Kind: "mount", Department: r.ProviderDeptID, State: string(r.State)}
	if m.ID != uuid.Nil {
		t.ID = m.ID.String()
	}
	return t
}

// moveMount asks the enforcer, locks the mount, lets work alter it and takes one step with it.
func (s *Service) moveMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step MountStep, reason string, work func(*db.Tx, *Mount) error) (Mount, error) {
	action := authz.MountWrite
	seen, err := one(ctx, s.db.Pool, mountRow.mount, notFound("mount"), "SELECT * FROM mount WHERE id = $1", id)
	if err != nil {
		return Mount{}, err
	}
	// Removing needs another right once the mount is in use; the step's own right decides everything else.
	for _, m := range mountMoves {
		if m.Step == step && m.Who != "" && (step != MountRemove || m.From == seen.State) {
			action = m.Who
		}
	}
	m, _, err := s.mountFor(ctx, p, action, id)
	if err != nil {
		return Mount{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		// The entry first: publishing holds it while it carries mounts over.
		if _, err := loadResource(ctx, tx, m.ResourceID, "FOR SHARE"); err != nil {
			return err
		}
		if m, err = one(ctx, tx, mountRow.mount, notFound("mount"), "SELECT * FROM mount WHERE id = $1 FOR UPDATE", id); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, m.RowVersion); err != nil {
			return err
		}
		move, err := findMountMove(m.State, step)
		if err != nil {
			return err
		}
		if move.Who != action {
			return fault.New(fault.Conflict, "try_again", "somebody else changed the mount at the same time; read it again")
		}
		if move.Reason && strings.TrimSpace(reason) == "" {
			return reasonMissing()
		}
		m.Note = reason
		return s.shiftMount(ctx, tx, p, &m, step, reason, func() error {
			if work == nil {
				return nil
			}
			return work(tx, &m)
		}, nil)
	})
	if err != nil {
		return Mount{}, err
	}
	return m, nil
}

// shiftMount lets work alter m, writes it with its next state, and notes it. With out not nil the outcome is stored there.
func (s *Service) shiftMount(ctx context.Context, tx *db.Tx, p authz.Principal, m *Mount, step MountStep, reason string, work func() error, out *Mount) error {
	move, err := findMountMove(m.State, step)
	if err != nil {
		return err
	}
	if work != nil {
		if err := work(); err != nil {
			return err
		}
	}
	m.State, m.RowVersion, m.UpdatedAt = move.To, m.RowVersion+1, tx.Now()
	row, err := newMountRow(*m)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE mount SET version = $4, source_id = $5, object = $6, columns = $7, row_filter = $8, order_column = $9,
			watermark_column = $10, delete_rule = $11, schema = $12, state = $13, note = $14, row_version = $3 + 1, updated_at = $15, deletes = $16
		WHERE id = $1 AND state = $2 AND row_version = $3`,
		row.ID, string(move.From), m.RowVersion-1, row.Version, row.SourceID, row.Object, row.Columns, row.RowFilter,
		row.OrderColumn, row.WatermarkColumn, row.DeleteRule, row.Schema, row.State, row.Note, row.UpdatedAt, row.Deletes)
	switch {
	case db.IsUnique(err, "mount_active"):
		return fault.New(fault.Conflict, "already_active", "another mount feeds the entry; suspend it first")
	case err != nil:
		return fmt.Errorf("moving mount: %w", err)
	case tag.RowsAffected() != 1:
		return fault.New(fault.Conflict, "try_again", "somebody else changed the mount at the same time; read it again")
	}
	if out != nil {
		*out = *m
	}
	if move.From == MountActive {
		if err := endDrift(ctx, tx, *m); err != nil {
			return err
		}
	}
	if move.From == MountActive || move.To == MountActive {
		if err := authz.LogTx(tx, authz.KindResource, m.ResourceID.String()); err != nil {
			return err
		}
	}
	return s.noteMount(ctx, tx, p, *m, string(step), reason)
}

func (s *Service) noteMount(ctx context.Context, tx *db.Tx, p authz.Principal, m Mount, verb, reason string) error {
	detail := map[string]any{"resource_id": m.ResourceID, "version": m.Version, "source_id": m.SourceID, "object": m.Object, "state": m.State}
	if reason != "" {
		detail["reason"] = reason
	}
	return record(ctx, tx, p, "mount."+verb, "mount", m.ID.String(), detail)
}

// fill checks what is stated about a mount and puts it in. Whether the object suits is for CheckMount.
func (s *Service) fill(ctx context.Context, tx *db.Tx, r Resource, m *Mount, in MountInput) error {
	number := in.Version
	if number == 0 {
		number = shown(r)
	}
	v, err := loadVersion(ctx, tx, r.ID, number)
	if fault.Is(err, fault.NotFound) {
		return fault.InvalidFields([]fault.Field{{Name: "version", Code: "unknown", Message: "the entry has no such version"}})
	}
	if err != nil {
		return err
	}
	if v.ShareType == Withheld || v.DeclaredShare == Withheld {
		return withheldMount()
	}
	if r.State == Revoked || v.State == Revoked || v.State == Superseded {
		return fault.New(fault.Conflict, "illegal_move", "this version is not in use any more and cannot be mounted").With("state", string(v.State))
	}
	var wrong []fault.Field
	source, err := loadSource(ctx, tx, in.SourceID, "")
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && source.DepartmentID != r.ProviderDeptID:
		wrong = append(wrong, fault.Field{Name: "source_id", Code: "unknown", Message: "this is not a source of your department"})
	case err != nil:
		return err
	}
	if strings.TrimSpace(in.Object) == "" {
		wrong = append(wrong, fault.Field{Name: "object", Code: "required", Message: "name the table or view"})
	}
	if in.DeleteRule == "" {
		in.DeleteRule = "missing"
	}
	wrong = append(wrong, checkDeletes(in.DeleteRule, in.Deletes)...)
	filter := bytes.TrimSpace(in.RowFilter)
	if bytes.Equal(filter, []byte("null")) || len(filter) == 0 {
		filter = nil
	}
	if filter != nil && (filter[0] != '{' || !json.Valid(filter)) {
		wrong = append(wrong, fault.Field{Name: "row_filter", Code: "bad_form", Message: "give a row filter as a JSON object, or null"})
		in.RowFilter = nil
	}
	for _, path := range nulls(in) {
		wrong = append(wrong, fault.Field{Name: path, Code: "bad_character", Message: "texts cannot hold the NUL character"})
	}
	if len(in.Columns) > 2*maxItems {
		wrong = append(wrong, fault.Field{Name: "columns", Code: "too_many", Message: "name each item once"})
	}
	if err := fault.InvalidFields(wrong); err != nil {
		return err
	}
	m.Version, m.SourceID, m.Object, m.Columns = number, in.SourceID, strings.TrimSpace(in.Object), filled(in.Columns)
	m.RowFilter, m.OrderColumn, m.WatermarkColumn, m.DeleteRule = filter, in.OrderColumn, in.WatermarkColumn, in.DeleteRule
	m.Deletes = in.Deletes
	return nil
}

func withheldMount() error {
	return fault.New(fault.Conflict, "withheld", "withheld data are listed in the directory and never mounted (Order 809, Art 15)")
}

// carryMount decides what becomes of the active mount of the version before when a new one is published. It is carried
// over when it maps exactly the items of the new version with the same types, keys and formats; it is suspended when it
// would feed an item that is withheld, or gone while the version before is not served beside the new one; otherwise it goes on
// under its own version until a new mount is activated.
func (s *Service) carryMount(ctx context.Context, tx *db.Tx, r Resource, before, after Version) error {
	m, err := activeMount(ctx, tx, r.ID, "FOR UPDATE")
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	same, stop := true, after.ShareType == Withheld
	mapped := 0
	for _, c := range m.Columns {
		was, _ := before.ItemNo(c.ItemNo)
		is, ok := after.ItemNo(c.ItemNo)
		if !ok && before.ServedUntil != nil && was.No != 0 {
			// A retyped item has another number: what is withheld is known by its name.
			is, ok = after.Item(was.Identifier)
			ok, same = !ok || is.ShareType != Withheld, false
		}
		if !ok || is.ShareType == Withheld {
			stop = true
		}
		if is.DataType != was.DataType || is.Key != was.Key || is.Format != was.Format || is.Required != was.Required {
			same = false
		}
		mapped++
	}
	for _, item := range after.Items {
		if item.ShareType != Withheld {
			mapped--
		}
	}
	switch {
	case stop:
		_, err = tx.Exec(ctx, "UPDATE mount SET state = 'suspended', note = $2, row_version = row_version + 1, updated_at = $3 WHERE id = $1",
			m.ID, "a newer version withholds or drops what this mount feeds", tx.Now())
		if err == nil {
			err = endDrift(ctx, tx, m)
		}
	case same && mapped == 0:
		_, err = tx.Exec(ctx, "UPDATE mount SET version = $2, row_version = row_version + 1, updated_at = $3 WHERE id = $1",
			m.ID, after.Number, tx.Now())
	}
	if err != nil {
		return fmt.Errorf("carrying the mount over: %w", err)
	}
	return nil
}
