package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// clientsPage is the list of consuming systems.
type clientsPage struct {
	Text, Department, State string
	Departments             []option // Empty for readers who see one department only.
	States                  []identity.State
	Rows                    []clientRow
	More, Table             string
	CanCreate, Narrowed     bool
}

// clientRow is a client with the end of its newest key.
type clientRow struct {
	identity.Client
	Department string
	KeyEnds    *time.Time // nil without a live key.
	Soon       bool       // The key ends within the first notice.
}

func (c *console) showClients(v *visit) error {
	page := clientsPage{
		Text: v.query("q"), Department: v.query("department"), State: v.query("state"), Table: v.sheetAddress(),
		States: []identity.State{identity.Active, identity.Disabled}, CanCreate: v.mayOwn(authz.ClientWrite),
	}
	page.Narrowed = page.Text+page.Department+page.State != ""
	f := identity.ClientFilter{Text: page.Text}
	names := v.names()
	if v.everywhere(authz.ClientRead) {
		var err error
		if page.Departments, err = names.departmentChoices(); err != nil {
			return err
		}
		if id, err := uuid.Parse(page.Department); err == nil {
			f.Department = &id
		}
	}
	if state := identity.State(page.State); slices.Contains(page.States, state) {
		f.State = &state
	}
	ends, err := v.keyEnds(f.Department)
	if err != nil {
		return err
	}
	soon := v.Clock().AddDate(0, 0, identity.NoticeDays()[0])
	rows := func(cursor string, size int) ([]clientRow, string, error) {
		f.Page = db.Page{Cursor: cursor, Limit: size}
		list, next, err := v.Identity.Clients(v.r.Context(), v.principal, f)
		out := make([]clientRow, len(list))
		for i, one := range list {
			out[i] = clientRow{Client: one, Department: names.department(one.DepartmentID)}
			if end, ok := ends[one.ID]; ok {
				out[i].KeyEnds, out[i].Soon = &end, end.Before(soon)
			}
		}
		return out, next, err
	}
	if v.asSheet() {
		columns := []string{"clients.name", "people.department", "list.state", "clients.networks", "clients.signed_only", "clients.key_ends", "people.created"}
		return v.sheet("clients", columns, func(cursor string) ([][]string, string, error) {
			found, next, err := rows(cursor, db.MaxPage)
			out := make([][]string, len(found))
			for i, row := range found {
				out[i] = []string{
					row.Name, row.Department, v.word("client_state", row.State), strings.Join(row.AllowedNetworks, " "), v.word("yes", row.SignedOnly),
					v.formats.second(row.KeyEnds), v.formats.second(row.CreatedAt),
				}
			}
			return out, next, err
		})
	}
	var next string
	if page.Rows, next, err = rows(v.query("cursor"), 0); err != nil {
		return err
	}
	page.More = v.moreAddress(next)
	return v.show("clients", "clients.title", page)
}

// keyEnds returns when the newest live key of each client ends. Of a hub with more live keys than one list holds it knows those
// that end first.
func (v *visit) keyEnds(department *uuid.UUID) (map[uuid.UUID]time.Time, error) {
	keys, _, err := v.Identity.KeysExpiring(v.r.Context(), v.principal, identity.KeyFilter{Department: department, Page: db.Page{Limit: db.MaxPage}})
	ends := map[uuid.UUID]time.Time{}
	for _, k := range keys {
		ends[k.ClientID] = k.ExpiresAt // The last one is the latest.
	}
	return ends, err
}

// clientPage is one consuming system with its keys.
type clientPage struct {
	Client     identity.Client
	Department string
	Keys       []keyRow
	Live       int
	Access     string // Address of what it can see, "" for readers who may not ask.
	CanWrite   bool
	CanIssue   bool
	Full       bool // It has as many live keys as it may: one has to go first.

	Form   clientForm
	Act    string // The form to open, since its input was refused.
	Issued *issuedKey
	Ends   []int // Days of validity that the page offers.
	Laps   []int // Days that a replaced key works on.
}

// clientForm is what is typed about a client; lists have a line for each entry.
type clientForm struct {
	Name, Networks, Certificates string
	SignedOnly                   bool
	RowVersion                   int64
}

type keyRow struct {
	identity.Key
	State     string
	CanRevoke bool
	Soon      bool
}

// keyStates returns every state a key can show once.
func keyStates() []string { return []string{"live", "expired", "revoked"} }

// issuedKey is a new key, the one time its secret is shown.
type issuedKey struct {
	identity.Key
	Secret string // What the consuming system is given: key id and secret of bearer keys, the secret of others.
}

func formOf(c identity.Client) clientForm {
	return clientForm{
		Name: c.Name, Networks: strings.Join(c.AllowedNetworks, "\n"), Certificates: strings.Join(c.Certificates, "\n"),
		SignedOnly: c.SignedOnly, RowVersion: c.RowVersion,
	}
}

func (v *visit) typedClient() clientForm {
	return clientForm{
		Name: v.field("name"), Networks: v.field("networks"), Certificates: v.field("certificates"), SignedOnly: v.field("signed_only") != "",
		RowVersion: v.seenVersion(),
	}
}

// entries are the lines, or parts between commas, of a list that was typed.
func entries(typed string) []string {
	return strings.FieldsFunc(typed, func(r rune) bool { return r == ',' || r == '\uff0c' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

func (c *console) showClient(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawClient(id, http.StatusOK, clientPage{}, nil)
}

// drawClient draws the page. What was just made or typed is in the page already.
func (v *visit) drawClient(id uuid.UUID, status int, page clientPage, problem error) error {
	ctx := v.r.Context()
	var err error
	if page.Client, err = v.Identity.Client(ctx, v.principal, id); err != nil {
		return err
	}
	keys, err := v.Identity.Keys(ctx, v.principal, id)
	if err != nil {
		return err
	}
	t := clientTarget(id, page.Client.DepartmentID)
	revoke := v.may(authz.KeyRevoke, authz.Target{Kind: "key", Department: page.Client.DepartmentID})
	now := v.Clock()
	for _, k := range keys {
		row := keyRow{Key: k, State: "live"}
		switch {
		case k.RevokedAt != nil:
			row.State = "revoked"
		case !k.ExpiresAt.After(now):
			row.State = "expired"
		default:
			page.Live++
			row.CanRevoke, row.Soon = revoke, k.ExpiresAt.Before(now.AddDate(0, 0, identity.NoticeDays()[0]))
		}
		page.Keys = append(page.Keys, row)
	}
	page.Department, page.CanWrite = v.department(page.Client.DepartmentID), v.may(authz.ClientWrite, t)
	issue := page.Client.State == identity.Active && v.may(authz.KeyIssue, t)
	page.Full = issue && page.Live > 1
	page.CanIssue = issue && !page.Full
	page.Ends, page.Laps = keyDays(), lapDays()
	if v.may(authz.AccessRead, t) {
		page.Access = prefix + "/clients/" + id.String() + "/access"
	}
	if page.Act != "edit" {
		page.Form = formOf(page.Client)
	}
	return v.draw(status, "client", page.Client.Name, page, problem)
}

// keyDays are the lengths of validity that the page offers, lapDays those of the overlap of a rotation.
func keyDays() []int { return []int{365, 180, 90, 30} }
func lapDays() []int { return []int{30, 7, 1, 0, 90} }

func (c *console) showNewClient(v *visit) error {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.ClientWrite, v.own("client")); err != nil {
		return err
	}
	return v.show("client_new", "clients.new", clientPage{Department: v.department(v.principal.Department)})
}

func (c *console) createClient(v *visit) error {
	form := v.typedClient()
	made, err := c.Identity.CreateClient(v.r.Context(), v.principal, identity.NewClient{
		DepartmentID: v.principal.Department, Name: form.Name, AllowedNetworks: entries(form.Networks), SignedOnly: form.SignedOnly,
		Certificates: entries(form.Certificates),
	})
	if err != nil {
		if fault.Is(err, fault.Forbidden) {
			return err
		}
		page := clientPage{Department: v.department(v.principal.Department), Form: form}
		return v.again("client_new", "clients.new", page, nameTaken(err))
	}
	return v.to(prefix+"/clients/"+made.ID.String(), "client_created")
}

// nameTaken says that a name is taken at the field of the name.
func nameTaken(err error) error {
	if fault.CodeOf(err) != "name_taken" {
		return err
	}
	return fault.InvalidFields([]fault.Field{{Name: "name", Code: "name_taken", Message: "choose another name"}})
}

func (c *console) actOnClient(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	page := clientPage{Act: v.r.PathValue("act"), Form: v.typedClient()}
	switch page.Act {
	case "edit":
		networks, certificates := entries(page.Form.Networks), entries(page.Form.Certificates)
		_, err = c.Identity.UpdateClient(ctx, v.principal, id, page.Form.RowVersion, identity.ClientChange{
			Name: &page.Form.Name, AllowedNetworks: &networks, SignedOnly: &page.Form.SignedOnly, Certificates: &certificates,
		})
		err = nameTaken(err)
	case "disable":
		_, err = c.Identity.DisableClient(ctx, v.principal, id, page.Form.RowVersion)
	case "enable":
		_, err = c.Identity.EnableClient(ctx, v.principal, id, page.Form.RowVersion)
	case "keys":
		if page.Issued, err = v.issueKey(id); err == nil {
			return v.drawClient(id, http.StatusOK, clientPage{Issued: page.Issued}, nil)
		}
		page.Issued = nil
	default:
		return notFound()
	}
	return v.clientActed(id, page, err, "client_"+page.Act)
}

func (v *visit) clientActed(id uuid.UUID, page clientPage, err error, done string) error {
	switch fault.KindOf(err) {
	case "":
		return v.to(prefix+"/clients/"+id.String(), done)
	case fault.Internal, fault.Unauthenticated, fault.NotFound, fault.Forbidden:
		return err
	}
	return v.drawClient(id, statuses[fault.KindOf(err)], page, err)
}

// issueKey makes a key. The form names the newest key that its reader saw: a form that is sent twice makes one key only.
func (v *visit) issueKey(id uuid.UUID) (*issuedKey, error) {
	ctx := v.r.Context()
	keys, err := v.Identity.Keys(ctx, v.principal, id)
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 && keys[0].ID != v.field("newest") {
		return nil, fault.New(fault.Precondition, "version_mismatch", "a key was issued since this page was opened")
	}
	n := identity.NewKey{Kind: identity.KeyKind(v.field("kind"))}
	if days, err := strconv.Atoi(v.field("days")); err == nil && slices.Contains(keyDays(), days) {
		n.ExpiresAt = v.Clock().Add(time.Duration(days) * 24 * time.Hour)
	}
	if days, err := strconv.Atoi(v.field("overlap")); err == nil && slices.Contains(lapDays(), days) {
		lap := time.Duration(days) * 24 * time.Hour
		n.Overlap = &lap
	}
	key, text, err := v.Identity.IssueKey(ctx, v.principal, id, n)
	if err != nil {
		return nil, err
	}
	if key.Kind == identity.BearerKey {
		text = key.ID + "." + text
	}
	return &issuedKey{Key: key, Secret: text}, nil
}

func (c *console) revokeKey(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	_, err = c.Identity.RevokeKey(v.r.Context(), v.principal, v.r.PathValue("key"))
	return v.clientActed(id, clientPage{}, err, "client_revoke")
}
