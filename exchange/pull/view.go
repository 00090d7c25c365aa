package pull

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// CodeItemNotGranted is the problem code of an item outside the grant.
const CodeItemNotGranted = "item_not_granted"

// view is what one call wants to see of the granted rows: some of the items, of rows inside the grant's filter and the
// caller's.
type view struct {
	terms   *terms
	columns []column
	query   store.Query
	digest  [16]byte // Of items and caller's filter: a cursor continues one view.
	// followed says that changes can follow this view: its filter looks only at items that the change log keeps.
	followed bool
	filter   json.RawMessage // The caller's filter for the evidence, values of masked items left out; nil without one.
	keys     []string        // Canonical keys that the caller asks for, at most audit.MaxSubjects.
	bulk     *bulkKeys       // What the evidence says of more keys than that; nil otherwise.
}

// newView checks the items and the filter that a caller asks for. No items means all granted ones. The faults: Forbidden
// item_not_granted and filter_not_granted, Invalid filter_invalid; Gone resync_required where no rows of an old version are kept.
func newView(t *terms, items []string, raw json.RawMessage) (*view, error) {
	if t.lost {
		return nil, t.rebuilt()
	}
	v := &view{terms: t, followed: true}
	var err error
	if v.columns, err = t.choose(items); err != nil {
		return nil, err
	}
	sum := sha256.New()
	for i := range v.columns {
		c := &v.columns[i]
		v.query.Select = append(v.query.Select, c.expr)
		v.query.Needs = append(v.query.Needs, c.item.No)
		_, _ = sum.Write(binary.AppendUvarint(nil, uint64(c.item.No))) // A hash never fails to take bytes.
	}
	v.query.Resource, v.query.Layout, v.query.Shape = t.grant.ResourceID, t.layout, t.shape
	v.query.Where, v.query.Args = t.rowSQL(1)
	v.query.Needs = append(v.query.Needs, t.rowNeeds...)
	v.query.Filters = slices.Clone(t.rowNeeds)
	if raw = bytes.TrimSpace(raw); len(raw) > 0 {
		node, err := filter.Parse(raw)
		if err != nil {
			return nil, err
		}
		if err := v.narrow(node); err != nil {
			return nil, err
		}
		_, _ = sum.Write(append([]byte{0}, node.Canonical()...))
	}
	copy(v.digest[:], sum.Sum(nil))
	return v, nil
}

// choose returns the columns of the items asked for, in the resource's order. Refused identifiers are named only when the
// resource has them; others by their position.
func (t *terms) choose(items []string) ([]column, error) {
	if len(items) == 0 {
		return t.columns, nil
	}
	var chosen []column
	for i := range t.columns {
		if slices.Contains(items, t.columns[i].item.Identifier) {
			chosen = append(chosen, t.columns[i])
		}
	}
	var fields []fault.Field
	for i, identifier := range items {
		if slices.ContainsFunc(chosen, func(c column) bool { return c.item.Identifier == identifier }) {
			continue
		}
		fields = append(fields, t.notGranted(identifier, "items["+strconv.Itoa(i)+"]"))
	}
	if len(fields) > 0 {
		return nil, itemsNotGranted(fields)
	}
	return chosen, nil
}

// notGranted is the complaint about one identifier: by name when the resource's directory entry has it.
func (t *terms) notGranted(identifier, position string) fault.Field {
	name := position
	for i := range t.items {
		if t.items[i].Identifier == identifier {
			name = identifier
		}
	}
	return fault.Field{Name: name, Code: CodeItemNotGranted, Message: "this item is not in the grant; ask for granted items only, see the schema"}
}

func itemsNotGranted(fields []fault.Field) error {
	f := fault.New(fault.Forbidden, CodeItemNotGranted, "the call asks for items that are not granted").At("policy")
	f.Fields = fields
	return f
}

// narrow adds the caller's filter to the grant's.
func (v *view) narrow(node *filter.Node) error {
	bound, err := filter.Bind(node, v.terms.callers)
	if err != nil {
		return err
	}
	where, args := bound.SQL(len(v.query.Args) + 1)
	if v.query.Where != "" {
		where = "(" + v.query.Where + ") AND " + where
	}
	v.query.Where, v.query.Args = where, append(v.query.Args[:len(v.query.Args):len(v.query.Args)], args...)
	masked := map[string]bool{}
	for _, identifier := range node.Items() {
		for i := range v.terms.columns {
			if c := &v.terms.columns[i]; c.item.Identifier == identifier {
				v.query.Needs = append(v.query.Needs, c.item.No)
				v.query.Filters = append(v.query.Filters, c.item.No)
				v.followed = v.followed && c.item.Filterable
				masked[identifier] = c.masked
			}
		}
	}
	return v.noteFilter(node, masked)
}

// noteFilter keeps the filter for the evidence. Values of masked items are left out; where they are whole keys, their
// tokens are what evidence keeps.
func (v *view) noteFilter(node *filter.Node, masked map[string]bool) error {
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(node.Canonical()))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return err
	}
	key := ""
	if len(v.terms.key) == 1 {
		key = v.terms.key[0].Identifier
	}
	v.redact(tree, masked, key)
	var err error
	v.filter, err = json.Marshal(tree)
	return err
}

func (v *view) redact(node map[string]any, masked map[string]bool, key string) {
	if arg, ok := node["arg"].(map[string]any); ok {
		v.redact(arg, masked, key)
	}
	args, _ := node["args"].([]any)
	for _, arg := range args {
		if arg, ok := arg.(map[string]any); ok {
			v.redact(arg, masked, key)
		}
	}
	item, _ := node["item"].(string)
	values, _ := node["values"].([]any)
	if one, ok := node["value"]; ok {
		values = []any{one}
	}
	if op := node["op"]; item != "" && item == key && (op == "eq" || op == "in") {
		for _, value := range values {
			if text, ok := value.(string); ok && len(v.keys) < audit.MaxSubjects {
				v.keys = append(v.keys, transform.JoinKey(text))
			}
		}
	}
	if masked[item] {
		delete(node, "value")
		delete(node, "values")
		node["withheld"] = len(values)
	}
}

// evidence is the query part of the usage record.
func (v *view) evidence(limit int) (json.RawMessage, error) {
	return json.Marshal(struct {
		Filter json.RawMessage `json:"filter,omitempty"`
		Keys   *bulkKeys       `json:"keys,omitempty"`
		Limit  int             `json:"limit,omitempty"`
	}{v.filter, v.bulk, limit})
}

// appendRow appends one row as a JSON object.
func (v *view) appendRow(dst []byte, key string, cells [][]byte, rid *ridMaker) []byte {
	dst = append(dst, '{')
	if !v.terms.keyClear {
		dst = append(dst, `"_rid":"`...)
		dst = append(rid.append(dst, key), '"', ',')
	}
	for i := range v.columns {
		c := &v.columns[i]
		dst = append(dst, c.prefix...)
		dst = c.appendValue(dst, cells[i], v.terms.ridKey)
		dst = append(dst, ',')
	}
	dst[len(dst)-1] = '}'
	return dst
}

// appendValue appends one cell, masked here when SQL did not. The grant's key serves the keyed mask as well: its
// algorithm is another one than that of _rid.
func (c *column) appendValue(dst, cell, key []byte) []byte {
	if c.mask != nil && cell != nil {
		masked, null := c.mask.Go(string(cell), key)
		if null {
			return append(dst, "null"...)
		}
		cell = []byte(masked)
	}
	return appendValue(dst, c.form, cell)
}

// appendHead appends the members that begin every answer: {"resource":…,"version":…,"items":[…]
func (v *view) appendHead(dst []byte) []byte {
	dst = append(dst, `{"resource":"`...)
	dst = append(dst, v.terms.grant.ResourceID.String()...)
	dst = append(dst, `","version":`...)
	dst = strconv.AppendInt(dst, int64(v.terms.version), 10)
	dst = append(dst, `,"items":[`...)
	for i := range v.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		prefix := v.columns[i].prefix
		dst = append(dst, prefix[:len(prefix)-1]...)
	}
	return append(dst, ']')
}
