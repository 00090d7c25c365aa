package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Coverage counts how far the directory covers the information systems (信息系统覆盖率).
type Coverage struct {
	Year        int `json:"year"`
	Departments int `json:"departments"`
	Listed      int `json:"listed"`      // Departments that registered a system, whatever its state.
	NilReturns  int `json:"nil_returns"` // Departments that state for the year that they have none.
	Missing     int `json:"missing"`     // Departments that did neither.
	SystemCounts
}

// SystemCounts are the systems by state; covered are those in use with at least one published entry.
type SystemCounts struct {
	Live         int `json:"live"`
	Zombie       int `json:"zombie"`
	SingleOffice int `json:"single_office"`
	Covered      int `json:"covered"`
}

// Percent is the share of the systems in use that are covered, rounded down; false where there is none.
func (c SystemCounts) Percent() (int, bool) {
	if c.Live == 0 {
		return 0, false
	}
	return 100 * c.Covered / c.Live, true
}

// DepartmentCoverage is the coverage of one department.
type DepartmentCoverage struct {
	DepartmentID uuid.UUID  `json:"department_id"`
	Department   string     `json:"department"`
	NilReturnAt  *time.Time `json:"nil_return_at,omitempty"` // When it stated that it has none.
	Missing      bool       `json:"missing"`                 // It did neither register a system nor say that it has none.
	SystemCounts
}

// coveredSystem is the condition that a system has a published entry.
const coveredSystem = `EXISTS (
	SELECT FROM resource_version v JOIN resource r ON r.id = v.resource_id AND r.published = v.version AND r.state = 'published'
	WHERE v.system_id = s.id)`

// systemCounts counts the systems of a department, or of all.
const systemCounts = `count(*) FILTER (WHERE s.state = 'live') AS live, count(*) FILTER (WHERE s.state = 'zombie') AS zombie,
	count(*) FILTER (WHERE s.state = 'single_office') AS single_office, count(*) FILTER (WHERE s.state = 'live' AND ` + coveredSystem + `) AS covered`

// SystemCoverage counts the systems of all departments, and the departments by what they did in a year, in this one for 0.
func (s *Service) SystemCoverage(ctx context.Context, p authz.Principal, year int) (Coverage, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SystemRead, authz.Target{Kind: "system"}); err != nil {
		return Coverage{}, err
	}
	if year == 0 {
		year = s.thisYear()
	}
	out := Coverage{Year: year}
	err := s.db.Pool.QueryRow(ctx, `
		WITH d AS (
			SELECT EXISTS (SELECT FROM system s WHERE s.department_id = d.id) AS listed,
				EXISTS (SELECT FROM nil_return n WHERE n.department_id = d.id AND n.year = $1 AND n.withdrawn_at IS NULL) AS filed
			FROM department d
		)
		SELECT c.*, s.* FROM
			(SELECT count(*), count(*) FILTER (WHERE listed), count(*) FILTER (WHERE filed), count(*) FILTER (WHERE NOT listed AND NOT filed) FROM d) c,
			(SELECT `+systemCounts+` FROM system s) s`, year).Scan(
		&out.Departments, &out.Listed, &out.NilReturns, &out.Missing, &out.Live, &out.Zombie, &out.SingleOffice, &out.Covered)
	if err != nil {
		return Coverage{}, fmt.Errorf("counting systems: %w", err)
	}
	return out, nil
}

// DepartmentCoverage returns the coverage of one department this year.
func (s *Service) DepartmentCoverage(ctx context.Context, p authz.Principal, department uuid.UUID) (DepartmentCoverage, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SystemRead, authz.Target{Kind: "system", Department: department}); err != nil {
		return DepartmentCoverage{}, err
	}
	return one(ctx, s.db.Pool, coverageRow.coverage, notFound("department"), `
		SELECT d.id AS department_id, d.name AS department, n.filed_at AS nil_return_at,
			n.filed_at IS NULL AND NOT EXISTS (SELECT FROM system s WHERE s.department_id = d.id) AS missing, c.*
		FROM department d LEFT JOIN nil_return n ON n.department_id = d.id AND n.year = $2 AND n.withdrawn_at IS NULL
			CROSS JOIN LATERAL (SELECT `+systemCounts+` FROM system s WHERE s.department_id = d.id) c
		WHERE d.id = $1`, department, s.thisYear())
}

// coverageRow is a department with its counts.
type coverageRow struct {
	DepartmentID                        uuid.UUID
	Department                          string
	NilReturnAt                         *time.Time
	Missing                             bool
	Live, Zombie, SingleOffice, Covered int
}

func (r coverageRow) coverage() (DepartmentCoverage, error) {
	return DepartmentCoverage{
		DepartmentID: r.DepartmentID, Department: r.Department, NilReturnAt: db.UTC(r.NilReturnAt), Missing: r.Missing,
		SystemCounts: SystemCounts{Live: r.Live, Zombie: r.Zombie, SingleOffice: r.SingleOffice, Covered: r.Covered},
	}, nil
}

// CoverageByDepartment lists departments by name with what they registered and stated in a year, in this one for 0; with missing
// only those that did neither.
func (s *Service) CoverageByDepartment(ctx context.Context, p authz.Principal, year int, missing bool, page db.Page) ([]DepartmentCoverage, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SystemRead, authz.Target{Kind: "system"}); err != nil {
		return nil, "", err
	}
	if year == 0 {
		year = s.thisYear()
	}
	var name string
	var id uuid.UUID
	if _, err := page.After(&name, &id); err != nil {
		return nil, "", err
	}
	// The page is found before systems are counted.
	out, err := many(ctx, s.db.Pool, coverageRow.coverage, `
		WITH page AS (
			SELECT d.id, d.name, n.filed_at, NOT l.listed AND n.filed_at IS NULL AS missing
			FROM department d CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM system s WHERE s.department_id = d.id) AS listed) l
				LEFT JOIN nil_return n ON n.department_id = d.id AND n.year = $1 AND n.withdrawn_at IS NULL
			WHERE (d.name, d.id) > ($2, $3) AND (NOT $4 OR NOT l.listed AND n.filed_at IS NULL)
			ORDER BY d.name, d.id LIMIT $5
		)
		SELECT p.id AS department_id, p.name AS department, p.filed_at AS nil_return_at, p.missing, c.*
		FROM page p CROSS JOIN LATERAL (SELECT `+systemCounts+` FROM system s WHERE s.department_id = p.id) c
		ORDER BY p.name, p.id`, year, name, id, missing, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing the coverage of departments: %w", err)
	}
	out, next := db.Cut(out, page, func(c DepartmentCoverage) string { return db.Next(c.Department, c.DepartmentID) })
	return out, next, nil
}
