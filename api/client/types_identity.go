package client

import (
	"time"
)

// User is a person's account.
type User struct {
	ID           string     `json:"id,omitempty"`
	Username     string     `json:"username"` // a-z, then a-z, 0-9, '_', '.', '-'; 2 to 64 characters.
	DisplayName  string     `json:"display_name"`
	DepartmentID string     `json:"department_id,omitempty"`
	Roles        []string   `json:"roles"` // In the order of authz.Roles; empty for an account without rights.
	State        string     `json:"state"`
	LockedUntil  *time.Time `json:"locked_until,omitempty"`
	LastSignInAt *time.Time `json:"last_sign_in_at,omitempty"` // nil for an account that was never used.
	SecondFactor bool       `json:"second_factor"`             // Whether one is set up.
	MustChange   bool       `json:"must_change_password"`      // The password was set by somebody else.
	Language     string     `json:"language"`                  // Of the console; "" until the person has chosen one.
	RowVersion   int64      `json:"row_version"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// ConsumingSystem is a consuming system of a department.
type ConsumingSystem struct {
	ID              string    `json:"id,omitempty"`
	DepartmentID    string    `json:"department_id,omitempty"`
	Name            string    `json:"name"`
	AllowedNetworks []string  `json:"allowed_networks"` // CIDR prefixes or addresses; empty means any.
	SignedOnly      bool      `json:"signed_only"`      // Bearer keys are refused.
	Certificates    []string  `json:"certificates"`     // SHA-256 of public keys in hexadecimal; empty means that none is needed.
	State           string    `json:"state"`
	RowVersion      int64     `json:"row_version"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
}

// Key is a credential of a client, without its secret.
type Key struct {
	ID         string     `json:"key_id"` // Starts with sqk_.
	ClientID   string     `json:"client_id,omitempty"`
	Kind       string     `json:"kind"` // bearer, hmac
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"` // To the minute.
}

// ExpiringKey is a live key with whose it is.
type ExpiringKey struct {
	Key
	ClientName   string `json:"client_name"`
	DepartmentID string `json:"department_id,omitempty"`
}
