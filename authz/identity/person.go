package identity

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// PersonNow returns the principal of a person as they are now, for work that they began and that goes on without their session. It is a
// Forbidden fault when their account is not active any more.
func (s *Service) PersonNow(ctx context.Context, id uuid.UUID) (authz.Principal, error) {
	user, err := s.users.Get(ctx, id, s.loadUser(id))
	if err != nil {
		return authz.Principal{}, err
	}
	if user.state != Active {
		return authz.Principal{}, fault.New(fault.Forbidden, "forbidden", "the account of whoever began this is not active any more").At("policy")
	}
	return authz.Principal{Kind: audit.ActorUser, ID: id, Name: user.name, Department: user.department, Roles: user.roles}, nil
}
