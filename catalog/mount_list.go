package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// MountEntry is a mount in a list, with what the things around it are called.
type MountEntry struct {
	ID           uuid.UUID
	ResourceID   uuid.UUID
	Resource     string
	DepartmentID uuid.UUID // The provider.
	Version      int
	Published    int // Version that consumers see; 0 while nothing is published.
	SourceID     uuid.UUID
	Source       string
	Object       string
	Fed          int // How many items a column feeds.
	State        MountState
	UpdatedAt    time.Time
}

// MountFilter narrows MountList. A zero field does not narrow.
type MountFilter struct {
	ResourceID uuid.UUID
	SourceID   uuid.UUID
	State      MountState
}

// MountList lists the mounts that p may see, those changed last first, without those removed.
func (s *Service) MountList(ctx context.Context, p authz.Principal, f MountFilter, page db.Page) ([]MountEntry, string, error) {
	own := p.Department
	if s.enforcer.Allowed(p, authz.SourceRead, authz.Target{Kind: "mount"}) {
		own = uuid.Nil
	} else if _, err := s.enforcer.Check(ctx, p, authz.SourceRead, authz.Target{Kind: "mount", Department: own}); err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	out, err := many(ctx, s.db.Pool, func(e MountEntry) (MountEntry, error) { return e, nil }, `
		SELECT m.id, m.resource_id, r.name AS resource, r.provider_dept_id AS department_id, m.version, coalesce(r.published, 0) AS published,
			m.source_id, s.name AS source, m.object, m.state, m.updated_at,
			(SELECT count(*)::int FROM jsonb_array_elements(CASE jsonb_typeof(m.columns) WHEN 'array' THEN m.columns ELSE '[]' END) c WHERE c->>'column' <> '') AS fed
		FROM mount m JOIN resource r ON r.id = m.resource_id JOIN source s ON s.id = m.source_id
		WHERE m.state <> 'removed' AND ($1::uuid = $7 OR r.provider_dept_id = $1) AND ($2::uuid = $7 OR m.resource_id = $2)
			AND ($3::uuid = $7 OR m.source_id = $3) AND ($4::text = '' OR m.state = $4) AND (NOT $5 OR (m.updated_at, m.id) < ($6, $8))
		ORDER BY m.updated_at DESC, m.id DESC LIMIT $9`,
		own, f.ResourceID, f.SourceID, string(f.State), more, at, uuid.Nil, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing mounts: %w", err)
	}
	out, next := db.Cut(out, page, func(e MountEntry) string { return db.Next(e.UpdatedAt, e.ID) })
	return out, next, nil
}

// ReviewMount compares a mount with its items once more, by the columns that the last check found: it does not ask the source. A
// mount that was never checked, or was edited since, has nothing to say.
func (s *Service) ReviewMount(ctx context.Context, p authz.Principal, id uuid.UUID) (MountReport, error) {
	m, _, err := s.mountFor(ctx, p, authz.SourceRead, id)
	if err != nil {
		return MountReport{}, err
	}
	report := MountReport{Mount: m, Blocks: []fault.Field{}, Warnings: []fault.Field{}}
	if len(m.Schema.Columns) == 0 {
		return report, nil
	}
	v, err := loadVersion(ctx, s.db.Pool, m.ResourceID, m.Version)
	if err != nil {
		return MountReport{}, err
	}
	columns, blocks, warnings := checkMount(m, v, m.Schema)
	// What a delete table looks like is not kept: only a check can judge it.
	if m.DeleteRule != DeleteTable {
		blocks = append(blocks, checkDeleteColumns(m, columns, v, m.Schema, connectors.Schema{})...)
	}
	report.Blocks, report.Warnings = append(report.Blocks, blocks...), append(report.Warnings, warnings...)
	return report, nil
}

// OpenMount opens the source of a mount to look at a few rows. d must be a decision that allows to write that very mount. The
// caller closes the connection.
func (s *Service) OpenMount(ctx context.Context, d authz.Decision, m Mount) (*connectors.Connection, error) {
	if !d.Allows(authz.MountWrite) || d.Target().ID != m.ID.String() {
		return nil, fault.New(fault.Forbidden, "forbidden", "looking at rows of a source needs a decision that allows to write its mount").At("policy")
	}
	row, err := loadSource(ctx, s.db.Pool, m.SourceID, "")
	if err != nil {
		return nil, err
	}
	return s.openConnection(ctx, row)
}
