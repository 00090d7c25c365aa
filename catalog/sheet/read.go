package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The limits of a file. They keep memory flat and jobs short; a file that is larger is refused with a code that says so.
const (
	MaxFile  = 32 << 20  // Bytes as sent.
	maxPlain = 256 << 20 // Bytes unpacked.
	maxParts = 1000      // Files inside a workbook.
	MaxRows  = 100_000   // Rows of a sheet below its header.
	maxCols  = 200       // Columns of a sheet.
)

// The codes of files that cannot be read at all.
const (
	CodeNoWorkbook  = "not_a_workbook"   // Neither xlsx nor CSV.
	CodeEncrypted   = "old_or_encrypted" // An xls file, or one with a password.
	CodeTooBig      = "unpacks_too_big"  // Unpacked it is larger than any real one: a zip bomb.
	CodeTooManyRows = "too_many_rows"
	CodeTooManyCols = "too_many_columns"
	CodeWrongSheets = "wrong_sheets"   // The sheet of entries is missing.
	CodeBadHeader   = "bad_header"     // The first rows are not those of the template.
	CodeEncoding    = "bad_encoding"   // Neither UTF-8 nor GBK.
	CodeBadCSV      = "bad_csv"        // Quotes that do not match.
	CodeEmpty       = "no_rows"        // Nothing below the header.
	CodeTooMuch     = "too_many_wrong" // Formulas or merged cells all over.
)

// FailureCodes returns the codes with which imports fail.
func FailureCodes() []string {
	return []string{
		CodeNoWorkbook, CodeEncrypted, CodeTooBig, CodeTooManyRows, CodeTooManyCols, CodeWrongSheets, CodeBadHeader, CodeEncoding, CodeBadCSV, CodeEmpty,
		CodeTooMuch, CodeChanged, string(fault.Forbidden), string(fault.Internal),
	}
}

func unreadable(code, format string, args ...any) error {
	return fault.New(fault.Invalid, code, format, args...)
}

// sink takes what is read, in the order of the file. Rows that are empty, and examples, do not come.
type sink interface {
	header(s Sheet, h Header) error
	row(s Sheet, no int, cells []string) error
	trouble(t Trouble) error
}

// read reads a file: a workbook, a CSV file, or several CSV files in a zip file.
func read(file *os.File, size int64, to sink) error {
	var magic [8]byte
	n, err := file.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(magic[:n], []byte{0xD0, 0xCF, 0x11, 0xE0}):
		return unreadable(CodeEncrypted, "this is an xls file or has a password; save it as xlsx without a password")
	case !bytes.HasPrefix(magic[:n], []byte("PK")):
		t := &table{to: to, formulas: map[Sheet]map[int][]int{}}
		if err := readCSV(io.NewSectionReader(file, 0, size), t); err != nil {
			return err
		}
		return t.done()
	}
	archive, err := zip.NewReader(file, size)
	if err != nil {
		return unreadable(CodeNoWorkbook, "this file is damaged: it is no workbook and no zip file")
	}
	var plain uint64
	for _, f := range archive.File {
		plain += f.UncompressedSize64
	}
	if len(archive.File) > maxParts || plain > maxPlain {
		return unreadable(CodeTooBig, "unpacked this file has more than %d MiB or more than %d parts", maxPlain>>20, maxParts)
	}
	for _, f := range archive.File {
		if f.Name == "[Content_Types].xml" {
			return readWorkbook(file, size, archive, to)
		}
	}
	return readArchive(archive, to)
}

// readArchive reads the CSV files of a zip file.
func readArchive(archive *zip.Reader, to sink) error {
	t := &table{to: to, formulas: map[Sheet]map[int][]int{}}
	found := false
	for _, f := range archive.File {
		if !strings.HasSuffix(strings.ToLower(f.Name), ".csv") || strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		found = true
		if err := readPart(f, t); err != nil {
			return err
		}
	}
	if !found {
		return unreadable(CodeNoWorkbook, "there is no CSV file in this zip file")
	}
	return t.done()
}

// readPart spools one file of an archive, since its encoding is found out by reading it twice.
func readPart(f *zip.File, t *table) error {
	in, err := f.Open()
	if err != nil {
		return unreadable(CodeNoWorkbook, "this zip file is damaged")
	}
	defer in.Close()
	spool, err := os.CreateTemp("", "shuqiao-import-*")
	if err != nil {
		return err
	}
	defer func() { _ = spool.Close(); _ = os.Remove(spool.Name()) }()
	n, err := io.Copy(spool, io.LimitReader(in, maxPlain+1))
	if err != nil {
		return unreadable(CodeNoWorkbook, "this zip file is damaged")
	}
	if n > maxPlain {
		return unreadable(CodeTooBig, "unpacked this file has more than %d MiB", maxPlain>>20)
	}
	return readCSV(io.NewSectionReader(spool, 0, n), t)
}

// table turns rows of cells into what a sink takes: it finds the header and passes over what is empty or an example.
type table struct {
	to       sink
	formulas map[Sheet]map[int][]int // Columns of formulas by row; only workbooks have them.
	seen     [2]bool
	rows     [2]int

	sheet  Sheet
	header Header
	first  []string // The first row, until the second is there.
	wrong  bool     // A header was wrong: rows say nothing then.
}

// begin starts a sheet.
func (t *table) begin(s Sheet) error {
	if t.seen[s] {
		return unreadable(CodeWrongSheets, "there are two tables of %s", s.Title())
	}
	t.seen[s], t.sheet, t.header, t.first = true, s, Header{}, nil
	return nil
}

// line takes one row by its number.
func (t *table) line(no int, cells []string) error {
	cells = chopped(cells)
	if len(cells) > maxCols {
		return unreadable(CodeTooManyCols, "a sheet has at most %d columns", maxCols)
	}
	switch {
	case no == 1:
		t.first = cells
		if t.first == nil {
			t.first = []string{}
		}
		return nil
	case t.header.Rows == 0:
		if err := t.head(cells); err != nil || t.header.Rows == 2 {
			return err
		}
	}
	return t.below(no, cells)
}

// head reads the header when the second row is there, or nil when there is none.
func (t *table) head(second []string) error {
	var wrong []Trouble
	t.header, wrong = readHeader(t.sheet, t.first, second)
	for _, w := range wrong {
		t.wrong = true
		if err := t.to.trouble(w); err != nil {
			return err
		}
	}
	return t.to.header(t.sheet, t.header)
}

func (t *table) below(no int, cells []string) error {
	key := strings.TrimSpace(t.header.cell(cells, "key"))
	formulas := t.formulas[t.sheet][no]
	if len(cells) == 0 && len(formulas) == 0 || key == ExampleKey || t.wrong {
		return nil
	}
	if t.rows[t.sheet]++; t.rows[t.sheet] > MaxRows {
		return unreadable(CodeTooManyRows, "a sheet has at most %d rows below its header", MaxRows)
	}
	for i, cell := range cells {
		if isBroken(cell) {
			if err := t.to.trouble(Trouble{Sheet: t.sheet, Row: no, Col: i, Column: t.id(i), Code: CodeBroken}); err != nil {
				return err
			}
		}
	}
	for _, i := range formulas {
		if err := t.to.trouble(Trouble{Sheet: t.sheet, Row: no, Col: i, Column: t.id(i), Code: CodeFormula}); err != nil {
			return err
		}
	}
	return t.to.row(t.sheet, no, cells)
}

func (t *table) id(col int) string {
	if col < len(t.header.IDs) {
		return t.header.IDs[col]
	}
	return ""
}

// end closes a sheet; one that has a header only is read as that.
func (t *table) end() error {
	if t.header.Rows == 0 && t.first != nil {
		return t.head(nil)
	}
	return nil
}

// done judges the file as a whole.
func (t *table) done() error {
	switch {
	case !t.seen[Entries]:
		return unreadable(CodeWrongSheets, "the table %s is missing; do not rename the sheets of the template", Entries.Title())
	case t.wrong:
		return unreadable(CodeBadHeader, "the first rows are not those of the template; the cells are listed")
	case t.rows[Entries] == 0:
		return unreadable(CodeEmpty, "there is nothing below the header of %s", Entries.Title())
	}
	return nil
}

// chopped drops empty cells at the end of a row.
func chopped(cells []string) []string {
	n := len(cells)
	for n > 0 && strings.TrimSpace(cells[n-1]) == "" {
		n--
	}
	return cells[:n]
}
