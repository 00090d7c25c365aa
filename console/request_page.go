package console

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// requestPage is one request with all that somebody who decides on it looks at, and what the reader may do about it.
type requestPage struct {
	Request          sharing.Request
	Row              requestRow
	Terms            terms
	Items            []askedItem
	Unmask           int // Items asked for without their mask.
	Against          *comparison
	Others           []grantRow // Other grants of the consumer's department on the resource.
	Access           string     // Address of what the client can see, for those who may ask.
	Clock            requestClock
	Moves            []requestMove
	Decision         *decision // The form of an approval, for who may approve.
	Consequence      string    // Key of the sentence on what a decision brings.
	Steps            []requestStep
	GrantID          string
	AwaitsSupplement bool

	Meanwhile []requestStep // What others did since the reader's form was drawn.
	Kept      string        // The opinion that was typed into a form that is no longer possible.
	Accepted  bool          // The first half of accepting and deciding was done, the second failed.
}

// askedItem is one item as it is asked for, beside what the catalogue does with it.
type askedItem struct {
	termItem
	Definition string
	Default    string // The catalogue's mask, "" for none.
	Added      bool   // What is in force does not hold it.
}

// requestClock is how long there is to answer, and who is to act.
type requestClock struct {
	Left    int // Working days after today.
	Runs    bool
	Waits   string // Key of who is to act, "" when nobody is.
	Names   string // The department of those.
	Extends bool   // It was extended.
}

// requestMove is a button, or a form that opens, for one step.
type requestMove struct {
	Step, Key, Icon string
	Form            bool // It asks for words before it is done.
	Must            bool // A reason must be given.
	Danger, Primary bool
	Final           bool // It cannot be undone, so the browser asks once more.
	Open            bool // The last try failed: show it opened with what was typed.
	Reason, Code    string
	Days            string
	Codes           []string
	Consequence     string // Key of what it brings, "" where its name says it.
}

type requestStep struct {
	sharing.RequestEntry
	Department string
	Mine       bool
}

func (c *console) showRequest(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawRequest(id, "", nil)
}

// drawRequest draws a request, with the form of a failed step opened.
func (v *visit) drawRequest(id uuid.UUID, failed string, problem error) error {
	ctx := v.r.Context()
	q, err := v.Sharing.GetRequest(ctx, v.principal, id)
	if err != nil {
		return err
	}
	history, err := v.Sharing.RequestHistory(ctx, v.principal, id)
	if err != nil {
		return err
	}
	names := v.names()
	r := v.version(sharingResource{q.ResourceID, q.ResourceVersion})
	page := requestPage{
		Request: q, Row: names.request(q), Terms: v.termsOfRequest(q, r), Unmask: len(q.Unmask), Clock: v.clockOf(q, names),
		Access:           v.clientAccessLink(q.ClientID, q.ConsumerDeptID),
		AwaitsSupplement: q.State == sharing.RequestSupplementRequired, Consequence: "consequence." + string(q.State),
	}
	if q.GrantID != uuid.Nil {
		page.GrantID = q.GrantID.String()
	}
	made := v.principal.ID == q.ApplicantID
	for _, e := range history {
		mine := e.ActorID == v.principal.ID
		page.Steps = append(page.Steps, requestStep{RequestEntry: e, Department: names.department(e.ActorDept), Mine: mine})
		made = made || mine && slices.Contains([]sharing.Step{sharing.StepCreate, sharing.StepEdit, sharing.StepSubmit, sharing.StepResubmit}, e.Step)
	}
	if err := page.inForce(v, names, r); err != nil {
		return err
	}
	page.Items = v.askedItems(q, page.Terms, r, page.Against)
	steps := v.possibleSteps(q, made)
	page.Moves = v.requestMoves(steps, failed)
	if at := slices.IndexFunc(steps, isApproval); at >= 0 {
		page.Decision = v.decisionOn(q, r, steps[at], failed)
	}
	if problem == nil {
		return v.show("request", page.Row.Resource, page)
	}
	page.outrun(v.rowVersion(), failed, v.field("reason"), problem)
	page.Accepted = failed == string(stepAcceptApprove) && q.State == sharing.RequestInReview && len(page.Meanwhile) == 0
	return v.again("request", page.Row.Resource, page, problem)
}

// inForce finds what the consumer's department holds on the resource now: what the request is compared with, and the rest.
func (p *requestPage) inForce(v *visit, n *names, r catalog.Resource) error {
	if !v.may(authz.GrantRead, v.own("grant")) {
		return nil
	}
	q := p.Request
	grants, _, err := v.Sharing.ListGrants(v.r.Context(), v.principal, sharing.GrantFilter{
		ResourceID: q.ResourceID, ConsumerDeptID: q.ConsumerDeptID,
	}, db.Page{Limit: 50})
	if err != nil {
		return err
	}
	grants = slices.DeleteFunc(grants, func(g sharing.Grant) bool {
		held := g.State == sharing.GrantActive || g.State == sharing.GrantSuspended || g.State == sharing.GrantPendingDelivery
		return !held || g.ID == q.GrantID || !v.Clock().Before(g.ValidTo)
	})
	// The one for the same purpose, else the newest of the same system, is what a new grant would stand beside.
	best := -1
	for i, g := range grants {
		if g.ClientID == q.ClientID && (best < 0 || g.Purpose == q.Purpose && grants[best].Purpose != q.Purpose) {
			best = i
		}
	}
	if best >= 0 && !decided(q.State) {
		p.Against = v.compare(grants[best], q, r)
	}
	for i, g := range grants {
		if i != best || p.Against == nil {
			p.Others = append(p.Others, n.grant(g))
		}
	}
	return nil
}

func decided(s sharing.RequestState) bool {
	return s == sharing.RequestApproved || s == sharing.RequestRefused || s == sharing.RequestWithdrawn
}

func (v *visit) askedItems(q sharing.Request, t terms, r catalog.Resource, against *comparison) []askedItem {
	byName := map[string]catalog.Item{}
	for _, i := range r.Version.Items {
		byName[i.Identifier] = i
	}
	var out []askedItem
	for _, i := range t.Items {
		entry := byName[i.Identifier]
		out = append(out, askedItem{
			termItem: i, Definition: entry.Definition, Default: maskOf(entry), Added: against != nil && !slices.Contains(against.items, entry.No),
		})
	}
	return out
}

func (v *visit) clockOf(q sharing.Request, n *names) requestClock {
	c := requestClock{Extends: q.ExtendedDays > 0}
	switch q.State {
	case sharing.RequestDeptReview, sharing.RequestSupplementRequired, sharing.RequestDraft:
		c.Waits, c.Names = "waits."+string(q.State), n.department(q.ConsumerDeptID)
	case sharing.RequestPendingAcceptance:
		c.Waits = "waits." + string(q.State)
	case sharing.RequestInReview:
		c.Waits, c.Names = "waits."+string(q.State), n.department(q.ProviderDeptID)
	}
	if q.DueAt != nil && !decided(q.State) {
		c.Runs, c.Left = true, v.Sharing.WorkingDaysLeft(*q.DueAt)
	}
	return c
}

// Overdue says by how many working days the answer is late, 0 while it is not.
func (c requestClock) Overdue() int { return max(0, -c.Left) }

// outrun says what others did between the drawing of the reader's form and its sending, and keeps what was typed where its form
// is gone: two people who decide at once both learn what happened.
func (p *requestPage) outrun(seen int64, failed, typed string, problem error) {
	switch fault.CodeOf(problem) {
	case "version_mismatch", "illegal_move", "try_again":
	default:
		return
	}
	since := 1
	if seen > 0 {
		since = int(min(p.Request.RowVersion-seen, int64(len(p.Steps))))
	}
	if since > 0 {
		p.Meanwhile = p.Steps[len(p.Steps)-min(since, len(p.Steps)):]
	}
	offered := p.Decision != nil && string(p.Decision.Step) == failed
	for _, m := range p.Moves {
		offered = offered || m.Step == failed
	}
	if !offered {
		p.Kept = typed
	}
}

// dayOf is the day of a moment as forms hold it.
func (v *visit) dayOf(t time.Time) string { return v.formats.day(t) }
