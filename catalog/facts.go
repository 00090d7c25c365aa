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

// maxSimilar bounds how many similar entries are pointed out.
const maxSimilar = 5

// similar finds published entries of other departments with nearly the same name, or with most of the same items.
func similar(ctx context.Context, q Querier, r Resource, v Version) ([]SimilarTo, error) {
	names := make([]string, 0, len(v.Items))
	for _, item := range v.Items {
		names = append(names, item.Name)
	}
	found, err := q.Query(ctx, `
		WITH same AS (
			SELECT i.resource_id, count(*) * 100 / greatest(cardinality($3::text[]), 1) AS percent
			FROM item i JOIN resource o ON o.id = i.resource_id AND o.published = i.version
			WHERE i.name = ANY($3) AND o.state = 'published' AND o.provider_dept_id <> $1
			GROUP BY i.resource_id)
		SELECT d.name, o.name, coalesce(same.percent, 0)::int
		FROM resource o JOIN department d ON d.id = o.provider_dept_id LEFT JOIN same ON same.resource_id = o.id
		WHERE o.state = 'published' AND o.provider_dept_id <> $1
			AND (same.percent >= $4 OR regexp_replace(o.name, $5, '', 'g') = regexp_replace($2, $5, '', 'g'))
		ORDER BY 3 DESC, 1, 2 LIMIT $6`,
		r.ProviderDeptID, v.Name, names, sameItems, `[\s()（）的]|信息|数据|基本`, maxSimilar)
	if err != nil {
		return nil, fmt.Errorf("looking for similar entries: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByPos[SimilarTo])
	if err != nil {
		return nil, fmt.Errorf("looking for similar entries: %w", err)
	}
	return out, nil
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
