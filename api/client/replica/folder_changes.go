package replica

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// fileGroup holds changes in memory until they are written with everything else into a new file.
type fileGroup struct {
	f       *folder
	from    string
	known   int64 // Bytes of from that count; 0 means all.
	shape   Shape
	changed map[string]cells // By identity; nil: deleted.
	order   []string         // Identities in the order in which they first changed.
}

func (f *folder) changes(_ context.Context, s *State) (group, error) {
	g := &fileGroup{f: f, changed: map[string]cells{}}
	if s.Side != nil {
		g.from, g.known = s.Side.File, s.Side.Bytes
	} else {
		g.from = s.Visible.File
	}
	g.shape, _ = s.shape()
	return g, nil
}

func (g *fileGroup) set(identity string, row cells) {
	if _, seen := g.changed[identity]; !seen {
		g.order = append(g.order, identity)
	}
	g.changed[identity] = row
}

func (g *fileGroup) apply(_ context.Context, upserts []cells, deletes [][]string) error {
	for _, parts := range deletes {
		g.set(g.shape.keyIdentity(parts), nil)
	}
	for _, row := range upserts {
		g.set(g.shape.identity(row), row)
	}
	return nil
}

// commit writes the new file, then the state that names it, then the links.
func (g *fileGroup) commit(ctx context.Context, s *State) error {
	name, rows, size, err := g.rewrite()
	if err != nil {
		return fmt.Errorf("applying changes: %w", err)
	}
	if s.Side != nil {
		s.Side.File, s.Side.Rows, s.Side.Bytes = name, rows, size
		if err := g.f.note(ctx, s); err != nil {
			return err
		}
	} else {
		s.Visible.File, s.Visible.Rows = name, rows
		if err := g.f.show(ctx, s); err != nil {
			return err
		}
	}
	// Who has it open reads on; who has only read its name finds a newer state.
	_ = os.Remove(g.f.path(g.from))
	_ = os.Remove(g.f.path(csvName(g.from)))
	return nil
}

func (g *fileGroup) rollback() {}

// show stores a state whose visible rows are in another file than before, and points readers to it.
func (f *folder) show(ctx context.Context, s *State) error {
	if f.csv {
		if err := f.writeCSV(s.Visible); err != nil {
			return err
		}
	}
	if err := f.note(ctx, s); err != nil {
		return err
	}
	return f.link(s)
}

// rewrite writes the old rows with the changes into a new file: changed rows where they were, new ones at the end.
func (g *fileGroup) rewrite() (name string, rows, size int64, err error) {
	if name, err = g.f.nextFile(); err != nil {
		return "", 0, 0, err
	}
	file, err := os.OpenFile(g.f.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, 0, err
	}
	out := bufio.NewWriterSize(file, 256<<10)
	var line []byte
	write := func(row cells) error {
		line = appendLine(line[:0], g.shape, row)
		rows, size = rows+1, size+int64(len(line))
		_, err := out.Write(line)
		return err
	}
	done := map[string]bool{}
	err = g.f.lines(g.from, g.shape, g.known, func(_ []byte, row cells) error {
		identity := g.shape.identity(row)
		changed, ok := g.changed[identity]
		if !ok {
			return write(row)
		}
		done[identity] = true
		if changed == nil {
			return nil
		}
		return write(changed)
	})
	for _, identity := range g.order {
		if err == nil && !done[identity] && g.changed[identity] != nil {
			err = write(g.changed[identity])
		}
	}
	err = errors.Join(err, out.Flush(), closeSynced(file), g.f.syncDir())
	return name, rows, size, err
}

func (f *folder) swap(ctx context.Context, s *State) error {
	before, err := f.load(ctx)
	if err != nil {
		return err
	}
	if err := f.show(ctx, s); err != nil {
		return err
	}
	if before != nil && before.Visible != nil {
		_ = os.Remove(f.path(before.Visible.File)) // Else tidy does it at the next start.
		_ = os.Remove(f.path(csvName(before.Visible.File)))
	}
	return nil
}

// dispose notes what it is about to remove, so that a disposal that is killed is finished with the same record.
func (f *folder) dispose(_ context.Context, _ *State, d Disposal) error {
	raw, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = f.writeWhole(disposingFile, append(raw, '\n'))
	}
	if err != nil {
		return fmt.Errorf("noting the disposal: %w", err)
	}
	return f.finishDisposal(d)
}

func (f *folder) finishDisposal(d Disposal) error {
	names, err := filepath.Glob(f.path("rows*"))
	if err != nil {
		return err
	}
	for _, name := range append(names, f.path(stateFile)) {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing the copy: %w", err)
		}
	}
	if err := f.syncDir(); err != nil {
		return err
	}
	if err := os.Rename(f.path(disposingFile), f.path("disposal-"+d.DisposedAt.Format("20060102T150405.000000000Z")+".json")); err != nil {
		return fmt.Errorf("noting the disposal: %w", err)
	}
	return f.syncDir()
}

func (f *folder) disposal(context.Context) (*Disposal, error) {
	if d, err := f.record(disposingFile); err != nil || d != nil {
		if err == nil {
			err = f.finishDisposal(*d)
		}
		return d, err
	}
	records, err := filepath.Glob(f.path("disposal-*.json")) // Sorted, and so by time.
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return f.record(filepath.Base(records[len(records)-1]))
}

// record reads the record of a disposal, nil when the file is not there.
func (f *folder) record(name string) (*Disposal, error) {
	raw, err := os.ReadFile(f.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	d := &Disposal{}
	if err == nil {
		err = json.Unmarshal(raw, d)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record of the disposal: %w", err)
	}
	return d, nil
}
