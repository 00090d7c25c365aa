package sheet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// chunkSize is how much of a file a row holds.
const chunkSize = 1 << 20

// waitingMost bounds the imports of a department that wait or are worked on.
const waitingMost = 5

// Receive takes a file in for the caller's department: a workbook, a CSV file, or CSV files in a zip file. It is read and checked in the
// background. TooLarge "file_too_large" above MaxFile, Exhausted "imports_waiting" while too many wait.
func (s *Service) Receive(ctx context.Context, p authz.Principal, name string, mode Mode, body io.Reader) (Job, error) {
	decision, err := s.may(ctx, p, p.Department)
	if err != nil {
		return Job{}, err
	}
	by := decision.Principal()
	if mode == "" {
		mode = AllRows
	}
	if mode != AllRows && mode != GoodRows {
		return Job{}, fault.InvalidFields([]fault.Field{{Name: "mode", Code: "not_choice", Message: "state all or good"}})
	}
	// The file is written down before the transaction begins, since its sender may be slow.
	spool, err := os.CreateTemp("", "shuqiao-import-*")
	if err != nil {
		return Job{}, fmt.Errorf("keeping a file on disk: %w", err)
	}
	defer func() { _ = spool.Close(); _ = os.Remove(spool.Name()) }()
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(spool, hash), io.LimitReader(body, MaxFile+1))
	_, bounded := errors.AsType[*http.MaxBytesError](err)
	switch {
	case bounded, size > MaxFile:
		return Job{}, fault.New(fault.TooLarge, "file_too_large", "a file has at most %d MiB", MaxFile>>20)
	case err != nil:
		return Job{}, fault.New(fault.Invalid, "body_unreadable", "the file did not arrive whole; send it again").Wrap(err)
	case size == 0:
		return Job{}, fault.InvalidFields([]fault.Field{{Name: "file", Code: "required", Message: "choose a file"}})
	}
	j := Job{ID: db.NewID(), DepartmentID: p.Department, CreatedBy: by.ID, FileName: cleanName(name), Size: size, SHA256: hex.EncodeToString(hash.Sum(nil)), Mode: mode}
	err = s.opt.DB.InTx(ctx, func(tx *db.Tx) error {
		var waiting int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM import_job WHERE department_id = $1 AND state IN ('received', 'checking', 'applying')", p.Department).Scan(&waiting); err != nil {
			return fmt.Errorf("counting imports: %w", err)
		}
		if waiting >= waitingMost {
			return fault.New(fault.Exhausted, "imports_waiting", "%d imports of your department are not through yet; wait for them", waiting)
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO import_job (id, department_id, created_by, file_name, size, digest, mode, state, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 'received', $8, $8)`,
			j.ID, j.DepartmentID, j.CreatedBy, j.FileName, j.Size, hash.Sum(nil), string(j.Mode), tx.Now())
		if err != nil {
			return fmt.Errorf("writing an import: %w", err)
		}
		if err := writeChunks(ctx, tx, j, spool); err != nil {
			return err
		}
		if j, err = s.load(ctx, tx, j.DepartmentID, j.ID, ""); err != nil {
			return err
		}
		return note(ctx, tx, by, j, "import.create")
	})
	s.nudge()
	return j, err
}

func writeChunks(ctx context.Context, tx *db.Tx, j Job, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading a file: %w", err)
	}
	n := 0
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"import_chunk"}, []string{"job_id", "n", "data"}, pgx.CopyFromFunc(func() ([]any, error) {
		var chunk bytes.Buffer
		if _, err := io.CopyN(&chunk, file, chunkSize); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if chunk.Len() == 0 {
			return nil, nil
		}
		n++
		return []any{j.ID, n, chunk.Bytes()}, nil
	}))
	if err != nil {
		return fmt.Errorf("keeping a file: %w", err)
	}
	return nil
}

// cleanName is the name of a file as people see it again, without folders and at most 100 characters long.
func cleanName(name string) string {
	name = strings.ReplaceAll(strings.ToValidUTF8(name, ""), "\x00", "")
	name = filepath.Base(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || name == "/" {
		return "import"
	}
	runes := []rune(name)
	return string(runes[max(0, len(runes)-100):])
}

// fetch writes the file of an import to disk again.
func (s *Service) fetch(ctx context.Context, j Job) (*os.File, error) {
	file, err := os.CreateTemp("", "shuqiao-import-*")
	if err != nil {
		return nil, fmt.Errorf("keeping a file on disk: %w", err)
	}
	err = func() error {
		for n := 1; ; n++ {
			var data []byte
			err := s.opt.DB.Pool.QueryRow(ctx, "SELECT data FROM import_chunk WHERE job_id = $1 AND n = $2", j.ID, n).Scan(&data)
			if db.NoRows(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading a file: %w", err)
			}
			if _, err := file.Write(data); err != nil {
				return fmt.Errorf("keeping a file on disk: %w", err)
			}
		}
	}()
	if err != nil {
		_ = file.Close()
		_ = os.Remove(file.Name())
		return nil, err
	}
	return file, nil
}
