package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// mountList is what feeds entries from sources.
type mountList struct {
	Rows      []mountRow
	State     string
	States    []catalog.MountState
	Narrowed  bool
	All       bool
	CanCreate bool
	Table     string
	More      string
}

type mountRow struct {
	catalog.MountEntry
	Department string
	Outdated   bool // It was made for another version than consumers see.
}

// mountStates are the states a list can be narrowed to.
func mountStates() []catalog.MountState {
	return []catalog.MountState{catalog.MountDraft, catalog.MountChecking, catalog.MountSubmitted, catalog.MountActive, catalog.MountRejected, catalog.MountSuspended}
}

func (c *console) showMounts(v *visit) error {
	f := catalog.MountFilter{State: catalog.MountState(v.query("state"))}
	if !slices.Contains(mountStates(), f.State) {
		f.State = ""
	}
	f.SourceID, _ = uuid.Parse(v.query("source"))
	f.ResourceID, _ = uuid.Parse(v.query("resource"))
	names := v.names()
	page := func(cursor string, limit int) (rows []mountRow, next string, err error) {
		found, next, err := v.Catalog.MountList(v.r.Context(), v.principal, f, db.Page{Limit: limit, Cursor: cursor})
		for _, m := range found {
			rows = append(rows, mountRow{MountEntry: m, Department: names.department(m.DepartmentID), Outdated: m.Published > 0 && m.Version != m.Published})
		}
		return rows, next, err
	}
	if v.asSheet() {
		return v.sheet("mounts", []string{"mount.resource", "request.provider", "mount.source", "mount.object", "mount.fed", "list.state", "mount.changed"}, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := page(cursor, db.MaxPage)
			for _, r := range rows {
				cells = append(cells, []string{r.Resource, r.Department, r.Source, r.Object, fmt.Sprint(r.Fed), v.word("mount_state", r.State), v.formats.second(r.UpdatedAt)})
			}
			return cells, next, err
		})
	}
	rows, next, err := page(v.query("cursor"), 30)
	if err != nil {
		return err
	}
	return v.show("mounts", "mounts.title", mountList{
		Rows: rows, State: string(f.State), States: mountStates(), Narrowed: f != catalog.MountFilter{}, All: v.may(authz.SourceRead, authz.Target{Kind: "mount"}),
		CanCreate: v.may(authz.MountWrite, v.own("mount")), Table: v.sheetAddress(), More: v.nextAddress(next),
	})
}

// mountPage is one mount: which column feeds which item, what stands against it, and what can be done with it.
type mountPage struct {
	Mount      catalog.Mount
	Resource   catalog.Resource
	Source     string
	Department string
	Rows       []mountItem
	Fed        int
	Checked    bool
	Blocks     []mountIssue // About no single item.
	Warnings   []mountIssue
	Blocked    int // How many things stand against it, at items too.
	Filter     string
	Note       string
	NoteOfHub  bool // The note is the hub's own.
	CanWrite   bool
	Steps      []mountStepOffer
	Tried      string // The step whose form is shown open, since it was refused.
	Reason     string
	Preview    *exchange.Preview
	Task       uuid.UUID // Of the entry's collecting; the zero id while there is none.
	CanTask    bool
	Drift      *driftCard
}

// mountItem is one item of the entry beside the column that feeds it.
type mountItem struct {
	Item     catalog.Item
	Column   *catalog.SourceColumn // As the last check found it; nil when it did not.
	Name     string                // Of the column as it is stated.
	Reason   string
	Withheld bool
	Blocks   []mountIssue
	Warnings []mountIssue
}

// mountIssue is one thing that stands against a mount, or that its owner should look at.
type mountIssue struct {
	Code, Field, Message string
	Known                bool // There is a word for its code.
}

// mountStepOffer is a step that the reader may take now.
type mountStepOffer struct {
	Step    catalog.MountStep
	Reason  bool
	Danger  bool
	Confirm string
}

// hubNotes are the sentences with which the hub itself moves a mount.
var hubNotes = map[string]string{
	"another mount was activated":                              "mount_note.another",
	"a newer version withholds or drops what this mount feeds": "mount_note.dropped",
}

func (c *console) showMount(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.mount(id)
	if err != nil {
		return err
	}
	return v.show("mount", page.Resource.Name, page)
}

// mount reads what the page of a mount shows.
func (v *visit) mount(id uuid.UUID) (mountPage, error) {
	ctx := v.r.Context()
	report, err := v.Catalog.ReviewMount(ctx, v.principal, id)
	if err != nil {
		return mountPage{}, err
	}
	m := report.Mount
	r, err := v.Catalog.GetVersion(ctx, v.principal, m.ResourceID, m.Version)
	if err != nil {
		return mountPage{}, err
	}
	page := mountPage{
		Mount: m, Resource: r, Department: v.department(r.ProviderDeptID), Checked: len(m.Schema.Columns) > 0, Filter: v.rowsInWords(m.RowFilter, r.Version.Items),
		Blocked: len(report.Blocks), Note: m.Note,
	}
	if s, err := v.Catalog.Source(ctx, v.principal, m.SourceID); err == nil {
		page.Source = s.Name
	}
	if key, ok := hubNotes[m.Note]; ok {
		page.Note, page.NoteOfHub = v.say(key), true
	} else if m.State == catalog.MountDraft || m.State == catalog.MountSubmitted || m.State == catalog.MountChecking {
		page.Note = "" // Of a check that did not pass: said at the rows, in the reader's language.
	}
	page.fill(v, report)
	target := authz.Target{Kind: "mount", ID: id.String(), Department: r.ProviderDeptID, State: string(r.State)}
	page.CanWrite = v.may(authz.MountWrite, target)
	for _, move := range catalog.MountMoves() {
		if move.From == m.State && move.Who != "" && move.Step != catalog.MountEdit && v.may(move.Who, target) {
			page.Steps = append(page.Steps, v.offer(move, page))
		}
	}
	tasks, _, err := v.Exchange.Tasks(ctx, v.principal, exchange.TaskFilter{ResourceID: &m.ResourceID}, db.Page{Limit: 1})
	if err != nil && !fault.Is(err, fault.Forbidden) {
		return mountPage{}, err
	}
	if len(tasks) > 0 {
		page.Task = tasks[0].ID
	}
	if page.Drift, err = v.drift(catalog.DriftFilter{MountID: id}, r.ProviderDeptID); err != nil {
		return mountPage{}, err
	}
	page.CanTask = page.Task == uuid.Nil && m.State == catalog.MountActive && v.may(authz.TaskWrite, runTarget("task", r))
	return page, nil
}

// offer says what a step does to which mount, before it is done.
func (v *visit) offer(move catalog.MountMove, page mountPage) mountStepOffer {
	o := mountStepOffer{Step: move.Step, Reason: move.Reason}
	switch move.Step {
	case catalog.MountSuspend, catalog.MountRemove, catalog.MountReject:
		o.Danger = true
		o.Confirm = v.say("mount.confirm_"+string(move.Step), "resource", page.Resource.Name, "object", page.Mount.Object)
	case catalog.MountActivate, catalog.MountResume:
		o.Confirm = v.say("mount.confirm_"+string(move.Step), "resource", page.Resource.Name, "object", page.Mount.Object)
	}
	return o
}

// fill lists the items with their columns and what was found about each.
func (p *mountPage) fill(v *visit, report catalog.MountReport) {
	m := report.Mount
	at := map[int]int{}
	for i, c := range m.Columns {
		at[c.ItemNo] = i
	}
	issue := func(f fault.Field) mountIssue {
		return mountIssue{Code: f.Code, Field: f.Name, Message: f.Message, Known: v.has("mount_issue." + f.Code)}
	}
	of := func(all []fault.Field, i int) (out []mountIssue) {
		for _, f := range all {
			if strings.HasPrefix(f.Name, fmt.Sprintf("columns[%d].", i)) {
				out = append(out, issue(f))
			}
		}
		return out
	}
	for _, item := range p.Resource.Version.Items {
		row := mountItem{Item: item, Withheld: item.ShareType == catalog.Withheld}
		if i, ok := at[item.No]; ok {
			c := m.Columns[i]
			row.Name, row.Reason = c.Column, c.Reason
			if column, ok := m.Schema.Column(c.Column); ok {
				row.Column = &column
			}
			row.Blocks, row.Warnings = of(report.Blocks, i), of(report.Warnings, i)
			if c.Column != "" {
				p.Fed++
			}
		} else if !row.Withheld && p.Checked {
			row.Blocks = []mountIssue{{Code: "unmapped", Known: true}}
		}
		p.Rows = append(p.Rows, row)
	}
	for _, f := range report.Blocks {
		if !strings.HasPrefix(f.Name, "columns[") && f.Code != "unmapped" {
			p.Blocks = append(p.Blocks, issue(f))
		}
	}
	for _, f := range report.Warnings {
		if !strings.HasPrefix(f.Name, "columns[") {
			p.Warnings = append(p.Warnings, issue(f))
		}
	}
}

func (c *console) moveMount(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	step, seen, reason := catalog.MountStep(v.r.PathValue("step")), v.rowVersion(), v.field("reason")
	done := "mount_" + string(step)
	switch step {
	case "preview":
		return v.previewMount(id)
	case catalog.MountCheck:
		var report catalog.MountReport
		if report, err = v.Catalog.CheckMount(ctx, v.principal, id, seen); len(report.Blocks) > 0 {
			done = ""
		}
	case catalog.MountActivate:
		_, err = v.Catalog.ActivateMount(ctx, v.principal, id, seen)
	case catalog.MountReject:
		_, err = v.Catalog.RejectMount(ctx, v.principal, id, seen, reason)
	case catalog.MountSuspend:
		_, err = v.Catalog.SuspendMount(ctx, v.principal, id, seen, reason)
	case catalog.MountResume:
		_, err = v.Catalog.ResumeMount(ctx, v.principal, id, seen)
	case catalog.MountRemove:
		_, err = v.Catalog.RemoveMount(ctx, v.principal, id, seen, reason)
	default:
		return notFound()
	}
	if err != nil {
		page, reading := v.mount(id)
		if reading != nil {
			return reading
		}
		page.Tried, page.Reason = string(step), reason
		return v.again("mount", page.Resource.Name, page, err)
	}
	if step == catalog.MountRemove {
		return v.to(prefix+"/mounts", done)
	}
	return v.to(prefix+"/mounts/"+id.String(), done)
}

// previewMount shows what the first rows become. The rows are on the page alone: they are neither kept nor to be come back to.
func (v *visit) previewMount(id uuid.UUID) error {
	rows, failed := v.Exchange.PreviewMount(v.r.Context(), v.principal, id)
	page, err := v.mount(id)
	if err != nil {
		return err
	}
	if failed != nil {
		return v.again("mount", page.Resource.Name, page, failed)
	}
	page.Preview = &rows
	return v.show("mount", page.Resource.Name, page)
}
