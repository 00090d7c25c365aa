package sheet

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// readWorkbook reads an xlsx file. First its parts are scanned as a stream: that finds formulas and merged cells, which the library
// does not tell while it streams, and refuses what is too large before anything is unpacked.
func readWorkbook(file *os.File, size int64, archive *zip.Reader, to sink) error {
	parts, err := sheetParts(archive)
	if err != nil {
		return err
	}
	t := &table{to: to, formulas: map[Sheet]map[int][]int{}}
	titles := map[Sheet]string{}
	var merged []Trouble
	for _, p := range parts {
		s, ok := sheetOf(p.title)
		if !ok {
			continue
		}
		if _, twice := titles[s]; twice {
			return unreadable(CodeWrongSheets, "there are two tables of %s", s.Title())
		}
		titles[s] = p.title
		found, err := scanSheet(p.file)
		if err != nil {
			return err
		}
		t.formulas[s] = found.formulas
		for _, m := range found.merged {
			merged = append(merged, Trouble{Sheet: s, Row: m[0], Col: m[1], Code: CodeMerged})
		}
	}
	if _, ok := titles[Entries]; !ok {
		return unreadable(CodeWrongSheets, "the sheet %s is missing; do not rename the sheets of the template", Entries.Title())
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	book, err := excelize.OpenReader(io.NewSectionReader(file, 0, size), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxPlain, UnzipXMLSizeLimit: 4 << 20})
	if err != nil {
		return unreadable(CodeNoWorkbook, "this workbook is damaged; open it and save it again")
	}
	defer book.Close()
	for s := range Sheet(2) {
		if titles[s] == "" {
			continue
		}
		if err := readSheet(book, titles[s], s, t); err != nil {
			return err
		}
	}
	for _, m := range merged {
		if err := to.trouble(m); err != nil {
			return err
		}
	}
	return t.done()
}

func readSheet(book *excelize.File, title string, s Sheet, t *table) error {
	if err := t.begin(s); err != nil {
		return err
	}
	rows, err := book.Rows(title)
	if err != nil {
		return unreadable(CodeNoWorkbook, "this workbook is damaged; open it and save it again")
	}
	defer rows.Close()
	for no := 1; rows.Next(); no++ {
		cells, err := rows.Columns()
		if err != nil {
			return unreadable(CodeNoWorkbook, "this workbook is damaged; open it and save it again")
		}
		if err := t.line(no, cells); err != nil {
			return err
		}
	}
	if err := rows.Error(); err != nil {
		return unreadable(CodeNoWorkbook, "this workbook is damaged; open it and save it again")
	}
	return t.end()
}

type part struct {
	title string
	file  *zip.File
}

// sheetParts finds the files of the sheets in a workbook.
func sheetParts(archive *zip.Reader) ([]part, error) {
	files := map[string]*zip.File{}
	for _, f := range archive.File {
		files[strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))] = f
	}
	var book struct {
		Sheets []struct {
			Name string     `xml:"name,attr"`
			ID   string     `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
			Any  []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	var links struct {
		Links []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := parsePart(files["xl/workbook.xml"], &book); err != nil {
		return nil, err
	}
	if err := parsePart(files["xl/_rels/workbook.xml.rels"], &links); err != nil {
		return nil, err
	}
	targets := map[string]string{}
	for _, l := range links.Links {
		at := l.Target
		if !strings.HasPrefix(at, "/") {
			at = path.Join("xl", at)
		}
		targets[l.ID] = strings.ToLower(strings.TrimPrefix(at, "/"))
	}
	var out []part
	for _, s := range book.Sheets {
		for _, a := range s.Any { // Strict workbooks use another name space.
			if s.ID == "" && a.Name.Local == "id" {
				s.ID = a.Value
			}
		}
		if f := files[targets[s.ID]]; f != nil {
			out = append(out, part{s.Name, f})
		}
	}
	return out, nil
}

// maxIndex bounds the small parts that are read as a whole.
const maxIndex = 4 << 20

func parsePart(f *zip.File, out any) error {
	damaged := unreadable(CodeNoWorkbook, "this file is no workbook, or it is damaged")
	if f == nil {
		return damaged
	}
	in, err := f.Open()
	if err != nil {
		return damaged
	}
	defer in.Close()
	if err := xml.NewDecoder(io.LimitReader(in, maxIndex)).Decode(out); err != nil {
		return damaged
	}
	return nil
}

// scanned is what the library does not tell about a sheet.
type scanned struct {
	formulas map[int][]int // Columns, from 0, by row.
	merged   [][2]int      // Row and column of the first cell.
}

// maxScanned bounds how many formulas and merged cells are listed.
const maxScanned = 2000

// scanSheet reads a sheet once, as a stream.
func scanSheet(f *zip.File) (scanned, error) {
	out := scanned{formulas: map[int][]int{}}
	in, err := f.Open()
	if err != nil {
		return out, unreadable(CodeNoWorkbook, "this workbook is damaged; open it and save it again")
	}
	defer in.Close()
	bounded := &io.LimitedReader{R: in, N: maxPlain}
	decoder := xml.NewDecoder(bounded)
	count, row, elements := 0, 0, 0
	var cell string
	for {
		token, err := decoder.RawToken()
		switch {
		case bounded.N <= 0:
			return out, unreadable(CodeTooBig, "unpacked this file has more than %d MiB", maxPlain>>20)
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, unreadable(CodeNoWorkbook, "this workbook is damaged; open it and save it again")
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "row":
			row++
			if n, err := strconv.Atoi(attr(start, "r")); err == nil {
				row = n
			}
			if elements++; elements > 2*MaxRows {
				return out, tooManyRows()
			}
		case "c":
			cell = attr(start, "r")
		case "v", "is":
			if row > MaxRows+2 {
				return out, tooManyRows()
			}
		case "f":
			if count++; count > maxScanned {
				return out, unreadable(CodeTooMuch, "there are more than %d formulas and merged cells; paste the values instead", maxScanned)
			}
			if col, r, err := excelize.CellNameToCoordinates(cell); err == nil {
				out.formulas[r] = append(out.formulas[r], col-1)
			}
		case "mergeCell":
			if count++; count > maxScanned {
				return out, unreadable(CodeTooMuch, "there are more than %d formulas and merged cells; paste the values instead", maxScanned)
			}
			first, _, _ := strings.Cut(attr(start, "ref"), ":")
			if col, r, err := excelize.CellNameToCoordinates(first); err == nil {
				out.merged = append(out.merged, [2]int{r, col - 1})
			}
		}
	}
}

func tooManyRows() error {
	return fmt.Errorf("scanning a sheet: %w", unreadable(CodeTooManyRows, "a sheet has at most %d rows below its header", MaxRows))
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
