package sharing

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// AccessSubject is something that can be asked about: a resource or a client.
type AccessSubject struct {
	ID           uuid.UUID
	Name         string
	DepartmentID uuid.UUID // Whose it is.
	State        string
}

// maxSubjects bounds a search for subjects: who finds more writes more of the name.
const maxSubjects = 50

// AccessResources lists resources, those never published included, whose name or code holds a text and about which p may ask
// who can see them: those of the own department for departmental roles. It needs access.read.
func (s *Service) AccessResources(ctx context.Context, p authz.Principal, text string) ([]AccessSubject, error) {
	return s.subjects(ctx, p, "resource", text, `
		SELECT id, name, provider_dept_id, state FROM resource
		WHERE ($1::uuid IS NULL OR provider_dept_id = $1) AND (name ILIKE $2 OR code ILIKE $2) ORDER BY name, id LIMIT $3`)
}

// AccessClients lists clients whose name holds a text and about which p may ask what they can see. It needs access.read.
func (s *Service) AccessClients(ctx context.Context, p authz.Principal, text string) ([]AccessSubject, error) {
	return s.subjects(ctx, p, "client", text, `
		SELECT id, name, department_id, state FROM client
		WHERE ($1::uuid IS NULL OR department_id = $1) AND name ILIKE $2 ORDER BY name, id LIMIT $3`)
}

func (s *Service) subjects(ctx context.Context, p authz.Principal, kind, text, query string) ([]AccessSubject, error) {
	var department *uuid.UUID
	if !s.enforcer.Allowed(p, authz.AccessRead, authz.Target{Kind: kind}) {
		if _, err := s.enforcer.Check(ctx, p, authz.AccessRead, authz.Target{Kind: kind, Department: p.Department}); err != nil {
			return nil, err
		}
		department = &p.Department
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(strings.TrimSpace(text), ""), "\x00", "")
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	rows, err := s.db.Pool.Query(ctx, query, department, pattern, maxSubjects)
	if err != nil {
		return nil, fmt.Errorf("searching for a %s: %w", kind, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AccessSubject])
	if err != nil {
		return nil, fmt.Errorf("searching for a %s: %w", kind, err)
	}
	return found, nil
}
