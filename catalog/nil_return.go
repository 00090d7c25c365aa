package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// NilReturn is what a department states once a year that has no information system in use (无资源说明).
type NilReturn struct {
	ID           uuid.UUID  `json:"id"`
	DepartmentID uuid.UUID  `json:"department_id"`
	Department   string     `json:"department"`
	Year         int        `json:"year"`
	Statement    string     `json:"statement"`
	FiledBy      uuid.UUID  `json:"filed_by"`
	FiledAt      time.Time  `json:"filed_at"`
	WithdrawnAt  *time.Time `json:"withdrawn_at,omitempty"` // Since then the department has a system in use.
}

// maxStatement is the most characters of a statement.
const maxStatement = 1000

// nilReturnRow is a row of nil_return with the name of its department.
type nilReturnRow struct {
	ID           uuid.UUID
	DepartmentID uuid.UUID
	Department   string
	Year         int
	Statement    string
	FiledBy      uuid.UUID
	FiledAt      time.Time
	WithdrawnAt  *time.Time
}

func (r nilReturnRow) nilReturn() (NilReturn, error) {
	out := NilReturn(r)
	out.FiledAt, out.WithdrawnAt = r.FiledAt.UTC(), db.UTC(r.WithdrawnAt)
	return out, nil
}

// thisYear is the year of today in Asia/Shanghai.
func (s *Service) thisYear() int { return s.clock().In(s.zone).Year() }

// NilReturns lists the nil returns of a year, of this one for 0, the newest first: of a department, of all for uuid.Nil.
func (s *Service) NilReturns(ctx context.Context, p authz.Principal, department uuid.UUID, year int, page db.Page) ([]NilReturn, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SystemRead, authz.Target{Kind: "nil_return", Department: department}); err != nil {
		return nil, "", err
	}
	var before time.Time
	var id uuid.UUID
	more, err := page.After(&before, &id)
	if err != nil {
		return nil, "", err
	}
	if year == 0 {
		year = s.thisYear()
	}
	out, err := many(ctx, s.db.Pool, nilReturnRow.nilReturn, `
		SELECT n.id, n.department_id, d.name AS department, n.year, n.statement, n.filed_by, n.filed_at, n.withdrawn_at
		FROM nil_return n JOIN department d ON d.id = n.department_id
		WHERE n.year = $1 AND ($2::uuid = $3::uuid OR n.department_id = $2) AND (NOT $4 OR (n.filed_at, n.id) < ($5, $6))
		ORDER BY n.filed_at DESC, n.id DESC LIMIT $7`, year, department, uuid.Nil, more, before, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing nil returns: %w", err)
	}
	out, next := db.Cut(out, page, func(n NilReturn) string { return db.Next(n.FiledAt, n.ID) })
	return out, next, nil
}

// FileNilReturn states for this year that the caller's department has no information system in use. It returns Conflict
// "has_systems" where it has one, and "already_filed" where it has said so.
func (s *Service) FileNilReturn(ctx context.Context, p authz.Principal, statement string) (NilReturn, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SystemWrite, authz.Target{Kind: "nil_return", Department: p.Department}); err != nil {
		return NilReturn{}, err
	}
	statement = strings.TrimSpace(statement)
	switch n := utf8.RuneCountInString(statement); {
	case n == 0:
		return NilReturn{}, fault.InvalidFields([]fault.Field{{Name: "statement", Code: "required", Message: "say why the department holds no data"}})
	case n > maxStatement:
		return NilReturn{}, fault.InvalidFields([]fault.Field{{Name: "statement", Code: "too_long", Message: "shorten this to at most 1000 characters"}})
	}
	out := NilReturn{ID: db.NewID(), DepartmentID: p.Department, Year: s.thisYear(), Statement: statement, FiledBy: p.ID}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		// The lock makes those wait who bring a system in use at the same time; see withdrawNilReturn.
		err := tx.QueryRow(ctx, "SELECT name FROM department WHERE id = $1 FOR UPDATE", p.Department).Scan(&out.Department)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fault.InvalidFields([]fault.Field{{Name: "department_id", Code: "unknown", Message: "your account belongs to no registered department"}})
		case err != nil:
			return fmt.Errorf("reading the department: %w", err)
		}
		var live bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM system WHERE department_id = $1 AND state = 'live')", p.Department).Scan(&live); err != nil {
			return fmt.Errorf("looking for systems: %w", err)
		}
		if live {
			return fault.New(fault.Conflict, "has_systems", "the department has an information system in use; it cannot state that it has none")
		}
		out.FiledAt = tx.Now()
		_, err = tx.Exec(ctx, "INSERT INTO nil_return (id, department_id, year, statement, filed_by, filed_at) VALUES ($1, $2, $3, $4, $5, $6)",
			out.ID, out.DepartmentID, out.Year, out.Statement, out.FiledBy, out.FiledAt)
		if db.IsUnique(err, "nil_return_in_force") {
			return fault.New(fault.Conflict, "already_filed", "the department has filed its nil return for this year")
		}
		if err != nil {
			return fmt.Errorf("filing a nil return: %w", err)
		}
		return record(ctx, tx, p, "nil_return.file", "nil_return", out.ID.String(), map[string]any{"year": out.Year})
	})
	if err != nil {
		return NilReturn{}, err
	}
	return out, nil
}

// withdrawNilReturn ends the nil return of this year of a department that has come to have a system in use.
func (s *Service) withdrawNilReturn(ctx context.Context, tx *db.Tx, p authz.Principal, department uuid.UUID) error {
	// Waits for somebody who is filing one.
	if _, err := tx.Exec(ctx, "SELECT FROM department WHERE id = $1 FOR SHARE", department); err != nil {
		return fmt.Errorf("locking the department: %w", err)
	}
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		UPDATE nil_return SET withdrawn_at = $3 WHERE department_id = $1 AND year = $2 AND withdrawn_at IS NULL RETURNING id`,
		department, s.thisYear(), tx.Now()).Scan(&id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("withdrawing a nil return: %w", err)
	}
	return record(ctx, tx, p, "nil_return.withdraw", "nil_return", id.String(), nil)
}
