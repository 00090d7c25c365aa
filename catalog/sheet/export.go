package sheet

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Format is the form of a file.
type Format string

// The forms.
const (
	XLSX Format = "xlsx"
	CSV  Format = "csv" // Two CSV files in a zip file.
)

// Selection says what is exported: everything the caller may read (with the drafts of their own department), narrowed to a department,
// or the published hits of a search.
type Selection struct {
	Department uuid.UUID
	Search     *catalog.Query
}

// Spool is a file that waits on disk to be sent. Whoever got it closes it.
type Spool struct {
	*os.File
	Name string
	Type string
	Size int64
}

// Close removes the file.
func (s *Spool) Close() error {
	err := s.File.Close()
	_ = os.Remove(s.File.Name())
	return err
}

// output takes rows and writes the file of them.
type output interface {
	row(s Sheet, cells []string, wrong map[int]string) error
	finish(w io.Writer) error
	close() error
}

// contentTypes by form.
var contentTypes = map[Format]string{XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", CSV: "application/zip"}

// spooled writes a file on disk.
func spooled(name string, format Format, begin func(io.Writer) (output, error), fill func(output) error) (*Spool, error) {
	file, err := os.CreateTemp("", "shuqiao-sheet-*")
	if err != nil {
		return nil, fmt.Errorf("keeping a file on disk: %w", err)
	}
	s := &Spool{File: file, Name: name, Type: contentTypes[format]}
	err = func() error {
		out, err := begin(file)
		if err != nil {
			return err
		}
		defer out.close()
		if err := fill(out); err != nil {
			return err
		}
		if err := out.finish(file); err != nil {
			return err
		}
		if s.Size, err = file.Seek(0, io.SeekEnd); err != nil {
			return err
		}
		_, err = file.Seek(0, io.SeekStart)
		return err
	}()
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Export writes entries with all they state in the form of the template, so that the file can be imported again.
func (s *Service) Export(ctx context.Context, p authz.Principal, sel Selection, format Format) (*Spool, error) {
	begin := func(w io.Writer) (output, error) { return newCSVFiles(w) }
	name := "directory.zip"
	switch format {
	case CSV:
	case XLSX:
		name = "directory.xlsx"
		begin = func(io.Writer) (output, error) { return newBook(fullHeaders()) }
	default:
		return nil, fault.InvalidFields([]fault.Field{{Name: "format", Code: "not_choice", Message: "ask for xlsx or csv"}})
	}
	read := func(page db.Page) ([]catalog.Resource, string, error) {
		if sel.Search != nil {
			return s.opt.Catalog.Found(ctx, p, *sel.Search, page)
		}
		return s.opt.Catalog.Readable(ctx, p, sel.Department, page)
	}
	// What the caller may not read is refused before anything is written.
	first, next, err := read(db.Page{Limit: exportPage})
	if err != nil {
		return nil, err
	}
	n, err := s.departments(ctx)
	if err != nil {
		return nil, err
	}
	return spooled(name, format, begin, func(out output) error {
		count := 0
		for resources := first; ; {
			if err := s.nameSystems(ctx, n, resources); err != nil {
				return err
			}
			for _, r := range resources {
				count++
				if err := writeEntry(out, r, count, n); err != nil {
					return err
				}
			}
			if next == "" {
				return nil
			}
			if count > MaxRows {
				return fault.New(fault.TooLarge, "too_many_rows", "a file holds at most %d entries; narrow the export to a department", MaxRows)
			}
			var err error
			if resources, next, err = read(db.Page{Limit: exportPage, Cursor: next}); err != nil {
				return err
			}
		}
	})
}

const exportPage = 200

// TemplateFile is the template as a file.
func TemplateFile() (*Spool, error) {
	file, err := os.CreateTemp("", "shuqiao-sheet-*")
	if err != nil {
		return nil, fmt.Errorf("keeping a file on disk: %w", err)
	}
	s := &Spool{File: file, Name: "template.xlsx", Type: contentTypes[XLSX]}
	err = Template(file)
	if err == nil {
		s.Size, err = file.Seek(0, io.SeekEnd)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// writeEntry writes one entry with its items. Entries without a code are linked to their items by their place in the file.
func writeEntry(out output, r catalog.Resource, place int, n *names) error {
	e := entryOf(r, n)
	if e.Key = r.Code; e.Key == "" {
		e.Key = fmt.Sprintf("R%06d", place)
	}
	if err := out.row(Entries, cellsOf(entryColumns, &e, n), nil); err != nil {
		return err
	}
	for _, item := range r.Version.Items {
		line := itemLine{Of: e.Key, Item: item}
		if err := out.row(Items, cellsOf(itemColumns, &line, n), nil); err != nil {
			return err
		}
	}
	return nil
}

func entryOf(r catalog.Resource, n *names) entry {
	return entry{Code: r.Code, Provider: n.uscc[r.ProviderDeptID], Metadata: r.Version.Metadata}
}

func cellsOf[T any](columns []column[T], from *T, n *names) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.get(from, n)
	}
	return out
}
