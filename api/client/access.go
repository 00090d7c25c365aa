package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// AccessQuery asks who can see what. Zero fields do not narrow; a zero At means now.
type AccessQuery struct {
	At      time.Time
	Item    string // Identifier; not for clients.
	Refused bool
	Limit   int
	Cursor  string
}

// AccessReport is one page of who can see what.
type AccessReport struct {
	Name       string    `json:"name"`
	At         time.Time `json:"at"`
	Past       bool      `json:"past"`
	PolicyN    int64     `json:"policy_n"`
	Data       []Access  `json:"data"`
	People     []Reader  `json:"people"`
	NextCursor string    `json:"next_cursor"`
}

// Access is what one grant lets its client see, or why it does not.
type Access struct {
	ClientID     string       `json:"client_id"`
	Client       string       `json:"client"`
	DepartmentID string       `json:"department_id"`
	Department   string       `json:"department"`
	ResourceID   string       `json:"resource_id"`
	Resource     string       `json:"resource"`
	GrantID      string       `json:"grant_id"`
	RequestID    string       `json:"request_id"`
	State        string       `json:"state"`
	Standing     bool         `json:"standing"`
	Purpose      string       `json:"purpose"`
	PurposeText  string       `json:"purpose_text"`
	ValidFrom    time.Time    `json:"valid_from"`
	ValidTo      time.Time    `json:"valid_to"`
	TermsVersion int64        `json:"terms_version"`
	AllRows      bool         `json:"all_rows"`
	Items        []AccessItem `json:"items"`
	Sees         bool         `json:"sees"`
	Reason       string       `json:"reason"`
	Ways         []Way        `json:"ways"`
}

// AccessItem is an item as a grant shows it.
type AccessItem struct {
	Identifier string `json:"identifier"`
	Name       string `json:"name"`
	Grade      string `json:"grade"`
	Mask       string `json:"mask"`
	Lookup     bool   `json:"lookup"`
}

// Way is one thing that rules let a client or a person do, or not.
type Way struct {
	Action  string `json:"action"`
	Allowed bool   `json:"allowed"`
	RuleID  string `json:"rule_id"`
}

// Reader is a person who may open refused rows.
type Reader struct {
	UserID   string   `json:"user_id"`
	Username string   `json:"username"`
	Roles    []string `json:"roles"`
	Way      Way      `json:"way"`
}

// ResourceAccess returns who can see a resource or one of its items, and why.
func (c *Client) ResourceAccess(ctx context.Context, resource string, q AccessQuery) (AccessReport, error) {
	return fetch[AccessReport](ctx, c, http.MethodGet, "/resources/"+url.PathEscape(resource)+"/access"+q.query(), nil)
}

// ClientAccess returns what a consuming system can see, and why.
func (c *Client) ClientAccess(ctx context.Context, client string, q AccessQuery) (AccessReport, error) {
	return fetch[AccessReport](ctx, c, http.MethodGet, "/clients/"+url.PathEscape(client)+"/access"+q.query(), nil)
}

func (q AccessQuery) query() string {
	v := url.Values{}
	if !q.At.IsZero() {
		v.Set("at", q.At.UTC().Format(time.RFC3339Nano))
	}
	if q.Item != "" {
		v.Set("item", q.Item)
	}
	if q.Refused {
		v.Set("refused", "true")
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Cursor != "" {
		v.Set("cursor", q.Cursor)
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}
