package api

import (
	"context"
	"time"

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
	Dormant    int       `query:"dormant_days" minimum:"1" maximum:"3650" doc:"Only accounts without a sign-in for so many days; 90 is the usual question."`
}

type leaveInput struct {
	MoveInput
	Body *struct {
		HandOverTo uuid.UUID `json:"hand_over_to,omitempty" doc:"Who goes on with the person's open work; the department when not given."`
	}
}

type setPasswordInput struct {
	MoveInput
	Body struct {
		Password secret.Secret `json:"password" maxLength:"1024" doc:"The person must change it at the first sign-in."`
	}
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
			Department: given(in.Department), Role: given(authz.Role(in.Role)), State: given(identity.State(in.State)),
			DormantFor: time.Duration(in.Dormant) * 24 * time.Hour, Page: in.page(),
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
	disable := post("/users/{id}/disable", "Close an account, end its sessions and hand its open work over", authz.UserDisable)
	handle(a, disable, func(ctx context.Context, p authz.Principal, in *leaveInput) (identity.Leaver, error) {
		version, err := in.version()
		if err != nil {
			return identity.Leaver{}, err
		}
		var to uuid.UUID
		if in.Body != nil {
			to = in.Body.HandOverTo
		}
		return s.Leave(ctx, p, in.ID, version, to)
	})
	handleMove(a, post("/users/{id}/enable", "Open a closed account", authz.UserDisable), s.EnableUser)
	handleMove(a, post("/users/{id}/unlock", "End the lock that failed sign-ins brought", authz.UserUnlock), s.Unlock)
	handleMove(a, post("/users/{id}/reset-second-factor", "Take a lost second factor away", authz.UserResetSecondFactor), s.ResetSecondFactor)
	handle(a, put("/users/{id}/password", "Set a first password", authz.UserSetPassword), func(ctx context.Context, p authz.Principal, in *setPasswordInput) (identity.User, error) {
		version, err := in.version()
		if err != nil {
			return identity.User{}, err
		}
		return s.SetPassword(ctx, p, in.ID, version, in.Body.Password)
	})
	handle(a, get("/users/{id}/handed-over", "What a leaver had in hand", authz.UserRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[identity.Handed], error) {
		found, err := s.HandedOver(ctx, p, in.ID)
		return newList(found, "", err)
	})
	handle(a, get("/users/{id}/deputies", "A person's absences, and whom they act for", authz.UserRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[identity.Deputy], error) {
		found, err := s.Deputies(ctx, p, in.ID)
		return newList(found, "", err)
	})
	handle(a, create("/users/{id}/deputies", "Name a person's deputy", authz.UserSetDeputy), func(ctx context.Context, p authz.Principal, in *deputyInput) (identity.Deputy, error) {
		return s.SetDeputy(ctx, p, in.ID, in.Body.DeputyID, in.Body.StartsAt, in.Body.EndsAt)
	})
	handleEmpty(a, del("/users/{id}/deputies/{deputy}", "End an absence", authz.UserSetDeputy), func(ctx context.Context, p authz.Principal, in *endDeputyInput) error {
		return s.EndDeputy(ctx, p, in.ID, in.Deputy)
	})
}
