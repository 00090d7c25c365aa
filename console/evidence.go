package console

import (
	"bytes"
	"encoding/json"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// auditPage is the log with its search and the state of its seal.
type auditPage struct {
	From, To, Kind, Object, Outcome string
	Kinds, Outcomes                 []string
	Events                          []eventRow
	More                            string
	Checkpoint                      *audit.Checkpoint
	CanVerify                       bool
	Report                          *audit.Report // Of a verification that was just made.
}

type eventRow struct {
	audit.Entry
	Department              string
	ActorShort, ObjectShort string
}

// objectKinds are the objects that the search offers.
func objectKinds() []string {
	return []string{"resource", "request", "grant", "run", "task", "schedule", "client", "key", "user", "session", "usage"}
}

func (c *console) showAudit(v *visit) error { return v.drawAudit(nil) }

// verifyLog verifies the whole log, which reads all of it.
func (c *console) verifyLog(v *visit) error {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.AuditVerify, authz.Target{Kind: "event"}); err != nil {
		return err
	}
	report, err := v.Verify(v.r.Context())
	if err != nil {
		return err
	}
	return v.drawAudit(&report)
}

// shownProblems is how many contradictions the page lists; the report counts them all.
const shownProblems = 20

func (v *visit) drawAudit(report *audit.Report) error {
	ctx := v.r.Context()
	// The log itself asks nobody: its doors do.
	if _, err := v.Enforcer.Check(ctx, v.principal, authz.AuditRead, authz.Target{Kind: "event"}); err != nil {
		return err
	}
	page := auditPage{
		From: v.query("from"), To: v.query("to"), Kind: v.query("kind"), Object: v.query("object"), Outcome: v.query("outcome"),
		Kinds: objectKinds(), Outcomes: []string{string(audit.OK), string(audit.Denied), string(audit.Failed)},
		CanVerify: v.may(authz.AuditVerify, authz.Target{Kind: "event"}), Report: report,
	}
	if report != nil && len(report.Problems) > shownProblems {
		page.Report.Problems = report.Problems[:shownProblems]
	}
	events, next, err := v.Log.Find(ctx, v.auditFilter(page), db.Page{Limit: 50, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	names := v.names()
	for _, e := range events {
		page.Events = append(page.Events, eventRow{
			Entry: e, Department: names.department(e.Actor.Department), ActorShort: short(e.Actor.ID), ObjectShort: short(e.Object.ID),
		})
	}
	if next != "" {
		q := url.Values{"cursor": {next}}
		for name, value := range map[string]string{"from": page.From, "to": page.To, "kind": page.Kind, "object": page.Object, "outcome": page.Outcome} {
			if value != "" {
				q.Set(name, value)
			}
		}
		page.More = prefix + "/audit?" + q.Encode()
	}
	checkpoint, err := v.Log.Checkpoint(ctx)
	switch {
	case err == nil:
		page.Checkpoint = &checkpoint
	case !fault.Is(err, fault.NotFound): // A young log has none yet.
		return err
	}
	return v.show("audit", "audit.title", page)
}

// auditFilter reads the search; days that cannot be read do not narrow it.
func (v *visit) auditFilter(page auditPage) audit.Filter {
	var f audit.Filter
	if day, err := time.ParseInLocation(time.DateOnly, page.From, v.formats.zone); err == nil {
		f.From = &day
	}
	if day, err := time.ParseInLocation(time.DateOnly, page.To, v.formats.zone); err == nil {
		end := day.AddDate(0, 0, 1)
		f.To = &end
	}
	if page.Kind != "" {
		f.ObjectKind = &page.Kind
	}
	if page.Object != "" {
		f.ObjectID = &page.Object
	}
	if outcome := audit.Outcome(page.Outcome); outcome != "" {
		f.Outcome = &outcome
	}
	return f
}

type eventPage struct {
	Event  eventRow
	Detail string
}

func (c *console) showEvent(v *visit) error {
	ctx := v.r.Context()
	if _, err := v.Enforcer.Check(ctx, v.principal, authz.AuditRead, authz.Target{Kind: "event"}); err != nil {
		return err
	}
	id, err := v.id()
	if err != nil {
		return err
	}
	e, err := v.Log.Get(ctx, id)
	if err != nil {
		return err
	}
	page := eventPage{Event: eventRow{Entry: e}}
	if e.Actor.Department != uuid.Nil {
		page.Event.Department = v.department(e.Actor.Department)
	}
	var detail bytes.Buffer
	if err := json.Indent(&detail, e.Detail, "", "  "); err != nil {
		return err
	}
	page.Detail = detail.String()
	return v.show("event", v.word("action", e.Action), page)
}
