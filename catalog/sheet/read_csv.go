package sheet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// readCSV reads one CSV file, in UTF-8 with or without a mark, or in GBK (GB 18030). Which sheet it is, its header says.
func readCSV(file *io.SectionReader, t *table) error {
	in, err := decoded(file)
	if err != nil {
		return err
	}
	lines := csv.NewReader(in)
	lines.FieldsPerRecord, lines.ReuseRecord = -1, true
	for no := 1; ; no++ {
		record, err := lines.Read()
		switch {
		case errors.Is(err, io.EOF):
			if no == 1 {
				return unreadable(CodeEmpty, "this file is empty")
			}
			return t.end()
		case errors.Is(err, errEncoding):
			return badEncoding()
		case err != nil:
			line := no
			if at, ok := errors.AsType[*csv.ParseError](err); ok {
				line = at.StartLine
			}
			return unreadable(CodeBadCSV, "about line %d the quotation marks do not match", line)
		}
		cells := make([]string, len(record))
		for i, cell := range record {
			cells[i] = plainCell(cell)
		}
		if no == 1 {
			if err := t.begin(sheetByHeader(cells)); err != nil {
				return err
			}
		}
		if err := t.line(no, cells); err != nil {
			return err
		}
	}
}

func sheetByHeader(first []string) Sheet {
	for _, cell := range first {
		if id, _, _ := identify(Columns(Items), cell); id == "identifier" {
			return Items
		}
	}
	return Entries
}

// dangerous begin cells that spreadsheets take for formulas. The apostrophe is one of them so that harmless can be undone.
const dangerous = "=+-@\t\r'"

// harmless keeps spreadsheets from taking a text for a formula; plainCell undoes it.
func harmless(s string) string {
	if s != "" && strings.IndexByte(dangerous, s[0]) >= 0 {
		return "'" + s
	}
	return s
}

func plainCell(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(dangerous, s[1]) >= 0 {
		return s[1:]
	}
	return s
}

func badEncoding() error {
	return unreadable(CodeEncoding, "this file is written neither in UTF-8 nor in GBK; save it again as CSV UTF-8 or as xlsx")
}

var errEncoding = errors.New("not of this encoding")

// decoded returns a file's text in UTF-8 without a mark.
func decoded(file *io.SectionReader) (io.Reader, error) {
	start := make([]byte, 4)
	n, _ := io.ReadFull(file, start)
	start = start[:n]
	if bytes.HasPrefix(start, []byte{0xFF, 0xFE}) || bytes.HasPrefix(start, []byte{0xFE, 0xFF}) || bytes.IndexByte(start, 0) >= 0 {
		return nil, badEncoding() // UTF-16, or no text at all.
	}
	from := int64(0)
	if bytes.HasPrefix(start, []byte("\uFEFF")) {
		from = 3
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	isUTF8, err := validUTF8(bufio.NewReaderSize(file, 64<<10))
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	if isUTF8 {
		return bufio.NewReaderSize(file, 64<<10), nil
	}
	return &strict{transform.NewReader(file, simplifiedchinese.GB18030.NewDecoder())}, nil
}

func validUTF8(in *bufio.Reader) (bool, error) {
	for {
		r, size, err := in.ReadRune()
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		case r == utf8.RuneError && size == 1, r == 0:
			return false, nil
		}
	}
}

// strict refuses what a decoder could not read.
type strict struct{ in io.Reader }

func (s *strict) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if bytes.Contains(p[:n], []byte("\uFFFD")) || bytes.IndexByte(p[:n], 0) >= 0 {
		return 0, errEncoding
	}
	return n, err
}
