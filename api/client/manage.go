package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Change is a function that makes one call conditional or repeatable: IfMatch or Once.
type Change = func(*http.Request)

// Session is an open sign-in.
type Session struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SignIn opens a session and returns a client that uses it.
func (c *Client) SignIn(ctx context.Context, username, password string) (*Client, error) {
	s, err := fetch[Session](ctx, c, http.MethodPost, "/sessions", map[string]string{"username": username, "password": password})
	if err != nil {
		return nil, err
	}
	return c.As(s.Token), nil
}

// SignOut ends the session.
func (c *Client) SignOut(ctx context.Context) error {
	return c.Call(ctx, http.MethodDelete, "/sessions/current", nil, nil)
}

// Me returns the account that is signed in.
func (c *Client) Me(ctx context.Context) (User, error) {
	out, err := fetch[struct {
		User User `json:"user"`
	}](ctx, c, http.MethodGet, "/users/me", nil)
	return out.User, err
}

// NewUser is an account to create.
type NewUser struct {
	Username     string   `json:"username"`
	DisplayName  string   `json:"display_name"`
	Password     string   `json:"password"`
	DepartmentID string   `json:"department_id"`
	Roles        []string `json:"roles,omitempty"`
}

// CreateUser makes an account.
func (c *Client) CreateUser(ctx context.Context, u NewUser, changes ...Change) (User, error) {
	return create[User](ctx, c, "/users", u, changes...)
}

// Users lists all accounts the caller may see.
func (c *Client) Users(ctx context.Context) ([]User, error) { return All[User](ctx, c, "/users") }

// SetRoles gives an account exactly these roles.
func (c *Client) SetRoles(ctx context.Context, user string, roles []string, changes ...Change) (User, error) {
	return fetch[User](ctx, c, http.MethodPut, "/users/"+user+"/roles", map[string][]string{"roles": roles}, changes...)
}

// DisableUser closes an account and ends its sessions.
func (c *Client) DisableUser(ctx context.Context, user string, changes ...Change) (User, error) {
	return fetch[User](ctx, c, http.MethodPost, "/users/"+user+"/disable", nil, changes...)
}

// CreateDepartment registers an organisation; of d, what the hub decides is ignored.
func (c *Client) CreateDepartment(ctx context.Context, d Department, changes ...Change) (Department, error) {
	body := map[string]any{
		"uscc": d.USCC, "name": d.Name, "name_en": d.NameEN, "division_code": d.DivisionCode, "level": d.Level, "authority": d.Authority,
	}
	if d.ParentID != "" {
		body["parent_id"] = d.ParentID
	}
	return create[Department](ctx, c, "/departments", body, changes...)
}

// Departments lists all departments.
func (c *Client) Departments(ctx context.Context) ([]Department, error) {
	return All[Department](ctx, c, "/departments")
}

// CreateSystem registers an information system of the caller's department.
func (c *Client) CreateSystem(ctx context.Context, name, state string, changes ...Change) (System, error) {
	return create[System](ctx, c, "/systems", map[string]string{"name": name, "state": state}, changes...)
}

// CreateConsumingSystem registers a client of a department.
func (c *Client) CreateConsumingSystem(ctx context.Context, department, name string, networks []string, changes ...Change) (ConsumingSystem, error) {
	if networks == nil {
		networks = []string{}
	}
	return create[ConsumingSystem](ctx, c, "/clients",
		map[string]any{"department_id": department, "name": name, "allowed_networks": networks}, changes...)
}

// ConsumingSystems lists all clients the caller may see.
func (c *Client) ConsumingSystems(ctx context.Context) ([]ConsumingSystem, error) {
	return All[ConsumingSystem](ctx, c, "/clients")
}

// IssuedKey is a new key with its secret, which is shown once.
type IssuedKey struct {
	Key
	Secret string `json:"secret"`
}

// Token returns what the consuming system sends.
func (k IssuedKey) Token() string { return k.ID + "." + k.Secret }

// IssueKey makes a key of a client. A zero expiresAt means a year from now.
func (c *Client) IssueKey(ctx context.Context, client string, expiresAt time.Time) (IssuedKey, error) {
	body := map[string]any{}
	if !expiresAt.IsZero() {
		body["expires_at"] = expiresAt
	}
	return fetch[IssuedKey](ctx, c, http.MethodPost, "/clients/"+client+"/keys", body)
}

// KeyRequest is a key to issue. Zero fields leave the choice to the hub: a bearer key, for a year, with 30 days in which the key that
// is replaced works on.
type KeyRequest struct {
	Kind         string     `json:"kind,omitempty"` // bearer, hmac
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	OverlapHours *int       `json:"overlap_hours,omitempty"`
}

// ReplaceKey makes a key of a client; the live key it has, if any, ends after the overlap.
func (c *Client) ReplaceKey(ctx context.Context, client string, n KeyRequest) (IssuedKey, error) {
	return fetch[IssuedKey](ctx, c, http.MethodPost, "/clients/"+client+"/keys", n)
}

// Keys lists a client's keys, newest first.
func (c *Client) Keys(ctx context.Context, client string) ([]Key, error) {
	return All[Key](ctx, c, "/clients/"+client+"/keys")
}

// ExpiringKeys lists live keys that end within a number of days, the earliest end first.
func (c *Client) ExpiringKeys(ctx context.Context, days int) ([]ExpiringKey, error) {
	return All[ExpiringKey](ctx, c, "/keys?expiring_within="+strconv.Itoa(days)+"d")
}

// ConsumingSystemChange changes a client. Nil fields stay as they are.
type ConsumingSystemChange struct {
	Name            *string   `json:"name,omitempty"`
	AllowedNetworks *[]string `json:"allowed_networks,omitempty"`
	SignedOnly      *bool     `json:"signed_only,omitempty"`
	Certificates    *[]string `json:"certificates,omitempty"` // SHA-256 of public keys in hexadecimal.
}

// ChangeConsumingSystem changes a client's name, or from where and how it may call.
func (c *Client) ChangeConsumingSystem(ctx context.Context, client string, change ConsumingSystemChange, changes ...Change) (ConsumingSystem, error) {
	return fetch[ConsumingSystem](ctx, c, http.MethodPut, "/clients/"+client, change, changes...)
}

// MoveConsumingSystem disables a client, so that all its keys are refused, or enables it again. move is "disable" or "enable".
func (c *Client) MoveConsumingSystem(ctx context.Context, client, move string, changes ...Change) (ConsumingSystem, error) {
	return fetch[ConsumingSystem](ctx, c, http.MethodPost, "/clients/"+client+"/"+move, nil, changes...)
}

// RevokeKey ends a key for good.
func (c *Client) RevokeKey(ctx context.Context, client, key string) (Key, error) {
	return fetch[Key](ctx, c, http.MethodDelete, "/clients/"+client+"/keys/"+url.PathEscape(key), nil)
}

// Todo returns what waits for the caller.
func (c *Client) Todo(ctx context.Context) (Todo, error) {
	return fetch[Todo](ctx, c, http.MethodGet, "/todo", nil)
}

// BaseDatabases lists the base and theme databases.
func (c *Client) BaseDatabases(ctx context.Context) ([]BaseDatabase, error) {
	return All[BaseDatabase](ctx, c, "/base-databases")
}

// RegisterBaseDatabase records lead department and key item of a base database.
func (c *Client) RegisterBaseDatabase(ctx context.Context, code string, r Registration, changes ...Change) (BaseDatabase, error) {
	return fetch[BaseDatabase](ctx, c, http.MethodPut, "/base-databases/"+code+"/registration", r, changes...)
}

// BindBaseDatabase names the published resource that serves a base database.
func (c *Client) BindBaseDatabase(ctx context.Context, code, resource string, changes ...Change) (BaseDatabase, error) {
	return fetch[BaseDatabase](ctx, c, http.MethodPut, "/base-databases/"+code+"/resource", map[string]string{"resource_id": resource}, changes...)
}

// Events lists evidence, newest first; query may narrow it ("action=grant.suspend&object_id=…").
func (c *Client) Events(ctx context.Context, query string) (List[Event], error) {
	return fetch[List[Event]](ctx, c, http.MethodGet, "/audit/events?"+query, nil)
}

// Rule is one rule of the policy.
type Rule struct {
	ID        string `json:"id"`
	Role      string `json:"role"`
	Action    string `json:"action"`
	ShareType string `json:"share_type"`
	Grade     string `json:"grade"`
	State     string `json:"state"`
	Granted   string `json:"granted"`
	Effect    string `json:"effect"`
	Note      string `json:"note"`
}

// Rules returns the rules in force.
func (c *Client) Rules(ctx context.Context) ([]Rule, error) {
	out, err := fetch[List[Rule]](ctx, c, http.MethodGet, "/policy/rules", nil)
	return out.Data, err
}

// SaveRules adds or replaces rules and removes others.
func (c *Client) SaveRules(ctx context.Context, put []Rule, remove []string) error {
	if put == nil {
		put = []Rule{}
	}
	if remove == nil {
		remove = []string{}
	}
	return c.Call(ctx, http.MethodPost, "/policy/rules", map[string]any{"put": put, "remove": remove}, nil)
}
