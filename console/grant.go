package console

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// grantRow is a grant in a list.
type grantRow struct {
	ID                                   uuid.UUID
	Resource, Client, Consumer, Provider string
	Items                                int
	State                                sharing.GrantState
	Purpose                              string
	ValidTo                              time.Time
	Soon                                 bool // It ends within soonEnds.
}

// soonEnds is how long before its end a grant is marked, so that there is time to ask anew.
const soonEnds = 30 * 24 * time.Hour

func (n *names) grant(g sharing.Grant) grantRow {
	row := grantRow{
		ID: g.ID, Resource: g.ResourceName, Client: g.ClientName,
		Consumer: n.department(g.ConsumerDeptID), Provider: n.department(g.ProviderDeptID), Items: len(g.Items),
		State: g.State, Purpose: g.PurposeText, ValidTo: g.ValidTo,
	}
	if g.State == sharing.GrantActive || g.State == sharing.GrantSuspended {
		// The period ends by the clock; the sweep that writes it down may come later.
		left := g.ValidTo.Sub(n.v.Clock())
		row.Soon = left > 0 && left <= soonEnds
		if left <= 0 {
			row.State = sharing.GrantExpired
		}
	}
	return row
}

func (n *names) grants(all []sharing.Grant) []grantRow {
	rows := make([]grantRow, 0, len(all))
	for _, g := range all {
		rows = append(rows, n.grant(g))
	}
	return rows
}

// grantList is the list of grants with what narrows it.
type grantList struct {
	Side, State, Text string
	Soon              bool
	States            []sharing.GrantState
	Sides             bool // The reader's department has a side; the authority has none.
	Rows              []grantRow
	More, Table       string
	Narrowed          bool
	Restored          *restoredGrants // For who may confirm them; nil where none wait.
}

// restoredGrants are the first of those that a restore suspended, with what was typed about them.
type restoredGrants struct {
	Rows   []grantRow
	More   bool
	Reason string
}

func (c *console) showGrants(v *visit) error { return v.drawGrants("", nil) }

// drawGrants draws the list; reason and problem are those of a confirmation that failed.
func (v *visit) drawGrants(reason string, problem error) error {
	page := grantList{
		Side: v.query("side"), State: v.query("state"), Text: v.query("q"), Soon: v.query("soon") != "", Table: v.sheetAddress(),
		States: []sharing.GrantState{sharing.GrantActive, sharing.GrantSuspended, sharing.GrantPendingDelivery, sharing.GrantExpired, sharing.GrantTerminated},
		Sides:  !v.may(authz.GrantRead, authz.Target{Kind: "grant"}),
	}
	page.Narrowed = page.Side != "" || page.State != "" || page.Text != "" || page.Soon
	f := sharing.GrantFilter{State: sharing.GrantState(page.State), Side: sharing.Side(page.Side), Text: page.Text}
	if page.Soon {
		f.ExpiresWithin = soonEnds
	}
	names := v.names()
	if v.asSheet() {
		return v.sheet("grants", grantColumns(), func(cursor string) ([][]string, string, error) {
			all, next, err := v.Sharing.ListGrants(v.r.Context(), v.principal, f, db.Page{Limit: db.MaxPage, Cursor: cursor})
			return v.grantCells(names.grants(all)), next, err
		})
	}
	all, next, err := v.Sharing.ListGrants(v.r.Context(), v.principal, f, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Rows = names.grants(all)
	if next != "" {
		q := v.r.URL.Query()
		q.Del("done")
		q.Set("cursor", next)
		page.More = (&url.URL{Path: prefix + "/grants", RawQuery: q.Encode()}).RequestURI()
	}
	if page.Restored, err = v.restored(names); err != nil {
		return err
	}
	if problem != nil {
		if page.Restored != nil {
			page.Restored.Reason = reason
		}
		return v.again("grants", "grants.title", page, problem)
	}
	return v.show("grants", "grants.title", page)
}

// grantColumns are the columns of the table of grants, as keys.
func grantColumns() []string {
	return []string{
		"request.resource", "grant.client", "request.consumer", "request.provider", "terms.purpose", "request.item_count", "list.state", "grant.until", "grant.id",
	}
}

func (v *visit) grantCells(rows []grantRow) [][]string {
	out := make([][]string, 0, len(rows))
	for _, r := range rows {
		out = append(out, []string{
			r.Resource, r.Client, r.Consumer, r.Provider, r.Purpose, strconv.Itoa(r.Items), v.word("grant_state", r.State), v.formats.moment(r.ValidTo), r.ID.String(),
		})
	}
	return out
}

// restored lists the grants that wait for their confirmation after a restore, nil for who may not confirm and where none waits.
func (v *visit) restored(n *names) (*restoredGrants, error) {
	if !v.may(authz.GrantConfirmRestored, authz.Target{Kind: "grant"}) {
		return nil, nil
	}
	all, next, err := v.Sharing.ListGrants(v.r.Context(), v.principal, sharing.GrantFilter{SuspendedBy: sharing.ByRestore}, db.Page{Limit: 50})
	if err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(n.grants(all), func(r grantRow) bool { return r.State == sharing.GrantExpired })
	if len(rows) == 0 {
		return nil, nil
	}
	return &restoredGrants{Rows: rows, More: next != ""}, nil
}

// confirmRestored says that grants which a restore suspended are still in force: those that were ticked, or all of them.
func (c *console) confirmRestored(v *visit) error {
	reason := v.field("reason")
	var ids []uuid.UUID
	if v.field("which") != "all" {
		for _, text := range v.r.PostForm["grant"] {
			id, err := uuid.Parse(text)
			if err != nil {
				return v.drawGrants(reason, oneField("grant", "unknown"))
			}
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			return v.drawGrants(reason, oneField("grant", "choose_some"))
		}
	}
	for {
		done, err := v.Sharing.ConfirmRestored(v.r.Context(), v.principal, reason, ids)
		if fault.Is(err, fault.Forbidden) {
			return err
		}
		if err != nil {
			return v.drawGrants(reason, err)
		}
		if done.Left == 0 || done.Confirmed == 0 {
			return v.to(prefix+"/grants", "grants_confirmed")
		}
	}
}
