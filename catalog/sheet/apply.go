package sheet

import (
	"context"
	"errors"
	"fmt"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// betweenError says that entries were changed between check and apply, so that nothing was written.
type betweenError struct{ troubles []Trouble }

func (e *betweenError) Error() string { return "entries were changed in the meantime" }

// apply writes the entries of an import: in one transaction where everything or nothing is taken, else in one for every batch. What was
// written is marked in the same transaction, so an attempt after a stop goes on behind it.
func (s *Service) apply(ctx context.Context, j Job) error {
	p, err := s.opt.Person(ctx, *j.AppliedBy)
	if err != nil {
		return err
	}
	if p.Department != j.DepartmentID {
		return fault.New(fault.Forbidden, "forbidden", "whoever applied this import belongs to another department now")
	}
	if len(j.headers) != 2 {
		return fmt.Errorf("import %s has %d headers", j.ID, len(j.headers))
	}
	c, err := s.newCompiler(ctx, j, [2]Header(j.headers))
	if err != nil {
		return err
	}
	if j.Mode == AllRows {
		err = s.applyAll(ctx, c, p)
	} else {
		err = s.applyGood(ctx, c, p)
	}
	var between *betweenError
	if !errors.As(err, &between) {
		return err
	}
	if err := writeTroubles(ctx, s.opt.DB.Pool, j, between.troubles); err != nil {
		return err
	}
	return fault.New(fault.Conflict, CodeChanged, "somebody changed these entries in the meantime; nothing was written; send the file again")
}

func (s *Service) applyAll(ctx context.Context, c *compiler, p authz.Principal) error {
	return s.opt.DB.InTx(ctx, func(tx *db.Tx) error {
		written, last := 0, 0
		for {
			n, at, err := c.applyBatch(ctx, tx, p, last)
			if err != nil {
				return err
			}
			if at == last {
				return s.finish(ctx, tx, c.job, written)
			}
			written, last = written+n, at
			// Beside the transaction, so that people see how far it is.
			if err := s.mark(ctx, c.job, "done = $4", written); err != nil {
				return err
			}
		}
	})
}

func (s *Service) applyGood(ctx context.Context, c *compiler, p authz.Principal) error {
	last := 0
	for {
		at := last
		err := s.held(ctx, c.job, func(tx *db.Tx) error {
			n, end, err := c.applyBatch(ctx, tx, p, last)
			if err != nil {
				return err
			}
			if at = end; end == last {
				var written int
				if err := tx.QueryRow(ctx, "SELECT applied FROM import_job WHERE id = $1", c.job.ID).Scan(&written); err != nil {
					return fmt.Errorf("ending an import: %w", err)
				}
				return s.finish(ctx, tx, c.job, written)
			}
			_, err = tx.Exec(ctx, "UPDATE import_job SET applied = applied + $2, done = done + $2 WHERE id = $1", c.job.ID, n)
			return err
		})
		if err != nil || at == last {
			return err
		}
		last = at
	}
}

// held does work in a transaction of the attempt that an import belongs to; errTaken when it is another's.
func (s *Service) held(ctx context.Context, j Job, work func(*db.Tx) error) error {
	return s.opt.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := s.hold(ctx, tx, j); err != nil {
			return err
		}
		return work(tx)
	})
}

// hold keeps other attempts out until the transaction ends.
func (s *Service) hold(ctx context.Context, tx *db.Tx, j Job) error {
	var there bool
	err := tx.QueryRow(ctx, "SELECT true FROM import_job WHERE id = $1 AND attempt = $2 AND state = $3 FOR UPDATE", j.ID, j.attempt, string(j.State)).Scan(&there)
	if db.NoRows(err) {
		return errTaken
	}
	if err != nil {
		return fmt.Errorf("holding an import: %w", err)
	}
	return nil
}

// applyBatch writes the entries behind a row; it returns how many were written and the last row, which is "after" when there were none.
func (c *compiler) applyBatch(ctx context.Context, tx *db.Tx, p authz.Principal, after int) (written, last int, err error) {
	rows, items, err := c.rows(ctx, tx, after, []string{"added", "changed"})
	if err != nil || len(rows) == 0 {
		return 0, after, err
	}
	plans, err := c.plan(ctx, tx, rows, items, "FOR UPDATE")
	if err != nil {
		return 0, after, err
	}
	var stated []catalog.Stated
	var at []int
	var troubles []Trouble
	for i := range plans {
		troubles = append(troubles, plans[i].troubles...)
		if plans[i].state == "added" || plans[i].state == "changed" {
			stated, at = append(stated, plans[i].stated), append(at, i)
		}
	}
	if len(troubles) > 0 && c.job.Mode == AllRows {
		return 0, after, &betweenError{troubles}
	}
	resources, err := c.s.opt.Catalog.CompileManyTx(ctx, tx, p, stated)
	if err != nil {
		return 0, after, err
	}
	for i, r := range resources {
		plans[at[i]].resource = r.ID
	}
	return len(resources), rows[len(rows)-1].no, c.settle(ctx, tx, plans, true)
}

// finish ends an import in the transaction that wrote its last entries, with its event.
func (s *Service) finish(ctx context.Context, tx *db.Tx, j Job, written int) error {
	to, err := moved(j.State, StepWritten)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE import_job SET state = $4, seen_at = NULL, applied = $5, done = $5, row_version = row_version + 1, updated_at = $6, finished_at = $6,
			troubles = (SELECT count(*) FROM import_trouble WHERE job_id = $1)
		WHERE id = $1 AND attempt = $2 AND state = $3`, j.ID, j.attempt, string(j.State), string(to), written, tx.Now())
	if err != nil {
		return fmt.Errorf("ending an import: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errTaken
	}
	_, err = audit.WriteTx(ctx, tx, audit.Event{
		Actor:  audit.Actor{Kind: audit.ActorUser, ID: j.AppliedBy.String(), Department: j.DepartmentID},
		Action: "import.done", Object: audit.Object{Kind: "import", ID: j.ID.String()}, Detail: map[string]any{"sha256": j.SHA256, "written": written},
	})
	return err
}
