package pull

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/sharing"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// column is one granted item, ready to be selected and encoded.
type column struct {
	item   catalog.Item
	masked bool
	lookup bool // Masked, and clear values may be asked for.
	expr   string
	letter byte // Data type of what is answered.
	form   form
	mask   *mask.Mask // To be applied here, because SQL cannot say it or takes longer; nil otherwise.
	prefix []byte     // The member name with its colon.
}

// terms are a grant's items, masks and row filter compiled for the queries. They never change and are shared.
type terms struct {
	grant    sharing.Grant
	version  int            // Of the resource, whose items these are.
	items    []catalog.Item // All that the published version lists.
	columns  []column       // In the resource's order.
	key      []catalog.Item
	keyClear bool // All key items are granted without a mask: rows are known by them.
	keyAsk   bool // Clear keys may be asked for.
	rowSQL   func(first int) (where string, args []any)
	rowNeeds []int
	callers  filter.Schema     // What the caller's filter may name.
	convert  map[int]converter // By item number: the granted items and those of the key.
	ridKey   []byte
	layout   int            // The replaced layout whose columns these are; 0 for the active one.
	shape    []store.Column // Of an old version: the columns that the active layout must have; nil otherwise.
	frozen   bool           // Of an old version: layout has its rows as they were when it was replaced.
	lost     bool           // Of an old version: no layout has its rows.
}

// compile makes terms of a permit. An error is a defect of the grant: it was checked when it was made.
func compile(p sharing.Permit) (*terms, error) {
	t := &terms{grant: p.Grant, version: p.Resource.Published, items: p.Resource.Version.Items, ridKey: p.RidKey, callers: filter.Schema{}, convert: map[int]converter{}}
	if len(t.ridKey) < 16 {
		return nil, fmt.Errorf("compiling grant %s: its key for _rid is missing", t.grant.ID)
	}
	t.keyClear, t.keyAsk = true, true
	for _, item := range t.items {
		granted := slices.Contains(t.grant.Items, item.No) && item.ShareType != catalog.Withheld
		if item.Key {
			t.key = append(t.key, item)
			rule := t.grant.Masks[item.No]
			clear := granted && !isMask(rule)
			t.keyClear = t.keyClear && clear
			t.keyAsk = t.keyAsk && (clear || granted && slices.Contains(t.grant.Lookup, item.No))
		}
		if granted || item.Key {
			converter, err := newConverter(item)
			if err != nil {
				return nil, err
			}
			t.convert[item.No] = converter
		}
		if !granted {
			continue
		}
		c, err := t.compileItem(item)
		if err != nil {
			return nil, err
		}
		t.columns = append(t.columns, c)
		t.listForCallers(c)
	}
	if len(t.columns) == 0 {
		return nil, fmt.Errorf("compiling grant %s: none of its items is in version %d of the resource", t.grant.ID, t.version)
	}
	// The canonical key joins its parts by item number, whatever the resource's order.
	slices.SortFunc(t.key, func(a, b catalog.Item) int { return a.No - b.No })
	t.keyClear, t.keyAsk = t.keyClear && len(t.key) > 0, t.keyAsk && len(t.key) > 0
	if err := t.compileFilter(); err != nil {
		return nil, err
	}
	if p.Beside != nil {
		t.compileShape()
	}
	return t, nil
}

// isMask reports whether a grant's mask rule hides anything.
func isMask(rule string) bool { return rule != "" && rule != "none" }

func letterOf(item catalog.Item) byte {
	if len(item.DataType) != 1 {
		return 0
	}
	return item.DataType[0]
}

func isGeometry(item catalog.Item) bool {
	return item.DataType == catalog.General && item.Format == transform.FormatGeometry
}

func storeColumn(item catalog.Item) string { return store.Column{No: item.No}.Name() }

// compileItem makes the column of a granted item. A mask that is not known, or does not fit the item, is an error: a
// value is never shown clear because its mask could not be applied.
func (t *terms) compileItem(item catalog.Item) (column, error) {
	letter := letterOf(item)
	c := column{item: item, expr: storeColumn(item), letter: letter, form: formOf(letter, isGeometry(item))}
	c.prefix = append(appendString(nil, []byte(item.Identifier)), ':')
	if rule := t.grant.Masks[item.No]; isMask(rule) {
		m, ok := mask.Find(rule)
		if !ok || !m.Allows(letter) {
			return column{}, fmt.Errorf("compiling grant %s: the mask of item %d cannot be applied", t.grant.ID, item.No)
		}
		c.masked = true
		c.lookup = slices.Contains(t.grant.Lookup, item.No)
		c.letter = m.Output(letter)
		c.form = formOf(c.letter, isGeometry(item))
		if expr, ok := m.SQL(c.expr, letter); ok && !m.Here {
			c.expr = expr
		} else {
			c.mask = &m
		}
	}
	if c.form == formDigest {
		// Only the digest leaves the database.
		c.expr = "encode(sha256(" + c.expr + "), 'hex')"
	}
	return c, nil
}

// listForCallers enters an item into the schema that callers' filters are bound to. Items that may not be filtered are
// listed with no operator, so that the refusal names them: the caller knows them anyway.
func (t *terms) listForCallers(c column) {
	letter := letterOf(c.item)
	entry := filter.Column{SQL: storeColumn(c.item), Letter: letter}
	switch {
	case c.masked && c.lookup:
		entry.Ops = filter.LookupOps()
	case c.masked:
	case isGeometry(c.item):
		entry.Ops = filter.NewOps(filter.OpBBox)
		for i, edge := range []string{"_x0", "_y0", "_x1", "_y1"} {
			entry.Box[i] = entry.SQL + edge
		}
	case c.item.Filterable:
		entry.Ops = filter.LetterOps(letter)
	}
	t.callers[c.item.Identifier] = entry
}

// compileFilter binds the grant's row filter to the filterable columns of the store, granted or not.
func (t *terms) compileFilter() error {
	t.rowSQL = func(int) (string, []any) { return "", nil }
	if len(t.grant.RowFilter) == 0 || string(t.grant.RowFilter) == "null" {
		return nil
	}
	schema := filter.Schema{}
	numbers := map[string]int{}
	for _, item := range t.items {
		if item.Filterable {
			letter := letterOf(item)
			schema[item.Identifier] = filter.Column{SQL: storeColumn(item), Letter: letter, Ops: filter.LetterOps(letter).Without(filter.OpBBox)}
			numbers[item.Identifier] = item.No
		}
	}
	node, err := filter.Parse(t.grant.RowFilter)
	if err != nil {
		// The filter is the grant's, not the caller's: its faults are not for the caller.
		return fmt.Errorf("compiling grant %s: its row filter cannot be read: %s", t.grant.ID, err.Error())
	}
	bound, err := filter.Bind(node, schema)
	if err != nil {
		return fmt.Errorf("compiling grant %s: its row filter does not fit the resource: %s", t.grant.ID, err.Error())
	}
	for _, identifier := range node.Items() {
		t.rowNeeds = append(t.rowNeeds, numbers[identifier])
	}
	t.rowSQL = bound.SQL
	return nil
}

// ridMaker makes _rid values; one belongs to one goroutine.
type ridMaker struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func newRidMaker(key []byte) *ridMaker { return &ridMaker{mac: hmac.New(sha256.New, key)} }

// append appends the _rid of a canonical key: the first 128 bits of HMAC-SHA-256 in hexadecimal.
func (r *ridMaker) append(dst []byte, key string) []byte {
	r.mac.Reset()
	_, _ = r.mac.Write([]byte(key)) // A hash never fails to take bytes.
	return hex.AppendEncode(dst, r.mac.Sum(r.sum[:0])[:16])
}

// RowID returns the _rid of a canonical key under a grant's key: 32 hexadecimal digits. Targets and comparisons use it as
// the pages do.
func RowID(ridKey []byte, canonicalKey string) string {
	return string(newRidMaker(ridKey).append(nil, canonicalKey))
}
