package catalog

import (
	"context"
	"fmt"
	"reflect"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// CreateResource compiles a new entry of the caller's department as a draft. A draft may be incomplete; what it states
// must have the right form, and data stated to be secret are refused.
func (s *Service) CreateResource(ctx context.Context, p authz.Principal, m Metadata) (Resource, error) {
	target := authz.Target{Kind: "resource", Department: p.Department}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceCompile, target); err != nil {
		return Resource{}, err
	}
	normalise(&m)
	if err := fault.InvalidFields(checkDraft(m)); err != nil {
		return Resource{}, err
	}
	var r Resource
	err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		r, err = s.newEntry(ctx, tx, p, m)
		return err
	})
	if err != nil {
		return Resource{}, err
	}
	return r, nil
}

// newEntry writes a new entry with its first version, a draft that states m, which has been checked.
func (s *Service) newEntry(ctx context.Context, tx *db.Tx, p authz.Principal, m Metadata) (Resource, error) {
	now := tx.Now()
	r := Resource{
		ID: db.NewID(), ProviderDeptID: p.Department, Name: m.Name, State: Draft, Newest: 1, NextItemNo: 1, RowVersion: 1,
		CreatedBy: p.ID, CreatedAt: now, UpdatedAt: now,
		Version: Version{Number: 1, State: Draft, Round: 1, MadeBy: p.ID, CreatedAt: now, UpdatedAt: now, Metadata: m},
	}
	row, err := newResourceRow(r)
	if err != nil {
		return Resource{}, err
	}
	if err := insert(ctx, tx, &row); err != nil {
		return Resource{}, resourceFault(err)
	}
	if err := saveVersion(ctx, tx, &r, &r.Version); err != nil {
		return Resource{}, resourceFault(err)
	}
	if _, err := tx.Exec(ctx, "UPDATE resource SET next_item_no = $2 WHERE id = $1", r.ID, r.NextItemNo); err != nil {
		return Resource{}, fmt.Errorf("writing item numbers: %w", err)
	}
	if err := index(ctx, tx, r.ID); err != nil {
		return Resource{}, err
	}
	return r, s.note(ctx, tx, p, r, r.Version, StepCreate, "", "", nil)
}

// CreateFromTemplate compiles a new draft from a template. What m states replaces what the template states, field by
// field; m may be empty.
func (s *Service) CreateFromTemplate(ctx context.Context, p authz.Principal, template string, m Metadata) (Resource, error) {
	t, err := FindTemplate(template)
	if err != nil {
		return Resource{}, err
	}
	return s.CreateResource(ctx, p, overlay(t.Metadata(), m))
}

// overlay returns base with every field that m states, empty lists not counting as stated.
func overlay(base, m Metadata) Metadata {
	out, stated := reflect.ValueOf(&base).Elem(), reflect.ValueOf(m)
	for i := range stated.NumField() {
		field := stated.Field(i)
		if field.IsZero() || field.Kind() == reflect.Slice && field.Len() == 0 {
			continue
		}
		out.Field(i).Set(field)
	}
	return base
}

// EditDraft replaces what the newest version states; it must be a draft or returned. Items keep their numbers by
// identifier.
func (s *Service) EditDraft(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, m Metadata) (Resource, error) {
	normalise(&m)
	return s.change(ctx, p, id, ifMatch, authz.ResourceCompile, func(tx *db.Tx, p authz.Principal, r *Resource) error {
		v, err := s.draft(ctx, tx, *r, "edit")
		if err != nil {
			return err
		}
		if err := fault.InvalidFields(checkDraft(m)); err != nil {
			return err
		}
		v.Metadata, v.UpdatedAt = m, tx.Now()
		if err := saveVersion(ctx, tx, r, &v); err != nil {
			return resourceFault(err)
		}
		if r.Published == 0 {
			r.Name = m.Name
		}
		r.Version = v
		return s.note(ctx, tx, p, *r, v, StepEdit, "", "", nil)
	})
}

// StartVersion begins a new draft beside the published version, which stays visible. It states what the published one
// states, except the sign-off: the head of the department consents to each change (Art 13).
func (s *Service) StartVersion(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Resource, error) {
	return s.change(ctx, p, id, ifMatch, authz.ResourceCompile, func(tx *db.Tx, p authz.Principal, r *Resource) error {
		if r.State != Published {
			return illegalMove("entry", string(r.State), "start_version", nil)
		}
		if r.Newest != r.Published {
			return fault.New(fault.Conflict, "draft_exists", "a newer version is already being worked on; publish or discard it first")
		}
		v, err := beginVersion(ctx, tx, p, r)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, p, *r, v, StepCreate, "", "", nil)
	})
}

// beginVersion writes a draft beside the published version of r, which is locked, and makes it the newest; the caller writes r.
func beginVersion(ctx context.Context, tx *db.Tx, p authz.Principal, r *Resource) (Version, error) {
	v, err := loadVersion(ctx, tx, r.ID, r.Published)
	if err != nil {
		return Version{}, err
	}
	now := tx.Now()
	v.Number, v.State, v.Round, v.MadeBy, v.SubmittedBy = v.Number+1, Draft, 1, p.ID, uuid.Nil
	v.PublishedAt, v.CreatedAt, v.UpdatedAt, v.HeadSignoff = nil, now, now, nil
	v.OldUntil, v.ServedUntil = "", nil
	if err := saveVersion(ctx, tx, r, &v); err != nil {
		return Version{}, err
	}
	r.Newest, r.Version = v.Number, v
	return v, nil
}

// DiscardDraft deletes the newest version, which must be a draft or returned, with its history; an entry that was never
// published goes with it. The audit log keeps what happened.
func (s *Service) DiscardDraft(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) error {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceCompile, resourceTarget(r)); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		r, err := loadResource(ctx, tx, id, "FOR UPDATE")
		if err != nil {
			return err
		}
		if err := db.Matches(ifMatch, r.RowVersion); err != nil {
			return err
		}
		v, err := s.draft(ctx, tx, r, "discard")
		if err != nil {
			return err
		}
		var mounted bool
		err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM mount WHERE resource_id = $1 AND version = $2)", id, v.Number).Scan(&mounted)
		if err != nil {
			return fmt.Errorf("reading mounts: %w", err)
		}
		if mounted {
			return fault.New(fault.Conflict, "in_use", "there are mounts of this version; it cannot be discarded any more")
		}
		for _, sql := range []string{
			"DELETE FROM resource_step WHERE resource_id = $1 AND version = $2",
			"DELETE FROM item WHERE resource_id = $1 AND version = $2",
			"DELETE FROM resource_version WHERE resource_id = $1 AND version = $2",
		} {
			if _, err := tx.Exec(ctx, sql, id, v.Number); err != nil {
				return fmt.Errorf("discarding version %d: %w", v.Number, err)
			}
		}
		if err := forgetDocuments(ctx, tx, id); err != nil {
			return err
		}
		if r.Published == 0 {
			_, err = tx.Exec(ctx, "DELETE FROM resource WHERE id = $1", id)
		} else {
			_, err = tx.Exec(ctx, "UPDATE resource SET newest = published, row_version = row_version + 1, updated_at = $2 WHERE id = $1", id, tx.Now())
		}
		if err != nil {
			return fmt.Errorf("discarding version %d: %w", v.Number, err)
		}
		if err := index(ctx, tx, id); err != nil {
			return err
		}
		return record(ctx, tx, p, "resource.discard", "resource", id.String(), map[string]any{"version": v.Number, "from": v.State})
	})
}

// draft returns the newest version when it may be edited, else an illegal move.
func (s *Service) draft(ctx context.Context, tx *db.Tx, r Resource, verb string) (Version, error) {
	v, err := loadVersion(ctx, tx, r.ID, r.Newest)
	if err != nil {
		return Version{}, err
	}
	if !editable(v.State) || r.State == Revoked {
		allowed := make([]string, 0, 3)
		for _, step := range Next(v.State) {
			allowed = append(allowed, string(step))
		}
		return Version{}, illegalMove("version", string(v.State), verb, allowed)
	}
	return v, nil
}

// known returns an entry without its version, when p may know that it exists.
func (s *Service) known(ctx context.Context, p authz.Principal, id uuid.UUID) (Resource, error) {
	r, err := loadResource(ctx, s.db.Pool, id, "")
	if err != nil {
		return Resource{}, err
	}
	if r.State != Published && !s.mayReadDrafts(p, r.ProviderDeptID) {
		return Resource{}, notFound("resource")
	}
	return r, nil
}

// change asks the enforcer, locks an entry, lets work alter it and writes it back with the next row version. work is told for
// whom it is done.
func (s *Service) change(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, action authz.Action, work func(*db.Tx, authz.Principal, *Resource) error) (Resource, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	decision, err := s.enforcer.Check(ctx, p, action, resourceTarget(r))
	if err != nil {
		return Resource{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if r, err = loadResource(ctx, tx, id, "FOR UPDATE"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, r.RowVersion); err != nil {
			return err
		}
		if err := work(tx, decision.Principal(), &r); err != nil {
			return err
		}
		r.RowVersion, r.UpdatedAt = r.RowVersion+1, tx.Now()
		row, err := newResourceRow(r)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE resource SET code = $2, name = $3, state = $4, newest = $5, published = $6, next_item_no = $7, live = $8,
				standing_consent = $9, row_version = $10, updated_at = $11 WHERE id = $1`,
			id, row.Code, row.Name, row.State, row.Newest, row.Published, row.NextItemNo, row.Live, row.StandingConsent,
			row.RowVersion, row.UpdatedAt)
		if err != nil {
			return resourceFault(err)
		}
		return index(ctx, tx, id)
	})
	if err != nil {
		return Resource{}, err
	}
	return r, nil
}

// resourceFault turns violated constraints into faults that name the field.
func resourceFault(err error) error {
	for _, violation := range []struct {
		constraint, field, message string
	}{
		{"resource_version_system_id_fkey", "system_id", "there is no such system"},
		{"item_source_dept_id_fkey", "items", "an item names a source department that does not exist"},
		{"resource_provider_dept_id_fkey", "provider_dept_id", "your account belongs to no registered department"},
	} {
		if db.IsForeignKey(err, violation.constraint) {
			return fault.InvalidFields([]fault.Field{{Name: violation.field, Code: "unknown", Message: violation.message}})
		}
	}
	if db.IsUnique(err, "resource_name") {
		return fault.InvalidFields([]fault.Field{{Name: "name", Code: "taken", Message: "another entry of your department has this name"}})
	}
	return err
}
