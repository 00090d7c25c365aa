package sharing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Who sees: people of the consumer's department see their requests from the draft on; people of the provider's department
// and the authority once it was received. Grants are seen by both departments and the authority. For everybody else
// neither exists.

// sees reports whether p may know of the request at all.
func (s *Service) sees(p authz.Principal, r Request) bool {
	own := p.Department == r.ConsumerDeptID || r.ReceivedAt != nil && p.Department == r.ProviderDeptID
	target := authz.Target{Kind: "request", ID: r.ID.String()}
	if own {
		target.Department = p.Department
		return s.enforcer.Allowed(p, authz.RequestRead, target)
	}
	// Without a department in the target only those who act for the whole platform are allowed.
	return r.ReceivedAt != nil && s.enforcer.Allowed(p, authz.RequestRead, target)
}

func (s *Service) seesGrant(p authz.Principal, g Grant) bool {
	target := authz.Target{Kind: "grant", ID: g.ID.String()}
	if p.Department == g.ConsumerDeptID || p.Department == g.ProviderDeptID {
		target.Department = p.Department
	}
	return s.enforcer.Allowed(p, authz.GrantRead, target)
}

// known returns a request that p may know of, else NotFound.
func (s *Service) known(ctx context.Context, p authz.Principal, id uuid.UUID) (Request, error) {
	if err := s.enforcer.Follower().Wait(ctx); err != nil {
		return Request{}, err
	}
	r, err := loadRequest(ctx, s.db.Pool, id, "")
	if err != nil {
		return Request{}, err
	}
	if !s.sees(p, r) {
		return Request{}, notFound("request")
	}
	return r, nil
}

// ask returns p, with whom it acts for, when p may know of the request and may do the action on behalf of the side.
// Departments of a request never change, so the answer holds in the transaction that follows.
func (s *Service) ask(ctx context.Context, p authz.Principal, id uuid.UUID, action authz.Action, side Side) (authz.Principal, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return p, err
	}
	d, err := s.enforcer.Check(ctx, p, action, requestTarget(r, side))
	if err != nil {
		return p, err
	}
	return d.Principal(), nil
}

func requestTarget(r Request, side Side) authz.Target {
	t := authz.Target{Kind: "request", ID: r.ID.String(), ShareType: string(r.ShareType)}
	switch side {
	case ConsumerSide:
		t.Department = r.ConsumerDeptID
	case ProviderSide:
		t.Department = r.ProviderDeptID
	}
	return t
}

// GetRequest returns one request.
func (s *Service) GetRequest(ctx context.Context, p authz.Principal, id uuid.UUID) (Request, error) {
	return s.known(ctx, p, id)
}

// RequestHistory returns what was done to a request, oldest first.
func (s *Service) RequestHistory(ctx context.Context, p authz.Principal, id uuid.UUID) ([]RequestEntry, error) {
	if _, err := s.known(ctx, p, id); err != nil {
		return nil, err
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT action, from_state, to_state, actor_id, actor_dept, reason, at,
			coalesce((SELECT display_name FROM hub_user u WHERE u.id = actor_id), '')
		FROM request_step WHERE request_id = $1 ORDER BY at, id`, id)
	if err != nil {
		return nil, fmt.Errorf("reading the history of a request: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RequestEntry])
	if err != nil {
		return nil, fmt.Errorf("reading the history of a request: %w", err)
	}
	return out, nil
}

// PossibleSteps returns the steps that p may take on the request now, for what to show. It is no permission; a step
// can still be refused to who made the request.
func (s *Service) PossibleSteps(p authz.Principal, r Request) []Step {
	var steps []Step
	for _, m := range requestMoves {
		if m.From != r.State || m.Who == "" || m.Review && slices.Contains(p.Selves(), r.ApplicantID) {
			continue
		}
		if m.Side == ProviderSide && p.Department == r.ConsumerDeptID {
			continue
		}
		if m.Step == StepSupplement && r.Supplemented || m.Step == StepExtend && r.ExtendedDays != 0 {
			continue
		}
		if s.enforcer.Allowed(p, m.Who, requestTarget(r, m.Side)) {
			steps = append(steps, m.Step)
		}
	}
	return steps
}

// cursor is the place in a list that is sorted by time and id.
type cursor struct {
	At time.Time
	ID uuid.UUID
}

// RequestFilter narrows a list of requests. Empty fields do not narrow.
type RequestFilter struct {
	State      RequestState
	Side       Side // ConsumerSide or ProviderSide: requests that p's department made or is to answer.
	ResourceID uuid.UUID
	ClientID   uuid.UUID

	Applicant  uuid.UUID // The person whose request it is.
	Department uuid.UUID // The other department, whichever side it is on.
	Text       string    // Part of the name of the resource or of the purpose.
}

// narrowed is a condition on sharing_request for the department and the text of a filter, in these two parameters.
func narrowed(department, text string) string {
	return `(` + department + `::uuid IS NULL OR ` + department + ` IN (consumer_dept_id, provider_dept_id))
		AND (` + text + `::text = '%%' OR purpose_text ILIKE ` + text + ` OR EXISTS (SELECT FROM resource_version v
			WHERE v.resource_id = sharing_request.resource_id AND v.version = sharing_request.resource_version AND v.name ILIKE ` + text + `))`
}

// ListRequests returns requests that p may see, newest first, and the cursor of the next page ("" after the last).
func (s *Service) ListRequests(ctx context.Context, p authz.Principal, f RequestFilter, page db.Page) ([]Request, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.RequestRead, authz.Target{Kind: "request", Department: p.Department}); err != nil {
		return nil, "", err
	}
	if err := knownSide(f.Side); err != nil {
		return nil, "", err
	}
	all := s.enforcer.Allowed(p, authz.RequestRead, authz.Target{Kind: "request"})
	var before cursor
	if _, err := page.After(&before.At, &before.ID); err != nil {
		return nil, "", err
	}
	found, err := loadRequests(ctx, s.db.Pool, `
		SELECT * FROM sharing_request
		WHERE (consumer_dept_id = $1 OR received_at IS NOT NULL AND (provider_dept_id = $1 OR $2))
			AND ($3 = '' OR state = $3)
			AND ($4 = '' OR CASE $4 WHEN 'consumer' THEN consumer_dept_id ELSE provider_dept_id END = $1)
			AND ($5::uuid IS NULL OR resource_id = $5) AND ($6::uuid IS NULL OR client_id = $6)
			AND ($7::uuid IS NULL OR (created_at, id) < ($8, $7))
			AND ($10::uuid IS NULL OR applicant_id = $10) AND `+narrowed("$11", "$12")+`
		ORDER BY created_at DESC, id DESC LIMIT $9`,
		p.Department, all, string(f.State), string(f.Side), optional(f.ResourceID), optional(f.ClientID),
		optional(before.ID), before.At, page.Size()+1, optional(f.Applicant), optional(f.Department), db.Containing(f.Text))
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(found) > page.Size() {
		found = found[:page.Size()]
		last := found[len(found)-1]
		next = db.Next(last.CreatedAt, last.ID)
	}
	return found, next, nil
}

// GetGrant returns one grant.
func (s *Service) GetGrant(ctx context.Context, p authz.Principal, id uuid.UUID) (Grant, error) {
	if err := s.enforcer.Follower().Wait(ctx); err != nil {
		return Grant{}, err
	}
	g, err := loadGrant(ctx, s.db.Pool, id, "")
	if err != nil {
		return Grant{}, err
	}
	if !s.seesGrant(p, g) {
		return Grant{}, notFound("grant")
	}
	return g, nil
}

// GrantFilter narrows a list of grants. Empty fields do not narrow.
type GrantFilter struct {
	State      GrantState
	Side       Side // ConsumerSide or ProviderSide: grants that p's department uses or gave.
	ResourceID uuid.UUID
	ClientID   uuid.UUID

	SuspendedBy SuspendedBy // Suspended grants whose last suspension came from there.

	ConsumerDeptID uuid.UUID
	Text           string        // In the name of the resource or of the client, whatever the case of its letters.
	ExpiresWithin  time.Duration // Grants in force or suspended whose period ends within that time from now.

	Unacknowledged bool // A publication touches them that their consumer has not taken note of.
}

// ListGrants returns grants that p may see, newest first, and the cursor of the next page ("" after the last).
func (s *Service) ListGrants(ctx context.Context, p authz.Principal, f GrantFilter, page db.Page) ([]Grant, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.GrantRead, authz.Target{Kind: "grant", Department: p.Department}); err != nil {
		return nil, "", err
	}
	if err := knownSide(f.Side); err != nil {
		return nil, "", err
	}
	side, err := f.SuspendedBy.side()
	if err != nil {
		return nil, "", err
	}
	all := s.enforcer.Allowed(p, authz.GrantRead, authz.Target{Kind: "grant"})
	var before cursor
	if _, err := page.After(&before.At, &before.ID); err != nil {
		return nil, "", err
	}
	found, err := loadGrants(ctx, s.db.Pool, `
		SELECT g.* FROM sharing_grant g
		WHERE ($2 OR consumer_dept_id = $1 OR provider_dept_id = $1)
			AND ($3 = '' OR state = $3)
			AND ($4 = '' OR CASE $4 WHEN 'consumer' THEN consumer_dept_id ELSE provider_dept_id END = $1)
			AND ($5::uuid IS NULL OR resource_id = $5) AND ($6::uuid IS NULL OR client_id = $6)
			AND ($7::uuid IS NULL OR (created_at, id) < ($8, $7))
			AND `+suspendedBySQL("$10::text")+`
			AND ($11::uuid IS NULL OR consumer_dept_id = $11)
			AND ($12 = '' OR EXISTS (SELECT FROM resource_version v WHERE v.resource_id = g.resource_id AND v.version = g.resource_version AND strpos(lower(v.name), lower($12)) > 0)
				OR EXISTS (SELECT FROM client c WHERE c.id = g.client_id AND strpos(lower(c.name), lower($12)) > 0))
			AND ($13::interval IS NULL OR state IN ('pending_delivery', 'active', 'suspended') AND valid_to > clock_timestamp() AND valid_to <= clock_timestamp() + $13)
			AND (NOT $14 OR `+unacknowledgedSQL()+`)
		ORDER BY created_at DESC, id DESC LIMIT $9`,
		p.Department, all, string(f.State), string(f.Side), optional(f.ResourceID), optional(f.ClientID),
		optional(before.ID), before.At, page.Size()+1, string(side), optional(f.ConsumerDeptID), f.Text, optional(f.ExpiresWithin), f.Unacknowledged)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(found) > page.Size() {
		found = found[:page.Size()]
		last := found[len(found)-1]
		next = db.Next(last.CreatedAt, last.ID)
	}
	return found, next, nil
}

// knownSide checks a filter's side.
func knownSide(side Side) error {
	if side != "" && side != ConsumerSide && side != ProviderSide {
		return fault.InvalidFields([]fault.Field{{Name: "side", Code: "unknown", Message: "use consumer or provider"}})
	}
	return nil
}
