package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// requestList is a list of requests with what narrows it.
type requestList struct {
	Title, Lead             string // Keys.
	Tabs                    []tab
	Rows                    []requestRow
	Text, State, Department string
	Side                    string
	States                  []sharing.RequestState
	Departments             []departmentChoice
	Narrowed                bool
	More, Table, Path       string
	Empty, EmptyNext        string // Keys.
}

// departmentChoice is a department that a list can be narrowed to.
type departmentChoice struct{ ID, Name string }

// departments lists the departments of the hub for a choice, as far as one page of them goes.
func (v *visit) departments() ([]departmentChoice, error) {
	all, _, err := v.Catalog.Departments(v.r.Context(), v.principal, catalog.DepartmentFilter{}, db.Page{Limit: db.MaxPage})
	if err != nil {
		return nil, err
	}
	out := make([]departmentChoice, 0, len(all))
	for _, d := range all {
		out = append(out, departmentChoice{d.ID.String(), v.departmentName(d)})
	}
	return out, nil
}

// after is the address of this list from a cursor on, with the filters that are in the address now; "" after the last page.
func (v *visit) after(cursor string) string {
	if cursor == "" {
		return ""
	}
	q := v.r.URL.Query()
	q.Del("done")
	q.Set("cursor", cursor)
	return (&url.URL{Path: v.r.URL.Path, RawQuery: q.Encode()}).RequestURI()
}

// showRequests lists the requests of the reader's department, by the side that it is on.
func (c *console) showRequests(v *visit) error {
	list := requestList{Title: "requests.title", Lead: "requests.lead", Path: prefix + "/requests", Empty: "requests.empty", EmptyNext: "requests.empty_next"}
	list.Side = v.query("side")
	if list.Side != string(sharing.ConsumerSide) && list.Side != string(sharing.ProviderSide) {
		list.Side = ""
	}
	for _, t := range []struct{ side, icon string }{{"", "layout-list"}, {"consumer", "send"}, {"provider", "inbox"}} {
		href := list.Path
		if t.side != "" {
			href += "?side=" + t.side
		}
		key := "requests.all"
		if t.side != "" {
			key = "requests.as_" + t.side
		}
		list.Tabs = append(list.Tabs, tab{Key: key, Icon: t.icon, Href: href, Active: t.side == list.Side})
	}
	return v.listRequests(list, sharing.RequestFilter{Side: sharing.Side(list.Side)}, "requests")
}

// showMine lists the requests that the reader made.
func (c *console) showMine(v *visit) error {
	list := requestList{
		Title: "desk.mine", Lead: "desk.mine_lead", Tabs: v.deskTabs("mine"), Path: prefix + "/todo/mine",
		Empty: "requests.empty", EmptyNext: "requests.empty_next",
	}
	return v.listRequests(list, sharing.RequestFilter{Applicant: v.principal.ID}, "my-requests")
}

// listRequests draws a list of requests, or sends it as a table.
func (v *visit) listRequests(list requestList, f sharing.RequestFilter, file string) error {
	ctx := v.r.Context()
	list.Text, list.States = v.query("q"), sharing.RequestStates()
	f.Text = list.Text
	for _, s := range list.States {
		if string(s) == v.query("state") {
			f.State, list.State = s, string(s)
		}
	}
	if id, err := uuid.Parse(v.query("department")); err == nil {
		f.Department, list.Department = id, id.String()
	}
	list.Narrowed = list.Text != "" || list.State != "" || list.Department != ""
	if v.asSheet() {
		return v.sheet(file, requestColumns, func(cursor string) ([][]string, string, error) {
			all, next, err := v.Sharing.ListRequests(ctx, v.principal, f, db.Page{Limit: db.MaxPage, Cursor: cursor})
			return v.requestCells(v.names().requests(all)), next, err
		})
	}
	all, next, err := v.Sharing.ListRequests(ctx, v.principal, f, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	if list.Departments, err = v.departments(); err != nil {
		return err
	}
	list.Rows, list.More, list.Table = v.names().requests(all), v.after(next), v.sheetAddress()
	return v.show("requests", list.Title, list)
}

// requestColumns are the columns of a table of requests.
var requestColumns = []string{"request.resource", "request.consumer", "request.provider", "request.item_count", "list.state", "request.created", "request.due", "request.clock"}

func (v *visit) requestCells(rows []requestRow) [][]string {
	out := make([][]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, []string{
			r.Resource, r.Consumer, r.Provider, strconv.Itoa(r.Items), v.word("request_state", r.State), v.formats.moment(r.CreatedAt),
			v.formats.day(r.DueAt), r.Clock.Text,
		})
	}
	return out
}

// draftPage is what the reader's department has begun to ask for.
type draftPage struct {
	Tabs []tab
	Rows []draftRow
	More string
}

type draftRow struct {
	requestRow
	RowVersion      int64
	Edit, Discard   bool
	PurposeText, By string
}

// showDrafts lists drafts with what the reader may do about each.
func (c *console) showDrafts(v *visit) error {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.RequestCreate, v.own("request")); err != nil {
		return err
	}
	all, next, err := v.Sharing.ListRequests(v.r.Context(), v.principal,
		sharing.RequestFilter{State: sharing.RequestDraft, Side: sharing.ConsumerSide}, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page := draftPage{Tabs: v.deskTabs("drafts"), More: v.after(next)}
	for i, row := range v.names().requests(all) {
		d := draftRow{requestRow: row, RowVersion: all[i].RowVersion, PurposeText: all[i].PurposeText, By: "desk.by_colleague"}
		if all[i].ApplicantID == v.principal.ID {
			d.By = "desk.by_me"
		}
		for _, step := range v.Sharing.PossibleSteps(v.principal, all[i]) {
			d.Edit = d.Edit || step == sharing.StepSubmit
			d.Discard = d.Discard || step == sharing.StepWithdraw
		}
		page.Rows = append(page.Rows, d)
	}
	return v.show("drafts", "desk.drafts", page)
}

// discardDraft ends a draft: it is withdrawn, and its history stays.
func (c *console) discardDraft(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	q, err := v.Sharing.GetRequest(v.r.Context(), v.principal, id)
	if err != nil {
		return err
	}
	if q.State != sharing.RequestDraft {
		http.Redirect(v.w, v.r, prefix+"/requests/"+id.String(), http.StatusSeeOther)
		return nil
	}
	if _, err := v.Sharing.Withdraw(v.r.Context(), v.principal, id, v.rowVersion(), ""); err != nil {
		return err
	}
	return v.to(prefix+"/todo/drafts", "draft_discarded")
}

// donePage is what the reader did.
type donePage struct {
	Tabs        []tab
	Rows        []doneRow
	Step        string
	Steps       []sharing.Step
	More, Table string
}

type doneRow struct {
	sharing.DoneStep
	Row requestRow
}

func (c *console) showDone(v *visit) error {
	page := donePage{Tabs: v.deskTabs("done"), Steps: append([]sharing.Step{sharing.StepCreate, sharing.StepEdit}, sharing.Steps()...)}
	for _, s := range page.Steps {
		if string(s) == v.query("step") {
			page.Step = string(s)
		}
	}
	read := func(p db.Page) ([]doneRow, string, error) {
		done, next, err := v.Sharing.Done(v.r.Context(), v.principal, sharing.Step(page.Step), p)
		if err != nil {
			return nil, "", err
		}
		requests := make([]sharing.Request, len(done))
		for i, d := range done {
			requests[i] = d.Request
		}
		out := make([]doneRow, len(done))
		for i, row := range v.names().requests(requests) {
			out[i] = doneRow{done[i], row}
		}
		return out, next, nil
	}
	if v.asSheet() {
		columns := []string{"desk.when", "desk.what", "request.resource", "request.consumer", "request.provider", "desk.now", "act.reason"}
		return v.sheet("done", columns, func(cursor string) ([][]string, string, error) {
			rows, next, err := read(db.Page{Limit: db.MaxPage, Cursor: cursor})
			var cells [][]string
			for _, r := range rows {
				cells = append(cells, []string{
					v.formats.second(r.At), v.word("request_step", r.Step), r.Row.Resource, r.Row.Consumer, r.Row.Provider,
					v.word("request_state", r.Row.State), r.Reason,
				})
			}
			return cells, next, err
		})
	}
	rows, next, err := read(db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Rows, page.More, page.Table = rows, v.after(next), v.sheetAddress()
	return v.show("done", "desk.done", page)
}
