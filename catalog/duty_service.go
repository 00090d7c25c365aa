package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const dutyClaims = `
	SELECT c.id, c.kind, c.element, e.name AS element_name, c.division, c.department_id, d.name AS department,
		coalesce(c.proposed_dept_id, '00000000-0000-0000-0000-000000000000') AS proposed_id, coalesce(p.name, '') AS proposed,
		coalesce(c.resource_id, '00000000-0000-0000-0000-000000000000') AS resource_id,
		coalesce(s.department_id, '00000000-0000-0000-0000-000000000000') AS owner_id, coalesce(o.name, '') AS owner,
		c.reason, c.state, c.decision, c.made_by, coalesce(c.decided_by, '00000000-0000-0000-0000-000000000000') AS decided_by,
		c.decided_at, c.row_version, c.created_at, c.updated_at
	FROM duty_claim c JOIN data_element e ON e.code = c.element JOIN department d ON d.id = c.department_id
	LEFT JOIN department p ON p.id = c.proposed_dept_id
	LEFT JOIN element_source s ON s.element = c.element AND s.division = c.division LEFT JOIN department o ON o.id = s.department_id `

func readClaims(ctx context.Context, q Querier, rest string, args ...any) ([]DutyClaim, error) {
	found, err := q.Query(ctx, dutyClaims+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("reading claims: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[DutyClaim])
	if err != nil {
		return nil, fmt.Errorf("reading claims: %w", err)
	}
	for i := range out {
		c := &out[i]
		c.CreatedAt, c.UpdatedAt, c.DecidedAt = c.CreatedAt.UTC(), c.UpdatedAt.UTC(), db.UTC(c.DecidedAt)
	}
	return out, nil
}

// seesAllClaims reports whether p reads what every department states: those who decide.
func (s *Service) seesAllClaims(p authz.Principal) bool {
	return s.enforcer.Allowed(p, authz.DutyDecide, authz.Target{Kind: "duty"})
}

// DutyClaims lists claims, the newest first: all of them for those who decide, else those of the caller's department and those
// about elements of which it is, or would be, the source.
func (s *Service) DutyClaims(ctx context.Context, p authz.Principal, f DutyFilter, page db.Page) ([]DutyClaim, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DataElementRead, authz.Target{Kind: "data_element"}); err != nil {
		return nil, "", err
	}
	if f.State != "" && !slices.Contains(DutyStates(), f.State) {
		return nil, "", fault.InvalidFields([]fault.Field{{Name: "state", Code: "not_choice", Message: "state open, approved, refused or withdrawn"}})
	}
	var at time.Time
	var id uuid.UUID
	after, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	out, err := readClaims(ctx, s.db.Pool, `
		WHERE ($1 OR $2::uuid IN (c.department_id, c.proposed_dept_id, s.department_id))
			AND ($3 = '' OR c.state = $3) AND ($4 = '' OR c.element = $4) AND (NOT $5 OR (c.created_at, c.id) < ($6, $7))
		ORDER BY c.created_at DESC, c.id DESC LIMIT $8`,
		s.seesAllClaims(p), p.Department, string(f.State), clean(f.Element), after, at, id, page.Size()+1)
	if err != nil {
		return nil, "", err
	}
	out, next := db.Cut(out, page, func(c DutyClaim) string { return db.Next(c.CreatedAt, c.ID) })
	return out, next, nil
}

// DutyClaim returns one claim that the caller may list.
func (s *Service) DutyClaim(ctx context.Context, p authz.Principal, id uuid.UUID) (DutyClaim, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DataElementRead, authz.Target{Kind: "data_element"}); err != nil {
		return DutyClaim{}, err
	}
	c, err := loadClaim(ctx, s.db.Pool, id, "")
	if err != nil {
		return DutyClaim{}, err
	}
	if !s.seesAllClaims(p) && (p.Department == uuid.Nil || !slices.Contains([]uuid.UUID{c.DepartmentID, c.ProposedID, c.OwnerID}, p.Department)) {
		return DutyClaim{}, notFound("claim")
	}
	return c, nil
}

// CountOpenClaims returns how many claims wait for the decision of p, 0 for those who do not decide.
func (s *Service) CountOpenClaims(ctx context.Context, p authz.Principal) (int, error) {
	if !s.seesAllClaims(p) {
		return 0, nil
	}
	var n int
	if err := s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM duty_claim WHERE state = 'open' LIMIT 1000) c").Scan(&n); err != nil {
		return 0, fmt.Errorf("counting claims: %w", err)
	}
	return n, nil
}

// ClaimDuty states for the caller's department that it is the source of an element, or that what is registered is wrong. It is a
// Conflict "owned" to claim what has a source already, "not_owned" to contest what has none, and "claim_open" while an earlier
// statement of the department about the same is open.
func (s *Service) ClaimDuty(ctx context.Context, p authz.Principal, in NewDutyClaim) (DutyClaim, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DutyDeclare, authz.Target{Kind: "duty", Department: p.Department}); err != nil {
		return DutyClaim{}, err
	}
	in.Element, in.Division = clean(in.Element), clean(in.Division)
	var out DutyClaim
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		if in.Division == "" {
			if err := tx.QueryRow(ctx, "SELECT division_code FROM department WHERE id = $1", p.Department).Scan(&in.Division); err != nil {
				return fmt.Errorf("reading a department: %w", err)
			}
		}
		if in.Kind == DutyClaimed {
			in.ProposedID = p.Department
		}
		e, err := checkClaim(ctx, tx, in)
		if err != nil {
			return err
		}
		line, known, err := loadElementSource(ctx, tx, in.Element, in.Division)
		if err != nil {
			return err
		}
		switch {
		case in.Kind == DutyClaimed && known:
			return fault.New(fault.Conflict, "owned", "a department is registered as the source already; contest that instead")
		case in.Kind == DutyContested && !known:
			return fault.New(fault.Conflict, "not_owned", "nobody is registered as the source; claim it instead")
		case known && in.ProposedID == line.DepartmentID:
			return fault.InvalidFields([]fault.Field{{Name: "proposed_dept_id", Code: "contradicts", Message: "this department is registered already"}})
		}
		if err := offers(ctx, tx, e, in.ProposedID, in.ResourceID); err != nil {
			return err
		}
		id := db.NewID()
		_, err = tx.Exec(ctx, `
			INSERT INTO duty_claim (id, kind, element, division, department_id, proposed_dept_id, resource_id, reason, state, made_by, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, $10)`,
			id, string(in.Kind), in.Element, in.Division, p.Department, optional(in.ProposedID), optional(in.ResourceID), in.Reason, p.ID, tx.Now())
		switch {
		case db.IsUnique(err, "duty_claim_open"):
			return fault.New(fault.Conflict, "claim_open", "your department has stated something about this already, which is not decided yet")
		case db.IsForeignKey(err, "duty_claim_proposed_dept_id_fkey"):
			return fault.InvalidFields([]fault.Field{{Name: "proposed_dept_id", Code: "unknown", Message: "there is no such department"}})
		case err != nil:
			return fmt.Errorf("writing a claim: %w", err)
		}
		if out, err = loadClaim(ctx, tx, id, ""); err != nil {
			return err
		}
		return record(ctx, tx, p, "duty."+dutyVerbs[in.Kind], "duty", id.String(), map[string]any{
			"element": in.Element, "division": in.Division, "proposed_dept_id": in.ProposedID, "reason": in.Reason,
		})
	})
	if err != nil {
		return DutyClaim{}, err
	}
	return out, nil
}

// checkClaim checks what is stated and returns the element it is about.
func checkClaim(ctx context.Context, tx *db.Tx, in NewDutyClaim) (DataElement, error) {
	var wrong []fault.Field
	if !slices.Contains(DutyKinds(), in.Kind) {
		wrong = append(wrong, fault.Field{Name: "kind", Code: "not_choice", Message: "state claim or contest"})
	}
	if !divisionPattern.MatchString(in.Division) {
		wrong = append(wrong, fault.Field{Name: "division", Code: "bad_form", Message: "give a division code of 6, 9 or 12 digits"})
	}
	if f, bad := wrongReason("reason", in.Reason); bad {
		wrong = append(wrong, f)
	}
	e, err := loadDataElement(ctx, tx, in.Element, "FOR SHARE")
	if fault.Is(err, fault.NotFound) || err == nil && e.State != elementCurrent {
		wrong = append(wrong, fault.Field{Name: "element", Code: "unknown", Message: "there is no such data element, or it is retired"})
	} else if err != nil {
		return DataElement{}, err
	}
	return e, fault.InvalidFields(wrong)
}

// ApproveDuty decides for a claim and writes the register by it; the reason is mandatory. An approved objection that names nobody
// leaves the element without a source. A claim that was overtaken by another decision is a Conflict "owned".
func (s *Service) ApproveDuty(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (DutyClaim, error) {
	return s.moveDuty(ctx, p, id, ifMatch, DutyApprove, reason)
}

// RefuseDuty decides against a claim; the reason is mandatory.
func (s *Service) RefuseDuty(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, reason string) (DutyClaim, error) {
	return s.moveDuty(ctx, p, id, ifMatch, DutyRefuse, reason)
}

// WithdrawDuty takes back what the caller's department stated.
func (s *Service) WithdrawDuty(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (DutyClaim, error) {
	return s.moveDuty(ctx, p, id, ifMatch, DutyWithdraw, "")
}

func (s *Service) moveDuty(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step DutyStep, reason string) (DutyClaim, error) {
	c, err := s.DutyClaim(ctx, p, id)
	if err != nil {
		return DutyClaim{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, dutyAction(step), authz.Target{Kind: "duty", ID: id.String(), Department: c.DepartmentID}); err != nil {
		return DutyClaim{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if c, err = loadClaim(ctx, tx, id, "FOR UPDATE OF c"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, c.RowVersion); err != nil {
			return err
		}
		m, err := findDutyMove(c.State, step)
		if err != nil {
			return err
		}
		var decided any
		if m.Reason {
			if err := checkReason("reason", reason); err != nil {
				return err
			}
			decided = p.ID
		}
		if step == DutyApprove {
			if err := s.obey(ctx, tx, p, c, reason); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `
			UPDATE duty_claim SET state = $2, decision = $3, decided_by = $4, decided_at = CASE WHEN $5 THEN $6::timestamptz END,
				row_version = row_version + 1, updated_at = $6 WHERE id = $1`,
			id, string(m.To), reason, decided, m.Reason, tx.Now())
		if err != nil {
			return fmt.Errorf("moving a claim: %w", err)
		}
		detail := map[string]any{"element": c.Element, "division": c.Division, "from": c.State, "to": m.To}
		if reason != "" {
			detail["reason"] = reason
		}
		if err := record(ctx, tx, p, "duty."+string(step), "duty", id.String(), detail); err != nil {
			return err
		}
		c, err = loadClaim(ctx, tx, id, "")
		return err
	})
	if err != nil {
		return DutyClaim{}, err
	}
	return c, nil
}

// obey writes the register as an approved claim asks.
func (s *Service) obey(ctx context.Context, tx *db.Tx, p authz.Principal, c DutyClaim, reason string) error {
	line, known, err := loadElementSource(ctx, tx, c.Element, c.Division)
	if err != nil {
		return err
	}
	detail := map[string]any{"claim": c.ID, "reason": reason}
	if known {
		detail["from"] = line.DepartmentID
	}
	if c.ProposedID == uuid.Nil {
		if _, err := tx.Exec(ctx, "DELETE FROM element_source WHERE element = $1 AND division = $2", c.Element, c.Division); err != nil {
			return fmt.Errorf("ending a source: %w", err)
		}
		return record(ctx, tx, p, "element_source.end", "element_source", c.Element+"/"+c.Division, detail)
	}
	if c.Kind == DutyClaimed && known && line.DepartmentID != c.DepartmentID {
		return fault.New(fault.Conflict, "owned", "another department was registered as the source in the meantime; refuse this claim, or change the register itself")
	}
	a := SourceAssignment{DepartmentID: c.ProposedID, ResourceID: c.ResourceID, Reason: reason}
	if err := s.assign(ctx, tx, p, c.Element, c.Division, a); err != nil {
		return err
	}
	detail["department_id"], detail["resource_id"] = a.DepartmentID, a.ResourceID
	return record(ctx, tx, p, "element_source.assign", "element_source", c.Element+"/"+c.Division, detail)
}

func loadClaim(ctx context.Context, q Querier, id uuid.UUID, lock string) (DutyClaim, error) {
	found, err := readClaims(ctx, q, "WHERE c.id = $1 "+lock, id)
	if err != nil {
		return DutyClaim{}, err
	}
	if len(found) == 0 {
		return DutyClaim{}, notFound("claim")
	}
	return found[0], nil
}
