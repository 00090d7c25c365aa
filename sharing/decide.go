package sharing

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Ask is one call of a client that wants rows.
type Ask struct {
	Resource   string       // Id of the resource, or its code with "/" written as "-".
	GrantID    uuid.UUID    // Header X-Grant; zero when not sent.
	Purpose    string       // Header X-Purpose; "" when not sent.
	CaseNumber string       // Header X-Case-Number; "" when not sent.
	Action     authz.Action // DataPull, DataVerify or DataDeliver.
}

// Permit is the answer to an Ask: which grant decides, and on what terms. What it points to is shared and must not be changed.
type Permit struct {
	Decision authz.Decision
	Grant    Grant
	Resource *catalog.Resource // With the version that the grant is served and its items; texts of the metadata are not filled.
	RidKey   []byte            // 32 bytes: the HMAC key of _rid under this grant.
	Beside   *Beside           // Of a version that is served beside the published one; nil where the grant is served that.
}

// Demands returns the version whose sharing attributes, grades and masks hold: the published one.
func (p Permit) Demands() int {
	if p.Beside != nil {
		return p.Beside.Successor
	}
	return p.Resource.Published
}

// Items returns the granted items in the order of the resource, as the version that is served has them. An item that the
// published version withholds, or that the one served no longer has, is not among them, whatever was granted.
func (p Permit) Items() []catalog.Item {
	out := make([]catalog.Item, 0, len(p.Grant.Items))
	for _, i := range chosen(p.Resource.Version.Items, p.Grant.Items) {
		if i.ShareType != catalog.Withheld {
			out = append(out, i)
		}
	}
	return out
}

// Decide finds the one grant under which a client may do what it asks, never a union of rights: the one named by GrantID,
// else the one with the purpose, else the only one. Purpose and case number must be sent where the grant demands them.
// Faults are of the layer "policy". Forbidden: no_grant (also for grants that are terminated, not yet active, or another
// client's, and for resources that do not exist), grant_suspended, grant_expired, purpose_required, purpose_mismatch,
// case_number_required, and forbidden when no rule allows it. Conflict: grant_ambiguous, whose detail "grants" lists the ids to
// choose from. Unavailable: policy_stale.
func (s *Service) Decide(ctx context.Context, client authz.Principal, ask Ask) (Permit, error) {
	follower := s.enforcer.Follower()
	if err := follower.Wait(ctx); err != nil {
		return Permit{}, err
	}
	found, grants, err := s.look(ctx, client, ask.Resource)
	if err != nil {
		return Permit{}, unconfirmed(err)
	}
	h, err := choose(grants, ask, follower.Now())
	if err == nil {
		err = usable(h.grant, ask, follower.Now())
	}
	if err != nil {
		return Permit{}, s.refuse(ctx, client, ask, found, err)
	}
	resource, beside := found.serves(h, follower.Now())
	decision, err := s.enforcer.Check(ctx, client, ask.Action, grantTarget(h.grant, resource))
	if err != nil {
		return Permit{}, err
	}
	return Permit{Decision: decision, Grant: *h.grant, Resource: resource, RidKey: h.ridKey, Beside: beside}, nil
}

// look returns the resource and the client's grants on it: no resource and no grants where one of them does not exist.
func (s *Service) look(ctx context.Context, client authz.Principal, name string) (*published, []held, error) {
	id, err := s.facts.resourceID(ctx, name)
	if err != nil || id == uuid.Nil {
		return nil, nil, err
	}
	c, err := s.facts.client(ctx, client.ID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case !c.holds(client):
		return nil, nil, nil
	}
	grants, err := s.facts.held(ctx, pair{client.ID, id})
	if err != nil || len(grants) == 0 {
		return nil, nil, err
	}
	found, err := s.facts.published(ctx, id)
	return found, grants, err
}

// refuse notes a refusal in the log, as often as the enforcer notes refusals, and returns it. Asked without a grant, no
// rule set allows to move rows.
func (s *Service) refuse(ctx context.Context, client authz.Principal, ask Ask, found *published, reason error) error {
	target := authz.Target{Kind: "resource", Department: client.Department}
	if found != nil {
		resource := found.resource
		target.ID, target.State = resource.ID.String(), string(resource.State)
		target.ShareType, target.Grade = string(resource.Version.ShareType), string(resource.Version.Grade)
	}
	if _, err := s.enforcer.Check(ctx, client, ask.Action, target); fault.CodeOf(err) == "policy_stale" {
		return err
	}
	return reason
}

// grantTarget states the facts of a call under a grant. Sharing type and grade are those of the granted items as they are
// served and the published version demands, so that an entry that became stricter is decided as such.
func grantTarget(g *Grant, r *catalog.Resource) authz.Target {
	share, grade := catalog.Withheld, catalog.L1
	for i := range r.Version.Items {
		item := &r.Version.Items[i]
		if item.ShareType == catalog.Withheld || !contains(g.Items, item.No) {
			continue
		}
		if item.ShareType == catalog.Conditional || share == catalog.Withheld {
			share = item.ShareType
		}
		grade = max(grade, item.Grade)
	}
	return authz.Target{
		Kind: "grant", ID: g.ID.String(), Department: g.ConsumerDeptID, ShareType: string(share), Grade: string(grade),
		State: string(r.State), Granted: true,
	}
}

func contains(numbers []int, no int) bool {
	for _, n := range numbers {
		if n == no {
			return true
		}
	}
	return false
}

// choose picks the one grant that decides. Grants whose period is over compete only when no other is left, so that a renewed
// right is not ambiguous; a suspended one competes, so that its suspension never switches a caller to other terms.
func choose(grants []held, ask Ask, now time.Time) (held, error) {
	if ask.GrantID != uuid.Nil {
		for _, h := range grants {
			if h.grant.ID == ask.GrantID {
				return h, nil
			}
		}
		return held{}, refusal("no_grant", "there is no such grant in force for this client and resource")
	}
	if len(grants) == 0 {
		return held{}, refusal("no_grant", "this client has no grant in force on this resource; request one")
	}
	var fits, live, ended []held
	for _, h := range grants {
		if expired(h.grant, now) {
			ended = append(ended, h)
		} else {
			live = append(live, h)
		}
	}
	if len(live) == 0 {
		live = ended
	}
	for _, h := range live {
		if ask.Purpose == "" || h.grant.Purpose == ask.Purpose {
			fits = append(fits, h)
		}
	}
	switch {
	case len(fits) == 0:
		return held{}, refusal("purpose_mismatch", "no grant in force was given for this purpose")
	case len(fits) > 1 && expired(fits[0].grant, now):
		return fits[0], nil
	case len(fits) > 1:
		ids := make([]string, len(fits))
		for i, h := range fits {
			ids[i] = h.grant.ID.String()
		}
		return held{}, fault.New(fault.Conflict, "grant_ambiguous",
			"several grants of this client fit; name one by X-Grant or its purpose by X-Purpose").
			At("policy").With("grants", strings.Join(ids, ","))
	}
	return fits[0], nil
}

func expired(g *Grant, now time.Time) bool { return g.State == GrantExpired || !g.ValidTo.After(now) }

// usable judges state, period, purpose and case number of the chosen grant. now is the estimated time of the database.
func usable(g *Grant, ask Ask, now time.Time) error {
	if err := inForce(g, now); err != nil {
		return err
	}
	switch {
	case ask.Purpose != "" && ask.Purpose != g.Purpose:
		return refusal("purpose_mismatch", "the grant was given for another purpose")
	case ask.Purpose == "" && (g.CaseRequired || g.Grade >= catalog.L3):
		return refusal("purpose_required", "this grant demands the purpose of each call in X-Purpose")
	case g.CaseRequired && !isCaseNumber(ask.CaseNumber):
		return refusal("case_number_required", "this grant demands the number of the case in X-Case-Number: 1 to 128 printable characters")
	}
	return nil
}

func inForce(g *Grant, now time.Time) error {
	switch {
	case expired(g, now):
		return refusal("grant_expired", "the period of the grant is over; have it renewed")
	case g.State == GrantSuspended:
		return refusal("grant_suspended", "the grant is suspended; ask the provider or the authority why")
	case g.State != GrantActive || g.ValidFrom.After(now):
		return refusal("no_grant", "the grant is not in force")
	}
	return nil
}

func isCaseNumber(s string) bool {
	if strings.TrimSpace(s) == "" || len(s) > 128 || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}

func refusal(code, message string) *fault.Fault {
	return fault.New(fault.Forbidden, code, "%s", message).At("policy")
}

// Recheck asks whether a permit still holds: for every chunk of a stream and every batch of a delivery. It costs about as
// much as Decide and reads the database only after a change. The faults are grant_suspended, grant_expired, no_grant and
// forbidden as in Decide; the Conflict terms_changed when the terms of the grant, the version that it is served or the published
// one are others than the permit's; and policy_stale, at once and without waiting, when the node's lease has lapsed.
func (s *Service) Recheck(ctx context.Context, p Permit) error {
	if err := s.enforcer.Recheck(p.Decision); err != nil {
		return err
	}
	client := p.Decision.Principal()
	c, err := s.facts.client(ctx, client.ID)
	if err != nil {
		return unconfirmed(err)
	}
	if !c.holds(client) {
		return refusal("no_grant", "the client is not active any more")
	}
	grants, err := s.facts.held(ctx, pair{p.Grant.ClientID, p.Grant.ResourceID})
	if err != nil {
		return unconfirmed(err)
	}
	h, ok := heldAs(grants, p.Grant.ID)
	if !ok {
		return refusal("no_grant", "the grant is not in force any more")
	}
	g, now := h.grant, s.enforcer.Follower().Now()
	if err := inForce(g, now); err != nil {
		return err
	}
	found, err := s.facts.published(ctx, p.Grant.ResourceID)
	if err != nil {
		return unconfirmed(err)
	}
	resource, beside := found.serves(h, now)
	if resource.State != p.Resource.State {
		// Other facts than those decided on: the enforcer answers for them.
		if _, err := s.enforcer.Check(ctx, client, p.Decision.Action(), grantTarget(g, resource)); err != nil {
			return err
		}
	}
	served := Permit{Resource: resource, Beside: beside}
	if g.TermsVersion != p.Grant.TermsVersion || resource.Published != p.Resource.Published || served.Demands() != p.Demands() {
		return fault.New(fault.Conflict, "terms_changed", "the terms of the grant changed meanwhile; start again").At("policy")
	}
	// The answer stands only if the lease did not lapse while it was found.
	return s.enforcer.Recheck(p.Decision)
}
