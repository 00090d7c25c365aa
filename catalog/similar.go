package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// SimilarTo is a published entry of another department that may be the same data (一数一源 conflict): why it seems so, in
// percentages, and how much all in all.
type SimilarTo struct {
	ID           uuid.UUID `json:"id"` // Zero for entries that the caller may not read.
	DepartmentID uuid.UUID `json:"department_id"`
	Department   string    `json:"department"`
	Name         string    `json:"name"`      // "" for entries that the caller may not read.
	Items        int       `json:"items"`     // Of this version's items, how many the entry has by name or identifier.
	Title        int       `json:"title"`     // How alike the names are, general words aside.
	CodeSets     int       `json:"code_sets"` // Of this version's code lists, how many the entry uses; 0 when it uses none.
	Score        int       `json:"score"`     // 65 parts items, 35 parts name; with code lists 60, 30 and 10.

	shareType, grade string // For the enforcer.
}

// The bounds of a search for similar entries. sameItems is that of domain table 2.6.
const (
	maxSimilar   = 5   // Pointed out.
	sameTitle    = 80  // Names that are alike to this percentage are nearly the same.
	maxProbes    = 12  // Items by which candidates are looked for.
	perProbe     = 400 // Rows read for each of them; half as many are counted to find the rarest.
	maxCompared  = 600 // Candidates compared.
	nameSiblings = 100 // Candidates by name.
)

// similar finds published entries of other departments with nearly the same name, or with most of the same items. It does not
// compare with every entry: an entry that shares four fifths of n items has at least one of any n/5+1 of them, so candidates are
// those that have one of the n/5+1 rarest, each looked up in an index and read to a bound.
func similar(ctx context.Context, q Querier, r Resource, v Version) ([]SimilarTo, error) {
	names, identifiers := make([]string, len(v.Items)), make([]string, len(v.Items))
	var lists []string
	for i, item := range v.Items {
		names[i], identifiers[i] = item.Name, item.Identifier
		if item.CodeSet != "" && !slices.Contains(lists, item.CodeSet) {
			lists = append(lists, item.CodeSet)
		}
	}
	probes := min(len(v.Items)*(100-sameItems)/100+1, maxProbes)
	found, err := q.Query(ctx, `
		WITH mine AS MATERIALIZED (
			SELECT m.name, m.identifier,
				(SELECT count(*) FROM (SELECT FROM item i WHERE i.name = m.name LIMIT $7 / 2) c)
				+ (SELECT count(*) FROM (SELECT FROM item i WHERE i.identifier = m.identifier LIMIT $7 / 2) c) AS uses
			FROM unnest($3::text[], $4::text[]) AS m (name, identifier)),
		rare AS MATERIALIZED (SELECT name, identifier FROM mine ORDER BY uses, name LIMIT $6),
		candidate AS MATERIALIZED (
			SELECT DISTINCT c.id FROM (
				SELECT i.resource_id AS id FROM rare CROSS JOIN LATERAL (SELECT resource_id FROM item i WHERE i.name = rare.name LIMIT $7) i
				UNION ALL
				SELECT i.resource_id FROM rare CROSS JOIN LATERAL (SELECT resource_id FROM item i WHERE i.identifier = rare.identifier LIMIT $7) i
				UNION ALL
				(SELECT id FROM resource o WHERE o.state = 'published' AND name_key(o.name) = name_key($2) LIMIT $9)) c
			LIMIT $8)
		SELECT o.id, d.id, d.name, o.name, ov.share_type, ov.grade,
			least(same.items * 100 / greatest(cardinality($3::text[]), 1), 100)::int,
			(same.lists * 100 / greatest(cardinality($5::text[]), 1))::int, name_key(o.name), name_key($2)
		FROM candidate c JOIN resource o ON o.id = c.id AND o.state = 'published' AND o.provider_dept_id <> $1
		JOIN resource_version ov ON ov.resource_id = o.id AND ov.version = o.published
		JOIN department d ON d.id = o.provider_dept_id
		CROSS JOIN LATERAL (
			SELECT count(*) FILTER (WHERE i.name = ANY($3) OR i.identifier = ANY($4)) AS items, count(DISTINCT i.code_set) FILTER (WHERE i.code_set = ANY($5)) AS lists
			FROM item i WHERE i.resource_id = o.id AND i.version = o.published) same`,
		r.ProviderDeptID, v.Name, names, identifiers, filled(lists), probes, perProbe, maxCompared, nameSiblings)
	if err != nil {
		return nil, fmt.Errorf("looking for similar entries: %w", err)
	}
	all, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (SimilarTo, error) {
		var s SimilarTo
		var theirs, ours string
		err := row.Scan(&s.ID, &s.DepartmentID, &s.Department, &s.Name, &s.shareType, &s.grade, &s.Items, &s.CodeSets, &theirs, &ours)
		s.Title = alike(theirs, ours)
		s.Score = (65*s.Items + 35*s.Title) / 100
		if len(lists) > 0 {
			s.Score = (60*s.Items + 30*s.Title + 10*s.CodeSets) / 100
		}
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for similar entries: %w", err)
	}
	all = slices.DeleteFunc(all, func(s SimilarTo) bool { return s.Items < sameItems && s.Title < sameTitle })
	slices.SortFunc(all, func(a, b SimilarTo) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Department, b.Department), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return all[:min(len(all), maxSimilar)], nil
}

// alike says to which percentage two names consist of the same pairs of neighbouring characters (Dice's coefficient). Names of
// one character are alike when they are equal; nothing is like an empty name.
func alike(a, b string) int {
	x, y := pairs(a), pairs(b)
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	common := 0
	for pair, n := range x {
		common += min(n, y[pair])
	}
	return 200 * common / (total(x) + total(y))
}

func pairs(s string) map[string]int {
	runes := []rune(s)
	out := map[string]int{}
	if len(runes) == 1 {
		out[s] = 1
	}
	for i := 1; i < len(runes); i++ {
		out[string(runes[i-1:i+1])]++
	}
	return out
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// similarity points out entries of other departments that may hold the same data.
func (c *checker) similarity() {
	for _, s := range c.facts.Similar {
		field, what := "name", fmt.Sprintf("nearly the same name (%d %%)", s.Title)
		if s.Items >= sameItems {
			field, what = "items", fmt.Sprintf("%d %% of these items", s.Items)
		}
		entry := "an entry " + s.Name
		if s.Name == "" {
			entry = "an entry that you may not read"
		}
		c.warn(field, "one_source", "%s has %s with %s; one department should be the source (Art 19)", s.Department, entry, what)
	}
}
