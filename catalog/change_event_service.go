package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// maxSaid bounds what people write about a change or a version, in characters.
const maxSaid = 2000

// RecordChange records that something changed which a published entry has to follow, and so starts the clock of its update.
func (s *Service) RecordChange(ctx context.Context, p authz.Principal, id uuid.UUID, n NewChange) (ChangeEvent, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return ChangeEvent{}, err
	}
	decision, err := s.enforcer.Check(ctx, p, authz.ChangeEventRecord, authz.Target{Kind: "change_event", Department: r.ProviderDeptID})
	if err != nil {
		return ChangeEvent{}, err
	}
	var out ChangeEvent
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if r, err = loadResource(ctx, tx, id, "FOR SHARE"); err != nil {
			return err
		}
		event, err := s.openChange(ctx, tx, decision.Principal(), r, n)
		if err != nil {
			return err
		}
		out, err = s.loadChange(ctx, tx, event)
		return err
	})
	if err != nil {
		return ChangeEvent{}, err
	}
	return s.withChangeActs(p, out), nil
}

// openChange records a change event in the caller's transaction, which has decided that p may.
func (s *Service) openChange(ctx context.Context, tx *db.Tx, p authz.Principal, r Resource, n NewChange) (uuid.UUID, error) {
	c := &checker{facts: Facts{Today: s.today()}}
	if !validCause(n.Cause) {
		c.block("cause", "not_choice", "state law, duty, system, data, drift or other")
	}
	c.said("detail", n.Detail, "say what changed")
	c.date("happened_on", n.HappenedOn)
	if err := fault.InvalidFields(c.blocks); err != nil {
		return uuid.Nil, err
	}
	if r.Published == 0 || r.State == Revoked {
		return uuid.Nil, fault.New(fault.Conflict, "entry_not_published", "only an entry that was published has to follow a change; a draft is simply edited")
	}
	limits, err := s.changeClock(ctx, tx, s.calendar.Now(), r.ProviderDeptID, n.HappenedOn, 0, time.Time{})
	if err != nil {
		return uuid.Nil, err
	}
	id := db.NewID()
	_, err = tx.Exec(ctx, `
		INSERT INTO change_event (id, resource_id, cause, detail, happened_on, state, due_at, warn_at, red_at, provisional, recorded_by, recorded_at)
		VALUES ($1, $2, $3, $4, $5::text::date, 'open', $6, $7, $8, $9, $10, $11)`,
		id, r.ID, string(n.Cause), strings.TrimSpace(n.Detail), n.HappenedOn, limits.due, limits.warn, limits.red, limits.provisional, p.ID, tx.Now())
	if err != nil {
		return uuid.Nil, fmt.Errorf("recording a change: %w", err)
	}
	return id, record(ctx, tx, p, "change_event.record", "change_event", id.String(), map[string]any{
		"resource": r.ID, "code": r.Code, "cause": n.Cause, "happened_on": n.HappenedOn, "due_at": limits.due, "provisional": limits.provisional,
	})
}

func validCause(cause ChangeCause) bool {
	for _, known := range ChangeCauses() {
		if cause == known {
			return true
		}
	}
	return false
}

// said blocks what is blank, too long, or no text that can be stored.
func (c *checker) said(name, text, message string) {
	switch {
	case !c.required(name, text, message):
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		c.block(name, "bad_character", "write this as text in UTF-8 without the NUL character")
	case utf8.RuneCountInString(text) > maxSaid:
		c.block(name, "too_long", "shorten this to at most %d characters", maxSaid)
	}
}

// ExtendChange gives the update of an entry more time, with the authority's consent: once, by the working days of the rule (5).
func (s *Service) ExtendChange(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (ChangeEvent, error) {
	return s.moveChange(ctx, p, id, ifMatch, authz.ChangeEventExtend, ChangeExtend, reason, func(tx *db.Tx, p authz.Principal, c ChangeEvent) error {
		if c.Extension != nil {
			return fault.New(fault.Conflict, "already_extended", "the limit was extended before; the Order allows this once (Art 17)")
		}
		rule, err := limitOf(ctx, tx, limitExtension, c.DepartmentID)
		if err != nil {
			return err
		}
		limits, err := s.changeClock(ctx, tx, s.calendar.Now(), c.DepartmentID, c.HappenedOn, rule.Days, c.DueAt)
		if err != nil {
			return err
		}
		extension, err := encode(&Extension{By: p.ID, At: tx.Now().UTC(), Days: rule.Days, Reason: strings.TrimSpace(reason)})
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE change_event SET due_at = $2, warn_at = $3, red_at = $4, provisional = $5, extension = $6, row_version = row_version + 1 WHERE id = $1`,
			id, limits.due, limits.warn, limits.red, limits.provisional, extension)
		if err != nil {
			return fmt.Errorf("extending the limit of a change: %w", err)
		}
		return record(ctx, tx, p, "change_event.extend", "change_event", id.String(), map[string]any{
			"resource": c.ResourceID, "days": rule.Days, "due_at": limits.due, "reason": reason,
		})
	})
}

// WithdrawChange says that a recorded change needs no update after all; the reason is mandatory.
func (s *Service) WithdrawChange(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (ChangeEvent, error) {
	return s.moveChange(ctx, p, id, ifMatch, authz.ChangeEventRecord, ChangeWithdraw, reason, func(tx *db.Tx, p authz.Principal, c ChangeEvent) error {
		_, err := tx.Exec(ctx, `
			UPDATE change_event SET state = 'withdrawn', closed_at = $2, closed_reason = $3, row_version = row_version + 1 WHERE id = $1`,
			id, tx.Now(), strings.TrimSpace(reason))
		if err != nil {
			return fmt.Errorf("withdrawing a change: %w", err)
		}
		return record(ctx, tx, p, "change_event.withdraw", "change_event", id.String(), map[string]any{"resource": c.ResourceID, "from": c.State, "reason": reason})
	})
}

// moveChange lets a person take a step with a change event.
func (s *Service) moveChange(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, action authz.Action, step ChangeStep, reason string, work func(*db.Tx, authz.Principal, ChangeEvent) error) (ChangeEvent, error) {
	c, err := s.ChangeEvent(ctx, p, id)
	if err != nil {
		return ChangeEvent{}, err
	}
	decision, err := s.enforcer.Check(ctx, p, action, changeTarget(c))
	if err != nil {
		return ChangeEvent{}, err
	}
	check := &checker{}
	check.said("reason", reason, "give the reason; the others have to be able to follow it")
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM change_event WHERE id = $1 FOR UPDATE", id); err != nil {
			return fmt.Errorf("locking a change: %w", err)
		}
		if c, err = s.loadChange(ctx, tx, id); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, c.RowVersion); err != nil {
			return err
		}
		if _, err := findChangeMove(c.State, step); err != nil {
			return err
		}
		if err := fault.InvalidFields(check.blocks); err != nil {
			return err
		}
		if err := work(tx, decision.Principal(), c); err != nil {
			return err
		}
		c, err = s.loadChange(ctx, tx, id)
		return err
	})
	if err != nil {
		return ChangeEvent{}, err
	}
	return s.withChangeActs(p, c), nil
}

// followChange moves the change events of an entry with the version that carries them out: the authority's clock starts when it
// receives the update, the provider's runs on when it sends it back.
func (s *Service) followChange(ctx context.Context, tx *db.Tx, r Resource, v Version, step Step, reason string) error {
	var err error
	switch step {
	case StepApprove:
		var rule limitRule
		if rule, err = limitOf(ctx, tx, limitReview, r.ProviderDeptID); err != nil {
			return err
		}
		due, _ := rule.due(s.calendar.Now(), tx.Now(), rule.Days)
		_, err = tx.Exec(ctx, `
			UPDATE change_event SET state = 'submitted', version = $2, submitted_at = $3, review_due_at = $4, row_version = row_version + 1
			WHERE resource_id = $1 AND state = 'open'`, r.ID, v.Number, tx.Now(), due)
	case StepReturn:
		_, err = tx.Exec(ctx, `
			UPDATE change_event SET state = 'open', version = NULL, submitted_at = NULL, review_due_at = NULL, row_version = row_version + 1
			WHERE resource_id = $1 AND state = 'submitted'`, r.ID)
	case StepPublish:
		_, err = tx.Exec(ctx, `
			UPDATE change_event SET state = 'done', closed_at = $2, row_version = row_version + 1 WHERE resource_id = $1 AND state = 'submitted'`, r.ID, tx.Now())
	case StepRevoke:
		_, err = tx.Exec(ctx, `
			UPDATE change_event SET state = 'withdrawn', closed_at = $2, closed_reason = $3, row_version = row_version + 1
			WHERE resource_id = $1 AND state IN ('open', 'submitted')`, r.ID, tx.Now(), reason)
	}
	if err != nil {
		return fmt.Errorf("moving the changes of an entry: %w", err)
	}
	return nil
}
