package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/sharing"
)

// grantPage is one grant with what the reader may do about it.
type grantPage struct {
	Grant   sharing.Grant
	Served  sharing.Served
	LastDay *time.Time // On which the grant is served an old version; nil where it is served the published one.
	Row     grantRow
	Terms   terms
	Moves   []grantMove
	Steps   []grantStep
	Address string // Where the consumer's client pulls from; "" for other readers.
	Access  string // Address of what the client can see, for those who may ask.
	Use     grantUse
	Stop    *grantStop // Of a grant that is suspended or terminated.

	Changes        []grantChange
	CanAcknowledge bool
}

// grantChange is a publication that touches a grant, in words.
type grantChange struct {
	sharing.GrantChange
	Lines []string
}

func (p grantPage) charts() bool { return p.Use.Chart != "" }

type grantMove struct {
	Step, Key, Icon, Consequence string
	Danger, Open                 bool
	Final                        bool // It cannot be undone, so the browser asks once more.
	Record                       bool // The negotiation and the filing must be recorded (Order 809, Art 27).
	Reason, Negotiation          string
	Filing, Date                 string
}

type grantStep struct {
	sharing.GrantEntry
	Department string
	Filing     *sharing.Filing // The record of a termination.
}

// grantUse is the use of a grant as the page shows it.
type grantUse struct {
	sharing.GrantUse
	Chart       string // What the chart draws, "" where there was no use.
	Rows, Calls int64
	Left        int64 // Rows of the quota that are left in its period.
}

// useDays is how many days of use the page shows.
const useDays = 30

// grantStop is how far a suspension or termination has come.
type grantStop struct {
	sharing.Refusal
	GrantID uuid.UUID
	After   string // Seconds from the decision until the last node refused, "" while that is not known.
	Polls   bool   // Nodes are still to say so: ask again.
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
	served, err := v.Sharing.GetServed(ctx, v.principal, id)
	if err != nil {
		return err
	}
	g := served.Grant
	history, err := v.Sharing.GrantHistory(ctx, v.principal, id)
	if err != nil {
		return err
	}
	names := v.names()
	page := grantPage{
		Grant: g, Served: served.Served, LastDay: lastDay(served.ServedUntil), Row: names.grant(g), Terms: v.termsOfGrant(g, v.version(sharingResource{g.ResourceID, g.ResourceVersion})),
	}
	page.Access = v.clientAccessLink(g.ClientID, g.ConsumerDeptID)
	if err := v.fillChanges(&page); err != nil {
		return err
	}
	if v.principal.Department == g.ConsumerDeptID {
		page.Address = hostOf(v.r) + "/api/v1/data/" + g.ResourceID.String() + "/rows"
	}
	for _, e := range history {
		step := grantStep{GrantEntry: e}
		if e.ActorDept != nil {
			step.Department = names.department(*e.ActorDept)
		}
		var filing sharing.Filing
		if len(e.Document) > 0 && json.Unmarshal(e.Document, &filing) == nil && filing != (sharing.Filing{}) {
			step.Filing = &filing
		}
		page.Steps = append(page.Steps, step)
	}
	if page.Use, err = v.useOf(g); err != nil {
		return err
	}
	if page.Stop, err = v.stopOf(g); err != nil {
		return err
	}
	page.Moves = v.grantMoves(g, page.Row.State, failed)
	if problem != nil {
		return v.again("grant", page.Row.Resource, page, problem)
	}
	return v.show("grant", page.Row.Resource, page)
}

// hostOf is where the reader reached the hub, for addresses to copy.
func hostOf(r *http.Request) string {
	if edge.OriginOf(r).Secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// useOf reads the use of the last days.
func (v *visit) useOf(g sharing.Grant) (grantUse, error) {
	use, err := v.Sharing.GrantUse(v.r.Context(), v.principal, g.ID, useDays)
	if err != nil {
		return grantUse{}, err
	}
	u := grantUse{GrantUse: use, Left: max(0, g.Quota-use.Used)}
	x := make([]string, len(use.Days))
	rows, calls := make([]int64, len(use.Days)), make([]int64, len(use.Days))
	for i, d := range use.Days {
		x[i], rows[i], calls[i] = d.Day.Format("01-02"), d.Rows, d.Calls
		u.Rows, u.Calls = u.Rows+d.Rows, u.Calls+d.Calls
	}
	if u.Calls == 0 {
		return u, nil
	}
	chart, err := json.Marshal(map[string]any{"kind": "bar", "x": x, "series": []map[string]any{
		{"name": v.say("grant.use_rows"), "values": rows, "tone": "blue"}, {"name": v.say("grant.use_calls"), "values": calls, "tone": "azure"},
	}})
	u.Chart = string(chart)
	return u, err
}

// stopOf says since when the nodes refuse a grant; nil for one that was not stopped by people.
func (v *visit) stopOf(g sharing.Grant) (*grantStop, error) {
	if g.State != sharing.GrantSuspended && g.State != sharing.GrantTerminated || g.SuspendedBy == sharing.ByRestore {
		return nil, nil
	}
	r, err := v.Sharing.GrantRefusal(v.r.Context(), v.principal, g.ID)
	if err != nil {
		return nil, err
	}
	s := &grantStop{Refusal: r, GrantID: g.ID}
	// A node that never said so started later or is gone; nothing more comes of asking.
	s.Polls = r.Waiting > 0 || r.Nodes == 0 && v.Clock().Sub(r.At) < time.Minute
	if r.RefusedAt != nil {
		s.After = fmt.Sprintf("%.1f", max(0.1, r.RefusedAt.Sub(r.At).Seconds()))
	}
	return s, nil
}

// showRefusal is the part of the page that says how far a suspension has come.
func (c *console) showRefusal(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	g, err := v.Sharing.GetGrant(v.r.Context(), v.principal, id)
	if err != nil {
		return err
	}
	stop, err := v.stopOf(g)
	if err != nil {
		return err
	}
	return v.part("grant", "refusal", stop)
}

// grantMoves lists what the reader can do now.
func (v *visit) grantMoves(g sharing.Grant, shown sharing.GrantState, failed string) []grantMove {
	if shown == sharing.GrantExpired {
		return nil
	}
	looks := map[sharing.GrantStep]grantMove{
		sharing.GrantSuspend:   {Icon: "player-pause", Danger: true},
		sharing.GrantResume:    {Icon: "player-play"},
		sharing.GrantTerminate: {Icon: "ban", Danger: true, Final: true, Record: !v.principal.Has(authz.PlatformOperator)},
	}
	var moves []grantMove
	for _, step := range v.Sharing.PossibleGrantSteps(v.principal, g) {
		m, ok := looks[step]
		if !ok {
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

// backToGrant leads who reloads or follows the address of a form to the page that has the form.
func (c *console) backToGrant(v *visit) error { return v.back("/grants/") }

// fillChanges lists the publications that touch the grant.
func (v *visit) fillChanges(page *grantPage) error {
	changes, err := v.Sharing.GrantChanges(v.r.Context(), v.principal, page.Grant.ID)
	if err != nil {
		return err
	}
	page.CanAcknowledge = v.may(authz.GrantAcknowledge, authz.Target{Kind: "grant", ID: page.Grant.ID.String(), Department: page.Grant.ConsumerDeptID})
	for _, c := range changes {
		page.Changes = append(page.Changes, grantChange{GrantChange: c, Lines: v.breakLines(c.Breaks)})
	}
	return nil
}
