package client

import (
	"context"
	"net/http"
	"time"
)

// FinishSignIn opens the session of a sign-in that was answered with "second_factor_required", whose problem holds the
// challenge in Facts, and returns a client that uses it. Give a code of the app, or a recovery code.
func (c *Client) FinishSignIn(ctx context.Context, challenge, code, recovery string) (*Client, error) {
	s, err := fetch[Session](ctx, c, http.MethodPost, "/sessions/second-factor", map[string]string{
		"challenge": challenge, "code": code, "recovery_code": recovery,
	})
	if err != nil {
		return nil, err
	}
	return c.As(s.Token), nil
}

// ChangePassword replaces the password of the account that is signed in and ends its other sessions.
func (c *Client) ChangePassword(ctx context.Context, present, next string) error {
	return c.Call(ctx, http.MethodPut, "/me/password", map[string]string{"present": present, "next": next}, nil)
}

// Enrolment is a second factor to set up.
type Enrolment struct {
	Secret string `json:"secret"`  // Base32, to type into an app.
	URI    string `json:"uri"`     // otpauth://…, as the picture holds it.
	QR     string `json:"qr_code"` // A PNG as data: URI.
}

// SecondFactorState is what a person may know of their own second factor.
type SecondFactorState struct {
	Enrolled      bool       `json:"enrolled"`
	Mandatory     bool       `json:"mandatory"` // The person's roles demand one.
	Since         *time.Time `json:"since,omitempty"`
	RecoveryCodes int        `json:"recovery_codes"` // How many are left.
}

// SecondFactor returns what the account that is signed in has as second factor.
func (c *Client) SecondFactor(ctx context.Context) (SecondFactorState, error) {
	return fetch[SecondFactorState](ctx, c, http.MethodGet, "/me/second-factor", nil)
}

// BeginSecondFactor makes a second factor, which counts once ConfirmSecondFactor has seen a code of it.
func (c *Client) BeginSecondFactor(ctx context.Context) (Enrolment, error) {
	return fetch[Enrolment](ctx, c, http.MethodPost, "/me/second-factor", nil)
}

// ConfirmSecondFactor takes the first code and returns the recovery codes.
func (c *Client) ConfirmSecondFactor(ctx context.Context, code string) ([]string, error) {
	out, err := fetch[struct {
		Codes []string `json:"recovery_codes"`
	}](ctx, c, http.MethodPost, "/me/second-factor/confirm", map[string]string{"code": code})
	return out.Codes, err
}

// OpenSession is one of a person's sessions.
type OpenSession struct {
	ID           string    `json:"id"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at"`
	LastSeenAt   time.Time `json:"last_seen_at"` // To the minute.
	Address      string    `json:"address"`
	Method       string    `json:"method"` // password or openid.
	SecondFactor bool      `json:"second_factor"`
	Current      bool      `json:"current"` // The one that asks.
}

// Sessions lists the open sessions of the account that is signed in.
func (c *Client) Sessions(ctx context.Context) ([]OpenSession, error) {
	return All[OpenSession](ctx, c, "/me/sessions")
}

// SignOutEverywhere ends all sessions of the account that is signed in, this one included.
func (c *Client) SignOutEverywhere(ctx context.Context) error {
	return c.Call(ctx, http.MethodDelete, "/me/sessions", nil, nil)
}

// Handed is one thing that a leaver had in hand.
type Handed struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Title string `json:"title"`
	To    string `json:"to,omitempty"` // "" where it went back to the department.
}

// Leaver is a closed account and what became of the person's open work.
type Leaver struct {
	User
	SessionsEnded int      `json:"sessions_ended"`
	HandedOver    []Handed `json:"handed_over"`
}

// Leave closes an account and hands its open work to a person of the same department, or with to "" to the department.
func (c *Client) Leave(ctx context.Context, user, to string, changes ...Change) (Leaver, error) {
	body := map[string]string{}
	if to != "" {
		body["hand_over_to"] = to
	}
	return fetch[Leaver](ctx, c, http.MethodPost, "/users/"+user+"/disable", body, changes...)
}

// SetPassword gives a person a password that they must change at their first sign-in.
func (c *Client) SetPassword(ctx context.Context, user, password string, changes ...Change) (User, error) {
	return fetch[User](ctx, c, http.MethodPut, "/users/"+user+"/password", map[string]string{"password": password}, changes...)
}

// Unlock ends the lock that failed sign-ins brought.
func (c *Client) Unlock(ctx context.Context, user string, changes ...Change) (User, error) {
	return fetch[User](ctx, c, http.MethodPost, "/users/"+user+"/unlock", nil, changes...)
}

// ResetSecondFactor takes a lost second factor away.
func (c *Client) ResetSecondFactor(ctx context.Context, user string, changes ...Change) (User, error) {
	return fetch[User](ctx, c, http.MethodPost, "/users/"+user+"/reset-second-factor", nil, changes...)
}

// Deputy is one absence.
type Deputy struct {
	ID        string     `json:"id"`
	AbsentID  string     `json:"absent_id"`
	DeputyID  string     `json:"deputy_id"`
	StartsAt  time.Time  `json:"starts_at"`
	EndsAt    time.Time  `json:"ends_at"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"` // Set where somebody ended it early.
}

// SetDeputy names who acts for a person; user "" means the account that is signed in, a zero starts now.
func (c *Client) SetDeputy(ctx context.Context, user, deputy string, starts, ends time.Time, changes ...Change) (Deputy, error) {
	body := map[string]any{"deputy_id": deputy, "ends_at": ends}
	if !starts.IsZero() {
		body["starts_at"] = starts
	}
	path := "/me/deputies"
	if user != "" {
		path = "/users/" + user + "/deputies"
	}
	return fetch[Deputy](ctx, c, http.MethodPost, path, body, changes...)
}
