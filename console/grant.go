package console

import (
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// grantRow is a grant in a list.
type grantRow struct {
	ID                                   uuid.UUID
	Resource, Client, Consumer, Provider string
	Items                                int
	State                                sharing.GrantState
	ValidTo                              time.Time
}

func (n *names) grant(g sharing.Grant) grantRow {
	ctx := n.v.r.Context()
	row := grantRow{
		ID: g.ID, Resource: n.resource(ctx, g.ResourceID), Client: n.v.client(ctx, g.ClientID, g.ConsumerDeptID),
		Consumer: n.department(g.ConsumerDeptID), Provider: n.department(g.ProviderDeptID), Items: len(g.Items),
		State: g.State, ValidTo: g.ValidTo,
	}
	// The period ends by the clock; the sweep that writes it down may come later.
	if (g.State == sharing.GrantActive || g.State == sharing.GrantSuspended) && !n.v.Clock().Before(g.ValidTo) {
		row.State = sharing.GrantExpired
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

type grantList struct {
	Rows []grantRow
	More string
}

func (c *console) showGrants(v *visit) error {
	all, next, err := v.Sharing.ListGrants(v.r.Context(), v.principal, sharing.GrantFilter{}, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	return v.show("grants", "grants.title", grantList{Rows: v.names().grants(all), More: more(prefix+"/grants", next)})
}

// grantPage is one grant with what the reader may do about it.
type grantPage struct {
	Grant   sharing.Grant
	Row     grantRow
	Terms   terms
	Moves   []grantMove
	Steps   []grantStep
	Address string // Where the consumer's client pulls from; "" for other readers.
	Access  string // Address of what the client can see, for those who may ask.
}

type grantMove struct {
	Step, Key, Icon, Consequence string
	Form, Danger, Open           bool
	Record                       bool // The negotiation and the filing must be recorded (Order 809, Art 27).
	Reason, Negotiation          string
	Filing, Date                 string
}

type grantStep struct {
	sharing.GrantEntry
	Department string
}

func (c *console) showGrant(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawGrant(id, "", nil)
}

func (v *visit) drawGrant(id uuid.UUID, failed string, problem error) error {
	ctx := v.r.Context()
	g, err := v.Sharing.GetGrant(ctx, v.principal, id)
	if err != nil {
		return err
	}
	history, err := v.Sharing.GrantHistory(ctx, v.principal, id)
	if err != nil {
		return err
	}
	names := v.names()
	page := grantPage{
		Grant: g, Row: names.grant(g), Terms: v.termsOfGrant(g, v.version(sharingResource{g.ResourceID, g.ResourceVersion})),
	}
	page.Access = v.clientAccessLink(g)
	if v.principal.Department == g.ConsumerDeptID {
		page.Address = "/api/v1/data/" + g.ResourceID.String() + "/rows"
	}
	suspendedBy := sharing.Side("")
	for _, e := range history {
		step := grantStep{GrantEntry: e}
		if e.ActorDept != nil {
			step.Department = names.department(*e.ActorDept)
		}
		page.Steps = append(page.Steps, step)
		if e.Step == sharing.GrantSuspend {
			suspendedBy = e.Side
		}
	}
	page.Moves = v.grantMoves(g, page.Row.State, suspendedBy, failed)
	if problem != nil {
		return v.again("grant", page.Row.Resource, page, problem)
	}
	return v.show("grant", page.Row.Resource, page)
}

// grantMoves lists what the reader can do now. What the authority suspended is not the provider's to resume.
func (v *visit) grantMoves(g sharing.Grant, shown sharing.GrantState, suspendedBy sharing.Side, failed string) []grantMove {
	if shown == sharing.GrantExpired {
		return nil
	}
	authority := v.principal.Has(authz.PlatformOperator)
	looks := map[sharing.GrantStep]grantMove{
		sharing.GrantSuspend:   {Icon: "player-pause", Form: true, Danger: true},
		sharing.GrantResume:    {Icon: "player-play", Form: true},
		sharing.GrantTerminate: {Icon: "ban", Form: true, Danger: true, Record: !authority},
	}
	var moves []grantMove
	for _, step := range v.Sharing.PossibleGrantSteps(v.principal, g) {
		m, ok := looks[step]
		if !ok || step == sharing.GrantResume && suspendedBy == sharing.AuthoritySide && !authority {
			continue
		}
		m.Step, m.Key, m.Consequence = string(step), "move."+string(step), "consequence."+string(step)
		if failed == m.Step {
			m.Open, m.Reason, m.Negotiation = true, v.field("reason"), v.field("negotiation")
			m.Filing, m.Date = v.field("filing_no"), v.field("date")
		}
		moves = append(moves, m)
	}
	return moves
}

func (c *console) moveGrant(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	step, reason, version := v.r.PathValue("move"), v.field("reason"), v.rowVersion()
	switch sharing.GrantStep(step) {
	case sharing.GrantSuspend:
		_, err = v.Sharing.SuspendGrant(ctx, v.principal, id, version, reason)
	case sharing.GrantResume:
		_, err = v.Sharing.ResumeGrant(ctx, v.principal, id, version, reason)
	case sharing.GrantTerminate:
		_, err = v.Sharing.TerminateGrant(ctx, v.principal, id, version, reason, sharing.Filing{
			Negotiation: v.field("negotiation"), FilingNo: v.field("filing_no"), Date: v.field("date"),
		})
	default:
		return notFound()
	}
	if err == nil {
		return v.to(prefix+"/grants/"+id.String(), "grant_"+step)
	}
	return v.drawGrant(id, step, err)
}
