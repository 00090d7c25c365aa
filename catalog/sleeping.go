package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Sleep says why a published entry sleeps (沉睡目录): for sleepDays nothing came, or nobody took anything.
type Sleep string

// The reasons, the first that holds counts. Withheld entries never sleep: nobody may use them.
const (
	Awake       Sleep = ""
	SleepNoData Sleep = "no_data" // Nothing ever arrived, or for a live one nothing is mounted.
	SleepStale  Sleep = "stale"   // The last arrival is long ago, and later than the update cycle allows.
	SleepUnused Sleep = "unused"  // Data are there, but nobody has used them.
)

// Sleeps returns every reason once.
func Sleeps() []Sleep { return []Sleep{SleepNoData, SleepStale, SleepUnused} }

// sleepDays is after how many days an entry sleeps.
const sleepDays = 90

// sleep judges an entry and says since when it has been so.
func (f truthFacts) sleep() (Sleep, *time.Time) {
	if f.State != Published || f.ShareType == Withheld || f.PublishedAt == nil {
		return Awake, nil
	}
	long := f.Now.AddDate(0, 0, -sleepDays)
	there := f.ArrivedAt != nil || f.Live && f.Mounted
	used := f.PublishedAt
	if f.UsedAt != nil && f.UsedAt.After(*used) {
		used = f.UsedAt
	}
	switch {
	case !there && f.PublishedAt.Before(long):
		return SleepNoData, db.UTC(f.PublishedAt)
	case f.ArrivedAt != nil && f.ArrivedAt.Before(long) && Punctuality(f.UpdateCycle, f.ArrivedAt, f.Now) == Late:
		return SleepStale, db.UTC(f.ArrivedAt)
	case there && used.Before(long):
		return SleepUnused, db.UTC(used)
	}
	return Awake, nil
}

// SleepingEntry is a published entry that sleeps, as of the last refresh.
type SleepingEntry struct {
	ID           uuid.UUID   `json:"id"`
	Code         string      `json:"code"`
	Name         string      `json:"name"`
	DepartmentID uuid.UUID   `json:"department_id"`
	Department   string      `json:"department"`
	Why          Sleep       `json:"why"`
	Since        time.Time   `json:"since"` // Published, last arrived or last used then.
	UpdateCycle  UpdateCycle `json:"update_cycle"`
	Mounted      bool        `json:"mounted"`
	Rows         int64       `json:"rows"`
	ArrivedAt    *time.Time  `json:"arrived_at,omitempty"`
	Grants       int         `json:"grants"`
	Score        int         `json:"score"`
}

// SleepingFilter narrows the list of sleeping entries. Empty fields do not narrow.
type SleepingFilter struct {
	DepartmentID uuid.UUID
	Why          Sleep
}

// sleepingScope is the department whose sleeping entries p is shown: the one asked for, all of them (uuid.Nil) for those who act
// for the whole platform, else the own.
func (s *Service) sleepingScope(ctx context.Context, p authz.Principal, asked uuid.UUID) (uuid.UUID, error) {
	if asked == uuid.Nil && !s.mayReadDrafts(p, uuid.Nil) {
		asked = p.Department
	}
	_, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, authz.Target{Kind: "resource", Department: asked})
	return asked, err
}

// SleepingEntries lists sleeping entries, the longest asleep first: of all departments for those who act for the whole platform,
// of their own for the people of a department.
func (s *Service) SleepingEntries(ctx context.Context, p authz.Principal, f SleepingFilter, page db.Page) ([]SleepingEntry, string, error) {
	scope, err := s.sleepingScope(ctx, p, f.DepartmentID)
	if err != nil {
		return nil, "", err
	}
	if f.Why != Awake && !slices.Contains(Sleeps(), f.Why) {
		return nil, "", fault.InvalidFields([]fault.Field{{Name: "why", Code: "not_choice", Message: "state no_data, stale or unused"}})
	}
	var since time.Time
	var id uuid.UUID
	after, err := page.After(&since, &id)
	if err != nil {
		return nil, "", err
	}
	narrow, args := "$1::uuid IS NOT NULL", []any{scope, string(f.Why), after, since, id, page.Size() + 1}
	if scope != uuid.Nil {
		narrow = "t.department_id = $1 AND r.provider_dept_id = $1"
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT r.id, coalesce(r.code, '') AS code, r.name, r.provider_dept_id AS department_id, d.name AS department, t.sleeping AS why,
			t.sleeping_since AS since, v.update_cycle, t.mounted, t.rows, t.arrived_at, t.grants, t.score
		FROM resource_truth t JOIN resource r ON r.id = t.resource_id AND r.state = 'published'
		JOIN resource_version v ON v.resource_id = r.id AND v.version = r.published JOIN department d ON d.id = r.provider_dept_id
		WHERE `+narrow+` AND t.sleeping <> '' AND ($2 = '' OR t.sleeping = $2) AND (NOT $3 OR (t.sleeping_since, t.resource_id) > ($4, $5))
		ORDER BY t.sleeping_since, t.resource_id LIMIT $6`, args...)
	if err != nil {
		return nil, "", fmt.Errorf("listing sleeping entries: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[SleepingEntry])
	if err != nil {
		return nil, "", fmt.Errorf("listing sleeping entries: %w", err)
	}
	for i := range out {
		out[i].Since, out[i].ArrivedAt = out[i].Since.UTC(), db.UTC(out[i].ArrivedAt)
	}
	out, next := db.Cut(out, page, func(e SleepingEntry) string { return db.Next(e.Since, e.ID) })
	return out, next, nil
}

// CountSleeping returns how many sleeping entries SleepingEntries would list, at most MostCounted+1; 0 for those who have no list.
func (s *Service) CountSleeping(ctx context.Context, p authz.Principal) (int, error) {
	scope := p.Department
	if s.mayReadDrafts(p, uuid.Nil) {
		scope = uuid.Nil
	} else if scope == uuid.Nil || !s.mayReadDrafts(p, scope) {
		return 0, nil
	}
	narrow := "$1::uuid IS NOT NULL"
	if scope != uuid.Nil {
		narrow = "t.department_id = $1 AND r.provider_dept_id = $1"
	}
	var n int
	err := s.db.Pool.QueryRow(ctx, `
		SELECT count(*) FROM (SELECT FROM resource_truth t JOIN resource r ON r.id = t.resource_id AND r.state = 'published'
			WHERE `+narrow+` AND t.sleeping <> '' LIMIT $2) c`, scope, MostCounted+1).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting sleeping entries: %w", err)
	}
	return n, nil
}
