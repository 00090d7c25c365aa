package sheet

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Options says what a Service needs. Everything without a remark is required.
type Options struct {
	DB       *db.DB
	Enforcer *authz.Enforcer
	Catalog  *catalog.Service
	// Person returns the principal of a person as they are now, for work that goes on without their session.
	Person  func(ctx context.Context, id uuid.UUID) (authz.Principal, error)
	Silence time.Duration // After this long without a sign of life another node takes an import over; 0 means 15 seconds.
	Log     *slog.Logger  // nil means slog.Default.
}

// Service exports the directory and imports files. Faults are those of catalog.Service.
type Service struct {
	opt  Options
	wake chan struct{}
}

// New returns a service; Run does its work in the background.
func New(opt Options) *Service {
	if opt.Silence == 0 {
		opt.Silence = 15 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Service{opt: opt, wake: make(chan struct{}, 1)}
}

const jobColumns = `id, department_id, created_by, applied_by, file_name, size, digest, mode, state, reason, message, headers, attempt, entries, items,
	done, added, changed, unchanged, wrong, troubles, applied, row_version, created_at, updated_at, finished_at`

func scanJob(row pgx.Row) (Job, error) {
	var j Job
	var digest, headers []byte
	err := row.Scan(&j.ID, &j.DepartmentID, &j.CreatedBy, &j.AppliedBy, &j.FileName, &j.Size, &digest, &j.Mode, &j.State, &j.Reason, &j.Message,
		&headers, &j.attempt, &j.Entries, &j.Items, &j.Done, &j.Added, &j.Changed, &j.Unchanged, &j.Wrong, &j.Troubles, &j.Applied, &j.RowVersion,
		&j.CreatedAt, &j.UpdatedAt, &j.FinishedAt)
	if err != nil {
		return Job{}, err
	}
	j.SHA256, j.CreatedAt, j.UpdatedAt, j.FinishedAt = hex.EncodeToString(digest), j.CreatedAt.UTC(), j.UpdatedAt.UTC(), db.UTC(j.FinishedAt)
	if err := json.Unmarshal(headers, &j.headers); err != nil {
		return Job{}, fmt.Errorf("reading headers: %w", err)
	}
	return j, nil
}

func notFound() error { return fault.New(fault.NotFound, "not_found", "there is no such import") }

// may asks whether p may import for a department.
func (s *Service) may(ctx context.Context, p authz.Principal, department uuid.UUID) (authz.Decision, error) {
	return s.opt.Enforcer.Check(ctx, p, authz.ResourceCompile, authz.Target{Kind: "resource", Department: department})
}

// Imports lists the imports of the caller's department, the newest first.
func (s *Service) Imports(ctx context.Context, p authz.Principal, page db.Page) ([]Job, string, error) {
	if _, err := s.may(ctx, p, p.Department); err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	after, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	jobs, err := db.Collect(ctx, s.opt.DB.Pool, scanJob, `
		SELECT `+jobColumns+` FROM import_job WHERE department_id = $1 AND (NOT $2 OR (created_at, id) < ($3, $4))
		ORDER BY created_at DESC, id DESC LIMIT $5`, p.Department, after, at, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing imports: %w", err)
	}
	if len(jobs) <= page.Size() {
		return jobs, "", nil
	}
	jobs = jobs[:page.Size()]
	last := jobs[len(jobs)-1]
	return jobs, db.Next(last.CreatedAt, last.ID), nil
}

// Import returns one import of the caller's department. Those of others are not there for anybody.
func (s *Service) Import(ctx context.Context, p authz.Principal, id uuid.UUID) (Job, error) {
	if _, err := s.may(ctx, p, p.Department); err != nil {
		return Job{}, err
	}
	return s.load(ctx, s.opt.DB.Pool, p.Department, id, "")
}

func (s *Service) load(ctx context.Context, q db.Querier, department, id uuid.UUID, lock string) (Job, error) {
	j, err := scanJob(q.QueryRow(ctx, "SELECT "+jobColumns+" FROM import_job WHERE id = $1 AND department_id = $2 "+lock, id, department))
	if db.NoRows(err) {
		return Job{}, notFound()
	}
	if err != nil {
		return Job{}, fmt.Errorf("reading an import: %w", err)
	}
	return j, nil
}

// Errors lists what is wrong in the file of an import, in the order of its rows.
func (s *Service) Errors(ctx context.Context, p authz.Principal, id uuid.UUID, page db.Page) ([]Line, string, error) {
	if _, err := s.Import(ctx, p, id); err != nil {
		return nil, "", err
	}
	var sheet, row int
	var n int64
	after, err := page.After(&sheet, &row, &n)
	if err != nil {
		return nil, "", err
	}
	type numbered struct {
		Trouble
		n int64
	}
	found, err := db.Collect(ctx, s.opt.DB.Pool, func(r pgx.Row) (t numbered, err error) {
		err = r.Scan(&t.Sheet, &t.Row, &t.n, &t.Col, &t.Column, &t.Code, &t.Detail)
		return t, err
	}, `SELECT sheet, row_no, n, col, column_id, code, detail FROM import_trouble
		WHERE job_id = $1 AND (NOT $2 OR (sheet, row_no, n) > ($3, $4, $5)) ORDER BY sheet, row_no, n LIMIT $6`, id, after, sheet, row, n, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing what is wrong: %w", err)
	}
	next := ""
	if len(found) > page.Size() {
		found = found[:page.Size()]
		last := found[len(found)-1]
		next = db.Next(int(last.Sheet), last.Row, last.n)
	}
	out := make([]Line, len(found))
	for i, t := range found {
		out[i] = Line{Sheet: t.Sheet.Title(), Row: t.Row, Cell: t.Cell(), Column: t.Column, Code: t.Code, Detail: t.Detail}
	}
	return out, next, nil
}

// Apply has the entries of a checked import written. Where everything or nothing is taken, nothing may be wrong: Conflict
// "import_wrong"; Conflict "import_empty" where nothing would change.
func (s *Service) Apply(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Job, error) {
	j, err := s.move(ctx, p, id, ifMatch, StepApply, func(tx *db.Tx, by authz.Principal, j *Job) error {
		switch {
		case j.Mode == AllRows && j.Troubles > 0:
			return fault.New(fault.Conflict, "import_wrong", "something is wrong in this file and everything or nothing was to be taken; mend it and send it again")
		case j.Added+j.Changed == 0:
			return fault.New(fault.Conflict, "import_empty", "this file changes nothing")
		}
		_, err := tx.Exec(ctx, `
			UPDATE import_job SET state = 'applying', applied_by = $2, seen_at = NULL, attempt = 0, done = 0, row_version = row_version + 1, updated_at = $3
			WHERE id = $1`, id, by.ID, tx.Now())
		return err
	})
	s.nudge()
	return j, err
}

// Remove forgets an import that nobody works on: its file, its rows and what was wrong. Entries that were written stay.
func (s *Service) Remove(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) error {
	_, err := s.move(ctx, p, id, ifMatch, StepRemove, func(tx *db.Tx, _ authz.Principal, _ *Job) error {
		_, err := tx.Exec(ctx, "DELETE FROM import_job WHERE id = $1", id)
		return err
	})
	return err
}

// move takes a step of a person, with its event.
func (s *Service) move(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step JobStep, work func(*db.Tx, authz.Principal, *Job) error) (Job, error) {
	decision, err := s.may(ctx, p, p.Department)
	if err != nil {
		return Job{}, err
	}
	by := decision.Principal()
	var j Job
	err = s.opt.DB.InTx(ctx, func(tx *db.Tx) error {
		var err error
		if j, err = s.load(ctx, tx, p.Department, id, "FOR UPDATE"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, j.RowVersion); err != nil {
			return err
		}
		if _, err := moved(j.State, step); err != nil {
			return err
		}
		if err := work(tx, by, &j); err != nil {
			return fmt.Errorf("moving an import: %w", err)
		}
		if step != StepRemove {
			if j, err = s.load(ctx, tx, p.Department, id, ""); err != nil {
				return err
			}
		}
		return note(ctx, tx, by, j, "import."+string(step))
	})
	return j, err
}

func note(ctx context.Context, tx *db.Tx, by authz.Principal, j Job, action string) error {
	_, err := audit.WriteTx(ctx, tx, audit.Event{
		Actor: by.Actor(), Action: action, Object: audit.Object{Kind: "import", ID: j.ID.String()},
		Detail: map[string]any{"sha256": j.SHA256, "mode": j.Mode, "state": j.State, "added": j.Added, "changed": j.Changed, "unchanged": j.Unchanged, "wrong": j.Wrong},
	})
	return err
}

// nudge tells the loop that there is something to do.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
