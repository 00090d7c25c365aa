package console

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// evidencePage answers what an answer's evidence id stands for.
type evidencePage struct {
	ID         string // As it was typed.
	Disclosure *audit.Disclosure
	Client     string
	Department string
	Resource   string
	ToResource bool
	Items      []string
	Query      string
	Proof      proven
}

// proven says in words whether something is in the log that the hub signed. State is proved, pending (not signed yet) or wrong.
type proven struct {
	State      string
	Leaf       string
	Checkpoint *audit.Checkpoint
	Signed     bool // The signature was checked with the hub's key.
}

// proofStates returns every state of a proof once.
func proofStates() []string { return []string{"proved", "pending", "wrong"} }

func (c *console) showEvidence(v *visit) error {
	ctx := v.r.Context()
	if _, err := v.Enforcer.Check(ctx, v.principal, authz.AuditRead, authz.Target{Kind: "event"}); err != nil {
		return err
	}
	page := evidencePage{ID: v.query("id")}
	if page.ID == "" {
		return v.show("evidence", "evidence.title", page)
	}
	id, err := uuid.Parse(page.ID)
	if err != nil {
		return v.again("evidence", "evidence.title", page, fault.InvalidFields([]fault.Field{{Name: "id", Code: "malformed", Message: "paste the evidence id"}}))
	}
	d, err := c.Log.Disclosure(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return v.again("evidence", "evidence.title", page, fault.InvalidFields([]fault.Field{{Name: "id", Code: "no_disclosure", Message: "there is no such disclosure"}}))
	}
	if err != nil {
		return err
	}
	page.Disclosure = &d
	if err := v.disclosed(&page); err != nil {
		return err
	}
	if page.Proof, err = v.prove(d.Seq); err != nil {
		return err
	}
	if !d.True {
		page.Proof.State = "wrong"
	}
	return v.show("evidence", "evidence.title", page)
}

// disclosed says who got what, as far as it is still known.
func (v *visit) disclosed(page *evidencePage) error {
	ctx, d := v.r.Context(), page.Disclosure
	actors, err := v.Identity.Actors(ctx, v.principal, []uuid.UUID{d.ClientID})
	if err != nil {
		return err
	}
	for _, a := range actors {
		page.Client = a.Name
	}
	page.Resource = d.ResourceID.String()
	called := map[int32]string{}
	if r, err := v.Catalog.Get(ctx, v.principal, d.ResourceID); err == nil {
		page.Resource, page.ToResource, page.Department = r.Name, true, v.department(r.ProviderDeptID)
		for _, item := range r.Version.Items {
			called[int32(item.No)] = item.Name
		}
	}
	for _, no := range d.Items {
		name := called[no]
		if name == "" {
			name = v.say("evidence.item_no", "n", no)
		}
		page.Items = append(page.Items, name)
	}
	page.Query = string(d.Query)
	return nil
}

// prove has an event of the log proved under the newest checkpoint, now.
func (v *visit) prove(seq string) (proven, error) {
	leaf, err := strconv.ParseInt(seq, 10, 64)
	if err != nil {
		return proven{State: "pending"}, nil
	}
	out := proven{State: "wrong", Leaf: seq, Signed: v.VerifierKey != ""}
	proof, err := v.Log.Proof(v.r.Context(), leaf)
	switch {
	case fault.CodeOf(err) == "not_signed_yet":
		out.State = "pending"
		return out, nil
	case fault.Is(err, fault.NotFound):
		return out, nil
	case err != nil:
		return out, err
	}
	out.Checkpoint = &proof.Checkpoint
	var keys []string
	if out.Signed {
		keys = []string{v.VerifierKey}
	}
	switch err := proof.Check(keys...); {
	case err == nil:
		out.State = "proved"
	case !out.Signed && fault.CodeOf(err) == "checkpoint_signature":
		out.State = "pending" // Without a key nothing can be said about it.
	case !fault.Is(err, fault.Invalid):
		return out, errors.Join(errors.New("checking a proof"), err)
	}
	return out, nil
}

// checkpointsPage is what others need to check the log from outside.
type checkpointsPage struct {
	Key  string
	Rows []audit.Checkpoint
	More string
}

func (c *console) showCheckpoints(v *visit) error {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.AuditRead, authz.Target{Kind: "event"}); err != nil {
		return err
	}
	rows, next, err := c.Log.Checkpoints(v.r.Context(), db.Page{Cursor: v.query("cursor"), Limit: 20})
	if err != nil {
		return err
	}
	return v.show("checkpoints", "checkpoints.title", checkpointsPage{Key: c.VerifierKey, Rows: rows, More: v.moreAddress(next)})
}

// accessEntry is where questions about who can see what begin.
type accessEntry struct {
	Kind, Text, At string
	Asked          bool
	Rows           []accessSubjectRow
	Full           bool // There may be more than the list holds.
}

type accessSubjectRow struct {
	Name, Department, State, Group, Href string
}

func (c *console) showAccessEntry(v *visit) error {
	page := accessEntry{Kind: v.query("kind"), Text: v.query("q"), At: v.query("at")}
	if page.Kind != "client" {
		page.Kind = "resource"
	}
	find, path, group := v.Sharing.AccessResources, "/resources/", "resource_state"
	if page.Kind == "client" {
		find, path, group = v.Sharing.AccessClients, "/clients/", "client_state"
	}
	found, err := find(v.r.Context(), v.principal, page.Text)
	if err != nil {
		return err
	}
	page.Full = len(found) >= 50
	names := v.names()
	if _, err := names.departmentChoices(); err != nil {
		return err
	}
	for _, s := range found {
		row := accessSubjectRow{Name: s.Name, Department: names.department(s.DepartmentID), State: s.State, Group: group, Href: prefix + path + s.ID.String() + "/access"}
		if page.At != "" {
			row.Href += "?at=" + strings.ReplaceAll(page.At, "+", "%2B")
		}
		page.Rows = append(page.Rows, row)
	}
	slices.SortStableFunc(page.Rows, func(a, b accessSubjectRow) int { return strings.Compare(a.Department, b.Department) })
	return v.show("access_entry", "access.title", page)
}
