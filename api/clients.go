package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
)

type clientListInput struct {
	PageInput
	Department uuid.UUID `query:"department_id"`
	State      string    `query:"state" maxLength:"16"`
}

type newClientInput struct {
	Body struct {
		DepartmentID    uuid.UUID `json:"department_id"`
		Name            string    `json:"name"`
		AllowedNetworks []string  `json:"allowed_networks" doc:"CIDR prefixes or addresses; empty means any."`
	}
}

type clientChangeInput struct {
	MoveInput
	Body struct {
		Name            *string   `json:"name,omitempty"`
		AllowedNetworks *[]string `json:"allowed_networks,omitempty"`
	}
}

type newKeyInput struct {
	IDInput
	Body struct {
		ExpiresAt time.Time `json:"expires_at" doc:"When the key ends; a year from now when not given."`
	}
}

type keyInput struct {
	IDInput
	Key string `path:"key" maxLength:"64" doc:"Key id, beginning with sqk_."`
}

// issuedKey is the only answer that holds a secret. It is kept nowhere, so the route takes no Idempotency-Key.
type issuedKey struct {
	identity.Key
	Secret string `json:"secret" doc:"Shown once. Send <key_id>.<secret> as bearer token."`
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
		})
	})
	handle(a, get("/clients/{id}", "One consuming system", authz.ClientRead), func(ctx context.Context, p authz.Principal, in *IDInput) (identity.Client, error) {
		return s.Client(ctx, p, in.ID)
	})
	handle(a, put("/clients/{id}", "Change name or networks", authz.ClientWrite), func(ctx context.Context, p authz.Principal, in *clientChangeInput) (identity.Client, error) {
		version, err := in.version()
		if err != nil {
			return identity.Client{}, err
		}
		return s.UpdateClient(ctx, p, in.ID, version, identity.ClientChange{Name: in.Body.Name, AllowedNetworks: in.Body.AllowedNetworks})
	})
	handleMove(a, post("/clients/{id}/disable", "Refuse all keys of a system", authz.ClientWrite), s.DisableClient)
	handleMove(a, post("/clients/{id}/enable", "Accept its keys again", authz.ClientWrite), s.EnableClient)
	handle(a, get("/clients/{id}/keys", "List keys, without secrets", authz.ClientRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[identity.Key], error) {
		keys, err := s.Keys(ctx, p, in.ID)
		return newList(keys, "", err)
	})
	issue := post("/clients/{id}/keys", "Issue a key; its secret is shown once", authz.KeyIssue)
	issue.Status = http.StatusCreated
	handle(a, issue, func(ctx context.Context, p authz.Principal, in *newKeyInput) (issuedKey, error) {
		key, secretText, err := s.IssueKey(ctx, p, in.ID, in.Body.ExpiresAt)
		return issuedKey{Key: key, Secret: secretText}, err
	})
	handle(a, del("/clients/{id}/keys/{key}", "Revoke a key for good", authz.KeyRevoke), func(ctx context.Context, p authz.Principal, in *keyInput) (identity.Key, error) {
		return s.RevokeKey(ctx, p, in.Key)
	})
}
