package console

import (
	"encoding/csv"
	"net/url"

	"github.com/shuqiao/shuqiao/sharing"
)

// sheetRows is how many rows of a list a downloaded table holds at most.
const sheetRows = 50_000

// asSheet says whether the reader wants the list as a table to download (?format=csv) and not as a page.
func (v *visit) asSheet() bool { return v.query("format") == "csv" }

// sheetAddress is the address of this list as a table, with the filters that are in the address now.
func (v *visit) sheetAddress() string {
	q := v.r.URL.Query()
	for _, name := range []string{"cursor", "done"} {
		q.Del(name)
	}
	q.Set("format", "csv")
	return (&url.URL{Path: v.r.URL.Path, RawQuery: q.Encode()}).RequestURI()
}

// sheet sends a list as CSV, in UTF-8 with the mark that spreadsheets look for. name becomes the file's name; columns are keys
// of messages. page returns the rows that begin at a cursor ("" first) and the cursor of those after them ("" when there are
// none): memory stays flat. A failure after the first page cuts the file short, which the reader's browser reports.
func (v *visit) sheet(name string, columns []string, page func(cursor string) (rows [][]string, next string, err error)) error {
	rows, next, err := page("")
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	if _, err := v.w.Write([]byte("\uFEFF")); err != nil {
		return nil // The reader went away.
	}
	out := csv.NewWriter(v.w)
	head := make([]string, len(columns))
	for i, key := range columns {
		head[i] = v.say(key)
	}
	err = out.Write(head)
	for sent := 0; err == nil; {
		for _, row := range rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = sharing.SheetText(cell)
			}
			if err = out.Write(cells); err != nil {
				break
			}
		}
		if sent += len(rows); err != nil || next == "" || sent >= sheetRows {
			break
		}
		rows, next, err = page(next)
	}
	out.Flush()
	if err != nil {
		v.Logger.ErrorContext(v.r.Context(), "sending a table", "route", v.r.Pattern, "error", err)
	}
	return nil
}
