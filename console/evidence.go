package console

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// auditPage is the log with its search and the state of its seal.
type auditPage struct {
	From, To, Actor, Action, Department, Kind, Object, Outcome string

	Kinds, Outcomes []string
	Actions         []authz.Action
	Departments     []option
	Which           []option // Actors among whom the reader has to choose, since the text is part of several names.
	Events          []eventRow
	More, Table     string
	Narrowed        bool
	Checkpoint      *audit.Checkpoint
	CanVerify       bool
	Verified        verification
}

// eventRow is an event with what its actor and object are called.
type eventRow struct {
	audit.Entry
	Department              string
	ActorName, ObjectName   string // "" where only the id is known.
	ActorShort, ObjectShort string
}

// objectKinds are the objects that the search offers.
func objectKinds() []string {
	return []string{"resource", "request", "grant", "run", "task", "schedule", "client", "key", "user", "session", "usage", "policy", "department", "alarm", "alarm_channel"}
}

// verifyPatience is how long an answer waits for a verification to end: a short log is read meanwhile.
const verifyPatience = time.Second

// verifyLog starts a verification of the whole log, which the page then tells about.
func (c *console) verifyLog(v *visit) error {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.AuditVerify, authz.Target{Kind: "event"}); err != nil {
		return err
	}
	patience, stop := context.WithTimeout(v.r.Context(), verifyPatience)
	defer stop()
	select {
	case <-v.Verifier.Start(v.principal.Actor()):
	case <-patience.Done():
	}
	return v.to(prefix+"/audit", "")
}

// verification is what a reader who may verify is told about the last pass.
type verification struct {
	audit.Verification
	Name string // Of who asked for it; "" where only the id is known.
}

// shownProblems is how many contradictions the page lists; the report counts them all.
const shownProblems = 20

func (v *visit) verification() (verification, error) {
	last := verification{Verification: v.Verifier.Latest()}
	if !last.Started() {
		return last, nil
	}
	if len(last.Report.Problems) > shownProblems {
		last.Report.Problems = last.Report.Problems[:shownProblems]
	}
	id, err := uuid.Parse(last.By.ID)
	if err != nil {
		return last, nil
	}
	actors, err := v.Identity.Actors(v.r.Context(), v.principal, []uuid.UUID{id})
	if err != nil {
		return last, err
	}
	for _, a := range actors {
		last.Name = a.Name
	}
	return last, nil
}

func (c *console) showAudit(v *visit) error {
	ctx := v.r.Context()
	// The log itself asks nobody: its doors do.
	if _, err := v.Enforcer.Check(ctx, v.principal, authz.AuditRead, authz.Target{Kind: "event"}); err != nil {
		return err
	}
	page := auditPage{
		From: v.query("from"), To: v.query("to"), Actor: v.query("actor"), Action: v.query("action"), Department: v.query("department"),
		Kind: v.query("kind"), Object: v.query("object"), Outcome: v.query("outcome"),
		Kinds: objectKinds(), Outcomes: []string{string(audit.OK), string(audit.Denied), string(audit.Failed)}, Actions: authz.Actions(),
		CanVerify: v.may(authz.AuditVerify, authz.Target{Kind: "event"}), Table: v.sheetAddress(),
	}
	page.Narrowed = page.From+page.To+page.Actor+page.Action+page.Department+page.Kind+page.Object+page.Outcome != ""
	names := v.names()
	var err error
	if page.CanVerify {
		if page.Verified, err = v.verification(); err != nil {
			return err
		}
	}
	if page.Departments, err = names.departmentChoices(); err != nil {
		return err
	}
	f, found, err := v.auditFilter(&page)
	if err != nil {
		return err
	}
	read := func(cursor string, size int) ([]eventRow, string, error) {
		if !found {
			return nil, "", nil
		}
		events, next, err := v.Log.Find(ctx, f, db.Page{Limit: size, Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		rows, err := names.events(events)
		return rows, next, err
	}
	if v.asSheet() {
		return v.auditSheet(read)
	}
	var next string
	if page.Events, next, err = read(v.query("cursor"), 50); err != nil {
		return err
	}
	page.More = v.moreAddress(next)
	checkpoint, err := v.Log.Checkpoint(ctx)
	switch {
	case err == nil:
		page.Checkpoint = &checkpoint
	case !fault.Is(err, fault.NotFound): // A young log has none yet.
		return err
	}
	return v.show("audit", "audit.title", page)
}

func (v *visit) auditSheet(read func(cursor string, size int) ([]eventRow, string, error)) error {
	columns := []string{"audit.seq", "audit.at", "audit.actor", "audit.name", "audit.department", "audit.action", "audit.code", "audit.object", "audit.id", "audit.outcome", "audit.event", "audit.detail"}
	return v.sheet("audit", columns, func(cursor string) ([][]string, string, error) {
		rows, next, err := read(cursor, db.MaxPage)
		out := make([][]string, len(rows))
		for i, e := range rows {
			out[i] = []string{
				e.Seq, v.formats.second(e.At), e.Actor.ID, e.ActorName, e.Department, v.word("action", e.Action), e.Action,
				v.word("object", e.Object.Kind), e.Object.ID, v.word("outcome", e.Outcome), e.ID.String(), string(e.Detail),
			}
		}
		return out, next, err
	})
}

// events adds to events what their actors and objects are called, with one question for all of them.
func (n *names) events(events []audit.Entry) ([]eventRow, error) {
	var ids []uuid.UUID
	for _, e := range events {
		for _, text := range []string{e.Actor.ID, e.Object.ID} {
			if id, err := uuid.Parse(text); err == nil && !slices.Contains(ids, id) && len(ids) < db.MaxPage {
				ids = append(ids, id)
			}
		}
	}
	actors, err := n.v.Identity.Actors(n.v.r.Context(), n.v.principal, ids)
	if err != nil {
		return nil, err
	}
	called := map[string]string{}
	for _, a := range actors {
		called[a.ID.String()] = a.Name
	}
	rows := make([]eventRow, len(events))
	for i, e := range events {
		rows[i] = eventRow{
			Entry: e, Department: n.department(e.Actor.Department), ActorName: called[e.Actor.ID], ObjectName: called[e.Object.ID],
			ActorShort: short(e.Actor.ID), ObjectShort: short(e.Object.ID),
		}
	}
	return rows, nil
}

// auditFilter reads the search; days that cannot be read do not narrow it. It is false where the actor is nobody that is known, or
// several: then the reader has to choose one first.
func (v *visit) auditFilter(page *auditPage) (f audit.Filter, found bool, err error) {
	if at, ok := v.bound(page.From, false); ok {
		f.From = &at
	}
	if at, ok := v.bound(page.To, true); ok {
		f.To = &at
	}
	for text, field := range map[*string]**string{&page.Action: &f.Action, &page.Kind: &f.ObjectKind, &page.Object: &f.ObjectID} {
		if *text = strings.ReplaceAll(strings.ToValidUTF8(*text, ""), "\x00", ""); *text != "" {
			*field = text
		}
	}
	if outcome := audit.Outcome(page.Outcome); slices.Contains(page.Outcomes, page.Outcome) {
		f.Outcome = &outcome
	}
	if id, err := uuid.Parse(page.Department); err == nil {
		f.Department = &id
	}
	if page.Actor == "" {
		return f, true, nil
	}
	if _, err := uuid.Parse(page.Actor); err == nil {
		f.ActorID = &page.Actor
		return f, true, nil
	}
	actors, err := v.Identity.FindActors(v.r.Context(), v.principal, page.Actor, 20)
	if err != nil {
		return f, false, err
	}
	if len(actors) == 1 {
		id := actors[0].ID.String()
		f.ActorID = &id
		return f, true, nil
	}
	for _, a := range actors {
		page.Which = append(page.Which, option{Value: v.actorAddress(a), Text: a.Name + also(a)})
	}
	return f, false, nil
}

func also(a identity.Actor) string {
	if a.Also == "" {
		return ""
	}
	return " (" + a.Also + ")"
}

// actorAddress is this search with one actor chosen.
func (v *visit) actorAddress(a identity.Actor) string {
	q := v.r.URL.Query()
	q.Del("cursor")
	q.Set("actor", a.ID.String())
	return (&url.URL{Path: v.r.URL.Path, RawQuery: q.Encode()}).RequestURI()
}

// bound reads a day, or a moment to the minute. The end of a range includes the day.
func (v *visit) bound(typed string, end bool) (time.Time, bool) {
	if at, err := time.ParseInLocation("2006-01-02T15:04", typed, v.formats.zone); err == nil {
		return at, true
	}
	day, err := time.ParseInLocation(time.DateOnly, typed, v.formats.zone)
	if err == nil && end {
		day = day.AddDate(0, 0, 1)
	}
	return day, err == nil
}

// eventPage is one event with its proof.
type eventPage struct {
	Event  eventRow
	Detail string
	Link   string // Where the object is shown; "" where it is not, or not to this reader.
	Proof  proven
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
	rows, err := v.names().events([]audit.Entry{e})
	if err != nil {
		return err
	}
	page := eventPage{Event: rows[0]}
	if _, err := uuid.Parse(e.Object.ID); err == nil {
		switch e.Object.Kind {
		case "resource":
			page.Link = prefix + "/resources/" + e.Object.ID
		case "usage":
			page.Link = prefix + "/evidence?id=" + e.Object.ID
		}
	}
	var detail bytes.Buffer
	if err := json.Indent(&detail, e.Detail, "", "  "); err != nil {
		return err
	}
	page.Detail = detail.String()
	if page.Proof, err = v.prove(e.Seq); err != nil {
		return err
	}
	return v.show("event", v.word("action", e.Action), page)
}
