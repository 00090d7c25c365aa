package sheet

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// compiler turns staged rows into what the catalogue is told.
type compiler struct {
	s       *Service
	job     Job
	headers [2]Header
	names   *names
	own     string // Credit code of the department.
}

func (s *Service) newCompiler(ctx context.Context, j Job, headers [2]Header) (*compiler, error) {
	n, err := s.departments(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.ownSystems(ctx, n, j.DepartmentID); err != nil {
		return nil, err
	}
	return &compiler{s: s, job: j, headers: headers, names: n, own: n.uscc[j.DepartmentID]}, nil
}

// staged is one row of an import.
type staged struct {
	no              int
	key, code, name string
	cells           []string
	wrong           bool // Found before: a formula, a duplicate.
}

// plan is what becomes of one entry.
type plan struct {
	row      staged
	state    string // added, changed, unchanged or wrong.
	stated   catalog.Stated
	resource uuid.UUID // That is there already, or was written.
	troubles []Trouble
}

// rows reads the next entries of an import behind a row, and their items by key.
func (c *compiler) rows(ctx context.Context, q db.Querier, after int, states []string) ([]staged, map[string][]staged, error) {
	scan := func(r pgx.Row) (st staged, err error) {
		var state string
		err = r.Scan(&st.no, &st.key, &st.code, &st.name, &st.cells, &state)
		st.wrong = state == "wrong"
		return st, err
	}
	const columns = "SELECT row_no, key, code, name, cells, state FROM import_row WHERE job_id = $1 AND sheet = "
	entries, err := db.Collect(ctx, q, scan, columns+"0 AND row_no > $2 AND state = ANY($3) ORDER BY row_no LIMIT $4", c.job.ID, after, states, batchEntries)
	if err != nil {
		return nil, nil, fmt.Errorf("reading staged entries: %w", err)
	}
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.key
	}
	items, err := db.Collect(ctx, q, scan, columns+"1 AND key <> '' AND key = ANY($2) ORDER BY row_no", c.job.ID, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("reading staged items: %w", err)
	}
	byKey := map[string][]staged{}
	for _, i := range items {
		byKey[i.key] = append(byKey[i.key], i)
	}
	return entries, byKey, nil
}

// plan decides what becomes of entries. lock is "FOR UPDATE" where they are written next.
func (c *compiler) plan(ctx context.Context, q catalog.Querier, rows []staged, items map[string][]staged, lock string) ([]plan, error) {
	var byCode, byName []string
	for _, r := range rows {
		if r.code != "" {
			byCode = append(byCode, r.code)
		}
		byName = append(byName, r.name)
	}
	there, err := c.s.opt.Catalog.SameEntriesTx(ctx, q, c.job.DepartmentID, byCode, byName, lock)
	if err != nil {
		return nil, err
	}
	signed, err := c.signoffs(ctx, q, there)
	if err != nil {
		return nil, err
	}
	plans := make([]plan, len(rows))
	for i, r := range rows {
		plans[i] = c.entry(r, items[r.key], there, signed)
	}
	return plans, nil
}

// signoffs are those of the published versions of entries.
func (c *compiler) signoffs(ctx context.Context, q db.Querier, there []catalog.Resource) (map[uuid.UUID]*catalog.Signoff, error) {
	ids := make([]uuid.UUID, len(there))
	for i, r := range there {
		ids[i] = r.ID
	}
	rows, err := q.Query(ctx, `
		SELECT v.resource_id, v.body->'head_signoff' FROM resource r JOIN resource_version v ON v.resource_id = r.id AND v.version = r.published
		WHERE r.id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading sign-offs: %w", err)
	}
	out := map[uuid.UUID]*catalog.Signoff{}
	var id uuid.UUID
	var signoff *catalog.Signoff
	if _, err := pgx.ForEachRow(rows, []any{&id, &signoff}, func() error {
		out[id] = signoff
		signoff = nil
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading sign-offs: %w", err)
	}
	return out, nil
}

// entry compiles one entry of the file.
func (c *compiler) entry(row staged, items []staged, there []catalog.Resource, signed map[uuid.UUID]*catalog.Signoff) (p plan) {
	p.row = row
	before, trouble := c.same(row, there)
	if trouble != "" {
		column := "code"
		if trouble == CodeTaken {
			column = "name"
		}
		p.wrong(c, Entries, row.no, column, trouble, "")
		return p
	}
	if before != nil {
		p.stated.Before, p.resource = *before, before.ID
	} else {
		p.stated.Code = row.code
	}
	e := entryOf(p.stated.Before, c.names)
	c.fill(&p, row, &e)
	c.items(&p, items, &e)
	if e.Provider != "" && !strings.EqualFold(e.Provider, c.own) {
		p.wrong(c, Entries, row.no, "provider_code", CodeForeign, "")
	}
	if row.wrong || slices.ContainsFunc(items, func(i staged) bool { return i.wrong }) {
		p.state = "wrong"
	}
	for _, f := range catalog.Storable(&e.Metadata) {
		c.blocked(&p, row, items, f)
	}
	if code := max(row.code, p.stated.Before.Code); code != "" && slices.Contains(e.RelatedCodes, code) {
		p.wrong(c, Entries, row.no, "related_codes", CodeSelf, "")
	}
	if before == nil && row.code != "" {
		c.newCode(&p, row, e.Metadata)
	}
	p.stated.Metadata = e.Metadata
	c.judge(&p, before, signed)
	return p
}

// same finds the entry that a row is about, by its code or else by its name. The code says what is wrong with it.
func (c *compiler) same(row staged, there []catalog.Resource) (*catalog.Resource, string) {
	var named *catalog.Resource
	for i := range there {
		r := &there[i]
		if row.code != "" && r.Code == row.code {
			if r.ProviderDeptID != c.job.DepartmentID {
				return nil, CodeForeign
			}
			return r, ""
		}
		if r.Name == row.name && r.ProviderDeptID == c.job.DepartmentID && r.State != catalog.Revoked {
			named = r
		}
	}
	if named != nil && row.code != "" && named.Code != "" {
		return nil, CodeTaken
	}
	return named, ""
}

// fill writes the cells of a row into an entry. Columns that the file does not have stay as they are.
func (c *compiler) fill(p *plan, row staged, e *entry) {
	for i, id := range c.headers[Entries].IDs {
		at := slices.IndexFunc(entryColumns, func(col column[entry]) bool { return col.ID == id })
		if at < 0 || id == "key" || id == "code" {
			continue
		}
		if code := entryColumns[at].set(e, cellAt(row.cells, i), c.names); code != "" {
			p.wrong(c, Entries, row.no, id, code, "")
		}
	}
}

// items compiles the items of an entry. An entry without rows of items keeps those it has.
func (c *compiler) items(p *plan, rows []staged, e *entry) {
	if len(rows) == 0 {
		return
	}
	before := e.Items
	e.Items = make([]catalog.Item, 0, len(rows))
	identifier := c.headers[Items].find("identifier")
	for _, row := range rows {
		var line itemLine
		if at := slices.IndexFunc(before, func(i catalog.Item) bool { return i.Identifier == strings.TrimSpace(cellAt(row.cells, identifier)) }); at >= 0 {
			line.Item = before[at]
		}
		for i, id := range c.headers[Items].IDs {
			at := slices.IndexFunc(itemColumns, func(col column[itemLine]) bool { return col.ID == id })
			if at < 0 {
				continue
			}
			if code := itemColumns[at].set(&line, cellAt(row.cells, i), c.names); code != "" {
				p.wrong(c, Items, row.no, id, code, "")
			}
		}
		e.Items = append(e.Items, line.Item)
	}
}

func cellAt(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}

// blocked turns what the catalogue's rules say into what is wrong with a cell: "items[2].name" is the column name in the row of the third
// item, "share_methods[0]" the column share_methods.
func (c *compiler) blocked(p *plan, row staged, items []staged, f fault.Field) {
	path := f.Name
	if rest, ok := strings.CutPrefix(path, "items["); ok {
		number, field, _ := strings.Cut(rest, "].")
		if n, err := strconv.Atoi(number); err == nil && n < len(items) {
			p.wrong(c, Items, items[n].no, field, f.Code, f.Message)
			return
		}
	}
	path, _, _ = strings.Cut(path, "[")
	p.wrong(c, Entries, row.no, path, f.Code, f.Message)
}

// maxSerial is the greatest serial number that an entry can bring along in its code.
const maxSerial = 9

// newCode checks the code that an entry brings along from another directory.
func (c *compiler) newCode(p *plan, row staged, m catalog.Metadata) {
	class, serial, _ := strings.Cut(row.code, "/")
	switch f, wrong := codes.FirstError(codes.CheckResourceCode(row.code)); {
	case wrong:
		p.wrong(c, Entries, row.no, "code", f.Code, f.Message)
	case len(serial) > maxSerial:
		p.wrong(c, Entries, row.no, "code", "too_long", "serial numbers have at most 9 digits")
	case class != m.ClassCode():
		p.wrong(c, Entries, row.no, "code", CodeClass, "the code is not one of the entry's primary class")
	}
}

// judge says what becomes of an entry that was compiled.
func (c *compiler) judge(p *plan, before *catalog.Resource, signed map[uuid.UUID]*catalog.Signoff) {
	switch {
	case p.state == "wrong":
	case before == nil:
		p.state = "added"
	case c.unchanged(before.Version.Metadata, p.stated.Metadata):
		p.state = "unchanged"
	default:
		// The head of the department consents to each change: the consent to the published version is not one to this.
		if was := signed[before.ID]; was != nil && p.stated.HeadSignoff != nil && reflect.DeepEqual(*was, *p.stated.HeadSignoff) {
			p.stated.HeadSignoff = nil
			if c.unchanged(before.Version.Metadata, p.stated.Metadata) {
				p.state = "unchanged"
				return
			}
		}
		if err := catalog.Compilable(*before); err != nil {
			p.wrong(c, Entries, p.row.no, "code", CodeReviewed, "")
			return
		}
		p.state = "changed"
	}
}

// unchanged reports whether both would stand in a file with the same cells.
func (c *compiler) unchanged(a, b catalog.Metadata) bool {
	if len(a.Items) != len(b.Items) {
		return false
	}
	left, right := entry{Metadata: a}, entry{Metadata: b}
	if !slices.EqualFunc(cellsOf(entryColumns, &left, c.names), cellsOf(entryColumns, &right, c.names), sameText) {
		return false
	}
	for i := range a.Items {
		l, r := itemLine{Item: a.Items[i]}, itemLine{Item: b.Items[i]}
		if !slices.EqualFunc(cellsOf(itemColumns, &l, c.names), cellsOf(itemColumns, &r, c.names), sameText) {
			return false
		}
	}
	return true
}

// sameText compares texts; CSV knows one kind of line break only.
func sameText(a, b string) bool {
	return a == b || strings.ReplaceAll(a, "\r\n", "\n") == strings.ReplaceAll(b, "\r\n", "\n")
}

func (p *plan) wrong(c *compiler, s Sheet, row int, column, code, detail string) {
	p.state = "wrong"
	col := c.headers[s].find(column)
	if col < 0 && !slices.ContainsFunc(Columns(s), func(c Column) bool { return c.ID == column }) {
		column = ""
	}
	// One sentence for a cell: what could not be read is often missing, too.
	if slices.ContainsFunc(p.troubles, func(t Trouble) bool { return t.Sheet == s && t.Row == row && t.Column == column && column != "" }) {
		return
	}
	p.troubles = append(p.troubles, Trouble{Sheet: s, Row: row, Col: col, Column: column, Code: code, Detail: detail})
}
