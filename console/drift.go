package console

import (
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
)

// shownDrift bounds the findings on the page of a mount, a source or an entry; the list has all.
const shownDrift = 20

// driftCard is what a page shows of how sources differ from what was mounted.
type driftCard struct {
	Rows   []catalog.Drift
	Breaks bool   // Runs are stopped.
	More   string // Address of the whole list, "" when all is shown.
	Draft  string // Address of the draft that was begun for it, "" for none or for readers who cannot compile.
}

// drift reads the open findings of a mount, a source or an entry; nil when there are none, or when they are not the reader's.
func (v *visit) drift(f catalog.DriftFilter, provider uuid.UUID) (*driftCard, error) {
	if !v.may(authz.SourceRead, authz.Target{Kind: "mount", Department: provider}) {
		return nil, nil
	}
	f.State = "open"
	rows, next, err := v.Catalog.Drifts(v.r.Context(), v.principal, f, db.Page{Limit: shownDrift})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	card := &driftCard{Rows: rows}
	if next != "" {
		card.More = prefix + "/drift?state=open&source=" + rows[0].SourceID.String()
	}
	for _, d := range rows {
		card.Breaks = card.Breaks || d.Breaks
		if d.DraftVersion > 0 && v.may(authz.ResourceCompile, authz.Target{Kind: "resource", Department: provider}) {
			card.Draft = prefix + "/compile/" + d.ResourceID.String()
		}
	}
	return card, nil
}

// driftList is every finding that the reader may see.
type driftList struct {
	Rows   []catalog.Drift
	State  string
	States []string
	Source uuid.UUID
	Table  string
	More   string
}

func driftStates() []string { return []string{"open", "breaking", "resolved"} }

func (c *console) showDrift(v *visit) error {
	f := catalog.DriftFilter{State: v.query("state")}
	if !strings.Contains(" open breaking resolved ", " "+f.State+" ") {
		f.State = ""
	}
	f.SourceID, _ = uuid.Parse(v.query("source"))
	f.ResourceID, _ = uuid.Parse(v.query("resource"))
	page := func(cursor string, limit int) ([]catalog.Drift, string, error) {
		return v.Catalog.Drifts(v.r.Context(), v.principal, f, db.Page{Limit: limit, Cursor: cursor})
	}
	if v.asSheet() {
		columns := []string{"mount.resource", "mount.source", "mount.object", "column.name", "drift.kind", "drift.was", "drift.now", "drift.uses", "drift.breaks", "drift.first_seen", "drift.resolved"}
		return v.sheet("drift", columns, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := page(cursor, db.MaxPage)
			for _, d := range rows {
				resolved := ""
				if d.ResolvedAt != nil {
					resolved = v.formats.second(*d.ResolvedAt)
				}
				cells = append(cells, []string{
					d.Resource, d.Source, d.Object, d.Column, v.word("drift_kind", d.Kind), d.Was, d.Now, strings.Join(d.Items, " "), v.word("answer", d.Breaks),
					v.formats.second(d.FirstSeen), resolved,
				})
			}
			return cells, next, err
		})
	}
	rows, next, err := page(v.query("cursor"), 30)
	if err != nil {
		return err
	}
	return v.show("drift", "drift.title", driftList{
		Rows: rows, State: f.State, States: driftStates(), Source: f.SourceID, Table: v.sheetAddress(), More: v.nextAddress(next),
	})
}
