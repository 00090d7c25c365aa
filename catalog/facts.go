package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// facts gathers what Check needs to know about a version besides its text.
func (s *Service) facts(ctx context.Context, tx *db.Tx, r Resource, v Version) (Facts, error) {
	f := Facts{Today: s.today(), ProviderCode: v.ProviderCode, Departments: map[uuid.UUID]bool{}, KeyItems: map[string]string{}}
	err := tx.QueryRow(ctx, `
		SELECT
			EXISTS (SELECT FROM resource WHERE provider_dept_id = $2 AND name = $3 AND id <> $1 AND state <> 'revoked'),
			EXISTS (SELECT FROM mount WHERE resource_id = $1 AND state IN ('active', 'suspended'))`,
		r.ID, r.ProviderDeptID, v.Name).Scan(&f.NameTaken, &f.HasMounts)
	if err != nil {
		return Facts{}, fmt.Errorf("gathering facts: %w", err)
	}
	named := []uuid.UUID{v.SourceDeptID}
	for _, item := range v.Items {
		named = append(named, item.SourceDeptID)
	}
	departments, err := column[uuid.UUID](ctx, tx, "SELECT id FROM department WHERE id = ANY($1)", named)
	if err != nil {
		return Facts{}, err
	}
	for _, id := range departments {
		f.Departments[id] = true
	}
	if f.Systems, err = column[uuid.UUID](ctx, tx, "SELECT id FROM system WHERE department_id = $1", r.ProviderDeptID); err != nil {
		return Facts{}, err
	}
	bases, err := many(ctx, tx, baseDatabaseRow.baseDatabase, "SELECT * FROM base_database")
	if err != nil {
		return Facts{}, err
	}
	for _, b := range bases {
		f.BaseDatabases = append(f.BaseDatabases, b.Code)
		// The key item binds what the lead department offers as the base database; others may hold a part of its data.
		if b.LeadDeptID == r.ProviderDeptID && b.ResourceID == r.ID {
			f.KeyItems[b.Code] = b.KeyItem
		}
	}
	if f.Owned, f.UnknownElements, err = owned(ctx, tx, r, v); err != nil {
		return Facts{}, err
	}
	if err := s.tableFacts(ctx, tx, r, v, &f); err != nil {
		return Facts{}, err
	}
	documents, err := column[string](ctx, tx, "SELECT sha256 FROM assessment_file WHERE resource_id = $1", r.ID)
	if err != nil {
		return Facts{}, err
	}
	f.Documents = make(map[string]bool, len(documents))
	for _, digest := range documents {
		f.Documents[digest] = true
	}
	f.Similar, err = similar(ctx, tx, r, v)
	return f, err
}

// tableFacts adds the code tables, and which of the related entries can be read by whoever may read this one.
func (s *Service) tableFacts(ctx context.Context, tx *db.Tx, r Resource, v Version, f *Facts) (err error) {
	f.OwnCode, f.Coder, f.Related = r.Code, s.coder, map[string]bool{}
	if f.Codes, err = s.codeBook(ctx, tx); err != nil || len(v.RelatedCodes) == 0 {
		return err
	}
	readable, err := column[string](ctx, tx, "SELECT code FROM resource WHERE code = ANY($1) AND state = 'published'", v.RelatedCodes)
	for _, code := range readable {
		f.Related[code] = true
	}
	return err
}

// column reads one column.
func column[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	found, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowTo[T])
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	return out, nil
}

// normalise brings metadata into the form that is kept: names without blanks around them, lists that are never nil, and
// 无条件 as the condition of unconditional entries that state none (domain table 2.2, row 9b).
func normalise(m *Metadata) {
	m.Name = strings.TrimSpace(m.Name)
	m.Classifications = filled(m.Classifications)
	m.Formats = filled(m.Formats)
	m.ShareMethods = filled(m.ShareMethods)
	m.RelatedCodes = filled(m.RelatedCodes)
	m.Themes = filled(m.Themes)
	m.Tags = filled(m.Tags)
	m.Items = slices.Clone(filled(m.Items))
	for i := range m.Items {
		m.Items[i].Name = strings.TrimSpace(m.Items[i].Name)
	}
	if m.DeclaredShare == Unconditional && strings.TrimSpace(m.ShareCondition) == "" {
		m.ShareCondition = Unconditionally
	}
}

func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// nulls returns the JSON paths of all texts that hold a NUL character, which PostgreSQL cannot store.
func nulls(v any) []string {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil
	}
	var paths []string
	var walk func(path string, node any)
	walk = func(path string, node any) {
		switch n := node.(type) {
		case string:
			if strings.ContainsRune(n, 0) {
				paths = append(paths, path)
			}
		case []any:
			for i, child := range n {
				walk(path+"["+strconv.Itoa(i)+"]", child)
			}
		case map[string]any:
			for key, child := range n {
				walk(strings.TrimPrefix(path+"."+key, "."), child)
			}
		}
	}
	walk("", tree)
	slices.Sort(paths)
	return paths
}
