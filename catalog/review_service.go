package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// OfflineRequest records the provider's request to take its entry offline (domain table 2.7).
type OfflineRequest struct {
	By       string `json:"by"`               // The head of the provider's sharing office.
	Date     string `json:"date"`             // YYYY-MM-DD
	Document string `json:"document"`         // Number or title of the request.
	Filing   string `json:"filing,omitempty"` // The filing after negotiation, where grants exist (Order 809, Art 27).
}

// HistoryEntry is one step in the review history of a version.
type HistoryEntry struct {
	ID      uuid.UUID `json:"id"`
	Version int       `json:"version"`
	Step    Step      `json:"step"`
	From    State     `json:"from"`
	To      State     `json:"to"`
	ActorID uuid.UUID `json:"actor_id"`

	ActorName  string `json:"actor_name"` // "" for the hub.
	Department string `json:"department"` // Name of the actor's department.

	Reason   string          `json:"reason"`
	Document json.RawMessage `json:"document,omitempty"`
	At       time.Time       `json:"at"`
}

// Submission is what is said as a version is submitted.
type Submission struct {
	// OldUntil is the last day (YYYY-MM-DD, in Asia/Shanghai) on which the version that is published now goes on being served
	// beside this one, to those whom this one takes something away from; "" ends it as this one is published.
	OldUntil string
}

// Submit hands the newest version to the department's review. It must pass Check: the error names every missing or
// contradictory field.
func (s *Service) Submit(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Resource, error) {
	return s.SubmitWith(ctx, p, id, ifMatch, Submission{})
}

// SubmitWith is Submit with what is said beside. A day is allowed where a version is published from which this one takes something away; it
// is today or one of the 366 days after. It takes effect as this version is published.
func (s *Service) SubmitWith(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, in Submission) (Resource, error) {
	var document any
	if in.OldUntil != "" {
		document = map[string]string{"old_until": in.OldUntil}
	}
	return s.move(ctx, p, id, ifMatch, StepSubmit, "", document, func(tx *db.Tx, p authz.Principal, r *Resource, v *Version) error {
		v.SubmittedBy = p.ID
		if err := s.complete(ctx, tx, *r, *v); err != nil {
			return err
		}
		return s.checkOldUntil(ctx, tx, *r, v, in.OldUntil)
	})
}

// Recall takes a version back out of the department's review, as long as nobody decided.
func (s *Service) Recall(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Resource, error) {
	return s.move(ctx, p, id, ifMatch, StepRecall, "", nil, nil)
}

// Approve passes a version from the department's review to that of the authority. Nobody approves what they made.
func (s *Service) Approve(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Resource, error) {
	return s.move(ctx, p, id, ifMatch, StepApprove, "", nil, nil)
}

// ReturnDept sends a version back from the department's review. The reason is mandatory: words, and codes of ReturnCodes that go
// before them.
func (s *Service) ReturnDept(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string, codes ...ReturnCode) (Resource, error) {
	return s.sendBack(ctx, p, id, ifMatch, StepReturnDept, reason, codes)
}

// Return sends a version back from the authority's review. The reason is mandatory, as in ReturnDept.
func (s *Service) Return(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string, codes ...ReturnCode) (Resource, error) {
	return s.sendBack(ctx, p, id, ifMatch, StepReturn, reason, codes)
}

// Publish makes a version the one that others see. The first publication gives the entry its code; a later one
// supersedes the version published before, in the same transaction, and where it was submitted with a day that has not passed keeps that
// version served beside it until the day is over. A mount of the version before goes on serving when the items allow it, and is
// suspended when it would feed what is withheld, or gone and not served any more.
func (s *Service) Publish(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Resource, error) {
	return s.move(ctx, p, id, ifMatch, StepPublish, "", nil, func(tx *db.Tx, p authz.Principal, r *Resource, v *Version) error {
		if visible(r.State) && r.State != Published {
			return illegalMove("entry", string(r.State), string(StepPublish), stepNames(Next(r.State)))
		}
		if err := s.complete(ctx, tx, *r, *v); err != nil {
			return err
		}
		if r.Code == "" {
			code, err := s.nextCode(ctx, tx, v.ClassCode())
			if err != nil {
				return err
			}
			r.Code = code
		}
		if r.Published != 0 {
			before, err := loadVersion(ctx, tx, id, r.Published)
			if err != nil {
				return err
			}
			if err := endBeside(ctx, tx, id); err != nil {
				return err
			}
			if before.ServedUntil, err = s.serveBeside(before, *v); err != nil {
				return err
			}
			if err := s.shift(ctx, tx, p, *r, before, StepSupersede, "", nil); err != nil {
				return err
			}
			if err := s.carryMount(ctx, tx, *r, before, *v); err != nil {
				return err
			}
			if err := noteBreaks(ctx, tx, *r, before, *v); err != nil {
				return err
			}
		}
		now := tx.Now()
		v.PublishedAt = &now
		r.Published, r.Name = v.Number, v.Name
		return nil
	})
}

// TakeOffline hides a published entry on the provider's recorded request; the reason is mandatory. Where grants are in force, the
// filing after negotiation with their consumers is, too (Order 809, Art 27).
func (s *Service) TakeOffline(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string, request OfflineRequest) (Resource, error) {
	return s.move(ctx, p, id, ifMatch, StepTakeOffline, reason, request, func(tx *db.Tx, _ authz.Principal, r *Resource, _ *Version) error {
		c := &checker{facts: Facts{Today: s.today()}}
		c.required("request.by", request.By, "name the head of the provider's sharing office who asked for this")
		c.date("request.date", request.Date)
		c.required("request.document", request.Document, "give number or title of the request")
		var used bool
		err := tx.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM sharing_grant WHERE resource_id = $1 AND state IN ('pending_delivery', 'active', 'suspended') AND valid_to > $2)`,
			r.ID, tx.Now()).Scan(&used)
		if err != nil {
			return fmt.Errorf("looking for grants: %w", err)
		}
		if used {
			c.required("request.filing", request.Filing, "there are grants in force: give the filing after negotiation with their consumers (Art 27)")
		}
		if err := fault.InvalidFields(c.blocks); err != nil {
			return err
		}
		return endBeside(ctx, tx, r.ID)
	})
}

// Republish makes an offline entry visible again.
func (s *Service) Republish(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Resource, error) {
	return s.move(ctx, p, id, ifMatch, StepRepublish, "", nil, nil)
}

// Revoke ends an offline entry for good; its code is never used again. The reason is mandatory.
func (s *Service) Revoke(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Resource, error) {
	return s.move(ctx, p, id, ifMatch, StepRevoke, reason, nil, func(tx *db.Tx, _ authz.Principal, r *Resource, _ *Version) error {
		_, err := tx.Exec(ctx, `
			UPDATE mount SET state = 'removed', note = 'the entry was revoked', row_version = row_version + 1, updated_at = $2
			WHERE resource_id = $1 AND state <> 'removed'`, r.ID, tx.Now())
		if err != nil {
			return fmt.Errorf("removing mounts: %w", err)
		}
		return nil
	})
}

// RecordConsent records the provider's standing consent: requests for unconditional items are then granted without a
// further reply (Order 809, Art 20). c.Recorder is ignored.
func (s *Service) RecordConsent(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, consent StandingConsent) (Resource, error) {
	check := &checker{facts: Facts{Today: s.today()}}
	check.required("by", consent.By, "name the head of the sharing office who consents")
	check.date("date", consent.Date)
	check.required("document", consent.Document, "give number or title of the document")
	return s.consent(ctx, p, id, ifMatch, "record_consent", func(r *Resource) (map[string]any, error) {
		if err := fault.InvalidFields(check.blocks); err != nil {
			return nil, err
		}
		consent.Recorder = p.ID
		r.StandingConsent = &consent
		return map[string]any{"by": consent.By, "date": consent.Date, "document": consent.Document}, nil
	})
}

// WithdrawConsent ends the standing consent for requests to come; the reason is mandatory. Grants stay as they are.
func (s *Service) WithdrawConsent(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (Resource, error) {
	return s.consent(ctx, p, id, ifMatch, "withdraw_consent", func(r *Resource) (map[string]any, error) {
		if strings.TrimSpace(reason) == "" {
			return nil, reasonMissing()
		}
		if r.StandingConsent == nil {
			return nil, fault.New(fault.Conflict, "no_consent", "there is no standing consent to withdraw")
		}
		r.StandingConsent = nil
		return map[string]any{"reason": reason}, nil
	})
}

func (s *Service) consent(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, verb string, work func(*Resource) (map[string]any, error)) (Resource, error) {
	return s.change(ctx, p, id, ifMatch, authz.ResourceConsent, func(tx *db.Tx, p authz.Principal, r *Resource) error {
		if r.State == Revoked {
			return illegalMove("entry", string(r.State), verb, nil)
		}
		detail, err := work(r)
		if err != nil {
			return err
		}
		if r.Version, err = loadVersion(ctx, tx, id, shown(*r)); err != nil {
			return err
		}
		if err := authz.LogTx(tx, authz.KindResource, id.String()); err != nil {
			return err
		}
		return record(ctx, tx, p, "resource."+verb, "resource", id.String(), detail)
	})
}

// move takes one step with the version it applies to: the visible one for steps of visible entries, else the newest.
// work, which may be nil, runs before the state changes and may alter both.
func (s *Service) move(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step Step, reason string, document any, work func(*db.Tx, authz.Principal, *Resource, *Version) error) (Resource, error) {
	return s.change(ctx, p, id, ifMatch, actionOf(step), func(tx *db.Tx, p authz.Principal, r *Resource) error {
		number := r.Newest
		if step == StepTakeOffline || step == StepRepublish || step == StepRevoke || r.State == Revoked {
			number = shown(*r)
		}
		v, err := loadVersion(ctx, tx, id, number)
		if err != nil {
			return err
		}
		m, err := findMove(v.State, step)
		if err != nil {
			return err
		}
		if m.Reason && strings.TrimSpace(reason) == "" {
			return reasonMissing()
		}
		if m.Review {
			if err := notTheMaker(ctx, tx, p, id, number); err != nil {
				return err
			}
		}
		if work != nil {
			if err := work(tx, p, r, &v); err != nil {
				return err
			}
		}
		if err := s.shift(ctx, tx, p, *r, v, step, reason, document); err != nil {
			return err
		}
		if err := s.followChange(ctx, tx, *r, v, step, reason); err != nil {
			return err
		}
		v.State, v.UpdatedAt = m.To, tx.Now()
		if m.To == Returned {
			v.Round++
		}
		if r.Published == 0 || r.Published == v.Number {
			r.State = m.To
		}
		r.Version = v
		if visible(m.To) {
			return authz.LogTx(tx, authz.KindResource, id.String())
		}
		return nil
	})
}

// shift writes one change of a version's state with its history and event. v states what to write besides the state.
func (s *Service) shift(ctx context.Context, tx *db.Tx, p authz.Principal, r Resource, v Version, step Step, reason string, document any) error {
	m, err := findMove(v.State, step)
	if err != nil {
		return err
	}
	round := v.Round
	if m.To == Returned {
		round++
	}
	tag, err := tx.Exec(ctx, `
		UPDATE resource_version SET state = $4, round = $5, submitted_by = $6, published_at = $7, old_until = $8, served_until = $9, updated_at = $10
		WHERE resource_id = $1 AND version = $2 AND state = $3`,
		r.ID, v.Number, string(m.From), string(m.To), round, optional(v.SubmittedBy), v.PublishedAt, optional(v.OldUntil), v.ServedUntil, tx.Now())
	if err != nil {
		return fmt.Errorf("moving version %d: %w", v.Number, err)
	}
	if tag.RowsAffected() != 1 {
		return fault.New(fault.Conflict, "try_again", "somebody else changed the entry at the same time; read it again")
	}
	return s.note(ctx, tx, p, r, v, step, m.To, reason, document)
}

// note writes a step into the review history and the audit log. to "" means that the state stays.
func (s *Service) note(ctx context.Context, tx *db.Tx, p authz.Principal, r Resource, v Version, step Step, to State, reason string, document any) error {
	if to == "" {
		to = v.State
	}
	var raw []byte
	if document != nil {
		var err error
		if raw, err = json.Marshal(document); err != nil {
			return fmt.Errorf("encoding document: %w", err)
		}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO resource_step (id, resource_id, version, action, from_state, to_state, actor_id, reason, document, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		db.NewID(), r.ID, v.Number, string(step), string(v.State), string(to), p.ID, reason, raw, tx.Now())
	if err != nil {
		return fmt.Errorf("writing history: %w", err)
	}
	digest, err := digestOf(v.Metadata)
	if err != nil {
		return err
	}
	detail := map[string]any{"version": v.Number, "from": v.State, "to": to, "metadata_sha256": digest}
	if r.Code != "" {
		detail["code"] = r.Code
	}
	if reason != "" {
		detail["reason"] = reason
	}
	if document != nil {
		detail["document"] = document
	}
	return record(ctx, tx, p, "resource."+string(step), "resource", r.ID.String(), detail)
}

// digestOf is what the log keeps of a version's text: enough to prove later which one was decided on.
func digestOf(m Metadata) (string, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("encoding metadata: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// complete refuses a version that does not pass Check.
func (s *Service) complete(ctx context.Context, tx *db.Tx, r Resource, v Version) error {
	facts, err := s.facts(ctx, tx, r, v)
	if err != nil {
		return err
	}
	blocks, _ := Check(v.Metadata, facts)
	return fault.InvalidFields(blocks)
}

// notTheMaker refuses reviewers who made, edited or submitted the version, or took it over from a leaver, themselves or as
// whoever they stand in for.
func notTheMaker(ctx context.Context, tx *db.Tx, p authz.Principal, id uuid.UUID, version int) error {
	var made bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM resource_step
			WHERE resource_id = $1 AND version = $2 AND actor_id = ANY($3) AND action = ANY($4))
			OR EXISTS (SELECT FROM resource_version WHERE resource_id = $1 AND version = $2 AND made_by = ANY($3))`,
		id, version, p.Selves(), []string{string(StepCreate), string(StepEdit), string(StepSubmit)}).Scan(&made)
	if err != nil {
		return fmt.Errorf("reading history: %w", err)
	}
	if made {
		return fault.New(fault.Forbidden, "maker_is_reviewer", "you made, edited or submitted this version; somebody else has to review it")
	}
	return nil
}

// nextCode takes the next number of a classification. The row lock orders publishers of one class, and a number taken by
// a transaction that fails is given back with it, so codes rise without gaps and are never used twice.
func (s *Service) nextCode(ctx context.Context, tx *db.Tx, class string) (string, error) {
	var serial int64
	err := tx.QueryRow(ctx, `
		INSERT INTO resource_code AS c (class_code, last) VALUES ($1, 1)
		ON CONFLICT (class_code) DO UPDATE SET last = c.last + 1 RETURNING last`, class).Scan(&serial)
	if err != nil {
		return "", fmt.Errorf("numbering class %s: %w", class, err)
	}
	return s.coder.ResourceCode(class, serial)
}

// shown is the version of an entry that is visible, or the newest while none is.
func shown(r Resource) int {
	if r.Published != 0 {
		return r.Published
	}
	return r.Newest
}

func stepNames(steps []Step) []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = string(s)
	}
	return names
}

func reasonMissing() error {
	return fault.InvalidFields([]fault.Field{{Name: "reason", Code: "required", Message: "give the reason; the others have to be able to follow it"}})
}
