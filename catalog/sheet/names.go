package sheet

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/catalog"
)

// departments reads what translates departments and base databases.
func (s *Service) departments(ctx context.Context) (*names, error) {
	n := &names{uscc: map[uuid.UUID]string{}, byUSCC: map[string]uuid.UUID{}, systems: map[uuid.UUID]string{}, bySys: map[string]uuid.UUID{}}
	var id uuid.UUID
	var text, label string
	rows, err := s.opt.DB.Pool.Query(ctx, "SELECT id, uscc FROM department")
	if err != nil {
		return nil, fmt.Errorf("reading departments: %w", err)
	}
	if _, err := pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		n.uscc[id], n.byUSCC[text] = text, id
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading departments: %w", err)
	}
	rows, err = s.opt.DB.Pool.Query(ctx, "SELECT code, name FROM base_database ORDER BY sort, code")
	if err != nil {
		return nil, fmt.Errorf("reading base databases: %w", err)
	}
	if _, err := pgx.ForEachRow(rows, []any{&text, &label}, func() error {
		n.bases = append(n.bases, choice{text, label})
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading base databases: %w", err)
	}
	return n, nil
}

// nameSystems adds the names of the systems that entries name.
func (s *Service) nameSystems(ctx context.Context, n *names, resources []catalog.Resource) error {
	var missing []uuid.UUID
	for _, r := range resources {
		if id := r.Version.SystemID; id != uuid.Nil && n.systems[id] == "" {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return s.readSystems(ctx, n, "SELECT id, name FROM system WHERE id = ANY($1)", missing)
}

// ownSystems adds all systems of a department, by which a file can name them.
func (s *Service) ownSystems(ctx context.Context, n *names, department uuid.UUID) error {
	return s.readSystems(ctx, n, "SELECT id, name FROM system WHERE department_id = $1", department)
}

func (s *Service) readSystems(ctx context.Context, n *names, sql string, args ...any) error {
	rows, err := s.opt.DB.Pool.Query(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("reading systems: %w", err)
	}
	var id uuid.UUID
	var name string
	if _, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		n.systems[id], n.bySys[name] = name, id
		return nil
	}); err != nil {
		return fmt.Errorf("reading systems: %w", err)
	}
	return nil
}
