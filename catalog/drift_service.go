package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// keepDrift is how long findings that were resolved are kept.
const keepDrift = 365 * 24 * time.Hour

// maxProbed bounds how many mounts of a source one probe compares.
const maxProbed = 500

// DriftFilter narrows Drifts. A zero field does not narrow.
type DriftFilter struct {
	ResourceID uuid.UUID
	SourceID   uuid.UUID
	MountID    uuid.UUID
	State      string // open, breaking, resolved, or "" for all.
}

// driftRow is a finding as lists read it.
type driftRow struct {
	ID           uuid.UUID
	MountID      uuid.UUID
	ResourceID   uuid.UUID
	Resource     string
	SourceID     uuid.UUID
	Source       string
	Object       string
	ColumnName   string
	Kind         string
	Was          string
	Now          string
	Items        []string
	Breaks       bool
	DraftVersion *int
	FirstSeen    time.Time
	LastSeen     time.Time
	ResolvedAt   *time.Time
}

func (r driftRow) drift() (Drift, error) {
	d := Drift{
		ID: r.ID, MountID: r.MountID, ResourceID: r.ResourceID, Resource: r.Resource, SourceID: r.SourceID, Source: r.Source, Object: r.Object,
		Column: r.ColumnName, Kind: DriftKind(r.Kind), Was: r.Was, Now: r.Now, Items: r.Items, Breaks: r.Breaks,
		FirstSeen: r.FirstSeen.UTC(), LastSeen: r.LastSeen.UTC(), ResolvedAt: db.UTC(r.ResolvedAt),
	}
	if r.DraftVersion != nil {
		d.DraftVersion = *r.DraftVersion
	}
	return d, nil
}

const driftColumns = `
	SELECT d.id, d.mount_id, m.resource_id, r.name AS resource, m.source_id, s.name AS source, m.object, d.column_name, d.kind, d.was, d.now, d.items,
		d.breaks, d.draft_version, d.first_seen, d.last_seen, d.resolved_at
	FROM drift d JOIN mount m ON m.id = d.mount_id JOIN resource r ON r.id = m.resource_id JOIN source s ON s.id = m.source_id`

// Drifts lists the findings about mounts that p may see, those seen last first.
func (s *Service) Drifts(ctx context.Context, p authz.Principal, f DriftFilter, page db.Page) ([]Drift, string, error) {
	own := p.Department
	if s.enforcer.Allowed(p, authz.SourceRead, authz.Target{Kind: "mount"}) {
		own = uuid.Nil
	} else if _, err := s.enforcer.Check(ctx, p, authz.SourceRead, authz.Target{Kind: "mount", Department: own}); err != nil {
		return nil, "", err
	}
	if !slices.Contains([]string{"", "open", "breaking", "resolved"}, f.State) {
		return nil, "", fault.InvalidFields([]fault.Field{{Name: "state", Code: "unknown", Message: "use open, breaking or resolved"}})
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	out, err := many(ctx, s.db.Pool, driftRow.drift, driftColumns+`
		WHERE ($1::uuid = $7 OR r.provider_dept_id = $1) AND ($2::uuid = $7 OR m.resource_id = $2) AND ($3::uuid = $7 OR m.source_id = $3)
			AND ($4::uuid = $7 OR d.mount_id = $4) AND (NOT $5 OR (d.last_seen, d.id) < ($6, $8))
			AND CASE $9::text WHEN 'open' THEN d.resolved_at IS NULL WHEN 'breaking' THEN d.resolved_at IS NULL AND d.breaks
				WHEN 'resolved' THEN d.resolved_at IS NOT NULL ELSE true END
		ORDER BY d.last_seen DESC, d.id DESC LIMIT $10`,
		own, f.ResourceID, f.SourceID, f.MountID, more, at, uuid.Nil, id, f.State, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing drift: %w", err)
	}
	out, next := db.Cut(out, page, func(d Drift) string { return db.Next(d.LastSeen, d.ID) })
	return out, next, nil
}

// LookAtMount compares the live schema of an active mount's object with what was mounted, notes what differs, and returns what
// breaks the mount: nothing when runs may go on. It is for a run that begins; p is whoever runs it, and connection is open to the
// mount's source. Errors of the source are returned as they are, except that a missing object is a finding, too.
func (s *Service) LookAtMount(ctx context.Context, p authz.Principal, m Mount, connection *connectors.Connection) ([]Drift, error) {
	live, err := connection.Describe(ctx, m.Object)
	gone := fault.CodeOf(err) == connectors.CodeObjectMissing
	if err != nil && !gone {
		return nil, err
	}
	found, err := s.driftOf(ctx, m, live, gone)
	if err != nil {
		return nil, err
	}
	if err := s.noteDrift(ctx, p, m, found); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(d Drift) bool { return !d.Breaks }), nil
}

// activeMounts are the mounts that a source feeds now.
func (s *Service) activeMounts(ctx context.Context, source uuid.UUID) (mounts []Mount, objects []string, err error) {
	mounts, err = many(ctx, s.db.Pool, mountRow.mount,
		"SELECT * FROM mount WHERE source_id = $1 AND state = 'active' ORDER BY id LIMIT $2", source, maxProbed)
	if err != nil {
		return nil, nil, fmt.Errorf("reading mounts: %w", err)
	}
	for _, m := range mounts {
		objects = append(objects, m.Object)
	}
	return mounts, objects, nil
}

// compareSource notes how what a source has now differs from its mounts, when somebody has asked it.
func (s *Service) compareSource(ctx context.Context, p authz.Principal, mounts []Mount, live map[string]connectors.Schema) error {
	for _, m := range mounts {
		schema, there := live[m.Object]
		found, err := s.driftOf(ctx, m, schema, !there)
		if err != nil {
			return err
		}
		if err := s.noteDrift(ctx, p, m, found); err != nil {
			return err
		}
	}
	return nil
}

// driftOf is how the live schema differs from what m was checked against.
func (s *Service) driftOf(ctx context.Context, m Mount, live connectors.Schema, gone bool) ([]Drift, error) {
	if gone {
		return []Drift{{MountID: m.ID, Kind: DriftGone, Was: cutText(m.Object, maxDriftText), Items: []string{}, Breaks: true}}, nil
	}
	v, err := loadVersion(ctx, s.db.Pool, m.ResourceID, m.Version)
	if err != nil {
		return nil, err
	}
	return compareSchema(m, v, live), nil
}

// noteDrift makes the open findings of a mount those that were found; where something new breaks it, a change draft is begun and the
// clock of the update runs.
func (s *Service) noteDrift(ctx context.Context, p authz.Principal, m Mount, found []Drift) error {
	var open int
	if err := s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM drift WHERE mount_id = $1 AND resolved_at IS NULL", m.ID).Scan(&open); err != nil {
		return fmt.Errorf("reading drift: %w", err)
	}
	if open == 0 && len(found) == 0 {
		return nil
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		// The entry, then the mount, as everybody locks them.
		r, err := loadResource(ctx, tx, m.ResourceID, "FOR UPDATE")
		if err != nil {
			return err
		}
		now, err := one(ctx, tx, mountRow.mount, notFound("mount"), "SELECT * FROM mount WHERE id = $1 FOR UPDATE", m.ID)
		if err != nil {
			return err
		}
		if now.State != MountActive || now.RowVersion != m.RowVersion {
			return nil // Somebody has looked after it meanwhile.
		}
		before, err := many(ctx, tx, driftRow.drift, driftColumns+" WHERE d.mount_id = $1 AND d.resolved_at IS NULL", m.ID)
		if err != nil {
			return fmt.Errorf("reading drift: %w", err)
		}
		var fresh, broken []Drift
		for i := range found {
			known := slices.IndexFunc(before, found[i].same)
			if known >= 0 {
				found[i].DraftVersion = before[known].DraftVersion
				continue
			}
			fresh = append(fresh, found[i])
			if found[i].Breaks {
				broken = append(broken, found[i])
			}
		}
		if len(broken) > 0 {
			if err := s.draftForDrift(ctx, tx, &r, m, found); err != nil {
				return err
			}
			if err := s.changeForDrift(ctx, tx, r, m, broken); err != nil {
				return err
			}
		}
		resolved := 0
		for _, d := range before {
			if slices.ContainsFunc(found, d.same) {
				continue
			}
			resolved++
			if _, err := tx.Exec(ctx, "UPDATE drift SET resolved_at = $2 WHERE id = $1", d.ID, tx.Now()); err != nil {
				return fmt.Errorf("resolving drift: %w", err)
			}
		}
		for _, d := range found {
			if err := saveDrift(ctx, tx, d); err != nil {
				return err
			}
		}
		if len(fresh) == 0 && resolved == 0 {
			return nil
		}
		if err := endChangeOfDrift(ctx, tx, m.ResourceID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM drift WHERE mount_id = $1 AND resolved_at < $2", m.ID, tx.Now().Add(-keepDrift)); err != nil {
			return fmt.Errorf("removing old drift: %w", err)
		}
		kinds := make([]string, 0, len(fresh))
		for _, d := range fresh {
			kinds = append(kinds, string(d.Kind)+" "+d.Column)
		}
		return record(ctx, tx, p, "mount.drift", "mount", m.ID.String(), map[string]any{
			"resource_id": m.ResourceID, "source_id": m.SourceID, "object": m.Object, "found": kinds, "breaking": len(broken), "resolved": resolved,
		})
	})
}

// same reports whether both are one finding that goes on.
func (d Drift) same(other Drift) bool { return d.Kind == other.Kind && d.Column == other.Column }

func saveDrift(ctx context.Context, tx *db.Tx, d Drift) error {
	var draft *int
	if d.DraftVersion != 0 {
		draft = &d.DraftVersion
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO drift (id, mount_id, column_name, kind, was, now, items, breaks, draft_version, first_seen, last_seen)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
		ON CONFLICT (mount_id, kind, column_name) WHERE resolved_at IS NULL DO UPDATE
			SET was = $5, now = $6, items = $7, breaks = $8, draft_version = $9, last_seen = $10`,
		db.NewID(), d.MountID, d.Column, string(d.Kind), d.Was, d.Now, d.Items, d.Breaks, draft, tx.Now())
	if err != nil {
		return fmt.Errorf("writing drift: %w", err)
	}
	return nil
}

// driftDocument is what the history of a draft that drift began keeps of it.
type driftDocument struct {
	MountID uuid.UUID `json:"mount_id"`
	Object  string    `json:"object"`
	Columns []string  `json:"columns"`
}

// StepDrift is a draft begun by the hub because a source has changed under an entry.
const StepDrift Step = "drift"

// driftReason stands in the history of a draft that drift began.
const driftReason = "the source has changed under the published version"

// draftForDrift begins a new version of a published entry, in the hub's own name, so that the department finds the change that is
// needed begun; a draft that somebody is working on is taken instead. r is locked.
func (s *Service) draftForDrift(ctx context.Context, tx *db.Tx, r *Resource, m Mount, found []Drift) error {
	if r.State != Published {
		return nil
	}
	if r.Newest == r.Published {
		hub := authz.Hub("drift")
		v, err := beginVersion(ctx, tx, hub, r)
		if err != nil {
			return err
		}
		document := driftDocument{MountID: m.ID, Object: m.Object, Columns: []string{}}
		for _, d := range found {
			if d.Breaks {
				document.Columns = append(document.Columns, d.Column)
			}
		}
		if err := s.note(ctx, tx, hub, *r, v, StepDrift, "", driftReason, document); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE resource SET newest = $2, next_item_no = $3, row_version = row_version + 1, updated_at = $4 WHERE id = $1",
			r.ID, r.Newest, r.NextItemNo, tx.Now())
		if err != nil {
			return fmt.Errorf("beginning a version: %w", err)
		}
		if err := index(ctx, tx, r.ID); err != nil {
			return err
		}
	}
	for i := range found {
		if found[i].Breaks && found[i].DraftVersion == 0 {
			found[i].DraftVersion = r.Newest
		}
	}
	return nil
}

// endDrift resolves what is open about a mount that is no longer in use: it is looked at anew before it is again.
func endDrift(ctx context.Context, tx *db.Tx, m Mount) error {
	if _, err := tx.Exec(ctx, "UPDATE drift SET resolved_at = $2 WHERE mount_id = $1 AND resolved_at IS NULL", m.ID, tx.Now()); err != nil {
		return fmt.Errorf("resolving drift: %w", err)
	}
	return endChangeOfDrift(ctx, tx, m.ResourceID)
}
