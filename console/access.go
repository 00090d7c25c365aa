package console

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// accessPage says who can see a resource, or what a client can see.
type accessPage struct {
	Path    string // Of the page, without its question.
	Name    string // Of the resource or client.
	Back    string
	OfItems bool // About a resource: one item of it may be asked for.
	Items   []catalog.Item

	At, Item string // As they were typed.
	Refused  bool

	Report *sharing.AccessReport // nil where the question cannot be answered.
	Rows   []accessRow
	Table  string // Address of the answer as CSV.
	More   string
}

// accessRow is one grant of an answer, with addresses where the reader may open them.
type accessRow struct {
	sharing.Access
	ToGrant, ToClient, ToResource string
}

func (c *console) showResourceAccess(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page := accessPage{Path: prefix + "/resources/" + id.String() + "/access", Back: prefix + "/resources", Name: id.String(), OfItems: true}
	// Who may ask about an entry may not always read it: a draft, for one.
	if r, err := v.Catalog.Get(v.r.Context(), v.principal, id); err == nil {
		page.Name, page.Items, page.Back = r.Name, r.Version.Items, prefix+"/resources/"+id.String()
	}
	return v.answerAccess(page, func(ctx context.Context, q sharing.AccessQuery) (sharing.AccessReport, error) {
		return v.Sharing.ResourceAccess(ctx, v.principal, id, q)
	}, func(ctx context.Context, q sharing.AccessQuery, w io.Writer) error {
		return v.Sharing.WriteResourceAccess(ctx, v.principal, id, q, w)
	})
}

func (c *console) showClientAccess(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page := accessPage{Path: prefix + "/clients/" + id.String() + "/access", Back: prefix + "/resources", Name: short(id.String())}
	return v.answerAccess(page, func(ctx context.Context, q sharing.AccessQuery) (sharing.AccessReport, error) {
		return v.Sharing.ClientAccess(ctx, v.principal, id, q)
	}, func(ctx context.Context, q sharing.AccessQuery, w io.Writer) error {
		return v.Sharing.WriteClientAccess(ctx, v.principal, id, q, w)
	})
}

// answerAccess draws the answer to the question in the address, or sends it as a table.
func (v *visit) answerAccess(page accessPage, ask func(context.Context, sharing.AccessQuery) (sharing.AccessReport, error),
	table func(context.Context, sharing.AccessQuery, io.Writer) error,
) error {
	title := "access.what_title"
	if page.OfItems {
		title = "access.who_title"
	}
	page.At, page.Item, page.Refused = v.query("at"), v.query("item"), v.query("refused") != ""
	q := sharing.AccessQuery{Item: page.Item, Refused: page.Refused, Page: db.Page{Cursor: v.query("cursor")}}
	err := v.accessMoment(page.At, &q)
	if err == nil && v.query("format") == "csv" {
		var out bytes.Buffer
		if err = table(v.r.Context(), q, &out); err == nil {
			v.w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
			v.w.Header().Set("Content-Disposition", `attachment; filename="access.csv"`)
			_, err = out.WriteTo(v.w)
			return err
		}
	}
	var report sharing.AccessReport
	if err == nil {
		report, err = ask(v.r.Context(), q)
	}
	if fault.Is(err, fault.Forbidden) {
		return err
	}
	if err != nil {
		return v.again("access", title, page, err)
	}
	page.Report = &report
	for _, a := range report.Data {
		page.Rows = append(page.Rows, v.accessRow(a))
	}
	page.Name = report.Name
	page.addresses(report)
	return v.show("access", title, page)
}

// accessMoment reads what was typed for the moment, in the hub's time zone; nothing means now.
func (v *visit) accessMoment(typed string, q *sharing.AccessQuery) error {
	if typed == "" {
		return nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.RFC3339Nano} {
		if at, err := time.ParseInLocation(layout, typed, v.formats.zone); err == nil {
			q.At = at
			return nil
		}
	}
	return fault.InvalidFields([]fault.Field{{Name: "at", Code: "malformed", Message: "write the moment as 2026-11-22T10:00"}})
}

// addresses are where the answer goes on, and where it is a table. The table is of the moment that is shown.
func (p *accessPage) addresses(report sharing.AccessReport) {
	q := url.Values{}
	if p.Item != "" {
		q.Set("item", p.Item)
	}
	if p.Refused {
		q.Set("refused", "1")
	}
	if p.At != "" {
		q.Set("at", p.At)
	}
	if report.NextCursor != "" {
		q.Set("cursor", report.NextCursor)
		p.More = p.Path + "?" + q.Encode()
		q.Del("cursor")
	}
	q.Set("at", report.At.UTC().Format(time.RFC3339Nano))
	q.Set("format", "csv")
	p.Table = p.Path + "?" + q.Encode()
}

func (v *visit) accessRow(a sharing.Access) accessRow {
	row := accessRow{Access: a}
	if _, err := v.Catalog.Get(v.r.Context(), v.principal, a.ResourceID); err == nil {
		row.ToResource = prefix + "/resources/" + a.ResourceID.String()
	}
	if v.may(authz.AccessRead, clientTarget(a.ClientID, a.DepartmentID)) {
		row.ToClient = prefix + "/clients/" + a.ClientID.String() + "/access"
	}
	// Both departments of a grant and the authority may open it; who reads this is of one of the departments, or of none.
	if v.may(authz.GrantRead, v.own("grant")) {
		row.ToGrant = prefix + "/grants/" + a.GrantID.String()
	}
	return row
}

func clientTarget(id, department uuid.UUID) authz.Target {
	return authz.Target{Kind: "client", ID: id.String(), Department: department}
}

// accessLink is the address of who can see a resource, "" for readers who may not ask.
func (v *visit) accessLink(r catalog.Resource) string {
	if !v.may(authz.AccessRead, authz.Target{Kind: "resource", ID: r.ID.String(), Department: r.ProviderDeptID}) {
		return ""
	}
	return prefix + "/resources/" + r.ID.String() + "/access"
}

// clientAccessLink is the address of what a client can see, "" for readers who may not ask.
func (v *visit) clientAccessLink(client, department uuid.UUID) string {
	if !v.may(authz.AccessRead, clientTarget(client, department)) {
		return ""
	}
	return prefix + "/clients/" + client.String() + "/access"
}
