package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
)

// Overview is what the directory holds at a moment. It counts published entries only, which everybody who may read the directory
// may see: drafts are in none of its figures and lists.
type Overview struct {
	At            time.Time // When it was counted: at most Options.CountedFor ago, or a hundred times as long as counting took.
	Resources     int64     // Published entries.
	HasData       int64     // Those of which rows have arrived.
	Open          int64     // Those open to the public.
	Items         int64
	Rows          int64          // Now at the hub.
	BaseDatabases []BaseOverview // All of them, in their own order.
	Departments   []Facet        // With entries, the most first. Value is the department's id.
	Themes        []Facet        // With entries, the most first.
	Newest        []Entry        // The last published, newest first.
	MostUsed      []UsedEntry    // Since UsedSince, the most rows first.
	UsedSince     time.Time      // Days before At.
	UsedAt        time.Time      // When use was counted: at most usedFor ago.
}

// BaseOverview is what is published of one base database.
type BaseOverview struct {
	BaseDatabase
	Resources int64
	Rows      int64
	ArrivedAt *time.Time // The newest arrival; nil: nothing has arrived.
}

// UsedEntry is an entry with what consuming systems took of it.
type UsedEntry struct {
	Entry
	Calls int64
	Taken int64 // Rows that left.
}

const (
	// listed bounds the lists of an overview.
	listed = 8
	// usedDays is the period over which use is counted.
	usedDays = 30
	// usedFor is how long a count of use is shown: it reads every record of use of the period.
	usedFor = 10 * time.Minute
	// countedShare is how many times as long as counting took a count is shown.
	countedShare = 100
	// usedRanked is how many resources are ranked, so that enough remain of those that are published.
	usedRanked = 4 * listed
)

// count is what is published, as counted at a moment.
type count struct {
	at      time.Time
	took    time.Duration
	counted tallies
	newest  []Entry
}

// ranking is who was used most, as counted at a moment.
type ranking struct {
	at, since time.Time
	used      []audit.ResourceUse
}

// Overview counts the directory for its front page.
func (s *Service) Overview(ctx context.Context, p authz.Principal) (Overview, error) {
	if err := s.mayRead(ctx, p); err != nil {
		return Overview{}, err
	}
	now, err := s.countedNow(ctx)
	if err != nil {
		return Overview{}, err
	}
	counted := now.counted
	out := Overview{
		At: now.at, Newest: slices.Clone(now.newest), Resources: counted.sum("total"), HasData: counted.sum("data"), Open: counted.sum("open"), Items: counted.sum("items"),
		Rows: counted.sum("rows"), Departments: mostFirst(counted.of("department")), Themes: mostFirst(counted.of("theme")),
	}
	if out.BaseDatabases, err = s.baseOverviews(ctx, p, counted); err != nil {
		return Overview{}, err
	}
	used, err := s.ranked(ctx)
	if err != nil {
		return Overview{}, err
	}
	out.UsedAt, out.UsedSince = used.at, used.since
	out.MostUsed, err = s.usedEntries(ctx, used.used)
	return out, err
}

func (s *Service) baseOverviews(ctx context.Context, p authz.Principal, counted tallies) ([]BaseOverview, error) {
	if !s.enforcer.Allowed(p, authz.BaseDatabaseRead, authz.Target{Kind: "base_database"}) {
		return nil, nil
	}
	all, err := s.BaseDatabases(ctx, p)
	if err != nil {
		return nil, err
	}
	by := func(kind string) map[string]int64 {
		out := map[string]int64{}
		for _, f := range counted[kind] {
			out[f.Value] = f.Count
		}
		return out
	}
	resources, rows, arrived := by("base"), by("rows"), by("arrived")
	out := make([]BaseOverview, len(all))
	for i, b := range all {
		out[i] = BaseOverview{BaseDatabase: b, Resources: resources[b.Code], Rows: rows[b.Code]}
		if at := arrived[b.Code]; at > 0 {
			moment := time.Unix(at, 0).UTC()
			out[i].ArrivedAt = &moment
		}
	}
	return out, nil
}

// countedNow counts the directory, again when the last count is too old. What is published is the same for every reader, so that one
// count serves all; one caller counts, the others wait. A directory that takes long to count is counted less often.
func (s *Service) countedNow(ctx context.Context) (count, error) {
	s.countMu.Lock()
	defer s.countMu.Unlock()
	now := s.clock().UTC()
	if s.countedFor > 0 && !s.counted.at.IsZero() && now.Sub(s.counted.at) < max(s.countedFor, countedShare*s.counted.took) {
		return s.counted, nil
	}
	begun := time.Now()
	counted, err := s.tally(ctx, &filter{state: Published, exact: []string{"s.state = 'published'"}}, 0)
	if err != nil {
		return count{}, err
	}
	newest, err := s.positions(ctx, fmt.Sprintf(`
		SELECT 0::bigint, s.updated_at, s.resource_id FROM resource_search s WHERE s.state = 'published' AND s.published_at IS NOT NULL
		ORDER BY s.published_at DESC, s.resource_id DESC LIMIT %d`, listed), nil)
	if err != nil {
		return count{}, err
	}
	c := count{at: now, counted: counted}
	if c.newest, err = s.entries(ctx, everybodys, Published, newest); err != nil {
		return count{}, err
	}
	c.took = time.Since(begun)
	s.counted = c
	return c, nil
}

// everybodys is what whoever may read the directory sees.
var everybodys = sight{others: []State{Published}}

// mostFirst returns facets sorted by their count.
func mostFirst(facets []Facet) []Facet {
	facets = slices.Clone(facets)
	slices.SortStableFunc(facets, func(a, b Facet) int { return cmp.Compare(b.Count, a.Count) })
	return facets
}

// ranked returns who was used most, counting again when the last count is too old. One caller counts, the others wait.
func (s *Service) ranked(ctx context.Context) (ranking, error) {
	s.usedMu.Lock()
	defer s.usedMu.Unlock()
	now := s.clock().UTC()
	if !s.used.at.IsZero() && now.Sub(s.used.at) < usedFor {
		return s.used, nil
	}
	since := now.AddDate(0, 0, -usedDays)
	used, err := audit.MostUsed(ctx, s.db.Pool, since, usedRanked)
	if err != nil {
		return ranking{}, err
	}
	s.used = ranking{at: now, since: since, used: used}
	return s.used, nil
}

// usedEntries keeps of what was used most the entries that are published.
func (s *Service) usedEntries(ctx context.Context, used []audit.ResourceUse) ([]UsedEntry, error) {
	if len(used) == 0 {
		return nil, nil
	}
	at := make([]position, len(used))
	uses := make(map[uuid.UUID]audit.ResourceUse, len(used))
	for i, u := range used {
		at[i].ID, uses[u.ResourceID] = u.ResourceID, u
	}
	found, err := s.entries(ctx, everybodys, Published, at)
	if err != nil {
		return nil, err
	}
	var out []UsedEntry
	for _, e := range found[:min(listed, len(found))] {
		out = append(out, UsedEntry{Entry: e, Calls: uses[e.ID].Calls, Taken: uses[e.ID].Rows})
	}
	return out, nil
}
