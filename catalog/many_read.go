package catalog

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Many entries are read and written with a fixed number of statements, for files that hold thousands of them.

// Readable lists, with all they state, the entries that p may read, in the order of their departments' credit codes and of their
// creation: the newest version of those of p's own department, if p may read drafts, and what is published of the others.
// department narrows to one; revoked entries are left out.
func (s *Service) Readable(ctx context.Context, p authz.Principal, department uuid.UUID, page db.Page) ([]Resource, string, error) {
	if err := s.mayRead(ctx, p); err != nil {
		return nil, "", err
	}
	own := uuid.Nil
	if p.Department != uuid.Nil && s.mayReadDrafts(p, p.Department) {
		own = p.Department
	}
	var uscc string
	var id uuid.UUID
	after, err := page.After(&uscc, &id)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT r.id, CASE WHEN r.provider_dept_id = $1 THEN r.newest ELSE r.published END, d.uscc
		FROM resource r JOIN department d ON d.id = r.provider_dept_id
		WHERE (r.state = 'published' OR r.provider_dept_id = $1 AND r.state <> 'revoked')
			AND ($2::uuid = '00000000-0000-0000-0000-000000000000' OR r.provider_dept_id = $2)
			AND (NOT $3 OR (d.uscc, r.id) > ($4, $5))
		ORDER BY d.uscc, r.id LIMIT $6`, own, department, after, uscc, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing entries: %w", err)
	}
	type ref struct {
		ID      uuid.UUID
		Version int
		USCC    string
	}
	refs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ref])
	if err != nil {
		return nil, "", fmt.Errorf("listing entries: %w", err)
	}
	refs, next := db.Cut(refs, page, func(r ref) string { return db.Next(r.USCC, r.ID) })
	ids, numbers := make([]uuid.UUID, len(refs)), make([]int, len(refs))
	for i, r := range refs {
		ids[i], numbers[i] = r.ID, r.Version
	}
	out, err := loadMany(ctx, s.db.Pool, ids, numbers, "")
	return out, next, err
}

// Found lists the published entries of a search with all they state, in the order of the search.
func (s *Service) Found(ctx context.Context, p authz.Principal, q Query, page db.Page) ([]Resource, string, error) {
	q.State = Published
	hits, next, err := s.Search(ctx, p, q, page)
	if err != nil {
		return nil, "", err
	}
	ids, numbers := make([]uuid.UUID, len(hits)), make([]int, len(hits))
	for i, h := range hits {
		ids[i], numbers[i] = h.ID, h.Version
	}
	out, err := loadMany(ctx, s.db.Pool, ids, numbers, "")
	return out, next, err
}

// SameEntriesTx returns the entries that have one of the codes, of whatever department, and those of a department that have one of the
// names, each with its newest version; revoked ones only by their code. lock is "" or "FOR UPDATE".
func (s *Service) SameEntriesTx(ctx context.Context, q Querier, department uuid.UUID, codes, names []string, lock string) ([]Resource, error) {
	rows, err := q.Query(ctx, `
		SELECT id, newest FROM resource r
		WHERE r.code = ANY($2) OR r.provider_dept_id = $1 AND r.state <> 'revoked' AND r.name = ANY($3) ORDER BY id `+lock, department, codes, names)
	if err != nil {
		return nil, fmt.Errorf("looking for entries: %w", err)
	}
	var ids []uuid.UUID
	var numbers []int
	var id uuid.UUID
	var number int
	if _, err := pgx.ForEachRow(rows, []any{&id, &number}, func() error {
		ids, numbers = append(ids, id), append(numbers, number)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("looking for entries: %w", err)
	}
	return loadMany(ctx, q, ids, numbers, "")
}

// loadMany reads entries, each with one version and its items, in the order of ids.
func loadMany(ctx context.Context, q Querier, ids []uuid.UUID, numbers []int, lock string) ([]Resource, error) {
	resources, err := many(ctx, q, resourceRow.resource, "SELECT * FROM resource WHERE id = ANY($1) "+lock, ids)
	if err != nil {
		return nil, err
	}
	const these = " JOIN unnest($1::uuid[], $2::int[]) AS w(id, number) ON w.id = t.resource_id AND w.number = t.version "
	type read struct {
		id uuid.UUID
		v  Version
	}
	versions, err := many(ctx, q, func(r versionRow) (read, error) {
		v, err := r.version()
		return read{r.ResourceID, v}, err
	}, "SELECT t.* FROM resource_version t"+these, ids, numbers)
	if err != nil {
		return nil, err
	}
	type owned struct {
		id   uuid.UUID
		item Item
	}
	items, err := many(ctx, q, func(r itemRow) (owned, error) {
		i, err := r.item()
		return owned{r.ResourceID, i}, err
	}, "SELECT t.* FROM item t"+these+"ORDER BY t.resource_id, t.ordinal", ids, numbers)
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]Resource, len(resources))
	for _, r := range resources {
		byID[r.ID] = r
	}
	for _, v := range versions {
		r := byID[v.id]
		v.v.Items = []Item{}
		r.Version = v.v
		byID[v.id] = r
	}
	for _, i := range items {
		r := byID[i.id]
		r.Version.Items = append(r.Version.Items, i.item)
		byID[i.id] = r
	}
	out := make([]Resource, 0, len(ids))
	for _, id := range ids {
		if r, ok := byID[id]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

// Storable brings metadata into the form that is kept and returns what keeps them from being a draft, as CreateResource would say
// it; nil when nothing does.
func Storable(m *Metadata) []fault.Field {
	normalise(m)
	return checkDraft(*m)
}

// Compilable says why nobody can state something new of an entry now, nil when the newest version is a draft or returned, or when
// a new version can be begun beside the published one.
func Compilable(r Resource) error {
	if r.State == Revoked || r.State == Offline || !editable(r.Version.State) && (r.State != Published || r.Newest != r.Published) {
		return illegalMove("entry", string(r.Version.State), "edit", stepNames(Next(r.Version.State)))
	}
	return nil
}
