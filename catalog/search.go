package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Query narrows a search in the directory and orders what it finds. Empty fields do not narrow.
type Query struct {
	// Text is what hits hold: each of its words, which blanks separate, is part of name, summary, code, a tag, a theme, the name or
	// identifier of an item, or the name of the provider; or of how a name is written in pinyin, whole or by its first letters.
	Text         string
	BaseDatabase string
	DepartmentID uuid.UUID
	Below        bool   // The departments below DepartmentID count, too.
	Division     string // Code; entries of departments of this division and of those in it.
	ShareType    ShareType
	ShareMethod  ShareMethod // One of the methods.
	UpdateCycle  UpdateCycle
	Grade        Grade
	Theme        string
	Timeliness   Timeliness
	Open         *bool // Open to the public.
	HasData      *bool // Rows have arrived.
	State        State // "" means Published. Other states show what the caller may see of them.
	Sort         Sort
}

// Sort is the order of a search's hits.
type Sort string

// The orders. Hits of the same rank follow each other as ByChange has them.
const (
	ByChange    Sort = ""          // The last changed first.
	ByRelevance Sort = "relevance" // The highest rank first: with data, fresh, much used, well described.
	ByRows      Sort = "rows"      // The most rows first.
)

// Timeliness says whether data arrive as often as their provider promises.
type Timeliness string

// The values of timeliness; withheld entries have none, for nothing arrives of them.
const (
	OnTime     Timeliness = "on_time"
	Late       Timeliness = "late"  // The last arrival is longer ago than the update cycle allows.
	NothingYet Timeliness = "never" // No data have arrived yet.
)

// Timelinesses returns every value once, for tables that must be complete.
func Timelinesses() []Timeliness { return []Timeliness{OnTime, Late, NothingYet} }

// allowances are how long ago the last arrival may be: the update cycle, and some time for the run itself and for a due time that
// is not the same every day. Irregular data are never late.
var allowances = map[UpdateCycle]time.Duration{
	Realtime: time.Hour, Daily: 36 * time.Hour, Weekly: 8 * 24 * time.Hour, Monthly: 35 * 24 * time.Hour,
	Quarterly: 100 * 24 * time.Hour, Yearly: 380 * 24 * time.Hour,
}

// Punctuality judges the last arrival of data at a moment; nil is no arrival.
func Punctuality(cycle UpdateCycle, arrived *time.Time, now time.Time) Timeliness {
	allowed, regular := allowances[cycle]
	switch {
	case arrived == nil:
		return NothingYet
	case regular && now.Sub(*arrived) > allowed:
		return Late
	}
	return OnTime
}

// allowanceSQL gives the allowance of a cycle as an interval, NULL for cycles without.
func allowanceSQL(column string) string {
	var b strings.Builder
	b.WriteString("CASE " + column)
	for _, cycle := range []UpdateCycle{Realtime, Daily, Weekly, Monthly, Quarterly, Yearly} {
		fmt.Fprintf(&b, " WHEN '%s' THEN interval '%d seconds'", cycle, int64(allowances[cycle].Seconds()))
	}
	b.WriteString(" END")
	return b.String()
}

// Entry is one hit of a search.
type Entry struct {
	ID           uuid.UUID     `json:"id"`
	Code         string        `json:"code"`
	Name         string        `json:"name"`
	Summary      string        `json:"summary"`
	DepartmentID uuid.UUID     `json:"department_id"`
	Department   string        `json:"department"` // Name of the provider.
	BaseDatabase string        `json:"base_database"`
	ShareType    ShareType     `json:"share_type"`
	ShareMethods []ShareMethod `json:"share_methods"`
	Grade        Grade         `json:"grade"`
	UpdateCycle  UpdateCycle   `json:"update_cycle"`
	Open         bool          `json:"open"`
	State        State         `json:"state"`
	Version      int           `json:"version"`
	Items        int           `json:"items"`                // How many it has.
	Mounted      bool          `json:"mounted"`              // An active mount brings data.
	Rows         int64         `json:"rows"`                 // Now at the hub.
	ArrivedAt    *time.Time    `json:"arrived_at,omitempty"` // When the source was last read to its end.
	Timeliness   Timeliness    `json:"timeliness"`           // "" for withheld entries.
	PublishedAt  *time.Time    `json:"published_at,omitempty"`
	UpdatedAt    time.Time     `json:"updated_at"`
}

// clean drops what PostgreSQL cannot take in a text.
func clean(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") }

func (s *Service) mayRead(ctx context.Context, p authz.Principal) error {
	_, err := s.enforcer.Check(ctx, p, authz.ResourceRead, authz.Target{Kind: "resource", State: string(Published)})
	return err
}

// Search lists entries in the order that q asks for.
func (s *Service) Search(ctx context.Context, p authz.Principal, q Query, page db.Page) ([]Entry, string, error) {
	if err := s.mayRead(ctx, p); err != nil {
		return nil, "", err
	}
	var after position
	more, err := page.After(&after.Rank, &after.At, &after.ID)
	if err != nil {
		return nil, "", err
	}
	f, err := s.narrowed(ctx, p, q)
	if err != nil {
		return nil, "", err
	}
	order := orders[q.Sort]
	if order.key == "" {
		order = orders[ByChange]
	}
	if more {
		f.after = &after
	}
	found, err := s.find(ctx, f, order, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	found, next := db.Cut(found, page, func(at position) string { return db.Next(at.Rank, at.At, at.ID) })
	out, err := s.entries(ctx, f.sight, f.state, found)
	return out, next, err
}
