package console

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// requestRow is a request in a list.
type requestRow struct {
	ID                           uuid.UUID
	Resource, Consumer, Provider string
	Items                        int
	State                        sharing.RequestState
	CreatedAt                    time.Time
	DueAt                        *time.Time
	Overdue                      bool
	Clock                        clock
}

func (n *names) request(q sharing.Request) requestRow {
	row := requestRow{
		ID: q.ID, Resource: n.title(q), Consumer: n.department(q.ConsumerDeptID),
		Provider: n.department(q.ProviderDeptID), Items: len(q.Items), State: q.State, CreatedAt: q.CreatedAt, DueAt: q.DueAt,
	}
	waits := q.State == sharing.RequestPendingAcceptance || q.State == sharing.RequestInReview
	row.Overdue = waits && q.DueAt != nil && n.v.Clock().After(*q.DueAt)
	row.Clock = n.v.clock(q.DueAt, q.State)
	return row
}

func (n *names) requests(all []sharing.Request) []requestRow {
	n.learn(all)
	rows := make([]requestRow, 0, len(all))
	for _, q := range all {
		rows = append(rows, n.request(q))
	}
	return rows
}

// requestPage is one request with what the reader may do about it.
type requestPage struct {
	Request          sharing.Request
	Row              requestRow
	Client           string
	Terms            terms
	Moves            []requestMove
	Consequence      string // Key of the sentence on what a decision brings.
	Steps            []requestStep
	GrantID          string
	AwaitsSupplement bool
}

// requestMove is a button, or a form that opens, for one step.
type requestMove struct {
	Step, Key, Icon string
	Form            bool // It asks for words before it is done.
	Must            bool // A reason must be given.
	Danger, Primary bool
	Open            bool // The last try failed: show it opened with what was typed.
	Reason, Code    string
	Days            string
	Codes           []string
	Clear           []termItem // Items asked for without their mask, for the approver to allow one by one.
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
		Request: q, Row: names.request(q), Client: v.client(ctx, q.ClientID, q.ConsumerDeptID), Terms: v.termsOfRequest(q, r),
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
	page.Moves = v.requestMoves(q, page.Terms, made, failed)
	if problem != nil {
		return v.again("request", page.Row.Resource, page, problem)
	}
	return v.show("request", page.Row.Resource, page)
}

// looks of the steps; those that are not named are plain buttons.
var requestLooks = map[sharing.Step]requestMove{
	sharing.StepSubmit:     {Icon: "send", Primary: true},
	sharing.StepResubmit:   {Icon: "send", Primary: true},
	sharing.StepSign:       {Icon: "signature", Primary: true},
	sharing.StepAccept:     {Icon: "check", Primary: true},
	sharing.StepReturn:     {Icon: "arrow-left", Form: true, Must: true},
	sharing.StepSupplement: {Icon: "list-details", Form: true, Must: true},
	sharing.StepExtend:     {Icon: "clock", Form: true, Must: true},
	sharing.StepApprove:    {Icon: "circle-check", Form: true},
	sharing.StepRefuse:     {Icon: "ban", Form: true, Must: true, Danger: true},
	sharing.StepWithdraw:   {Icon: "x", Form: true, Danger: true},
}

// requestMoves lists what the reader can do now. Who made a request is not shown the steps of its reviewers.
func (v *visit) requestMoves(q sharing.Request, t terms, made bool, failed string) []requestMove {
	reviews := map[sharing.Step]bool{}
	for _, m := range sharing.Moves() {
		reviews[m.Step] = reviews[m.Step] || m.Review
	}
	var moves []requestMove
	for _, step := range v.Sharing.PossibleSteps(v.principal, q) {
		if made && reviews[step] {
			continue
		}
		m := requestLooks[step]
		m.Step, m.Key = string(step), "move."+string(step)
		switch step {
		case sharing.StepRefuse:
			m.Codes = sharing.RefusalCodes()
		case sharing.StepExtend:
			m.Days = "10"
		case sharing.StepApprove:
			for _, i := range t.Items {
				if i.Cleared {
					m.Clear = append(m.Clear, i)
				}
			}
		case sharing.StepSubmit, sharing.StepResubmit:
			moves = append(moves, requestMove{Step: "edit", Key: "move.edit"})
		}
		if failed == m.Step {
			m.Open, m.Reason, m.Code, m.Days = true, v.field("reason"), v.field("code"), v.field("days")
		}
		moves = append(moves, m)
	}
	return moves
}

// moveRequest takes a step. What goes wrong is shown where it was tried.
func (c *console) moveRequest(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	step := v.r.PathValue("move")
	err = v.takeStep(v.r.Context(), id, sharing.Step(step), v.rowVersion())
	if err == nil {
		return v.to(prefix+"/requests/"+id.String(), "request_"+step)
	}
	return v.drawRequest(id, step, err)
}

func (v *visit) takeStep(ctx context.Context, id uuid.UUID, step sharing.Step, version int64) (err error) {
	s, p, reason := v.Sharing, v.principal, v.field("reason")
	switch step {
	case sharing.StepSubmit:
		_, err = s.Submit(ctx, p, id, version)
	case sharing.StepResubmit:
		_, err = s.Resubmit(ctx, p, id, version)
	case sharing.StepSign:
		_, err = s.Sign(ctx, p, id, version, reason)
	case sharing.StepReturn:
		_, err = s.Return(ctx, p, id, version, reason)
	case sharing.StepWithdraw:
		_, err = s.Withdraw(ctx, p, id, version, reason)
	case sharing.StepAccept:
		_, err = s.Accept(ctx, p, id, version, reason)
	case sharing.StepSupplement:
		_, err = s.Supplement(ctx, p, id, version, reason)
	case sharing.StepExtend:
		days, bad := strconv.Atoi(v.field("days"))
		if bad != nil {
			return oneField("days", "out_of_range")
		}
		_, err = s.Extend(ctx, p, id, version, days, reason)
	case sharing.StepApprove:
		_, err = s.Approve(ctx, p, id, version, sharing.Conditions{Unmask: v.r.PostForm["unmask"], Opinion: reason})
	case sharing.StepRefuse:
		_, err = s.Refuse(ctx, p, id, version, v.field("code"), reason)
	default:
		err = notFound()
	}
	return err
}

func oneField(name, code string) error {
	return fault.InvalidFields([]fault.Field{{Name: name, Code: code, Message: code}})
}

// rowVersion is the version of the thing that the form was drawn with, so that nobody decides on what changed meanwhile.
func (v *visit) rowVersion() int64 {
	n, _ := strconv.ParseInt(v.field("row_version"), 10, 64)
	return n
}

// client is what a consuming system is called, or the start of its id for readers of other departments.
// Readers who may not look it up are not made to try: each refusal is an entry of the log.
func (v *visit) client(ctx context.Context, id, department uuid.UUID) string {
	if !v.may(authz.ClientRead, authz.Target{Kind: "client", Department: department}) {
		return short(id.String())
	}
	c, err := v.Identity.Client(ctx, v.principal, id)
	if err != nil {
		return short(id.String())
	}
	return c.Name
}

// short is enough of an id to tell two apart on one page.
func short(id string) string {
	if at := strings.LastIndexByte(id, '-'); at >= 0 && len(id) == 36 {
		return id[at+1:]
	}
	return id
}

// more is the address of the next page of a list, "" after the last.
func more(path, cursor string) string {
	if cursor == "" {
		return ""
	}
	return path + "?cursor=" + cursor
}

// sharingResource names the resource version that terms speak of.
type sharingResource struct {
	ResourceID uuid.UUID
	Version    int
}
