package sheet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// staging writes what is read into the tables of an import, some thousand rows at a time.
type staging struct {
	ctx      context.Context
	s        *Service
	job      Job
	headers  [2]Header
	rows     [][]any
	troubles []Trouble
	counts   [2]int
}

const stageRows = 2000

func (st *staging) header(s Sheet, h Header) error {
	st.headers[s] = h
	return nil
}

func (st *staging) row(s Sheet, no int, cells []string) error {
	h := st.headers[s]
	st.counts[s]++
	code, name := "", ""
	key := strings.TrimSpace(h.cell(cells, "key"))
	if s == Entries {
		code, name = strings.TrimSpace(h.cell(cells, "code")), strings.TrimSpace(h.cell(cells, "name"))
		switch {
		case key != "":
		case code != "":
			key = code
		default:
			key = name
		}
	} else if key == "" {
		if err := st.trouble(Trouble{Sheet: s, Row: no, Col: h.find("key"), Column: "key", Code: "required"}); err != nil {
			return err
		}
	}
	// Values that no index could hold are found wrong by the rules; they need not be found by them.
	kept := make([]string, len(cells))
	copy(kept, cells)
	st.rows = append(st.rows, []any{st.job.ID, int16(s), no, cutTo(key, 500), cutTo(code, 200), cutTo(name, 500), kept})
	if len(st.rows) >= stageRows {
		return st.flush()
	}
	return nil
}

func cutTo(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n])
	}
	return s
}

func (st *staging) trouble(t Trouble) error {
	st.troubles = append(st.troubles, t)
	if len(st.troubles) >= stageRows {
		return st.flush()
	}
	return nil
}

func (st *staging) flush() error {
	if len(st.rows)+len(st.troubles) == 0 {
		return nil
	}
	err := st.s.held(st.ctx, st.job, func(tx *db.Tx) error {
		_, err := tx.CopyFrom(st.ctx, pgx.Identifier{"import_row"}, []string{"job_id", "sheet", "row_no", "key", "code", "name", "cells"}, pgx.CopyFromRows(st.rows))
		if err != nil {
			return fmt.Errorf("staging rows: %w", err)
		}
		if _, err := tx.Exec(st.ctx, "UPDATE import_job SET entries = $2, items = $3 WHERE id = $1", st.job.ID, st.counts[Entries], st.counts[Items]); err != nil {
			return fmt.Errorf("counting rows: %w", err)
		}
		return writeTroubles(st.ctx, tx, st.job, st.troubles)
	})
	st.rows, st.troubles = st.rows[:0], st.troubles[:0]
	return err
}

// copier is what rows are copied by: a pool or a transaction.
type copier interface {
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

func writeTroubles(ctx context.Context, to copier, j Job, troubles []Trouble) error {
	if len(troubles) == 0 {
		return nil
	}
	_, err := to.CopyFrom(ctx, pgx.Identifier{"import_trouble"}, []string{"job_id", "sheet", "row_no", "col", "column_id", "code", "detail"},
		pgx.CopyFromSlice(len(troubles), func(i int) ([]any, error) {
			t := troubles[i]
			return []any{j.ID, int16(t.Sheet), t.Row, t.Col, t.Column, t.Code, t.Detail}, nil
		}))
	if err != nil {
		return fmt.Errorf("noting what is wrong: %w", err)
	}
	return nil
}

// stage reads the file of an import into its tables, from the beginning.
func (s *Service) stage(ctx context.Context, j Job) ([2]Header, error) {
	err := s.held(ctx, j, func(tx *db.Tx) error {
		for _, table := range []string{"import_row", "import_trouble"} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE job_id = $1", j.ID); err != nil {
				return fmt.Errorf("beginning again: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return [2]Header{}, err
	}
	file, err := s.fetch(ctx, j)
	if err != nil {
		return [2]Header{}, err
	}
	defer func() { _ = file.Close(); _ = os.Remove(file.Name()) }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return [2]Header{}, fmt.Errorf("reading a file: %w", err)
	}
	st := &staging{ctx: ctx, s: s, job: j}
	reading := read(file, size, st)
	if err := st.flush(); err != nil {
		return [2]Header{}, err
	}
	if reading != nil {
		return [2]Header{}, reading
	}
	raw, err := json.Marshal(st.headers)
	if err != nil {
		return [2]Header{}, fmt.Errorf("encoding headers: %w", err)
	}
	return st.headers, s.mark(ctx, j, "headers = $4, entries = $5, items = $6", raw, st.counts[Entries], st.counts[Items])
}
