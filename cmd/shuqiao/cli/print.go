package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// widest is the most columns of the terminal that one cell of a table takes.
const widest = 60

// listPrinter prints the entries of a list.
type listPrinter struct {
	w       io.Writer
	form    string
	columns []string
	rows    [][]string
	first   bool // Nothing was printed yet.
	headed  bool
}

func newListPrinter(w io.Writer, form string, columns []string) *listPrinter {
	return &listPrinter{w: w, form: form, columns: columns, first: true}
}

// page takes the entries of one page. JSON and CSV are printed as they come; a table waits for its widths.
func (p *listPrinter) page(entries []json.RawMessage) error {
	for _, entry := range entries {
		switch p.form {
		case "json":
			lead := ",\n  "
			if p.first {
				lead = "{\"data\": [\n  "
			}
			if _, err := fmt.Fprintf(p.w, "%s%s", lead, entry); err != nil {
				return err
			}
		default:
			row := make([]string, len(p.columns))
			for i, column := range p.columns {
				row[i] = pick(entry, column)
			}
			p.rows = append(p.rows, row)
		}
		p.first = false
	}
	if p.form == "csv" {
		return p.flushCSV()
	}
	return nil
}

func (p *listPrinter) flushCSV() error {
	out := csv.NewWriter(p.w)
	if !p.headed {
		p.headed = true
		if err := out.Write(p.columns); err != nil {
			return err
		}
	}
	err := out.WriteAll(p.rows)
	p.rows = nil
	return err
}

// end closes the list. next is the cursor behind a page that is not the last.
func (p *listPrinter) end(next string, notes io.Writer) error {
	switch p.form {
	case "json":
		lead := "\n], "
		if p.first {
			lead = "{\"data\": [], "
		}
		cursor, err := json.Marshal(next)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.w, "%s\"next_cursor\": %s}\n", lead, cursor)
		return err
	case "table":
		if err := printTable(p.w, p.columns, p.rows); err != nil {
			return err
		}
	}
	if next != "" {
		fmt.Fprintln(notes, "There is more: --all, or --cursor "+next)
	}
	return nil
}

// pick returns a value of a JSON object by its name, or names joined by dots, as text; "." is the entry itself.
func pick(entry json.RawMessage, name string) string {
	if name == "." {
		return plain(entry)
	}
	for part := range strings.SplitSeq(name, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(entry, &object) != nil {
			return ""
		}
		entry = object[part]
	}
	return plain(entry)
}

// plain is a JSON value as people write it: text without quotes, nothing for null, lists with commas.
func plain(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	switch raw[0] {
	case '"':
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return text
		}
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			texts := make([]string, len(list))
			for i, entry := range list {
				texts[i] = plain(entry)
			}
			return strings.Join(texts, ",")
		}
	}
	return string(raw)
}

// printTable prints rows under their headings, aligned also where characters are two columns wide.
func printTable(w io.Writer, headings []string, rows [][]string) error {
	all := [][]string{make([]string, len(headings))}
	for i, heading := range headings {
		all[0][i] = strings.ToUpper(strings.TrimPrefix(heading, "."))
	}
	widths := make([]int, len(headings))
	for _, row := range rows {
		cleaned := make([]string, len(row))
		for i, cell := range row {
			cleaned[i] = cut(clean(cell), widest)
		}
		all = append(all, cleaned)
	}
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], columnsOf(cell))
		}
	}
	var b strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-columnsOf(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// clean replaces what would steer the terminal: texts come from other people.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '·'
		}
		return r
	}, text)
}

// columnsOf is how many columns of a terminal a text takes.
func columnsOf(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens a text that takes more columns than most.
func cut(text string, most int) string {
	if columnsOf(text) <= most {
		return text
	}
	n := 0
	for i, r := range text {
		if n += runeColumns(r); n > most-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// printObject prints one answer: as it is, or one line for each value.
func printObject(w io.Writer, form string, answer json.RawMessage) error {
	if len(bytes.TrimSpace(answer)) == 0 {
		return nil
	}
	if form == "json" {
		var b bytes.Buffer
		if err := json.Indent(&b, answer, "", "  "); err != nil {
			return err
		}
		_, err := w.Write(append(b.Bytes(), '\n'))
		return err
	}
	names, values, err := flatten(answer)
	if err != nil {
		return err
	}
	if form == "csv" {
		out := csv.NewWriter(w)
		return out.WriteAll([][]string{names, values})
	}
	most := 0
	for _, name := range names {
		most = max(most, columnsOf(name))
	}
	for i, name := range names {
		if values[i] == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s%s  %s\n", name, strings.Repeat(" ", most-columnsOf(name)), clean(values[i])); err != nil {
			return err
		}
	}
	return nil
}

// flatten returns the values of an object in the order in which the hub wrote them, those of objects inside under joined
// names. Lists stay JSON unless they are of plain values.
func flatten(answer json.RawMessage) (names, values []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	token, err := decoder.Token()
	if err != nil {
		return nil, nil, err
	}
	if token != json.Delim('{') {
		return []string{"answer"}, []string{plain(answer)}, nil
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, nil, err
		}
		if len(value) > 0 && value[0] == '{' {
			innerNames, innerValues, err := flatten(value)
			if err != nil {
				return nil, nil, err
			}
			for i := range innerNames {
				names, values = append(names, fmt.Sprint(name)+"."+innerNames[i]), append(values, innerValues[i])
			}
			continue
		}
		names, values = append(names, fmt.Sprint(name)), append(values, plain(value))
	}
	return names, values, nil
}
