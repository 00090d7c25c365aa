package sharing

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// maxAccessLines bounds one table: it is made in memory by whoever asks for it.
const maxAccessLines = 50_000

// accessColumns are the columns of the table; kind is grant or person.
var accessColumns = []string{
	"at", "kind", "resource_id", "resource", "item", "item_name", "mask", "department", "who_id", "who", "grant_id", "request_id",
	"state", "purpose", "purpose_text", "valid_from", "valid_to", "all_rows", "sees", "ways", "rules", "reason",
}

// WriteResourceAccess writes the whole answer of ResourceAccess as CSV (RFC 4180, UTF-8, a header line): a line for each grant
// and item, and for each person. Where no item is left of a grant there is one line without. More than 50,000 lines are the
// TooLarge fault "answer_too_large"; what was written then is to be thrown away.
func (s *Service) WriteResourceAccess(ctx context.Context, p authz.Principal, id uuid.UUID, q AccessQuery, w io.Writer) error {
	return writeAccess(w, q, func(q AccessQuery) (AccessReport, error) { return s.ResourceAccess(ctx, p, id, q) })
}

// WriteClientAccess writes the whole answer of ClientAccess as WriteResourceAccess does.
func (s *Service) WriteClientAccess(ctx context.Context, p authz.Principal, id uuid.UUID, q AccessQuery, w io.Writer) error {
	return writeAccess(w, q, func(q AccessQuery) (AccessReport, error) { return s.ClientAccess(ctx, p, id, q) })
}

func writeAccess(w io.Writer, q AccessQuery, ask func(AccessQuery) (AccessReport, error)) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	lines := [][]string{accessColumns}
	q.Page = db.Page{Limit: db.MaxPage}
	for written := 0; ; {
		report, err := ask(q)
		if err != nil {
			return err
		}
		for _, a := range report.Data {
			lines = append(lines, a.lines(report.At)...)
		}
		for _, p := range report.People {
			lines = append(lines, p.line(report.At, q.Item))
		}
		if written += len(lines); written > maxAccessLines {
			return fault.New(fault.TooLarge, "answer_too_large",
				"the table would have more than %d lines; ask for one item, or for the list page by page", maxAccessLines)
		}
		if err := out.WriteAll(lines); err != nil {
			return fmt.Errorf("writing a table of access: %w", err)
		}
		if lines, q.Page.Cursor = lines[:0], report.NextCursor; q.Page.Cursor == "" {
			return nil
		}
	}
}

// lines are the lines of one grant.
func (a Access) lines(at time.Time) [][]string {
	items := a.Items
	if len(items) == 0 {
		items = []AccessItem{{}}
	}
	out := make([][]string, len(items))
	ways, rules := said(a.Ways)
	for i, item := range items {
		out[i] = []string{
			written(at), "grant", a.ResourceID.String(), SheetText(a.Resource), item.Identifier, SheetText(item.Name), item.Mask, SheetText(a.Department),
			a.ClientID.String(), SheetText(a.Client), a.GrantID.String(), a.RequestID.String(), string(a.State), SheetText(a.Purpose), SheetText(a.PurposeText),
			written(a.ValidFrom), written(a.ValidTo), strconv.FormatBool(a.AllRows), strconv.FormatBool(a.Sees), ways, rules, a.Reason,
		}
	}
	return out
}

// line is the line of a person, whom no grant but the office opens rows to.
func (p Reader) line(at time.Time, item string) []string {
	ways, rules := said([]Way{p.Way})
	out := make([]string, len(accessColumns))
	out[0], out[1], out[4], out[8], out[9] = written(at), "person", item, p.UserID.String(), SheetText(p.Username)
	out[18], out[19], out[20] = strconv.FormatBool(p.Way.Allowed), ways, rules
	return out
}

// said lists the open ways, and the rules that decided in the order of all ways.
func said(all []Way) (ways, rules string) {
	var open, by []string
	for _, w := range all {
		if w.Allowed {
			open = append(open, string(w.Action))
		}
		by = append(by, w.RuleID)
	}
	return strings.Join(open, " "), strings.Join(by, " ")
}

func written(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// SheetText is what people named, made harmless for spreadsheets, which take cells that begin like this for formulas.
func SheetText(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
