package console

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// todoKind is one kind of things that wait for people.
type todoKind struct {
	name, icon string
	list       func(v *visit, f todoFilter, page db.Page) (todoRows, string, error)
}

// todoFilter narrows the list of one kind.
type todoFilter struct {
	Text       string
	Department uuid.UUID
}

// todoRows are things of one kind, the most urgent first.
type todoRows struct {
	Requests  []requestRow
	Resources []waitingRow
	Runs      []exchange.WaitingRun
	Grants    []grantRow
	Changes   []changeRow
}

// waitingRow is a version that waits, with the limit of the authority's review where one runs.
type waitingRow struct {
	catalog.Waiting
	Clock clock
}

func (v *visit) waitingRows(all []catalog.Waiting) []waitingRow {
	rows := make([]waitingRow, len(all))
	for i, w := range all {
		rows[i].Waiting = w
		if w.DueAt != nil {
			rows[i].Clock = v.limitClock(*w.DueAt, w.Light)
		}
	}
	return rows
}

// todoKinds lists every kind, in the order of the page.
func todoKinds() []todoKind {
	kinds := []todoKind{
		{name: "sign", icon: "signature"},
		{name: "accept", icon: "clipboard-check"},
		{name: "decide", icon: "gavel"},
		{name: "supplement", icon: "edit"},
		{name: "dept_review", icon: "checks"},
		{name: "platform_review", icon: "shield-check"},
		{name: "returned", icon: "rotate"},
		{name: "change", icon: "clock"},
		{name: "acknowledge", icon: "versions"},
		{name: "confirm", icon: "trash"},
		{name: "failed", icon: "alert-triangle"},
		{name: "restored", icon: "key"},
	}
	for i := range kinds {
		name := kinds[i].name
		switch name {
		case "dept_review", "platform_review", "returned":
			kinds[i].list = func(v *visit, f todoFilter, page db.Page) (rows todoRows, next string, err error) {
				all, next, err := v.Catalog.ListTodo(v.r.Context(), v.principal, catalog.State(name), f.Text, page)
				return todoRows{Resources: v.waitingRows(all)}, next, err
			}
		case "change":
			kinds[i].list = func(v *visit, _ todoFilter, page db.Page) (todoRows, string, error) {
				all, next, err := v.Catalog.ChangeEvents(v.r.Context(), v.principal, catalog.ChangeFilter{State: catalog.ChangeOpen}, page)
				return todoRows{Changes: v.changeRows(all, uuid.Nil, "")}, next, err
			}
		case "acknowledge":
			kinds[i].list = func(v *visit, _ todoFilter, page db.Page) (todoRows, string, error) {
				all, next, err := v.Sharing.ListGrants(v.r.Context(), v.principal, sharing.GrantFilter{Side: sharing.ConsumerSide, Unacknowledged: true}, page)
				return todoRows{Grants: v.names().grants(all)}, next, err
			}
		case "confirm", "failed":
			kinds[i].list = func(v *visit, _ todoFilter, page db.Page) (rows todoRows, next string, err error) {
				rows.Runs, next, err = v.Exchange.ListTodo(v.r.Context(), v.principal, exchange.TodoKind(name), page)
				return rows, next, err
			}
		case "restored":
			kinds[i].list = func(v *visit, _ todoFilter, page db.Page) (todoRows, string, error) {
				all, next, err := v.Sharing.ListGrants(v.r.Context(), v.principal, sharing.GrantFilter{SuspendedBy: sharing.ByRestore}, page)
				return todoRows{Grants: v.names().grants(all)}, next, err
			}
		default:
			kinds[i].list = func(v *visit, f todoFilter, page db.Page) (todoRows, string, error) {
				all, next, err := v.Sharing.ListTodo(v.r.Context(), v.principal, sharing.TodoKind(name), sharing.RequestFilter{Text: f.Text, Department: f.Department}, page)
				return todoRows{Requests: v.names().requests(all)}, next, err
			}
		}
	}
	return kinds
}

// countTodo returns how much of each kind waits for the reader. Kinds that the reader has no part in are left out.
func (v *visit) countTodo(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	requests, err := v.Sharing.CountTodo(ctx, v.principal)
	if err != nil {
		return nil, err
	}
	for kind, n := range requests {
		out[string(kind)] = n
	}
	resources, err := v.Catalog.CountTodo(ctx, v.principal)
	if err != nil {
		return nil, err
	}
	for state, n := range resources {
		out[string(state)] = n
	}
	runs, err := v.Exchange.CountTodo(ctx, v.principal)
	if err != nil {
		return nil, err
	}
	for kind, n := range runs {
		out[string(kind)] = n
	}
	if v.mayOwn(authz.ChangeEventRecord) {
		changes, err := v.Catalog.CountChanges(ctx, v.principal)
		if err != nil {
			return nil, err
		}
		out["change"] = changes.Open
	}
	if v.Sharing.MayAcknowledge(v.principal) {
		if out["acknowledge"], err = v.Sharing.CountUnacknowledged(ctx, v.principal); err != nil {
			return nil, err
		}
	}
	restored, err := v.Sharing.CountRestored(ctx, v.principal)
	if err != nil {
		return nil, err
	}
	if restored > 0 { // After a restore only: at other times there is nothing of the kind to speak of.
		out["restored"] = restored
	}
	return out, nil
}

// waiting is the number on the menu. A menu is no reason to refuse a page, so a failure shows none.
func (v *visit) waiting() int {
	counts, err := v.countTodo(v.r.Context())
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "counting what waits", "error", err)
		return 0
	}
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	return int(total)
}

// todoPage is what waits for the reader: an overview of all kinds, or the list of one.
type todoPage struct {
	Tabs   []tab
	Total  int64
	Tiles  []todoTile
	Groups []todoGroup
	Kind   string // "" in the overview.

	Text, Department string
	Departments      []departmentChoice
	ByText           bool
	ByDepartment     bool
	Narrowed         bool
	More, Table      string
}

type todoTile struct {
	Key, Icon, Href string
	Count           int64
	Active          bool
}

type todoGroup struct {
	Kind, Key, Icon, All string // All is the address of the whole list, "" where all of it is shown.
	Count                int64
	todoRows
}

// todoFirst is how many things of one kind the overview shows.
const todoFirst = 10

func (c *console) showTodo(v *visit) error {
	counts, err := v.countTodo(v.r.Context())
	if err != nil {
		return err
	}
	if len(counts) == 0 { // Nothing can ever wait here: whoever has no part in requests either has no desk.
		if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.RequestRead, v.own("request")); err != nil {
			return err
		}
	}
	page := todoPage{Tabs: v.deskTabs("todo"), Kind: v.query("kind")}
	var kind todoKind
	for _, k := range todoKinds() {
		n, part := counts[k.name]
		if !part {
			continue
		}
		page.Total += n
		page.Tiles = append(page.Tiles, todoTile{
			Key: "todo." + k.name, Icon: k.icon, Count: n, Href: prefix + "/todo?kind=" + k.name, Active: k.name == page.Kind,
		})
		if k.name == page.Kind {
			kind = k
		}
	}
	if page.Kind != "" {
		if kind.name == "" {
			return notFound()
		}
		return v.showTodoKind(page, kind, counts[kind.name])
	}
	for _, k := range todoKinds() {
		if counts[k.name] == 0 {
			continue
		}
		rows, next, err := k.list(v, todoFilter{}, db.Page{Limit: todoFirst})
		if err != nil {
			return err
		}
		g := todoGroup{Kind: k.name, Key: "todo." + k.name, Icon: k.icon, Count: counts[k.name], todoRows: rows}
		if next != "" {
			g.All = prefix + "/todo?kind=" + k.name
		}
		page.Groups = append(page.Groups, g)
	}
	return v.show("todo", "todo.title", page)
}

// showTodoKind is the whole list of one kind, as a page or as a table.
func (v *visit) showTodoKind(page todoPage, kind todoKind, n int64) error {
	f := todoFilter{}
	if page.ByText = !slices.Contains([]string{"change", "acknowledge", "confirm", "failed", "restored"}, kind.name); page.ByText {
		f.Text = v.query("q")
	}
	page.ByDepartment = kind.name == "accept" || kind.name == "decide"
	if id, err := uuid.Parse(v.query("department")); err == nil && page.ByDepartment {
		f.Department, page.Department = id, id.String()
	}
	page.Text, page.Narrowed = f.Text, f.Text != "" || f.Department != uuid.Nil
	if v.asSheet() {
		columns, cells := v.todoSheet(kind.name)
		return v.sheet("todo-"+kind.name, columns, func(cursor string) ([][]string, string, error) {
			rows, next, err := kind.list(v, f, db.Page{Limit: db.MaxPage, Cursor: cursor})
			return cells(rows), next, err
		})
	}
	rows, next, err := kind.list(v, f, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	if page.ByDepartment {
		if page.Departments, err = v.departments(); err != nil {
			return err
		}
	}
	page.Groups = []todoGroup{{Kind: kind.name, Key: "todo." + kind.name, Icon: kind.icon, Count: n, todoRows: rows}}
	page.More, page.Table = v.after(next), v.sheetAddress()
	return v.show("todo", "todo."+kind.name, page)
}

// todoSheet returns the columns of the table of one kind, and how its rows are written.
func (v *visit) todoSheet(kind string) (columns []string, cells func(todoRows) [][]string) {
	switch kind {
	case "dept_review", "platform_review", "returned":
		return []string{"request.resource", "request.provider", "item.share", "todo.round", "todo.since", "changes.review_due"}, func(rows todoRows) (out [][]string) {
			for _, r := range rows.Resources {
				out = append(out, []string{r.Name, r.Department, v.word("share_type", r.ShareType), strconv.Itoa(r.Round), v.formats.moment(r.Since), v.formats.day(r.DueAt)})
			}
			return out
		}
	case "confirm", "failed":
		return []string{"request.resource", "todo.what", "todo.failed_at"}, func(rows todoRows) (out [][]string) {
			for _, r := range rows.Runs {
				out = append(out, []string{r.Resource, v.word("run_fault", r.Code), v.formats.second(r.FinishedAt)})
			}
			return out
		}
	case "change":
		return []string{"request.resource", "changes.cause", "changes.detail", "changes.happened_on", "changes.due"}, func(rows todoRows) (out [][]string) {
			for _, r := range rows.Changes {
				out = append(out, []string{r.Resource, v.word("change_cause", r.Cause), r.Detail, r.HappenedOn, v.formats.day(r.DueAt)})
			}
			return out
		}
	case "restored", "acknowledge":
		return []string{"request.resource", "grant.client", "request.consumer", "request.provider", "grant.until"}, func(rows todoRows) (out [][]string) {
			for _, r := range rows.Grants {
				out = append(out, []string{r.Resource, r.Client, r.Consumer, r.Provider, v.formats.day(r.ValidTo)})
			}
			return out
		}
	}
	return requestColumns, func(rows todoRows) [][]string { return v.requestCells(rows.Requests) }
}

// clock says how much time is left to a limit that still runs, with the colour of its badge.
type clock struct{ Text, Tone string }

// nearDays is how many working days before a limit its clock turns yellow.
const nearDays = 2

func (v *visit) clock(due *time.Time, state sharing.RequestState) clock {
	switch state {
	case sharing.RequestApproved, sharing.RequestRefused, sharing.RequestWithdrawn:
		return clock{}
	}
	if due == nil {
		return clock{}
	}
	switch left := v.Sharing.WorkingDaysLeft(*due); {
	case left < 0:
		return clock{v.say("clock.overdue", "n", -left), "red"}
	case left == 0:
		return clock{v.say("clock.today"), "orange"}
	case left <= nearDays:
		return clock{v.say("clock.left", "n", left), "yellow"}
	default:
		return clock{v.say("clock.left", "n", left), "secondary"}
	}
}

// deskTabs are the parts of the reader's desk. Drafts are for those who may write requests.
func (v *visit) deskTabs(active string) []tab {
	var out []tab
	for _, t := range []struct {
		name, icon, path string
		action           authz.Action
	}{
		{"todo", "checks", "/todo", authz.RequestRead},
		{"done", "history", "/todo/done", authz.RequestRead},
		{"mine", "file-text", "/todo/mine", authz.RequestCreate},
		{"drafts", "edit", "/todo/drafts", authz.RequestCreate},
		{"inbox", "inbox", "/inbox", authz.RequestRead},
	} {
		if v.mayOwn(t.action) {
			out = append(out, tab{Key: "desk." + t.name, Icon: t.icon, Href: prefix + t.path, Active: t.name == active})
		}
	}
	return out
}
