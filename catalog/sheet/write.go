package sheet

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The sheets of a workbook besides the two that are read.
const (
	choicesTitle = "代码"
	helpTitle    = "填写说明"
)

// maxCell is how many characters a cell of a workbook holds, in UTF-16.
const maxCell = 32767

// maxNotes bounds how many cells of a result bear a note; the column of errors says it for every row.
const maxNotes = 2000

// book writes a workbook as a stream: memory is flat, however many rows it has.
type book struct {
	file    *excelize.File
	streams [2]*excelize.StreamWriter
	headers [2]Header
	next    [2]int // The row to be written.
	text    int    // Style of cells: text, so that long numbers keep their digits.
	bad     int    // Style of cells in which something is wrong.
	notes   []excelize.Comment
	noted   []Sheet
}

// newBook begins a workbook with the columns of headers; one without columns has none of that sheet.
func newBook(headers [2]Header) (*book, error) {
	b := &book{file: excelize.NewFile(), headers: headers}
	if err := b.begin(); err != nil {
		_ = b.file.Close()
		return nil, fmt.Errorf("beginning a workbook: %w", err)
	}
	return b, nil
}

func (b *book) begin() (err error) {
	if b.text, err = b.file.NewStyle(&excelize.Style{NumFmt: 49, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true}}); err != nil {
		return err
	}
	b.bad, err = b.file.NewStyle(&excelize.Style{
		NumFmt: 49, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true},
		Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"FFE0E0"}},
	})
	if err != nil {
		return err
	}
	if err := b.file.SetSheetName("Sheet1", Entries.Title()); err != nil {
		return err
	}
	for s := range Sheet(2) {
		if len(b.headers[s].IDs) == 0 {
			continue
		}
		if s != Entries {
			if _, err := b.file.NewSheet(s.Title()); err != nil {
				return err
			}
		}
		if b.streams[s], err = b.file.NewStreamWriter(s.Title()); err != nil {
			return err
		}
		if err := b.head(s); err != nil {
			return err
		}
	}
	return b.choices()
}

// head writes the two header rows of a sheet, with a note on each column.
func (b *book) head(s Sheet) error {
	strong, err := b.file.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true}, Alignment: &excelize.Alignment{Vertical: "center", WrapText: true},
		Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDEBF7"}}, NumFmt: 49,
	})
	if err != nil {
		return err
	}
	faint, err := b.file.NewStyle(&excelize.Style{Font: &excelize.Font{Color: "808080", Size: 9}, NumFmt: 49})
	if err != nil {
		return err
	}
	columns := map[string]Column{}
	for _, c := range Columns(s) {
		columns[c.ID] = c
	}
	stream, h := b.streams[s], b.headers[s]
	titles, ids := make([]any, len(h.IDs)), make([]any, len(h.IDs))
	for i, id := range h.IDs {
		c := columns[id]
		title, width := c.Title, c.Width
		switch {
		case id == errorID:
			title, width = errorTitle, 50
		case id == "" && i < len(h.Titles):
			title, width = h.Titles[i], 14
		case c.Required:
			title += "*"
		}
		if err := stream.SetColWidth(i+1, i+1, max(width, 8)); err != nil {
			return err
		}
		titles[i], ids[i] = excelize.Cell{StyleID: strong, Value: title}, excelize.Cell{StyleID: faint, Value: id}
		note := c.Note
		if c.Required {
			note = "提交前必填。" + note
		}
		if note != "" {
			b.note(s, cellName(1, i), note)
		}
	}
	if err := stream.SetPanes(&excelize.Panes{Freeze: true, XSplit: 1, YSplit: 2, TopLeftCell: "B3", ActivePane: "bottomRight"}); err != nil {
		return err
	}
	if err := stream.SetRow("A1", titles); err != nil {
		return err
	}
	b.next[s] = h.Rows + 1
	if h.Rows < 2 {
		return nil
	}
	return stream.SetRow("A2", ids)
}

// choices writes the closed lists on a hidden sheet and offers them where they belong.
func (b *book) choices() error {
	if _, err := b.file.NewSheet(choicesTitle); err != nil {
		return err
	}
	at := 0
	for s := range Sheet(2) {
		for _, c := range Columns(s) {
			col := b.headers[s].find(c.ID)
			if len(c.Choices) == 0 || col < 0 {
				continue
			}
			at++
			name, err := excelize.ColumnNumberToName(at)
			if err != nil {
				return err
			}
			for i, choice := range c.Choices {
				if err := b.file.SetCellStr(choicesTitle, name+strconv.Itoa(i+1), choice); err != nil {
					return err
				}
			}
			if strings.HasSuffix(c.ID, "methods") { // Several may be given: a drop-down would refuse them.
				continue
			}
			offer := excelize.NewDataValidation(true)
			here, err := excelize.ColumnNumberToName(col + 1)
			if err != nil {
				return err
			}
			offer.Sqref = fmt.Sprintf("%s3:%s%d", here, here, MaxRows+2)
			offer.SetSqrefDropList(fmt.Sprintf("%s!$%s$1:$%s$%d", choicesTitle, name, name, len(c.Choices)))
			if err := b.file.AddDataValidation(s.Title(), offer); err != nil {
				return err
			}
		}
	}
	return b.file.SetSheetVisible(choicesTitle, false)
}

func (b *book) note(s Sheet, cell, text string) {
	b.notes = append(b.notes, excelize.Comment{Cell: cell, Author: "数桥", Paragraph: []excelize.RichTextRun{{Text: text}}, Width: 260, Height: 90})
	b.noted = append(b.noted, s)
}

// row writes the next row of a sheet. wrong marks its cells, by column.
func (b *book) row(s Sheet, cells []string, wrong map[int]string) error {
	values := make([]any, len(cells))
	for i, cell := range cells {
		style := b.text
		if said := wrong[i]; said != "" {
			style = b.bad
			if len(b.notes) < maxNotes {
				b.note(s, cellName(b.next[s], i), said)
			}
		}
		if cell == "" && style == b.text {
			continue
		}
		if len(cell) > maxCell && len(utf16.Encode([]rune(cell))) > maxCell {
			return fault.New(fault.Conflict, "cell_too_long", "a statement is longer than a cell of a workbook can be; ask for CSV instead")
		}
		values[i] = excelize.Cell{StyleID: style, Value: cell}
	}
	if err := b.streams[s].SetRow(cellName(b.next[s], 0), values); err != nil {
		return fmt.Errorf("writing a row: %w", err)
	}
	b.next[s]++
	return nil
}

// finish writes the workbook.
func (b *book) finish(w io.Writer) error {
	for i, note := range b.notes {
		if err := b.file.AddComment(b.noted[i].Title(), note); err != nil {
			return fmt.Errorf("writing notes: %w", err)
		}
	}
	for _, stream := range b.streams {
		if stream == nil {
			continue
		}
		if err := stream.Flush(); err != nil {
			return fmt.Errorf("writing a workbook: %w", err)
		}
	}
	if err := b.file.Write(w); err != nil {
		return fmt.Errorf("writing a workbook: %w", err)
	}
	return nil
}

// close removes what was kept on disk.
func (b *book) close() error { return b.file.Close() }

// fullHeaders are all columns of both sheets.
func fullHeaders() [2]Header {
	var out [2]Header
	for s := range Sheet(2) {
		for _, c := range Columns(s) {
			out[s].IDs = append(out[s].IDs, c.ID)
			out[s].Titles = append(out[s].Titles, c.Title)
		}
		out[s].Rows = 2
	}
	return out
}

// Template writes the workbook that people fill in: both sheets with drop-downs, notes and an example that imports pass over, and a
// page that explains them.
func Template(w io.Writer) error {
	b, err := newBook(fullHeaders())
	if err != nil {
		return err
	}
	defer b.close()
	for s := range Sheet(2) {
		var example []string
		for _, c := range Columns(s) {
			example = append(example, c.Example)
		}
		if err := b.row(s, example, nil); err != nil {
			return err
		}
	}
	if err := b.help(); err != nil {
		return fmt.Errorf("writing the template: %w", err)
	}
	return b.finish(w)
}

// help is the page that explains the columns, from the same table.
func (b *book) help() error {
	if _, err := b.file.NewSheet(helpTitle); err != nil {
		return err
	}
	lines := [][]any{
		{"“资源”每行一个资源,“信息项”每行一个信息项,用“行标识”对应。前两行是表头,请勿改动;第三行的示例在导入时自动跳过。"},
		{"带*的列在提交审核前必须填写;导入草稿时可以暂缺。请勿使用公式和合并单元格。"},
		{},
		{"工作表", "列名", "标识", "必填", "说明", "可选值"},
	}
	for s := range Sheet(2) {
		for _, c := range Columns(s) {
			must := ""
			if c.Required {
				must = "是"
			}
			lines = append(lines, []any{s.Title(), c.Title, c.ID, must, c.Note, strings.Join(c.Choices, "、")})
		}
	}
	for i := range lines {
		if err := b.file.SetSheetRow(helpTitle, "A"+strconv.Itoa(i+1), &lines[i]); err != nil {
			return err
		}
	}
	for col, width := range map[string]float64{"A": 12, "B": 24, "C": 30, "D": 8, "E": 60, "F": 60} {
		if err := b.file.SetColWidth(helpTitle, col, col, width); err != nil {
			return err
		}
	}
	return nil
}
