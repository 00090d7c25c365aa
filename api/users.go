package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/secret"
)

type userListInput struct {
	PageInput
	Department uuid.UUID `query:"department_id"`
	Role       string    `query:"role" enum:"system_admin,security_admin,auditor,platform_operator,dept_admin,dept_operator"`
	State      string    `query:"state" enum:"active,disabled"`
}

type newUserInput struct {
	Body struct {
		Username     string        `json:"username"`
		DisplayName  string        `json:"display_name"`
		Password     secret.Secret `json:"password"`
		DepartmentID uuid.UUID     `json:"department_id"`
		Roles        []authz.Role  `json:"roles"`
	}
}

type rolesInput struct {
	MoveInput
	Body struct {
		Roles []authz.Role `json:"roles"`
	}
}

// given returns a pointer to a filter's value, or nil where it is the zero value: not given.
func given[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

func (a *API) userRoutes() {
	s := a.opt.Identity
	handle(a, get("/users", "List accounts", authz.UserRead), func(ctx context.Context, p authz.Principal, in *userListInput) (list[identity.User], error) {
		return newList(s.Users(ctx, p, identity.UserFilter{
			Department: given(in.Department), Role: given(authz.Role(in.Role)), State: given(identity.State(in.State)), Page: in.page(),
		}))
	})
	handle(a, create("/users", "Create an account", authz.UserCreate), func(ctx context.Context, p authz.Principal, in *newUserInput) (identity.User, error) {
		b := in.Body
		return s.CreateUser(ctx, p, identity.NewUser{
			Username: b.Username, DisplayName: b.DisplayName, Password: b.Password, DepartmentID: b.DepartmentID, Roles: b.Roles,
		})
	})
	handle(a, get("/users/{id}", "One account", authz.UserRead), func(ctx context.Context, p authz.Principal, in *IDInput) (identity.User, error) {
		return s.User(ctx, p, in.ID)
	})
	handle(a, put("/users/{id}/roles", "Set the roles of an account", authz.UserSetRoles), func(ctx context.Context, p authz.Principal, in *rolesInput) (identity.User, error) {
		version, err := in.version()
		if err != nil {
			return identity.User{}, err
		}
		return s.SetRoles(ctx, p, in.ID, version, in.Body.Roles)
	})
	handleMove(a, post("/users/{id}/disable", "Close an account and end its sessions", authz.UserDisable), s.DisableUser)
	handleMove(a, post("/users/{id}/enable", "Open a closed account", authz.UserDisable), s.EnableUser)
}
