package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Actor is a person or a client as readers of the log may know it.
type Actor struct {
	Kind audit.ActorKind
	ID   uuid.UUID
	Name string // The display name of a person, the name of a client.
	Also string // The user name of a person; "" for clients.
}

// maxActors bounds one question for actors.
const maxActors = 500

const actorRows = `
	SELECT * FROM (
		SELECT 'user' AS kind, id, display_name AS name, username AS also FROM hub_user
		UNION ALL SELECT 'client', id, name, '' FROM client) a `

// Actors says what those are called whom the log names by their ids; ids that are none of theirs are left out. It needs
// audit.read.
func (s *Service) Actors(ctx context.Context, p authz.Principal, ids []uuid.UUID) ([]Actor, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.AuditRead, authz.Target{Kind: "event"}); err != nil {
		return nil, err
	}
	list, err := many[Actor](ctx, s.db.Pool, actorRows+"WHERE id = ANY($1) LIMIT $2", ids, maxActors)
	if err != nil {
		return nil, fmt.Errorf("reading actors: %w", err)
	}
	return list, nil
}

// FindActors lists at most limit people and clients whose name or user name holds a text, by name. It needs audit.read.
func (s *Service) FindActors(ctx context.Context, p authz.Principal, text string, limit int) ([]Actor, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.AuditRead, authz.Target{Kind: "event"}); err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	list, err := many[Actor](ctx, s.db.Pool, actorRows+"WHERE name ILIKE $1 OR also ILIKE $1 ORDER BY name, id LIMIT $2", db.Containing(text), min(limit, maxActors))
	if err != nil {
		return nil, fmt.Errorf("searching actors: %w", err)
	}
	return list, nil
}
