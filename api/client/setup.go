package client

import (
	"context"
	"net/http"
)

// FirstAccounts is what an empty hub starts with: the sharing authority, the three administrators, and one
// platform_operator or nil.
type FirstAccounts struct {
	Authority        Authority `json:"authority"`
	SystemAdmin      Account   `json:"system_admin"`
	SecurityAdmin    Account   `json:"security_admin"`
	Auditor          Account   `json:"auditor"`
	PlatformOperator *Account  `json:"platform_operator,omitempty"`
}

// Authority is the department that decides on sharing.
type Authority struct {
	USCC         string `json:"uscc"`
	Name         string `json:"name"`
	NameEN       string `json:"name_en,omitempty"`
	DivisionCode string `json:"division_code"`
	Level        string `json:"level,omitempty"`
}

// Account is one of the first users.
type Account struct {
	Username    string `json:"username"`
	DisplayName string `json:"display_name"`
	Password    string `json:"password"`
}

// SetupResult is what a setup created.
type SetupResult struct {
	AuthorityID      string `json:"authority_id"`
	SystemAdmin      User   `json:"system_admin"`
	SecurityAdmin    User   `json:"security_admin"`
	Auditor          User   `json:"auditor"`
	PlatformOperator *User  `json:"platform_operator,omitempty"`
}

// SetUp sets an empty hub up. token is the one of the link that the hub printed when it started; it works once.
func (c *Client) SetUp(ctx context.Context, token string, first FirstAccounts) (SetupResult, error) {
	body := struct {
		Token string `json:"token"`
		FirstAccounts
	}{token, first}
	return fetch[SetupResult](ctx, c, http.MethodPost, "/setup", body)
}
