package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Query narrows a search in the directory. Empty fields do not narrow.
type Query struct {
	Text         string // Part of name, summary, code, or of the name or identifier of an item.
	BaseDatabase string
	DepartmentID uuid.UUID
	ShareType    ShareType
	UpdateCycle  UpdateCycle
	State        State // "" means Published. Other states show what the caller may see of them.
}

// Entry is one hit of a search.
type Entry struct {
	ID           uuid.UUID   `json:"id"`
	Code         string      `json:"code"`
	Name         string      `json:"name"`
	Summary      string      `json:"summary"`
	DepartmentID uuid.UUID   `json:"department_id"`
	Department   string      `json:"department"` // Name of the provider.
	BaseDatabase string      `json:"base_database"`
	ShareType    ShareType   `json:"share_type"`
	Grade        Grade       `json:"grade"`
	UpdateCycle  UpdateCycle `json:"update_cycle"`
	Open         bool        `json:"open"`
	State        State       `json:"state"`
	Version      int         `json:"version"`
	Items        int         `json:"items"`   // How many it has.
	Mounted      bool        `json:"mounted"` // An active mount brings data.
	PublishedAt  *time.Time  `json:"published_at,omitempty"`
	UpdatedAt    time.Time   `json:"updated_at"`
}

// Facets counts the hits of a search, for narrowing it further. Each list is sorted by its value.
type Facets struct {
	Total         int64   `json:"total"`
	BaseDatabases []Facet `json:"base_databases"`
	Departments   []Facet `json:"departments"` // Value is the department's id.
	ShareTypes    []Facet `json:"share_types"`
}

// Facet is one value and how many hits have it.
type Facet struct {
	Value string `json:"value"`
	Label string `json:"label"` // For people; the value itself where there is nothing better.
	Count int64  `json:"count"`
}

// hits is the one search of the directory: what is published for everyone, what is not for the people of its department,
// and for reviewers of the authority from the authority's review on. Its parameters are those of (*Service).hitArgs.
const hits = `
	SELECT r.id, coalesce(r.code, '') AS code, v.name, v.summary, r.provider_dept_id AS department_id, d.name AS department,
		coalesce(v.base_database, '') AS base_database, v.share_type, v.grade, v.update_cycle, v.open, v.state, v.version,
		(SELECT count(*) FROM item i WHERE i.resource_id = r.id AND i.version = v.version) AS items,
		EXISTS (SELECT FROM mount m WHERE m.resource_id = r.id AND m.state = 'active') AS mounted,
		v.published_at, v.updated_at
	FROM resource r
	JOIN resource_version v ON v.resource_id = r.id
		AND v.version = CASE WHEN $1 IN ('published', 'offline', 'revoked') THEN r.published ELSE r.newest END
	JOIN department d ON d.id = r.provider_dept_id
	WHERE v.state = $1
		AND ($1 = 'published' OR r.provider_dept_id = $2 OR ($3 AND $1 NOT IN ('draft', 'dept_review')))
		AND ($4 = '' OR v.base_database = $4)
		AND ($5::uuid = '00000000-0000-0000-0000-000000000000' OR r.provider_dept_id = $5)
		AND ($6 = '' OR v.share_type = $6)
		AND ($7 = '' OR v.update_cycle = $7)
		AND ($8 = '%%' OR v.name ILIKE $8 OR v.summary ILIKE $8 OR r.code ILIKE $8 OR EXISTS (
			SELECT FROM item i WHERE i.resource_id = r.id AND i.version = v.version AND (i.name ILIKE $8 OR i.identifier ILIKE $8)))`

func (s *Service) hitArgs(p authz.Principal, q Query) ([]any, error) {
	state := q.State
	switch state {
	case "":
		state = Published
	case Draft, DeptReview, PlatformReview, Returned, Published, Offline, Revoked:
	default:
		return nil, fault.InvalidFields([]fault.Field{{Name: "state", Code: "not_choice", Message: "state draft, dept_review, platform_review, returned, published, offline or revoked"}})
	}
	own := uuid.Nil
	if p.Department != uuid.Nil && s.mayReadDrafts(p, p.Department) {
		own = p.Department
	}
	// Only roles that act for the whole platform may read the drafts of a department that is nobody's.
	all := s.mayReadDrafts(p, uuid.Nil)
	return []any{
		string(state), own, all, clean(q.BaseDatabase), q.DepartmentID, clean(string(q.ShareType)), clean(string(q.UpdateCycle)),
		contains(clean(q.Text)),
	}, nil
}

// clean drops what PostgreSQL cannot take in a text.
func clean(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") }

// Search lists entries, the last changed first.
func (s *Service) Search(ctx context.Context, p authz.Principal, q Query, page db.Page) ([]Entry, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceRead, authz.Target{Kind: "resource", State: string(Published)}); err != nil {
		return nil, "", err
	}
	args, err := s.hitArgs(p, q)
	if err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	after, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := s.db.Pool.Query(ctx, "SELECT * FROM ("+hits+`) AS h
		WHERE NOT $9 OR (h.updated_at, h.id) < ($10, $11) ORDER BY h.updated_at DESC, h.id DESC LIMIT $12`,
		append(args, after, at, id, page.Size()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("searching the directory: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[Entry])
	if err != nil {
		return nil, "", fmt.Errorf("searching the directory: %w", err)
	}
	for i := range out {
		out[i].UpdatedAt, out[i].PublishedAt = out[i].UpdatedAt.UTC(), inUTC(out[i].PublishedAt)
	}
	out, next := cut(out, page, func(e Entry) string { return db.Next(e.UpdatedAt, e.ID) })
	return out, next, nil
}

// Facets counts the hits of a search.
func (s *Service) Facets(ctx context.Context, p authz.Principal, q Query) (Facets, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceRead, authz.Target{Kind: "resource", State: string(Published)}); err != nil {
		return Facets{}, err
	}
	args, err := s.hitArgs(p, q)
	if err != nil {
		return Facets{}, err
	}
	found, err := s.db.Pool.Query(ctx, "WITH h AS ("+hits+`)
		SELECT 'base' AS kind, h.base_database AS value, coalesce(b.name, '') AS label, count(*) AS count
			FROM h LEFT JOIN base_database b ON b.code = h.base_database WHERE h.base_database <> '' GROUP BY 2, 3
		UNION ALL SELECT 'department', h.department_id::text, h.department, count(*) FROM h GROUP BY 2, 3
		UNION ALL SELECT 'share', h.share_type, h.share_type, count(*) FROM h GROUP BY 2
		UNION ALL SELECT 'total', '', '', count(*) FROM h
		ORDER BY 1, 2`, args...)
	if err != nil {
		return Facets{}, fmt.Errorf("counting the directory: %w", err)
	}
	type counted struct {
		Kind, Value, Label string
		Count              int64
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByName[counted])
	if err != nil {
		return Facets{}, fmt.Errorf("counting the directory: %w", err)
	}
	out := Facets{BaseDatabases: []Facet{}, Departments: []Facet{}, ShareTypes: []Facet{}}
	for _, c := range all {
		f := Facet{Value: c.Value, Label: c.Label, Count: c.Count}
		switch c.Kind {
		case "base":
			out.BaseDatabases = append(out.BaseDatabases, f)
		case "department":
			out.Departments = append(out.Departments, f)
		case "share":
			out.ShareTypes = append(out.ShareTypes, f)
		case "total":
			out.Total = c.Count
		}
	}
	return out, nil
}

// Get returns an entry with its visible version, or for those who may read drafts with the newest while none is visible.
func (s *Service) Get(ctx context.Context, p authz.Principal, id uuid.UUID) (Resource, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	r.Version, err = loadVersion(ctx, s.db.Pool, id, shown(r))
	return r, err
}

// GetVersion returns an entry with one of its versions: the published one for everyone, others for those who may read
// drafts.
func (s *Service) GetVersion(ctx context.Context, p authz.Principal, id uuid.UUID, number int) (Resource, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	if (number != r.Published || r.State != Published) && !s.mayReadDrafts(p, r.ProviderDeptID) {
		return Resource{}, notFound("version")
	}
	r.Version, err = loadVersion(ctx, s.db.Pool, id, number)
	return r, err
}

// Versions lists the versions of an entry without their items, the newest first; only the published one for those who
// may not read drafts.
func (s *Service) Versions(ctx context.Context, p authz.Principal, id uuid.UUID) ([]Version, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return nil, err
	}
	all, err := many(ctx, s.db.Pool, versionRow.version, `
		SELECT * FROM resource_version WHERE resource_id = $1 AND ($2 OR version = $3) ORDER BY version DESC`,
		id, s.mayReadDrafts(p, r.ProviderDeptID), r.Published)
	if err != nil {
		return nil, fmt.Errorf("listing versions: %w", err)
	}
	return all, nil
}

// History lists the review history of an entry, the oldest step first.
func (s *Service) History(ctx context.Context, p authz.Principal, id uuid.UUID) ([]HistoryEntry, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, resourceTarget(r)); err != nil {
		return nil, err
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT id, version, action AS step, from_state AS from, to_state AS to, actor_id, reason, document, at
		FROM resource_step WHERE resource_id = $1 ORDER BY at, id`, id)
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[HistoryEntry])
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	for i := range out {
		out[i].At = out[i].At.UTC()
	}
	return out, nil
}

// Review returns what a reviewer is shown beside a version: what blocks it now and what to look at.
func (s *Service) Review(ctx context.Context, p authz.Principal, id uuid.UUID) (blocks, warnings []fault.Field, err error) {
	f, err := s.Findings(ctx, p, id)
	return f.Blocks, f.Warnings, err
}

// readable returns an entry that p may read, without its version.
func (s *Service) readable(ctx context.Context, p authz.Principal, id uuid.UUID) (Resource, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	action := authz.ResourceRead
	if r.State != Published {
		action = authz.ResourceReadDraft
	}
	if _, err := s.enforcer.Check(ctx, p, action, resourceTarget(r)); err != nil {
		return Resource{}, err
	}
	return r, nil
}

// PublishedTx returns a published entry with its visible version and items, for other rooms that take part in the
// transaction. With lock the entry's row is held FOR SHARE, so that it cannot be changed before the commit. It is NotFound
// for entries that are not published.
func (s *Service) PublishedTx(ctx context.Context, tx *db.Tx, id uuid.UUID, lock bool) (Resource, error) {
	mode := ""
	if lock {
		mode = "FOR SHARE"
	}
	r, err := loadResource(ctx, tx, id, mode)
	if err != nil {
		return Resource{}, err
	}
	if r.State != Published {
		return Resource{}, notFound("published resource")
	}
	r.Version, err = loadVersion(ctx, tx, id, r.Published)
	return r, err
}

// LoadVersion returns one version with its items, whatever its state, for other rooms that have already decided. q is the
// pool or a transaction.
func (s *Service) LoadVersion(ctx context.Context, q Querier, id uuid.UUID, number int) (Version, error) {
	return loadVersion(ctx, q, id, number)
}
