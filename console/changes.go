package console

import (
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// changesRoutes are how entries change: what happened, what reviewers say, which documents there are, and whom it touches.
func (c *console) changesRoutes(m *http.ServeMux) {
	m.Handle("GET /ui/changes", c.page(c.showChanges))
	m.Handle("POST /ui/changes/{id}/{act}", c.page(c.actOnChange))
	m.Handle("GET /ui/compile/{id}/changes", c.page(c.showEntryChanges))
	m.Handle("POST /ui/compile/{id}/changes", c.page(c.recordChange))
	m.Handle("GET /ui/compile/{id}/comments", c.page(c.showComments))
	m.Handle("POST /ui/compile/{id}/comments", c.page(c.addComment))
	m.Handle("POST /ui/compile/{id}/comments/{comment}", c.page(c.resolveComment))
	m.Handle("GET /ui/compile/{id}/documents", c.page(c.showDocuments))
	m.Handle("POST /ui/compile/{id}/documents/{kind}", c.pageUpTo(maxDocument, c.attachDocument))
	m.Handle("GET /ui/compile/{id}/documents/{digest}", c.page(c.openDocument))
	m.Handle("GET /ui/compile/{id}/impact", c.page(c.showImpact))
	m.Handle("POST /ui/grants/{id}/changes/{number}", c.page(c.acknowledgeChange))
}

// changesPage lists what changed: of all entries the reader looks after, or of one.
type changesPage struct {
	Entry      *entryHead // nil for the list of all.
	Tabs       []tab
	Counts     catalog.ChangeCounts
	Rows       []changeRow
	All        bool // The reader looks after all departments.
	More       string
	Sheet      string
	CanRecord  bool
	Typed      catalog.NewChange
	Causes     []option
	RecordOpen bool
}

type changeRow struct {
	catalog.ChangeEvent
	Clock clock
	Open  string // The act whose form is opened, because the last try failed.
	Typed string
}

// changeViews are the parts of the list of all changes.
var changeViews = []struct {
	name, icon string
	filter     catalog.ChangeFilter
}{
	{"running", "clock", catalog.ChangeFilter{Running: true}},
	{"late", "alert-triangle", catalog.ChangeFilter{Late: true}},
	{"done", "circle-check", catalog.ChangeFilter{State: catalog.ChangeDone}},
	{"withdrawn", "x", catalog.ChangeFilter{State: catalog.ChangeWithdrawn}},
}

func (c *console) showChanges(v *visit) error { return v.drawChanges(uuid.Nil, "", nil) }

// drawChanges draws the list of all changes, with the form of a failed act opened.
func (v *visit) drawChanges(failed uuid.UUID, act string, problem error) error {
	ctx := v.r.Context()
	page := changesPage{Sheet: v.sheetAddress(), All: v.may(authz.ResourceReadDraft, authz.Target{Kind: "resource"})}
	view := changeViews[0]
	for _, w := range changeViews {
		if w.name == v.query("view") {
			view = w
		}
	}
	var err error
	if page.Counts, err = v.Catalog.CountChanges(ctx, v.principal); err != nil {
		return err
	}
	counts := map[string]int64{"running": page.Counts.Open + page.Counts.Submitted, "late": page.Counts.Late}
	for _, w := range changeViews {
		page.Tabs = append(page.Tabs, tab{
			Key: "changes.view_" + w.name, Icon: w.icon, Active: w.name == view.name, Count: int(counts[w.name]),
			Href: prefix + "/changes?" + url.Values{"view": {w.name}}.Encode(),
		})
	}
	if v.asSheet() {
		return v.changesSheet(view.filter)
	}
	found, next, err := v.Catalog.ChangeEvents(ctx, v.principal, view.filter, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Rows, page.More = v.changeRows(found, failed, act), v.after(next)
	if problem != nil {
		return v.again("changes", "changes.title", page, problem)
	}
	return v.show("changes", "changes.title", page)
}

func (v *visit) changesSheet(f catalog.ChangeFilter) error {
	columns := []string{"request.resource", "request.provider", "changes.cause", "changes.detail", "changes.happened_on", "list.state", "changes.due", "changes.review_due"}
	return v.sheet("changes", columns, func(cursor string) ([][]string, string, error) {
		found, next, err := v.Catalog.ChangeEvents(v.r.Context(), v.principal, f, db.Page{Limit: db.MaxPage, Cursor: cursor})
		var cells [][]string
		for _, e := range found {
			cells = append(cells, []string{
				e.Resource, e.Department, v.word("change_cause", e.Cause), e.Detail, e.HappenedOn, v.word("change_state", e.State), v.formats.day(e.DueAt), v.formats.day(e.ReviewDueAt),
			})
		}
		return cells, next, err
	})
}

func (v *visit) changeRows(found []catalog.ChangeEvent, failed uuid.UUID, act string) []changeRow {
	rows := make([]changeRow, len(found))
	for i, e := range found {
		rows[i] = changeRow{ChangeEvent: e, Clock: v.changeClock(e)}
		if e.ID == failed {
			rows[i].Open, rows[i].Typed = act, v.field("reason")
		}
	}
	return rows
}

// changeClock says how much time is left to the limit that runs now.
func (v *visit) changeClock(e catalog.ChangeEvent) clock {
	due := e.DueAt
	switch {
	case e.Light == catalog.LightNone:
		return clock{}
	case e.ReviewDueAt != nil:
		due = *e.ReviewDueAt
	}
	return v.limitClock(due, e.Light)
}

// limitClock says how much time is left to a limit, in the colour of its light.
func (v *visit) limitClock(due time.Time, light catalog.Light) clock {
	out := clock{Tone: tone("light", string(light))}
	switch left := v.Sharing.WorkingDaysLeft(due); {
	case left < 0:
		out.Text = v.say("clock.overdue", "n", -left)
	case left == 0:
		out.Text = v.say("clock.today")
	default:
		out.Text = v.say("clock.left", "n", left)
	}
	return out
}

// actOnChange extends or withdraws a change event. The list, or the entry it was done on, is shown again.
func (c *console) actOnChange(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	ctx, act := v.r.Context(), v.r.PathValue("act")
	var e catalog.ChangeEvent
	switch catalog.ChangeStep(act) {
	case catalog.ChangeExtend:
		e, err = v.Catalog.ExtendChange(ctx, v.principal, id, v.rowVersion(), v.field("reason"))
	case catalog.ChangeWithdraw:
		e, err = v.Catalog.WithdrawChange(ctx, v.principal, id, v.rowVersion(), v.field("reason"))
	default:
		return notFound()
	}
	switch {
	case fault.Is(err, fault.Forbidden):
		return err
	case err != nil:
		return v.drawChanges(id, act, err)
	case v.field("from") == "entry":
		return v.to(compilePath+"/"+e.ResourceID.String()+"/changes", "change_"+act)
	}
	return v.to(prefix+"/changes", "change_"+act)
}

func (c *console) showEntryChanges(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawEntryChanges(id, nil)
}

// drawEntryChanges lists the changes of one entry and takes new ones.
func (v *visit) drawEntryChanges(id uuid.UUID, problem error) error {
	head, err := v.entryHead(id, "changes")
	if err != nil {
		return err
	}
	page := changesPage{Entry: &head, Typed: catalog.NewChange{Cause: catalog.ChangeCause(v.field("cause")), Detail: v.field("detail"), HappenedOn: v.field("happened_on")}}
	found, next, err := v.Catalog.ChangeEvents(v.r.Context(), v.principal, catalog.ChangeFilter{ResourceID: id}, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Rows, page.More = v.changeRows(found, uuid.Nil, ""), v.after(next)
	page.CanRecord = head.Resource.Published != 0 && head.Resource.State != catalog.Revoked &&
		v.may(authz.ChangeEventRecord, authz.Target{Kind: "change_event", Department: head.Resource.ProviderDeptID})
	page.Causes = chosen(choices(v, "change_cause", catalog.ChangeCauses()), string(page.Typed.Cause))
	if page.RecordOpen = problem != nil; page.RecordOpen {
		return v.again("changes", head.Resource.Version.Name, page, problem)
	}
	return v.show("changes", head.Resource.Version.Name, page)
}

func (c *console) recordChange(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	_, err = v.Catalog.RecordChange(v.r.Context(), v.principal, id, catalog.NewChange{
		Cause: catalog.ChangeCause(v.field("cause")), Detail: v.field("detail"), HappenedOn: v.field("happened_on"),
	})
	switch {
	case fault.Is(err, fault.Forbidden):
		return err
	case err != nil:
		return v.drawEntryChanges(id, err)
	}
	return v.to(compilePath+"/"+id.String()+"/changes", "change_recorded")
}
