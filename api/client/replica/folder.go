package replica

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Names in the folder of a copy. Rows lie in rows-<n>.ndjson; the state says which n, and rows.ndjson links to it.
const (
	stateFile     = "state.json"
	lockFile      = "lock"
	linkFile      = "rows.ndjson"
	linkCSV       = "rows.csv"
	disposingFile = "disposing.json"
)

// folder keeps a copy in files. The state is written last, by a rename: it decides what is true.
type folder struct {
	dir  string
	csv  bool
	wait time.Duration
	held *os.File
}

func openFolder(opt Options) (*folder, error) {
	if err := os.MkdirAll(opt.Into, 0o700); err != nil {
		return nil, &Refusal{Code: "target_unreachable", Message: "the folder to copy to cannot be made: " + err.Error(), cause: err}
	}
	return &folder{dir: opt.Into, csv: opt.CSV, wait: opt.LockWait}, nil
}

func (f *folder) close() {
	if f.held != nil {
		_ = f.held.Close() // The kernel drops the lock with it.
	}
}

// groupLimit bounds the memory that changes take.
func (f *folder) groupLimit() int { return 200_000 }

func (f *folder) method() string { return "the files of the folder were removed" }

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) lock(ctx context.Context) error {
	if f.held != nil {
		return nil
	}
	file, err := os.OpenFile(f.path(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("locking the copy: %w", err)
	}
	deadline := time.Now().Add(f.wait)
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			f.held = file
			return f.tidy(ctx)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			_ = file.Close()
			return ErrBusy
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			_ = file.Close()
			return err
		}
	}
}

// tidy removes what a killed copier left and the state does not know, and mends the links.
func (f *folder) tidy(ctx context.Context) error {
	s, err := f.load(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	if s != nil && f.missing(s) {
		if err := f.note(ctx, s); err != nil {
			return err
		}
	}
	if s != nil && s.Visible != nil {
		known[s.Visible.File], known[csvName(s.Visible.File)] = true, true
	}
	if s != nil && s.Side != nil {
		known[s.Side.File] = true
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("looking through the folder of the copy: %w", err)
	}
	for _, e := range entries {
		ours := strings.HasPrefix(e.Name(), "rows-") || strings.HasSuffix(e.Name(), ".tmp")
		if !ours || known[e.Name()] {
			continue
		}
		if err := os.Remove(f.path(e.Name())); err != nil {
			return fmt.Errorf("removing what was left: %w", err)
		}
	}
	if s == nil || s.Visible == nil {
		return nil
	}
	return f.link(s)
}

// missing forgets files that somebody removed, so that they are filled anew.
func (f *folder) missing(s *State) (changed bool) {
	gone := func(name string) bool {
		_, err := os.Stat(f.path(name))
		return errors.Is(err, os.ErrNotExist)
	}
	if s.Visible != nil && gone(s.Visible.File) {
		s.Visible, changed = nil, true
	}
	if s.Side != nil && gone(s.Side.File) {
		s.Side, changed = nil, true
	}
	return changed
}

func csvName(name string) string { return strings.TrimSuffix(name, ".ndjson") + ".csv" }

func (f *folder) load(context.Context) (*State, error) {
	raw, err := os.ReadFile(f.path(stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	s := &State{}
	if err == nil {
		err = json.Unmarshal(raw, s)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of the copy: %w", err)
	}
	return s, nil
}

func (f *folder) note(_ context.Context, s *State) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = f.writeWhole(stateFile, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("storing the state of the copy: %w", err)
	}
	return nil
}

// writeWhole replaces a file so that a reader, and the disk after a power failure, holds the old one or the new one.
func (f *folder) writeWhole(name string, content []byte) error {
	temporary := f.path(name + ".tmp")
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := closeSynced(file); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path(name)); err != nil {
		return err
	}
	return f.syncDir()
}

func closeSynced(file *os.File) error { return errors.Join(file.Sync(), file.Close()) }

func (f *folder) syncDir() error {
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// nextFile is the name of a file of rows that is not there yet.
func (f *folder) nextFile() (string, error) {
	names, err := filepath.Glob(f.path("rows-*"))
	if err != nil {
		return "", err
	}
	last := 0
	for _, name := range names {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(name), "rows-%d.", &n); err == nil {
			last = max(last, n)
		}
	}
	return fmt.Sprintf("rows-%06d.ndjson", last+1), nil
}

func (f *folder) begin(ctx context.Context, s *State) error {
	name, err := f.nextFile()
	if err != nil {
		return err
	}
	stale, err := f.load(ctx)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("making a file beside the copy: %w", err)
	}
	if err := errors.Join(closeSynced(file), f.syncDir()); err != nil {
		return fmt.Errorf("making a file beside the copy: %w", err)
	}
	s.Side.File = name
	if err := f.note(ctx, s); err != nil {
		return err
	}
	if stale != nil && stale.Side != nil {
		_ = os.Remove(f.path(stale.Side.File)) // Else tidy does it at the next start.
	}
	return nil
}

// addPage appends behind the bytes that the state knows: what lies behind them was written by a copier that was killed.
func (f *folder) addPage(ctx context.Context, s *State, rows []cells) error {
	file, err := os.OpenFile(f.path(s.Side.File), os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing a page beside the copy: %w", err)
	}
	var b []byte
	for _, row := range rows {
		b = appendLine(b, s.Side.Shape, row)
	}
	err = file.Truncate(s.Side.Bytes)
	if err == nil {
		_, err = file.WriteAt(b, s.Side.Bytes)
	}
	if err = errors.Join(err, closeSynced(file)); err != nil {
		return fmt.Errorf("writing a page beside the copy: %w", err)
	}
	s.Side.Bytes += int64(len(b))
	s.Side.Rows += int64(len(rows))
	return f.note(ctx, s)
}

// appendLine appends a row as one line of JSON, in the order of the columns.
func appendLine(dst []byte, s Shape, row cells) []byte {
	for i, c := range s.Columns {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		dst = append(dst, sep)
		dst = append(cellJSON(dst, "C", &c.Identifier), ':')
		dst = cellJSON(dst, c.Letter, row[i])
	}
	return append(dst, '}', '\n')
}

// lines yields the rows of a file with their lines, up to a number of bytes; 0 means all.
func (f *folder) lines(name string, s Shape, bytesKnown int64, yield func(line []byte, row cells) error) error {
	file, err := os.Open(f.path(name))
	if err != nil {
		return err
	}
	defer file.Close()
	var from io.Reader = file
	if bytesKnown > 0 {
		from = io.LimitReader(file, bytesKnown)
	}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 64<<10), 64<<20)
	for scanner.Scan() {
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(scanner.Bytes(), &raw); err != nil {
			return fmt.Errorf("reading a line of %s: %w", name, err)
		}
		row, err := s.row(raw)
		if err != nil {
			return err
		}
		if err := yield(scanner.Bytes(), row); err != nil {
			return err
		}
	}
	return scanner.Err()
}

// read opens the file that the state names; when a copier removes it in between, there is a newer state.
func (f *folder) read(ctx context.Context, yield func(Shape, cells) error) (*State, error) {
	for {
		s, err := f.load(ctx)
		if err != nil || s == nil || s.Visible == nil {
			return s, err
		}
		if err := f.lines(s.Visible.File, s.Visible.Shape, 0, func(_ []byte, row cells) error { return yield(s.Visible.Shape, row) }); err != nil {
			newer, again := f.load(ctx)
			if errors.Is(err, os.ErrNotExist) && again == nil && newer != nil && newer.Visible != nil && newer.Visible.File != s.Visible.File {
				continue
			}
			return nil, fmt.Errorf("reading the copy: %w", err)
		}
		return s, nil
	}
}

// link points the names that readers know to the files of the state.
func (f *folder) link(s *State) error {
	links := map[string]string{linkFile: s.Visible.File}
	if f.csv {
		links[linkCSV] = csvName(s.Visible.File)
		if _, err := os.Stat(f.path(csvName(s.Visible.File))); errors.Is(err, os.ErrNotExist) {
			if err := f.writeCSV(s.Visible); err != nil {
				return err
			}
		}
	} else if err := os.Remove(f.path(linkCSV)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", linkCSV, err)
	}
	for name, file := range links {
		if now, err := os.Readlink(f.path(name)); err == nil && now == file {
			continue
		}
		temporary := f.path(name + ".tmp")
		_ = os.Remove(temporary)
		if err := os.Symlink(file, temporary); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
		if err := os.Rename(temporary, f.path(name)); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return f.syncDir()
}

// writeCSV writes the rows of a copy as RFC 4180 with a header line. NULL is nothing, an empty text is "".
func (f *folder) writeCSV(v *Copy) error {
	name := csvName(v.File)
	file, err := os.OpenFile(f.path(name+".tmp"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	out := bufio.NewWriterSize(file, 256<<10)
	header := make(cells, len(v.Columns))
	for i := range v.Columns {
		header[i] = &v.Columns[i].Identifier
	}
	_, err = out.Write(csvLine(header))
	if err == nil {
		err = f.lines(v.File, v.Shape, 0, func(_ []byte, row cells) error {
			_, err := out.Write(csvLine(row))
			return err
		})
	}
	if err = errors.Join(err, out.Flush(), closeSynced(file)); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return os.Rename(f.path(name+".tmp"), f.path(name))
}

func csvLine(row cells) []byte {
	var b bytes.Buffer
	for i, cell := range row {
		if i > 0 {
			b.WriteByte(',')
		}
		switch {
		case cell == nil:
		case *cell == "" || strings.ContainsAny(*cell, ",\"\r\n") || strings.TrimSpace(*cell) != *cell:
			b.WriteString(`"` + strings.ReplaceAll(*cell, `"`, `""`) + `"`)
		default:
			b.WriteString(*cell)
		}
	}
	b.WriteString("\r\n")
	return b.Bytes()
}
