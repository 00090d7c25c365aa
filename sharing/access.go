package sharing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// AccessQuery says what to tell about who can see what.
type AccessQuery struct {
	At      time.Time // The moment; zero means now.
	Item    string    // Identifier of one item of the resource; "" means any. Not for clients.
	Refused bool      // Also tell of grants that let nothing be seen, and why not.
	Page    db.Page
}

// AccessReport is one page of an answer, ordered by grant. All its pages speak of the same moment.
type AccessReport struct {
	Name       string    `json:"name"` // Of the resource or client, as it is now.
	At         time.Time `json:"at"`
	Past       bool      `json:"past"`        // Answered from history; else by what decides now.
	PolicyN    int64     `json:"policy_n"`    // Newest policy change that the answer rests on; 0 for the past.
	Data       []Access  `json:"data"`        // Through grants.
	People     []Reader  `json:"people"`      // Of the provider, who open refused rows; on the first page about a resource.
	NextCursor string    `json:"next_cursor"` // Continues the list; "" after the last page.
}

// Access is what one grant lets its client see, or why it does not.
type Access struct {
	ClientID     uuid.UUID    `json:"client_id"`
	Client       string       `json:"client"`
	DepartmentID uuid.UUID    `json:"department_id"` // The client's.
	Department   string       `json:"department"`
	ResourceID   uuid.UUID    `json:"resource_id"`
	Resource     string       `json:"resource"`
	GrantID      uuid.UUID    `json:"grant_id"`
	RequestID    uuid.UUID    `json:"request_id"`
	State        GrantState   `json:"state"`
	Standing     bool         `json:"standing"` // Granted under a standing consent.
	Purpose      string       `json:"purpose"`
	PurposeText  string       `json:"purpose_text"`
	ValidFrom    time.Time    `json:"valid_from"`
	ValidTo      time.Time    `json:"valid_to"`
	TermsVersion int64        `json:"terms_version"`
	AllRows      bool         `json:"all_rows"` // No row filter narrows it.
	Items        []AccessItem `json:"items"`    // What the grant covers; of an asked item that one.
	Sees         bool         `json:"sees"`     // One of the ways is open.
	Reason       string       `json:"reason"`   // Code of what keeps all ways shut; "" when one is open.
	Ways         []Way        `json:"ways"`
}

// AccessItem is an item as a grant shows it.
type AccessItem struct {
	Identifier string        `json:"identifier"`
	Name       string        `json:"name"`
	Grade      catalog.Grade `json:"grade"`
	Mask       string        `json:"mask"`   // Mask rule; "" for clear values.
	Lookup     bool          `json:"lookup"` // Clear values of the masked item are accepted in look-ups.
}

// Way is one thing that rules may let a client do under a grant.
type Way struct {
	Action  authz.Action `json:"action"`
	Allowed bool         `json:"allowed"`
	RuleID  string       `json:"rule_id"` // The rule that allows or denies it; "" when none speaks about it.
}

// AccessWays are what a client can do with rows under a grant: read them, or have claims about them checked.
func AccessWays() []authz.Action { return []authz.Action{authz.DataPull, authz.DataVerify} }

// Codes of Access.Reason besides those of refusals by Decide.
const (
	reasonClient   = "client_disabled"
	reasonItem     = "item_withheld"
	reasonResource = "resource_not_published"
	reasonRules    = "forbidden"
)

// AccessReasons returns every code of Access.Reason once.
func AccessReasons() []string {
	return []string{"grant_suspended", "grant_expired", "no_grant", reasonClient, reasonItem, reasonResource, reasonRules}
}

// ResourceAccess tells who can see a resource, or one item of it, now or at a moment of the past: through which grants and
// by which rules, and which people of the provider open its refused rows. Every line is judged by the functions that decide
// calls. What a call also needs, a valid key from an allowed network, its purpose and quota left, is no part of it. It needs
// access.read in the provider's department. A moment before the history began is the Gone fault "before_history", an item
// that the versions served at the moment do not have an Invalid fault. Each answer is evidence.
func (s *Service) ResourceAccess(ctx context.Context, p authz.Principal, id uuid.UUID, q AccessQuery) (AccessReport, error) {
	var provider *uuid.UUID
	var name string
	err := s.db.Pool.QueryRow(ctx, "SELECT provider_dept_id, name FROM resource WHERE id = $1", id).Scan(&provider, &name)
	if err != nil && !db.NoRows(err) {
		return AccessReport{}, fmt.Errorf("reading a resource's provider: %w", err)
	}
	target := authz.Target{Kind: "resource", ID: id.String(), Department: given(provider)}
	if _, err := s.enforcer.Check(ctx, p, authz.AccessRead, target); err != nil {
		return AccessReport{}, err
	}
	if provider == nil {
		return AccessReport{}, notFound("resource")
	}
	m, err := s.momentOf(ctx, q)
	if err != nil {
		return AccessReport{}, err
	}
	found, err := m.resource(ctx, id)
	if err != nil {
		return AccessReport{}, err
	}
	report := m.report(name)
	if found != nil {
		items, err := found.numbers(q.Item)
		if err != nil {
			return AccessReport{}, err
		}
		if report.Data, report.NextCursor, err = m.list(ctx, ofResource, id, items, q); err != nil {
			return AccessReport{}, err
		}
		if q.Page.Cursor == "" {
			if report.People, err = m.readers(ctx, found.resource, q.Refused); err != nil {
				return AccessReport{}, err
			}
		}
	}
	return report, s.noteAccess(ctx, p, target, q, report)
}

// ClientAccess tells what a client can see, as ResourceAccess does for a resource. It needs access.read in the client's
// department.
func (s *Service) ClientAccess(ctx context.Context, p authz.Principal, id uuid.UUID, q AccessQuery) (AccessReport, error) {
	var department *uuid.UUID
	var name string
	err := s.db.Pool.QueryRow(ctx, "SELECT department_id, name FROM client WHERE id = $1", id).Scan(&department, &name)
	if err != nil && !db.NoRows(err) {
		return AccessReport{}, fmt.Errorf("reading a client's department: %w", err)
	}
	target := authz.Target{Kind: "client", ID: id.String(), Department: given(department)}
	if _, err := s.enforcer.Check(ctx, p, authz.AccessRead, target); err != nil {
		return AccessReport{}, err
	}
	if department == nil {
		return AccessReport{}, notFound("client")
	}
	q.Item = ""
	m, err := s.momentOf(ctx, q)
	if err != nil {
		return AccessReport{}, err
	}
	report := m.report(name)
	if report.Data, report.NextCursor, err = m.list(ctx, ofClient, id, nil, q); err != nil {
		return AccessReport{}, err
	}
	return report, s.noteAccess(ctx, p, target, q, report)
}

func (s *Service) noteAccess(ctx context.Context, p authz.Principal, t authz.Target, q AccessQuery, r AccessReport) error {
	detail := map[string]any{"at": r.At, "past": r.Past, "entries": len(r.Data), "refused": q.Refused}
	if q.Item != "" {
		detail["item"] = q.Item
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		_, err := audit.WriteTx(ctx, tx, audit.Event{
			Actor: p.Actor(), Action: string(authz.AccessRead), Object: audit.Object{Kind: t.Kind, ID: t.ID}, Detail: detail,
		})
		return err
	})
}

// numbers finds an item of the published version or of the one beside it: two numbers where it has another type in each. nil stands for any.
func (p *published) numbers(identifier string) ([]int, error) {
	if identifier == "" {
		return nil, nil
	}
	versions := []*catalog.Resource{p.resource}
	if p.old != nil {
		versions = append(versions, p.old.resource)
	}
	var out []int
	for _, r := range versions {
		if item, ok := r.Version.Item(identifier); ok && !contains(out, item.No) {
			out = append(out, item.No)
		}
	}
	if out != nil {
		return out, nil
	}
	return nil, fault.InvalidFields([]fault.Field{{
		Name: "item", Code: "unknown_item", Message: "the version that was published at this moment has no such item; give its identifier",
	}})
}

// candidate is a grant that might let its client see something, and what the client was.
type candidate struct {
	grant      Grant
	name       string
	department string
	client     clientFact
}

// explain judges one candidate as Decide judges a call under its grant, without what only a call has.
func (m *moment) explain(c candidate, found *published, items []int) Access {
	g := c.grant
	h := held{grant: &g, filtered: filteredBy(g.RowFilter)}
	if m.noted[g.ID] {
		h.noted = []int{found.resource.Published}
	}
	r, _ := found.serves(h, m.at)
	a := Access{
		ClientID: g.ClientID, Client: c.name, DepartmentID: c.client.department, Department: c.department,
		ResourceID: g.ResourceID, Resource: r.Name, GrantID: g.ID, RequestID: g.RequestID, State: g.State, Standing: g.Standing,
		Purpose: g.Purpose, PurposeText: g.PurposeText, ValidFrom: g.ValidFrom, ValidTo: g.ValidTo, TermsVersion: g.TermsVersion,
		AllRows: len(g.RowFilter) == 0, Items: []AccessItem{},
	}
	for _, i := range (Permit{Grant: g, Resource: r}).Items() {
		if items == nil || contains(items, i.No) {
			a.Items = append(a.Items, AccessItem{
				Identifier: i.Identifier, Name: i.Name, Grade: i.Grade, Mask: g.Masks[i.No], Lookup: contains(g.Lookup, i.No),
			})
		}
	}
	client := authz.Principal{
		Kind: audit.ActorClient, ID: g.ClientID, Name: c.name, Department: c.client.department, Roles: []authz.Role{authz.ClientRole},
	}
	a.Reason = m.shut(c, client, len(a.Items))
	target := grantTarget(&g, r)
	for _, action := range AccessWays() {
		v := m.policy.Explain(client, action, target)
		a.Ways = append(a.Ways, Way{Action: action, Allowed: v.Allowed && a.Reason == "", RuleID: v.RuleID})
		a.Sees = a.Sees || v.Allowed && a.Reason == ""
	}
	if !a.Sees && a.Reason == "" {
		a.Reason = reasonRules
		if r.State != catalog.Published {
			a.Reason = reasonResource
		}
	}
	return a
}

// shut returns the code of what keeps a grant from being used at all, whatever the rules say; "" for nothing.
func (m *moment) shut(c candidate, client authz.Principal, items int) string {
	if !c.client.holds(client) {
		return reasonClient
	}
	if err := inForce(&c.grant, m.at); err != nil {
		return fault.CodeOf(err)
	}
	if items == 0 {
		return reasonItem
	}
	return ""
}

// resource returns a resource as the moment had it; nil where it did not exist yet.
func (m *moment) resource(ctx context.Context, id uuid.UUID) (*published, error) {
	if r, ok := m.resources[id]; ok {
		return r, nil
	}
	r, err := m.readResource(ctx, id)
	if err != nil {
		return nil, err
	}
	m.resources[id] = r
	return r, nil
}

func (m *moment) readResource(ctx context.Context, id uuid.UUID) (*published, error) {
	var r *published
	var err error
	if m.past {
		r, err = resourceAt(ctx, m.service.db.Pool, id, m.at)
	} else {
		r, err = m.service.facts.published(ctx, id)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil || r.old == nil:
		return r, err
	}
	return r, m.readNoted(ctx, r.resource)
}

// readNoted reads which grants' consumers had taken note of what the published version changes.
func (m *moment) readNoted(ctx context.Context, r *catalog.Resource) error {
	rows, err := m.service.db.Pool.Query(ctx, "SELECT grant_id FROM change_acknowledgement WHERE resource_id = $1 AND version = $2 AND at <= $3", r.ID, r.Published, m.at)
	if err != nil {
		return fmt.Errorf("reading who has taken note: %w", err)
	}
	var id uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { m.noted[id] = true; return nil }); err != nil {
		return fmt.Errorf("reading who has taken note: %w", err)
	}
	return nil
}
