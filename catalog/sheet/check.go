package sheet

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
)

// batchEntries is how many entries are checked or written together.
const batchEntries = 200

// check stages the file of an import, checks every cell, and says what applying it would do.
func (s *Service) check(ctx context.Context, j Job) error {
	headers, err := s.stage(ctx, j)
	if err != nil {
		return err
	}
	if err := s.held(ctx, j, func(tx *db.Tx) error { return clashes(ctx, tx, j, headers) }); err != nil {
		return err
	}
	c, err := s.newCompiler(ctx, j, headers)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	done, last := 0, 0
	for {
		rows, items, err := c.rows(ctx, s.opt.DB.Pool, last, []string{"read", "wrong"})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		plans, err := c.plan(ctx, s.opt.DB.Pool, rows, items, "")
		if err != nil {
			return err
		}
		for _, p := range plans {
			counts[p.state]++
		}
		done, last = done+len(rows), rows[len(rows)-1].no
		err = s.held(ctx, j, func(tx *db.Tx) error {
			if err := c.settle(ctx, tx, plans, false); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE import_job SET done = $2, added = $3, changed = $4, unchanged = $5, wrong = $6 WHERE id = $1",
				j.ID, done, counts["added"], counts["changed"], counts["unchanged"], counts["wrong"])
			return err
		})
		if err != nil {
			return err
		}
	}
	to, err := moved(j.State, StepFound)
	if err != nil {
		return err
	}
	return s.opt.DB.InTx(ctx, func(tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE import_job SET state = $4, seen_at = NULL, row_version = row_version + 1, updated_at = $5,
				troubles = (SELECT count(*) FROM import_trouble WHERE job_id = $1)
			WHERE id = $1 AND attempt = $2 AND state = $3`, j.ID, j.attempt, string(j.State), string(to), tx.Now())
		if err != nil {
			return fmt.Errorf("ending a check: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errTaken
		}
		// From here on the rows are what counts.
		if _, err := tx.Exec(ctx, "DELETE FROM import_chunk WHERE job_id = $1", j.ID); err != nil {
			return fmt.Errorf("removing a file: %w", err)
		}
		return nil
	})
}

// clashes finds what is wrong between rows: the same key, code or name twice, and items of entries that are not there.
func clashes(ctx context.Context, tx *db.Tx, j Job, headers [2]Header) error {
	for _, twice := range []struct{ column, more string }{
		{"code", ""},
		{"name", ""},
		{"key", "AND key <> code AND key <> name"}, // Else it stands for one of those.
	} {
		_, err := tx.Exec(ctx, fmt.Sprintf(`
			INSERT INTO import_trouble (job_id, sheet, row_no, col, column_id, code, detail)
			SELECT $1, 0, row_no, $2::int, '%[1]s', '%[2]s', 'row ' || first FROM (
				SELECT row_no, min(row_no) OVER (PARTITION BY %[1]s) AS first FROM import_row
				WHERE job_id = $1 AND sheet = 0 AND %[1]s <> '' %[3]s) t
			WHERE row_no > first`, twice.column, CodeDuplicate, twice.more), j.ID, headers[Entries].find(twice.column))
		if err != nil {
			return fmt.Errorf("looking for duplicates: %w", err)
		}
	}
	// By EXCEPT, which reads each sheet once: rows just written have no statistics by which an anti-join would be planned well.
	_, err := tx.Exec(ctx, `
		WITH missing AS MATERIALIZED (
			SELECT key FROM import_row WHERE job_id = $1 AND sheet = 1 AND key <> '' EXCEPT SELECT key FROM import_row WHERE job_id = $1 AND sheet = 0)
		INSERT INTO import_trouble (job_id, sheet, row_no, col, column_id, code)
		SELECT $1, 1, row_no, $2::int, 'key', $3::text FROM import_row
		WHERE job_id = $1 AND sheet = 1 AND key IN (SELECT key FROM missing)`, j.ID, headers[Items].find("key"), CodeOrphan)
	if err != nil {
		return fmt.Errorf("looking for items without an entry: %w", err)
	}
	_, err = tx.Exec(ctx, `
		UPDATE import_row r SET state = 'wrong' WHERE job_id = $1 AND EXISTS (
			SELECT FROM import_trouble t WHERE t.job_id = $1 AND t.sheet = r.sheet AND t.row_no = r.row_no)`, j.ID)
	if err != nil {
		return fmt.Errorf("marking rows: %w", err)
	}
	return nil
}

// settle writes what was found about entries. With applied, those that are right have been written.
func (c *compiler) settle(ctx context.Context, tx *db.Tx, plans []plan, applied bool) error {
	var numbers []int
	var states []string
	var ids []*uuid.UUID
	var troubles []Trouble
	for i := range plans {
		p := &plans[i]
		state := p.state
		if applied && state != "wrong" {
			state = "applied"
		}
		numbers, states = append(numbers, p.row.no), append(states, state)
		var id *uuid.UUID
		if p.resource != uuid.Nil {
			id = &p.resource
		}
		ids = append(ids, id)
		troubles = append(troubles, p.troubles...)
	}
	_, err := tx.Exec(ctx, `
		UPDATE import_row r SET state = u.state, resource_id = u.id FROM unnest($2::int[], $3::text[], $4::uuid[]) AS u(no, state, id)
		WHERE r.job_id = $1 AND r.sheet = 0 AND r.row_no = u.no`, c.job.ID, numbers, states, ids)
	if err != nil {
		return fmt.Errorf("marking entries: %w", err)
	}
	return writeTroubles(ctx, tx, c.job, troubles)
}
