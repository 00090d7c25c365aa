package sharing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// CreateRequest drafts a request of p's department. Everything wrong with the terms is named at once. A resource that is
// withheld is refused with the Forbidden fault "resource_withheld" before anything is stored; terms that ask for another
// method than api with the Invalid fault "method_not_available"; a resource of the own department with the Conflict fault
// "own_resource".
func (s *Service) CreateRequest(ctx context.Context, p authz.Principal, a Application) (Request, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.RequestCreate, authz.Target{Kind: "request", Department: p.Department}); err != nil {
		return Request{}, err
	}
	var r Request
	err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if r, err = s.draft(ctx, tx, p, a); err != nil {
			return err
		}
		if err := insertRow(ctx, tx, "sharing_request", newRequestRow(r)); err != nil {
			return err
		}
		if err := s.note(ctx, tx, p, r, StepCreate, "", termsDetail(r)); err != nil {
			return err
		}
		r, err = loadRequest(ctx, tx, r.ID, "")
		return err
	})
	if err != nil {
		return Request{}, err
	}
	return r, nil
}

// CheckRequest says what CreateRequest would, and stores nothing.
func (s *Service) CheckRequest(ctx context.Context, p authz.Principal, a Application) error {
	if _, err := s.enforcer.Check(ctx, p, authz.RequestCreate, authz.Target{Kind: "request", Department: p.Department}); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		_, err := s.draft(ctx, tx, p, a)
		return err
	})
}

// draft returns the request that an application makes, or everything that is wrong with it.
func (s *Service) draft(ctx context.Context, tx *db.Tx, p authz.Principal, a Application) (Request, error) {
	resource, err := s.catalog.PublishedTx(ctx, tx, a.ResourceID, false)
	if err != nil {
		return Request{}, err
	}
	if err := requestable(resource, p.Department); err != nil {
		return Request{}, err
	}
	r := Request{
		ID: db.NewID(), Kind: "new", ClientID: a.ClientID, ConsumerDeptID: p.Department,
		ProviderDeptID: resource.ProviderDeptID, ResourceID: resource.ID, State: RequestDraft, ApplicantID: p.ID,
		RowVersion: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
	}
	wrong := a.Terms.check(&r, resource.Version, tx.Now())
	err = clientUsable(ctx, tx, a.ClientID, p.Department, "")
	switch {
	case fault.Is(err, fault.Invalid):
		wrong.add("client_id", "unknown_client", "name an active client of your own department")
	case err != nil:
		return Request{}, err
	}
	return r, wrong.fault()
}

// requestable refuses resources that cannot be asked for.
func requestable(resource catalog.Resource, consumer uuid.UUID) error {
	switch {
	case resource.Version.ShareType == catalog.Withheld:
		return fault.New(fault.Forbidden, "resource_withheld",
			"this resource is withheld by a law, an administrative regulation or a decision of the State Council; its entry names the basis")
	case resource.ProviderDeptID == consumer:
		return fault.New(fault.Conflict, "own_resource", "your department provides this resource itself; it needs no grant")
	}
	return nil
}

// clientUsable returns an Invalid fault unless the client is active and belongs to the department. lock is "" or "FOR SHARE".
func clientUsable(ctx context.Context, tx *db.Tx, id, department uuid.UUID, lock string) error {
	var state string
	var owner uuid.UUID
	err := tx.QueryRow(ctx, "SELECT state, department_id FROM client WHERE id = $1 "+lock, id).Scan(&state, &owner)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && (owner != department || state != "active"):
		return fault.New(fault.Invalid, "unknown_client", "the client is not an active client of the consumer's department")
	case err != nil:
		return fmt.Errorf("reading a client: %w", err)
	}
	return nil
}

// EditDraft replaces the terms of a draft, or of a request that is to be completed. The faults are those of CreateRequest.
func (s *Service) EditDraft(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, t Terms) (Request, error) {
	p, err := s.ask(ctx, p, id, authz.RequestCreate, ConsumerSide)
	if err != nil {
		return Request{}, err
	}
	var r Request
	err = s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if r, err = loadRequest(ctx, tx, id, "FOR UPDATE"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, r.RowVersion); err != nil {
			return err
		}
		if !editable(r.State) {
			_, err := findMove(r.State, StepEdit)
			return err
		}
		resource, err := s.catalog.PublishedTx(ctx, tx, r.ResourceID, false)
		if err != nil {
			return err
		}
		if err := requestable(resource, r.ConsumerDeptID); err != nil {
			return err
		}
		if err := t.check(&r, resource.Version, tx.Now()).fault(); err != nil {
			return err
		}
		version := r.RowVersion
		r.RowVersion, r.UpdatedAt = r.RowVersion+1, tx.Now()
		if err := updateRequest(ctx, tx, r, r.State, version); err != nil {
			return err
		}
		return s.note(ctx, tx, p, r, StepEdit, "", termsDetail(r))
	})
	if err != nil {
		return Request{}, err
	}
	return r, nil
}

// Submit hands a draft to the head of the consumer's sharing office.
func (s *Service) Submit(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepSubmit, "", nil)
}

// Return gives a request back to its applicant, inside the consumer's department.
func (s *Service) Return(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepReturn, reason, nil)
}

// Withdraw ends a request at the consumer's wish.
func (s *Service) Withdraw(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepWithdraw, reason, nil)
}

// Accept takes a request in for review (受理): its form is right, and the provider is to decide.
func (s *Service) Accept(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, opinion string) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepAccept, opinion, nil)
}

// Supplement tells the applicant everything that is missing. It can be done once per request (Order 809, Art 21); a
// second time is the Conflict fault "already_supplemented". The clock does not stop.
func (s *Service) Supplement(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, missing string) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepSupplement, missing, func(_ context.Context, _ *db.Tx, _ authz.Principal, r *Request) error {
		if r.Supplemented {
			return fault.New(fault.Conflict, "already_supplemented", "a request is returned for completion once; decide on what there is")
		}
		r.Supplemented, r.Supplement = true, missing
		return nil
	})
}

// Resubmit hands a completed request to the head of the consumer's sharing office again, who signs the terms as they are now.
func (s *Service) Resubmit(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepResubmit, "", nil)
}

// Extend moves the limit of the reply by days working days, with the authority's consent (Order 809, Art 21): once, and by
// no more than the limit of the rule reply_extension (10 working days). A second time is the Conflict fault
// "already_extended".
func (s *Service) Extend(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, days int, reason string) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepExtend, reason, func(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request) error {
		if r.ExtendedDays != 0 {
			return fault.New(fault.Conflict, "already_extended", "a reply is extended once")
		}
		rule, _, err := s.limit(ctx, tx, "reply_extension", r.ShareType, r.ProviderDeptID)
		if err != nil {
			return err
		}
		if days < 1 || days > rule.days {
			return fault.InvalidFields([]fault.Field{{
				Name: "days", Code: "out_of_range", Message: fmt.Sprintf("extend by 1 to %d working days", rule.days),
			}})
		}
		r.ExtendedDays = days
		return s.setDue(ctx, tx, r)
	})
}

// Refuse answers a request with a code of RefusalCodes and a reason in words (Order 809, Art 21).
func (s *Service) Refuse(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, code, reason string) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepRefuse, reason, func(_ context.Context, tx *db.Tx, p authz.Principal, r *Request) error {
		known := false
		for _, c := range RefusalCodes() {
			known = known || c == code
		}
		if !known {
			return fault.InvalidFields([]fault.Field{{
				Name: "code", Code: "unknown", Message: "use one of: " + strings.Join(RefusalCodes(), ", "),
			}})
		}
		now := tx.Now()
		r.RefusalCode, r.RefusalReason, r.DecidedBy, r.DecidedAt = code, reason, p.ID, &now
		return nil
	})
}

// Sign is the consent of the head of the consumer's sharing office (Order 809, Art 20). The request is received with it and
// its clock starts. A request of unconditional items only, under the standing consent of the provider and without the wish
// for clear values, is granted in the same transaction.
func (s *Service) Sign(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, opinion string) (Request, error) {
	var standing *catalog.Resource
	r, err := s.moveThen(ctx, p, id, ifMatch, StepSign, opinion, func(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request) error {
		resource, err := s.offered(ctx, tx, *r)
		if err != nil {
			return err
		}
		if r.ReceivedAt == nil {
			now := tx.Now()
			r.ReceivedAt = &now
		}
		// The catalogue may have become stricter since the draft.
		if r.ShareType = strictest(chosen(resource.Version.Items, r.Items)); r.ShareType == catalog.Unconditional &&
			resource.StandingConsent != nil && len(r.Unmask) == 0 && len(r.Lookup) == 0 {
			standing = &resource
		}
		return s.setDue(ctx, tx, r)
	}, func(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request) error {
		if standing == nil {
			return nil
		}
		return s.grantStanding(ctx, tx, p, r, *standing)
	})
	return r, err
}

// work is what a step does to a request besides moving it. p says for whom it is done.
type work func(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request) error

func (s *Service) move(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step Step, reason string, do work) (Request, error) {
	return s.moveThen(ctx, p, id, ifMatch, step, reason, do, nil)
}

// moveThen takes a step that a person may take: do changes the request before its new state is written, then is done after.
func (s *Service) moveThen(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step Step, reason string, do, then work) (Request, error) {
	action, side := stepRule(step)
	p, err := s.ask(ctx, p, id, action, side)
	if err != nil {
		return Request{}, err
	}
	var r Request
	err = s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if r, err = loadRequest(ctx, tx, id, "FOR UPDATE"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, r.RowVersion); err != nil {
			return err
		}
		m, err := findMove(r.State, step)
		if err != nil {
			return err
		}
		if err := s.fit(ctx, tx, p, r, m); err != nil {
			return err
		}
		var wrong findings
		wrong.text("reason", reason, m.Reason)
		if err := wrong.fault(); err != nil {
			return err
		}
		if do != nil {
			if err := do(ctx, tx, p, &r); err != nil {
				return err
			}
		}
		if err := s.shift(ctx, tx, p, &r, m, reason); err != nil {
			return err
		}
		if then != nil {
			return then(ctx, tx, p, &r)
		}
		return nil
	})
	if err != nil {
		return Request{}, err
	}
	return r, nil
}

// fit holds the rules about persons that no policy can change: everyone acts for the own side only, nobody decides on a
// request of the own department, and nobody reviews what they, or somebody they stand in for, made.
func (s *Service) fit(ctx context.Context, tx *db.Tx, p authz.Principal, r Request, m Move) error {
	switch {
	case m.Side == ConsumerSide && p.Department != r.ConsumerDeptID, m.Side == ProviderSide && p.Department != r.ProviderDeptID:
		return fault.New(fault.Forbidden, "forbidden", "this step is for the people of the %s's department", m.Side).At("policy")
	case m.Side == ProviderSide && p.Department == r.ConsumerDeptID:
		return fault.New(fault.Forbidden, "own_request", "nobody decides on a request of the own department").At("policy")
	case !m.Review:
		return nil
	}
	selves := p.Selves()
	made := slices.Contains(selves, r.ApplicantID)
	if !made {
		err := tx.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM request_step WHERE request_id = $1 AND actor_id = ANY($2)
				AND action IN ('create', 'edit', 'submit', 'resubmit'))`, r.ID, selves).Scan(&made)
		if err != nil {
			return fmt.Errorf("reading who made a request: %w", err)
		}
	}
	if made {
		return fault.New(fault.Forbidden, "maker_is_reviewer", "you made, edited or submitted this request; somebody else has to do this").At("policy")
	}
	return nil
}

// shift writes one move of a request with its history and event.
func (s *Service) shift(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request, m Move, reason string) error {
	version := r.RowVersion
	r.State, r.RowVersion, r.UpdatedAt = m.To, r.RowVersion+1, tx.Now()
	if err := updateRequest(ctx, tx, *r, m.From, version); err != nil {
		return err
	}
	detail := map[string]any{"from": m.From, "to": m.To}
	if m.Step == StepExtend {
		detail["extended_days"] = r.ExtendedDays
	}
	if m.Step == StepRefuse {
		detail["code"] = r.RefusalCode
	}
	if r.DueAt != nil {
		detail["due_at"] = r.DueAt
	}
	if r.GrantID != uuid.Nil {
		detail["grant"] = r.GrantID
	}
	if reason != "" {
		detail["reason"] = reason
	}
	return s.noteMove(ctx, tx, p, *r, m, reason, detail)
}

// note writes a step that leaves the state as it is.
func (s *Service) note(ctx context.Context, tx *db.Tx, p authz.Principal, r Request, step Step, reason string, detail map[string]any) error {
	return s.noteMove(ctx, tx, p, r, Move{From: r.State, Step: step, To: r.State}, reason, detail)
}

func (s *Service) noteMove(ctx context.Context, tx *db.Tx, p authz.Principal, r Request, m Move, reason string, detail map[string]any) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO request_step (id, request_id, action, from_state, to_state, actor_id, actor_dept, reason, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		db.NewID(), r.ID, string(m.Step), string(m.From), string(m.To), p.ID, p.Department, reason, tx.Now())
	if err != nil {
		return fmt.Errorf("writing the history of a request: %w", err)
	}
	return record(ctx, tx, p, "request."+string(m.Step), "request", r.ID, detail)
}

// termsDetail is what the log keeps of the terms: enough to tell them apart, without texts of people and filter values.
func termsDetail(r Request) map[string]any {
	return map[string]any{
		"client": r.ClientID, "resource": r.ResourceID, "version": r.ResourceVersion, "share_type": r.ShareType,
		"items": r.Items, "row_filter_sha256": filterHash(r.RowFilter), "lookup": r.Lookup, "unmask": r.Unmask,
		"purpose": r.Purpose, "valid_until": r.ValidUntil, "quota": r.Quota, "quota_period": r.QuotaPeriod,
	}
}
