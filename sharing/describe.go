package sharing

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// describedCase stands for the number of a case where a client reads what its grant is, and no rows.
const describedCase = "description"

// Describe returns a grant and the resource it is on, for its client while it may be used, and for people who may see it.
// Others, clients above all, are told NotFound. The resource has the version that the grant is served, with its items.
func (s *Service) Describe(ctx context.Context, p authz.Principal, id uuid.UUID) (Grant, *catalog.Resource, error) {
	if p.Kind != audit.ActorClient {
		g, err := s.GetGrant(ctx, p, id)
		if err != nil {
			return Grant{}, nil, err
		}
		found, err := s.facts.published(ctx, g.ResourceID)
		if err != nil {
			return Grant{}, nil, err
		}
		grants, err := s.facts.held(ctx, pair{g.ClientID, g.ResourceID})
		if err != nil {
			return Grant{}, nil, err
		}
		resource := found.resource
		if h, ok := heldAs(grants, g.ID); ok {
			resource, _ = found.serves(h, s.enforcer.Follower().Now())
		}
		return g, resource, nil
	}
	if err := s.enforcer.Follower().Wait(ctx); err != nil {
		return Grant{}, nil, err
	}
	g, err := loadGrant(ctx, s.db.Pool, id, "")
	if err != nil {
		return Grant{}, nil, err
	}
	if g.ClientID != p.ID {
		return Grant{}, nil, notFound("grant")
	}
	permit, err := s.Decide(ctx, p, Ask{
		Resource: g.ResourceID.String(), GrantID: id, Purpose: g.Purpose, CaseNumber: describedCase, Action: authz.DataPull,
	})
	if err != nil {
		return Grant{}, nil, err
	}
	return permit.Grant, permit.Resource, nil
}
