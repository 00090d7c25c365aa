package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
)

type clientListInput struct {
	PageInput
	Department uuid.UUID `query:"department_id"`
	State      string    `query:"state" enum:"active,disabled"`
}

type newClientInput struct {
	Body struct {
		DepartmentID    uuid.UUID `json:"department_id"`
		Name            string    `json:"name"`
		AllowedNetworks []string  `json:"allowed_networks" doc:"CIDR prefixes or addresses; empty means any."`
		SignedOnly      bool      `json:"signed_only" doc:"Refuse bearer keys."`
		Certificates    []string  `json:"certificates" doc:"SHA-256 of the public keys of TLS client certificates, in hexadecimal; empty means that none is needed."`
	}
}

type clientChangeInput struct {
	MoveInput
	Body struct {
		Name            *string   `json:"name,omitempty"`
		AllowedNetworks *[]string `json:"allowed_networks,omitempty"`
		SignedOnly      *bool     `json:"signed_only,omitempty"`
		Certificates    *[]string `json:"certificates,omitempty"`
	}
}

type newKeyInput struct {
	IDInput
	Body struct {
		Kind         identity.KeyKind `json:"kind,omitempty" enum:"bearer,hmac" doc:"bearer when not given; a key of kind hmac signs requests."`
		ExpiresAt    time.Time        `json:"expires_at" doc:"When the key ends; a year from now when not given."`
		OverlapHours *int             `json:"overlap_hours,omitempty" doc:"How long the key that is replaced works on; 720 when not given."`
	}
}

type keyInput struct {
	IDInput
	Key string `path:"key" maxLength:"64" doc:"Key id, beginning with sqk_."`
}

type keyListInput struct {
	PageInput
	Department uuid.UUID `query:"department_id"`
	Within     string    `query:"expiring_within" maxLength:"8" doc:"Until the end, in days or hours: 30d, 12h. All live keys when not given."`
}

// within parses a whole number of days or hours.
func (in keyListInput) within() (time.Duration, error) {
	if in.Within == "" {
		return 0, nil
	}
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour}[in.Within[len(in.Within)-1]]
	n, err := strconv.Atoi(in.Within[:len(in.Within)-1])
	if err != nil || unit == 0 || n < 1 || n > 10_000 {
		return 0, fault.InvalidFields([]fault.Field{{
			Name: "expiring_within", Code: "malformed", Message: "send a whole number of days or hours, such as 30d or 12h",
		}})
	}
	return time.Duration(n) * unit, nil
}

// issuedKey is the only answer that holds a secret. It is kept nowhere, so the route takes no Idempotency-Key.
type issuedKey struct {
	identity.Key
	Secret string `json:"secret" doc:"Shown once. Send <key_id>.<secret> as bearer token, or sign with it when kind is hmac."`
}

func (a *API) clientRoutes() {
	s := a.opt.Identity
	handle(a, get("/clients", "List consuming systems", authz.ClientRead), func(ctx context.Context, p authz.Principal, in *clientListInput) (list[identity.Client], error) {
		return newList(s.Clients(ctx, p, identity.ClientFilter{
			Department: given(in.Department), State: given(identity.State(in.State)), Page: in.page(),
		}))
	})
	handle(a, create("/clients", "Register a consuming system", authz.ClientWrite), func(ctx context.Context, p authz.Principal, in *newClientInput) (identity.Client, error) {
		return s.CreateClient(ctx, p, identity.NewClient{
			DepartmentID: in.Body.DepartmentID, Name: in.Body.Name, AllowedNetworks: in.Body.AllowedNetworks,
			SignedOnly: in.Body.SignedOnly, Certificates: in.Body.Certificates,
		})
	})
	handle(a, get("/clients/{id}", "One consuming system", authz.ClientRead), func(ctx context.Context, p authz.Principal, in *IDInput) (identity.Client, error) {
		return s.Client(ctx, p, in.ID)
	})
	handle(a, put("/clients/{id}", "Change name, networks or how it must call", authz.ClientWrite), func(ctx context.Context, p authz.Principal, in *clientChangeInput) (identity.Client, error) {
		version, err := in.version()
		if err != nil {
			return identity.Client{}, err
		}
		return s.UpdateClient(ctx, p, in.ID, version, identity.ClientChange{
			Name: in.Body.Name, AllowedNetworks: in.Body.AllowedNetworks, SignedOnly: in.Body.SignedOnly, Certificates: in.Body.Certificates,
		})
	})
	handleMove(a, post("/clients/{id}/disable", "Refuse all keys of a system", authz.ClientWrite), s.DisableClient)
	handleMove(a, post("/clients/{id}/enable", "Accept its keys again", authz.ClientWrite), s.EnableClient)
	handle(a, get("/clients/{id}/keys", "List keys, without secrets", authz.ClientRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[identity.Key], error) {
		keys, err := s.Keys(ctx, p, in.ID)
		return newList(keys, "", err)
	})
	handle(a, get("/keys", "List live keys by their end", authz.ClientRead), func(ctx context.Context, p authz.Principal, in *keyListInput) (list[identity.ExpiringKey], error) {
		within, err := in.within()
		if err != nil {
			return list[identity.ExpiringKey]{}, err
		}
		return newList(s.KeysExpiring(ctx, p, identity.KeyFilter{Within: within, Department: given(in.Department), Page: in.page()}))
	})
	issue := post("/clients/{id}/keys", "Issue a key, which replaces the live one after an overlap; its secret is shown once", authz.KeyIssue)
	issue.Status = http.StatusCreated
	handle(a, issue, func(ctx context.Context, p authz.Principal, in *newKeyInput) (issuedKey, error) {
		n := identity.NewKey{Kind: in.Body.Kind, ExpiresAt: in.Body.ExpiresAt}
		if hours := in.Body.OverlapHours; hours != nil {
			// Bounded here, so that the product cannot overflow; the service names the range.
			overlap := time.Duration(max(-1, min(*hours, 1<<20))) * time.Hour
			n.Overlap = &overlap
		}
		key, secretText, err := s.IssueKey(ctx, p, in.ID, n)
		return issuedKey{Key: key, Secret: secretText}, err
	})
	handle(a, del("/clients/{id}/keys/{key}", "Revoke a key for good", authz.KeyRevoke), func(ctx context.Context, p authz.Principal, in *keyInput) (identity.Key, error) {
		return s.RevokeKey(ctx, p, in.Key)
	})
}
