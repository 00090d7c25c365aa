package console

import (
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// accountPath is the page of one's own account, the only one that is open before a sign-in is finished.
const accountPath = prefix + "/account"

// accountPage is what a person sees and changes of their own account.
type accountPage struct {
	User       identity.User
	Limit      authz.Limit
	Factor     identity.SecondFactorState
	Enrolment  *enrolment // A second factor being set up.
	Codes      []string   // Recovery codes, the one time they are shown.
	Sessions   []identity.OpenSession
	Colleagues []identity.Colleague
	Absences   []absence
	Password   bool // Whether the session was opened by password.
}

// enrolment is a second factor to set up. The picture is the hub's own and may be shown as it is.
type enrolment struct {
	Secret string
	QR     template.URL
}

type absence struct {
	identity.Deputy
	Who  string // The deputy's name.
	Open bool
}

func (c *console) showAccount(v *visit) error { return v.account(http.StatusOK, accountPage{}, nil) }

// account draws the page. What was just made is in the page already.
func (v *visit) account(status int, page accountPage, problem error) error {
	ctx := v.r.Context()
	var err error
	page.Limit = v.principal.Limit
	if page.User, err = v.Identity.User(ctx, v.principal, v.principal.ID); err != nil {
		return err
	}
	if page.Factor, err = v.Identity.SecondFactor(ctx, v.principal); err != nil {
		return err
	}
	if page.Sessions, err = v.Identity.Sessions(ctx, v.principal); err != nil {
		return err
	}
	page.Password = slices.ContainsFunc(page.Sessions, func(s identity.OpenSession) bool { return s.Current && s.Method == "password" })
	if page.Limit == "" {
		if err := v.absences(&page); err != nil {
			return err
		}
	}
	return v.draw(status, "account", "account.title", page, problem)
}

func (v *visit) absences(page *accountPage) error {
	ctx := v.r.Context()
	all, err := v.Identity.Colleagues(ctx, v.principal)
	if err != nil {
		return err
	}
	called := map[uuid.UUID]string{}
	for _, c := range all {
		called[c.ID] = c.DisplayName
		if c.ID != v.principal.ID {
			page.Colleagues = append(page.Colleagues, c)
		}
	}
	list, err := v.Identity.Deputies(ctx, v.principal, v.principal.ID)
	if err != nil {
		return err
	}
	now := v.Clock()
	for _, d := range list {
		if d.AbsentID == v.principal.ID {
			page.Absences = append(page.Absences, absence{Deputy: d, Who: called[d.DeputyID], Open: d.EndedAt == nil && d.EndsAt.After(now)})
		}
	}
	return nil
}

// accountAgain draws the page once more with what is wrong; faults that no input can mend are returned for the error page.
func (v *visit) accountAgain(page accountPage, err error) error {
	switch {
	case fault.Is(err, fault.Internal), fault.Is(err, fault.NotFound):
		return err
	case fault.Is(err, fault.Unauthenticated) && fault.CodeOf(err) != "second_factor_wrong":
		// The session holds, so this is about the present password.
		err = fault.New(fault.Unauthenticated, "present_password_wrong", "the present password is wrong")
	}
	return v.account(statuses[fault.KindOf(err)], page, err)
}

func (c *console) changePassword(v *visit) error {
	next := v.r.PostFormValue("next")
	if next != v.r.PostFormValue("again") {
		return v.accountAgain(accountPage{}, fault.InvalidFields([]fault.Field{{Name: "again", Code: "not_the_same", Message: "write the same password twice"}}))
	}
	if err := c.Identity.ChangePassword(v.r.Context(), v.principal, secret.Secret(v.r.PostFormValue("present")), secret.Secret(next)); err != nil {
		return v.accountAgain(accountPage{}, err)
	}
	return v.to(accountPath, "account_password")
}

func (c *console) beginFactor(v *visit) error {
	e, err := c.Identity.BeginSecondFactor(v.r.Context(), v.principal)
	if err != nil {
		return v.accountAgain(accountPage{}, err)
	}
	return v.account(http.StatusOK, accountPage{Enrolment: &enrolment{Secret: e.Secret, QR: template.URL(e.QR)}}, nil)
}

func (c *console) confirmFactor(v *visit) error {
	codes, err := c.Identity.ConfirmSecondFactor(v.r.Context(), v.principal, v.field("code"))
	if err != nil {
		return v.accountAgain(accountPage{Enrolment: &enrolment{}}, err)
	}
	v.principal.Limit = ""
	return v.account(http.StatusOK, accountPage{Codes: codes}, nil)
}

func (c *console) renewCodes(v *visit) error {
	codes, err := c.Identity.RenewRecoveryCodes(v.r.Context(), v.principal, v.field("code"))
	if err != nil {
		return v.accountAgain(accountPage{}, err)
	}
	return v.account(http.StatusOK, accountPage{Codes: codes}, nil)
}

func (c *console) removeFactor(v *visit) error {
	if err := c.Identity.RemoveSecondFactor(v.r.Context(), v.principal, v.field("code")); err != nil {
		return v.accountAgain(accountPage{}, err)
	}
	return v.to(accountPath, "account_factor_removed")
}

func (c *console) endSession(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if err := c.Identity.EndSession(v.r.Context(), v.principal, id); err != nil {
		return v.accountAgain(accountPage{}, err)
	}
	return v.to(accountPath, "account_session")
}

func (c *console) signOutEverywhere(v *visit) error {
	if _, err := c.Identity.SignOutEverywhere(v.r.Context(), v.principal); err != nil {
		return err
	}
	setCookie(v.w, v.r, sessionCookie, "", -1)
	return v.to(prefix+"/sign-in", "")
}

// setDeputy reads days, which begin and end at midnight where the hub is.
func (c *console) setDeputy(v *visit) error {
	deputy, _ := uuid.Parse(v.field("deputy"))
	from, err := time.ParseInLocation(time.DateOnly, v.field("from"), c.formats.zone)
	until, err2 := time.ParseInLocation(time.DateOnly, v.field("until"), c.formats.zone)
	if err != nil || err2 != nil {
		return v.accountAgain(accountPage{}, fault.InvalidFields([]fault.Field{{Name: "ends_at", Code: "malformed", Message: "give both days"}}))
	}
	if _, err := c.Identity.SetDeputy(v.r.Context(), v.principal, v.principal.ID, deputy, from, until.AddDate(0, 0, 1)); err != nil {
		return v.accountAgain(accountPage{}, err)
	}
	return v.to(accountPath, "account_deputy")
}

func (c *console) endDeputy(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if err := c.Identity.EndDeputy(v.r.Context(), v.principal, v.principal.ID, id); err != nil {
		return v.accountAgain(accountPage{}, err)
	}
	return v.to(accountPath, "account_deputy_ended")
}

// unfinished reports whether a page is open to somebody who has to finish their sign-in first.
func unfinished(path string) bool {
	return path == accountPath || strings.HasPrefix(path, accountPath+"/")
}
