package console

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

type rejectRow struct {
	exchange.Reject
	Reasons []rejectReason
}

type rejectReason struct {
	transform.Reason
	Item  string
	Known bool // There is a word for its code; else its message is shown.
}

// rejectRow says a refused row with what its items are called.
func (v *visit) rejectRow(j exchange.Reject, items map[int]catalog.Item) rejectRow {
	row := rejectRow{Reject: j}
	for _, reason := range j.Reasons {
		row.Reasons = append(row.Reasons, rejectReason{Reason: reason, Item: v.rejectItem(items, reason.ItemNo), Known: v.has("reject_reason." + reason.Code)})
	}
	return row
}

func (v *visit) rejectItem(items map[int]catalog.Item, no int) string {
	if name := items[no].Name; name != "" {
		return name
	}
	return v.say("reject.whole_row")
}

// rejectsPage is the part of a task's pages about rows that were refused.
type rejectsPage struct {
	taskHead
	Rows     []rejectRow
	State    string
	States   []exchange.RejectState
	Run      string
	Reasons  []reasonCount
	Chosen   string // The reason that the list is narrowed to, in words.
	AnyHref  string
	Narrowed bool
	Table    string
	More     string
}

// reasonCount is one reason with how many rows have it.
type reasonCount struct {
	Item, Code string
	Rows       int64
	Href       string
	Active     bool
	Share      int64 // Of the commonest, in percent.
}

func (c *console) showRejects(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	h, err := v.head(id, "rejects")
	if err != nil {
		return err
	}
	page := rejectsPage{taskHead: h, States: []exchange.RejectState{exchange.RejectOpen, exchange.RejectWaived, exchange.RejectCorrected}, State: v.query("state")}
	f := exchange.RejectFilter{ResourceID: h.Task.ResourceID}
	switch state := exchange.RejectState(page.State); {
	case slices.Contains(page.States, state):
		f.State = &state
	case page.State != "all":
		open := exchange.RejectOpen
		f.State, page.State = &open, string(open)
	}
	if run, err := uuid.Parse(v.query("run")); err == nil {
		f.RunID, page.Run = &run, run.String()
	}
	items := v.items(h.entry)
	item, badItem := strconv.Atoi(v.query("item"))
	if code := v.query("reason"); code != "" && badItem == nil && len(code) < 100 && !strings.ContainsRune(code, 0) {
		f.Reason = &exchange.RejectReason{ItemNo: item, Code: code}
		page.Chosen = v.rejectItem(items, item) + " · " + v.word("reject_reason", code)
	}
	list := func(cursor string, limit int) (rows []rejectRow, next string, err error) {
		found, next, err := v.Exchange.Rejects(ctx, v.principal, f, db.Page{Limit: limit, Cursor: cursor})
		for _, j := range found {
			rows = append(rows, v.rejectRow(j, items))
		}
		return rows, next, err
	}
	if v.asSheet() {
		return v.sheet("rejects", []string{"reject.key", "reject.row", "reject.reasons", "reject.held", "list.state", "reject.since", "reject.note"}, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := list(cursor, db.MaxPage)
			for _, r := range rows {
				cells = append(cells, v.rejectCells(r))
			}
			return cells, next, err
		})
	}
	if page.Rows, page.More, err = list(v.query("cursor"), 25); err != nil {
		return err
	}
	counts, err := v.Exchange.RejectReasons(ctx, v.principal, f)
	if err != nil {
		return err
	}
	page.AnyHref = v.reasonAddress(nil)
	for _, n := range counts {
		page.Reasons = append(page.Reasons, reasonCount{
			Item: v.rejectItem(items, n.ItemNo), Code: n.Code, Rows: n.Rows, Href: v.reasonAddress(&n), Share: max(1, n.Rows*100/max(1, counts[0].Rows)),
			Active: f.Reason != nil && f.Reason.ItemNo == n.ItemNo && f.Reason.Code == n.Code,
		})
	}
	page.More, page.Table = v.nextAddress(page.More), v.sheetAddress()
	page.Narrowed = f.Reason != nil || f.RunID != nil
	return v.show("rejects", h.Resource, page)
}

// reasonAddress is this list narrowed to one reason, or to none.
func (v *visit) reasonAddress(n *exchange.RejectReason) string {
	q := url.Values{}
	for _, name := range []string{"state", "run"} {
		if value := v.query(name); value != "" {
			q.Set(name, value)
		}
	}
	if n != nil {
		q.Set("item", strconv.Itoa(n.ItemNo))
		q.Set("reason", n.Code)
	}
	return v.r.URL.Path + "?" + q.Encode()
}

// rejectCells is a refused row in a table to download: why it was refused, never what it holds.
func (v *visit) rejectCells(r rejectRow) []string {
	var reasons []string
	for _, reason := range r.Reasons {
		reasons = append(reasons, reason.Item+": "+v.word("reject_reason", reason.Code))
	}
	key := ""
	if r.Key != nil {
		key = *r.Key
	}
	return []string{
		key, strconv.FormatInt(r.RowNo, 10), strings.Join(reasons, "; "), v.word("answer", r.Held), v.word("reject_state", r.State), v.formats.second(r.CreatedAt), r.Note,
	}
}

// rejectPage is one refused row.
type rejectPage struct {
	taskHead
	Row      rejectRow
	CanOpen  bool
	CanWaive bool
	Reason   string // Of a waiver that was refused, as it was typed.
	Opened   []openedCell
}

// openedCell is one value of a refused row as the source gave it.
type openedCell struct {
	Column, Value string
	Null          bool
	Items         string // The items that it feeds and that were refused, if any.
}

func (c *console) showReject(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	page, err := v.reject(id)
	if err != nil {
		return err
	}
	return v.show("reject", "reject.one", page)
}

func (v *visit) reject(id uuid.UUID) (rejectPage, error) {
	ctx := v.r.Context()
	j, err := v.Exchange.Reject(ctx, v.principal, id)
	if err != nil {
		return rejectPage{}, err
	}
	kind := j.ResourceID
	tasks, _, err := v.Exchange.Tasks(ctx, v.principal, exchange.TaskFilter{ResourceID: &kind}, db.Page{Limit: 1})
	if err != nil {
		return rejectPage{}, err
	}
	if len(tasks) == 0 {
		return rejectPage{}, notFound()
	}
	h, err := v.head(tasks[0].ID, "rejects")
	if err != nil {
		return rejectPage{}, err
	}
	return rejectPage{
		taskHead: h, Row: v.rejectRow(j, v.items(h.entry)), CanOpen: h.entry.ProviderDeptID == v.principal.Department && v.principal.Department != uuid.Nil,
		CanWaive: j.State == exchange.RejectOpen && v.may(authz.RejectWaive, runTarget("reject", h.entry)),
	}, nil
}

func (c *console) actOnReject(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	var opened exchange.RejectRow
	act, reason := v.r.PathValue("act"), v.field("reason")
	switch act {
	case "open":
		opened, err = v.Exchange.RejectedRow(ctx, v.principal, id)
	case "waive":
		_, err = v.Exchange.WaiveReject(ctx, v.principal, id, reason)
	default:
		return notFound()
	}
	if err == nil && act == "waive" {
		return v.to(prefix+"/rejects/"+id.String(), "reject_waive")
	}
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Forbidden) {
		return err
	}
	page, reading := v.reject(id)
	if reading != nil {
		return reading
	}
	if err != nil {
		page.Reason = reason
		return v.again("reject", "reject.one", page, err)
	}
	page.Opened = v.openedCells(opened, page.entry)
	return v.show("reject", "reject.one", page)
}

// openedCells lists the values of a refused row by column; those that fed a refused item are named as such.
func (v *visit) openedCells(row exchange.RejectRow, r catalog.Resource) []openedCell {
	bad := map[string][]string{}
	if m, err := v.Catalog.ActiveMount(v.r.Context(), r.ID); err == nil {
		for _, c := range m.Columns {
			for _, reason := range row.Reasons {
				if reason.ItemNo == c.ItemNo && c.Column != "" {
					bad[c.Column] = append(bad[c.Column], v.word("reject_reason", reason.Code))
				}
			}
		}
	}
	var out []openedCell
	for _, name := range slices.Sorted(maps.Keys(row.Row)) {
		cell := openedCell{Column: name, Null: row.Row[name] == nil, Items: strings.Join(bad[name], v.say("list.comma"))}
		if !cell.Null {
			cell.Value = *row.Row[name]
		}
		out = append(out, cell)
	}
	return out
}

// comparisonsPage is the part of a task's pages about whether both ends hold the same.
type comparisonsPage struct {
	taskHead
	Rows    []comparisonRow
	CanMend bool // The newest comparison found differences that a run may mend.
	Table   string
	More    string
}

// comparisonRow is a comparison with its result in words.
type comparisonRow struct {
	exchange.Reconciliation
	Said string
}

func (v *visit) comparisonRow(c exchange.Reconciliation) comparisonRow {
	row := comparisonRow{Reconciliation: c}
	if c.Equal {
		row.Said = v.say("compare.said_equal", "n", count(c.StoreRows))
		return row
	}
	row.Said = v.say("compare.said_different", "missing", count(c.Missing), "extra", count(c.Extra), "changed", count(c.Changed))
	return row
}

func (c *console) showComparisons(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	h, err := v.head(id, "comparisons")
	if err != nil {
		return err
	}
	list := func(cursor string, limit int) (rows []comparisonRow, next string, err error) {
		found, next, err := v.Exchange.Reconciliations(ctx, v.principal, exchange.ReconciliationFilter{ResourceID: h.Task.ResourceID}, db.Page{Limit: limit, Cursor: cursor})
		for _, r := range found {
			rows = append(rows, v.comparisonRow(r))
		}
		return rows, next, err
	}
	if v.asSheet() {
		columns := []string{"compare.at", "compare.result", "compare.source", "compare.store", "compare.missing", "compare.extra", "compare.changed", "counts.held", "counts.rejected"}
		return v.sheet("comparisons", columns, func(cursor string) (cells [][]string, next string, err error) {
			rows, next, err := list(cursor, db.MaxPage)
			for _, r := range rows {
				line := []string{v.formats.second(r.At), r.Said}
				for _, n := range []int64{r.SourceRows, r.StoreRows, r.Missing, r.Extra, r.Changed, r.Held, r.Rejected} {
					line = append(line, strconv.FormatInt(n, 10))
				}
				cells = append(cells, line)
			}
			return cells, next, err
		})
	}
	page := comparisonsPage{taskHead: h, Table: v.sheetAddress()}
	if page.Rows, page.More, err = list(v.query("cursor"), 15); err != nil {
		return err
	}
	page.CanMend = h.CanRun && v.query("cursor") == "" && len(page.Rows) > 0 && !page.Rows[0].Equal
	page.More = v.nextAddress(page.More)
	return v.show("comparisons", h.Resource, page)
}
