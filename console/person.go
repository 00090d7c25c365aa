package console

import (
	"crypto/rand"
	"math/big"
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
	"github.com/shuqiao/shuqiao/internal/secret"
)

// personPage is one account and what the reader may do about it.
type personPage struct {
	Row        personRow
	Activity   identity.Activity
	Absences   []personAbsence
	Handed     []handedRow
	Colleagues []option // Who may go on with the work, or act meanwhile.
	Roles      []roleChoice

	CanDisable, CanEnable, CanUnlock, CanPassword, CanFactor, CanRoles, CanDeputy bool
	Own                                                                           bool // The reader's own account.

	Created  bool   // The account was just made.
	Password string // A first password, the one time it is shown.
	Act      string // The form to open, since its input was refused.
}

type roleChoice struct {
	Role      authz.Role
	Held      bool
	Exclusive bool
}

type personAbsence struct {
	identity.Deputy
	Absent, Acts string // Names.
	Open         bool
}

type handedRow struct {
	identity.Handed
	Who string // "" where it went back to the department.
}

func (c *console) showPerson(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawPerson(id, http.StatusOK, personPage{}, nil)
}

// drawPerson draws the page. What was just made is in the page already.
func (v *visit) drawPerson(id uuid.UUID, status int, page personPage, problem error) error {
	ctx := v.r.Context()
	u, err := v.Identity.User(ctx, v.principal, id)
	if err != nil {
		return err
	}
	t := authz.Target{Kind: "user", ID: id.String(), Department: u.DepartmentID}
	// Everybody may read their own account, but this page is for those who look after accounts.
	if _, err := v.Enforcer.Check(ctx, v.principal, authz.UserRead, t); err != nil {
		return err
	}
	page.Row, page.Own = v.personRow(u, v.department(u.DepartmentID)), u.ID == v.principal.ID
	if page.Activity, err = v.Identity.Activity(ctx, v.principal, id); err != nil {
		return err
	}
	active, locked := u.State == identity.Active, page.Row.Standing == "locked"
	page.CanDisable = active && !page.Own && v.may(authz.UserDisable, t)
	page.CanEnable = !active && v.may(authz.UserDisable, t)
	page.CanUnlock = locked && v.may(authz.UserUnlock, t)
	page.CanPassword = active && !page.Own && v.may(authz.UserSetPassword, t)
	page.CanFactor = u.SecondFactor && !page.Own && v.may(authz.UserResetSecondFactor, t)
	page.CanRoles = !page.Own && v.may(authz.UserSetRoles, t)
	page.CanDeputy = active && !slices.ContainsFunc(u.Roles, authz.Role.Exclusive) && v.may(authz.UserSetDeputy, t)
	for _, r := range authz.UserRoles() {
		page.Roles = append(page.Roles, roleChoice{r, slices.Contains(u.Roles, r), r.Exclusive()})
	}
	if err := v.personOthers(&page); err != nil {
		return err
	}
	return v.draw(status, "person", u.DisplayName, page, problem)
}

// personOthers reads what involves other people of the department.
func (v *visit) personOthers(page *personPage) error {
	ctx, id := v.r.Context(), page.Row.ID
	people, _, err := v.Identity.Users(ctx, v.principal, identity.UserFilter{Department: &page.Row.DepartmentID, Page: db.Page{Limit: db.MaxPage}})
	if err != nil {
		return err
	}
	called := map[uuid.UUID]string{}
	for _, u := range people {
		called[u.ID] = u.DisplayName
		if u.ID != id && u.State == identity.Active {
			page.Colleagues = append(page.Colleagues, option{Value: u.ID.String(), Text: u.DisplayName})
		}
	}
	absences, err := v.Identity.Deputies(ctx, v.principal, id)
	if err != nil {
		return err
	}
	now := v.Clock()
	for _, d := range absences {
		page.Absences = append(page.Absences, personAbsence{
			Deputy: d, Absent: called[d.AbsentID], Acts: called[d.DeputyID], Open: d.EndedAt == nil && d.EndsAt.After(now),
		})
	}
	handed, err := v.Identity.HandedOver(ctx, v.principal, id)
	if err != nil {
		return err
	}
	for _, h := range handed {
		row := handedRow{Handed: h}
		if h.To != nil {
			row.Who = called[*h.To]
		}
		page.Handed = append(page.Handed, row)
	}
	return nil
}

func (c *console) actOnPerson(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	act, version := v.r.PathValue("act"), v.seenVersion()
	page := personPage{Act: act}
	switch act {
	case "disable":
		to, _ := uuid.Parse(v.field("to"))
		_, err = v.Identity.Leave(ctx, v.principal, id, version, to)
	case "enable":
		_, err = v.Identity.EnableUser(ctx, v.principal, id, version)
	case "unlock":
		_, err = v.Identity.Unlock(ctx, v.principal, id, version)
	case "factor":
		_, err = v.Identity.ResetSecondFactor(ctx, v.principal, id, version)
	case "roles":
		roles := []authz.Role{}
		for _, r := range v.r.PostForm["roles"] {
			roles = append(roles, authz.Role(r))
		}
		_, err = v.Identity.SetRoles(ctx, v.principal, id, version, roles)
	case "deputies":
		err = v.setPersonDeputy(id)
	case "password":
		if page.Password, err = v.givePassword(id, version); err == nil {
			return v.drawPerson(id, http.StatusOK, personPage{Password: page.Password}, nil)
		}
		page.Password = ""
	default:
		return notFound()
	}
	return v.personActed(id, page, err, "person_"+act)
}

// personActed leads back to the account, or draws it again with what was wrong.
func (v *visit) personActed(id uuid.UUID, page personPage, err error, done string) error {
	switch fault.KindOf(err) {
	case "":
		return v.to(prefix+"/people/"+id.String(), done)
	case fault.Internal, fault.Unauthenticated, fault.NotFound, fault.Forbidden:
		return err
	}
	return v.drawPerson(id, statuses[fault.KindOf(err)], page, err)
}

// setPersonDeputy reads days, which begin and end at midnight where the hub is.
func (v *visit) setPersonDeputy(absent uuid.UUID) error {
	deputy, _ := uuid.Parse(v.field("deputy"))
	from, err := time.ParseInLocation(time.DateOnly, v.field("from"), v.formats.zone)
	until, err2 := time.ParseInLocation(time.DateOnly, v.field("until"), v.formats.zone)
	if err != nil || err2 != nil {
		return fault.InvalidFields([]fault.Field{{Name: "ends_at", Code: "malformed", Message: "give both days"}})
	}
	_, err = v.Identity.SetDeputy(v.r.Context(), v.principal, absent, deputy, from, until.AddDate(0, 0, 1))
	return err
}

func (c *console) endPersonDeputy(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	deputy, err := uuid.Parse(v.r.PathValue("deputy"))
	if err != nil {
		return notFound()
	}
	err = c.Identity.EndDeputy(v.r.Context(), v.principal, id, deputy)
	return v.personActed(id, personPage{}, err, "account_deputy_ended")
}

// givePassword sets a first password and returns it.
func (v *visit) givePassword(id uuid.UUID, version int64) (string, error) {
	u, err := v.Identity.User(v.r.Context(), v.principal, id)
	if err != nil {
		return "", err
	}
	password, err := v.firstPassword(u.Username, u.DisplayName)
	if err != nil {
		return "", err
	}
	_, err = v.Identity.SetPassword(v.r.Context(), v.principal, id, version, secret.Secret(password))
	return password, err
}

// The letters of first passwords: those that are read alike are left out, since people copy them from paper.
const (
	lowerLetters = "abcdefghjkmnpqrstuvwxyz"
	upperLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	digitLetters = "23456789"
)

// firstPassword makes a password up that the hub's rules allow for this person. Each failed try is longer than the one before,
// so that any least length is reached.
func (v *visit) firstPassword(username, name string) (password string, err error) {
	for groups := range 14 {
		if password, err = randomGroups(4 + groups); err != nil {
			return "", err
		}
		if err = v.Identity.CheckPassword(v.r.Context(), username, name, secret.Secret(password)); !fault.Is(err, fault.Invalid) {
			return password, err
		}
	}
	return "", err
}

// randomGroups returns groups of five characters, each with both cases and a digit.
func randomGroups(n int) (string, error) {
	groups := make([]string, n)
	for i := range groups {
		for _, letters := range []string{upperLetters, lowerLetters, lowerLetters, digitLetters, lowerLetters + digitLetters} {
			at, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
			if err != nil {
				return "", err
			}
			groups[i] += letters[at.Int64() : at.Int64()+1]
		}
	}
	return strings.Join(groups, "-"), nil
}

// seenVersion is the version of a thing that the reader has seen; 0 where the form does not say.
func (v *visit) seenVersion() int64 {
	n, err := strconv.ParseInt(v.field("row_version"), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
