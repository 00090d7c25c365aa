package catalog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// MountInput is what people state about a mount.
type MountInput struct {
	Version         int             `json:"version"` // 0 means the published version, or the newest while none is published.
	SourceID        uuid.UUID       `json:"source_id"`
	Object          string          `json:"object"` // As Tables names it.
	Columns         []MountColumn   `json:"columns"`
	RowFilter       json.RawMessage `json:"row_filter,omitempty"` // A row filter over items; null for all rows.
	OrderColumn     string          `json:"order_column"`
	WatermarkColumn string          `json:"watermark_column"`
	DeleteRule      string          `json:"delete_rule"` // missing, soft_delete, delete_table or none; "" means missing.
	Deletes         *MountDeletes   `json:"deletes,omitempty"`
}

// MountReport is what a check found. The mount is submitted when nothing blocks it.
type MountReport struct {
	Mount    Mount         `json:"mount"`
	Blocks   []fault.Field `json:"blocks"`
	Warnings []fault.Field `json:"warnings"`
}

// Mounts lists the mounts of an entry, the newest first, without those removed.
func (s *Service) Mounts(ctx context.Context, p authz.Principal, resource uuid.UUID) ([]Mount, error) {
	r, err := s.known(ctx, p, resource)
	if err != nil {
		return nil, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.SourceRead, mountTarget(Mount{}, r)); err != nil {
		return nil, err
	}
	out, err := many(ctx, s.db.Pool, mountRow.mount,
		"SELECT * FROM mount WHERE resource_id = $1 AND state <> 'removed' ORDER BY created_at DESC, id DESC", resource)
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	return out, nil
}

// Mount returns one mount.
func (s *Service) Mount(ctx context.Context, p authz.Principal, id uuid.UUID) (Mount, error) {
	m, _, err := s.mountFor(ctx, p, authz.SourceRead, id)
	return m, err
}

// CreateMount binds a version of one of the caller's department's entries to an object of one of its sources, as a draft.
// Withheld entries refuse mounts.
func (s *Service) CreateMount(ctx context.Context, p authz.Principal, resource uuid.UUID, in MountInput) (Mount, error) {
	r, err := s.known(ctx, p, resource)
	if err != nil {
		return Mount{}, err
	}
	m := Mount{ID: db.NewID(), ResourceID: resource, State: MountDraft, RowVersion: 1, CreatedBy: p.ID}
	if _, err := s.enforcer.Check(ctx, p, authz.MountWrite, mountTarget(m, r)); err != nil {
		return Mount{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		// Locked, so that the entry cannot become withheld between the check and the commit.
		if r, err = loadResource(ctx, tx, resource, "FOR SHARE"); err != nil {
			return err
		}
		if err := s.fill(ctx, tx, r, &m, in); err != nil {
			return err
		}
		m.CreatedAt, m.UpdatedAt = tx.Now(), tx.Now()
		row, err := newMountRow(m)
		if err != nil {
			return err
		}
		if err := insert(ctx, tx, &row); err != nil {
			return err
		}
		return s.noteMount(ctx, tx, p, m, "create", "")
	})
	if err != nil {
		return Mount{}, err
	}
	return m, nil
}

// EditMount replaces what is stated about a mount that is not in use; it becomes a draft again.
func (s *Service) EditMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, in MountInput) (Mount, error) {
	return s.moveMount(ctx, p, id, ifMatch, MountEdit, "", func(tx *db.Tx, m *Mount) error {
		r, err := loadResource(ctx, tx, m.ResourceID, "FOR SHARE")
		if err != nil {
			return err
		}
		if err := s.fill(ctx, tx, r, m, in); err != nil {
			return err
		}
		m.Schema = connectors.Schema{}
		return nil
	})
}

// CheckMount reads the live schema of the mount's object and compares it with the items. The mount is submitted when
// nothing blocks it, and a draft otherwise. A source that does not answer is an error, and the mount a draft.
func (s *Service) CheckMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (MountReport, error) {
	m, err := s.moveMount(ctx, p, id, ifMatch, MountCheck, "", nil)
	if err != nil {
		return MountReport{}, err
	}
	v, err := loadVersion(ctx, s.db.Pool, m.ResourceID, m.Version)
	if err != nil {
		return MountReport{}, err
	}
	row, err := loadSource(ctx, s.db.Pool, m.SourceID, "")
	if err != nil {
		return MountReport{}, err
	}
	schema, asked := s.describe(ctx, row, m.Object)
	var deleted connectors.Schema
	if asked == nil && m.DeleteRule == DeleteTable {
		deleted, asked = s.describe(ctx, row, m.Deletes.Object)
	}
	report := MountReport{Blocks: []fault.Field{}, Warnings: []fault.Field{}}
	step, note := MountPass, ""
	if asked != nil {
		step, note = MountFail, explain(asked)
	} else {
		columns, blocks, warnings := checkMount(m, v, schema)
		blocks = append(blocks, checkDeleteColumns(m, columns, v, schema, deleted)...)
		report.Blocks, report.Warnings = append(report.Blocks, blocks...), append(report.Warnings, warnings...)
		m.Columns = columns
		if err := fault.InvalidFields(blocks); err != nil {
			step, note = MountFail, explain(err)
		}
	}
	// The answer is kept even when the caller has gone, so that the mount does not stay in the middle of a check.
	err = s.db.InTx(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		checked := m
		return s.shiftMount(context.WithoutCancel(ctx), tx, p, &checked, step, note, func() error {
			checked.Schema, checked.Note = schema, note
			report.Mount = checked
			return nil
		}, &report.Mount)
	})
	if err != nil {
		return MountReport{}, err
	}
	return report, asked
}

// ActivateMount puts a submitted mount of the published version in use. A mount that was active before is suspended in
// the same transaction: one mount at a time feeds an entry.
func (s *Service) ActivateMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Mount, error) {
	return s.moveMount(ctx, p, id, ifMatch, MountActivate, "", func(tx *db.Tx, m *Mount) error {
		if err := s.inUse(ctx, tx, m); err != nil {
			return err
		}
		before, err := activeMount(ctx, tx, m.ResourceID, "FOR UPDATE")
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		before.Note = "another mount was activated"
		return s.shiftMount(ctx, tx, p, &before, MountSuspend, before.Note, nil, nil)
	})
}

// inUse refuses to use a mount of an entry or version that is not published.
func (s *Service) inUse(ctx context.Context, tx *db.Tx, m *Mount) error {
	r, err := s.PublishedTx(ctx, tx, m.ResourceID, true)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Conflict, "not_published", "only mounts of published entries can be used; publish the entry first")
	}
	if err != nil {
		return err
	}
	if r.Published != m.Version {
		return fault.New(fault.Conflict, "not_published", "the mount was made for another version than the published one; edit and check it again")
	}
	if r.Version.ShareType == Withheld {
		return withheldMount()
	}
	return nil
}

// RejectMount sends a submitted mount back; the reason is mandatory.
func (s *Service) RejectMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Mount, error) {
	return s.moveMount(ctx, p, id, ifMatch, MountReject, reason, nil)
}

// SuspendMount stops an active mount from feeding its entry; the reason is mandatory.
func (s *Service) SuspendMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Mount, error) {
	return s.moveMount(ctx, p, id, ifMatch, MountSuspend, reason, nil)
}

// ResumeMount puts a suspended mount of the published version in use again, when no other mount is active.
func (s *Service) ResumeMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Mount, error) {
	return s.moveMount(ctx, p, id, ifMatch, MountResume, "", func(tx *db.Tx, m *Mount) error { return s.inUse(ctx, tx, m) })
}

// RemoveMount ends a mount for good; for one in use the reason is mandatory.
func (s *Service) RemoveMount(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Mount, error) {
	return s.moveMount(ctx, p, id, ifMatch, MountRemove, reason, nil)
}

// ActiveMount returns the mount that feeds an entry now, for rooms that have already decided. It is NotFound when there is
// none.
func (s *Service) ActiveMount(ctx context.Context, resource uuid.UUID) (Mount, error) {
	return activeMount(ctx, s.db.Pool, resource, "")
}

// ActiveMountTx is ActiveMount inside a transaction; with lock the mount is held FOR SHARE until the commit.
func (s *Service) ActiveMountTx(ctx context.Context, tx *db.Tx, resource uuid.UUID, lock bool) (Mount, error) {
	mode := ""
	if lock {
		mode = "FOR SHARE"
	}
	return activeMount(ctx, tx, resource, mode)
}

func activeMount(ctx context.Context, q Querier, resource uuid.UUID, lock string) (Mount, error) {
	return one(ctx, q, mountRow.mount, notFound("active mount"), "SELECT * FROM mount WHERE resource_id = $1 AND state = 'active' "+lock, resource)
}
