package filter

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Bounds of one filter. They keep parsing, SQL and evaluation cheap whatever is submitted.
const (
	MaxBytes  = 16 << 10 // of the submitted JSON and of the canonical form
	MaxDepth  = 8        // levels of nodes, the root being the first
	MaxNodes  = 200
	MaxValues = 1000 // in one "in"
)

// CodeInvalid is the fault code of a filter that is malformed or does not fit the items' types.
const CodeInvalid = "filter_invalid"

// CodeNotGranted is the fault code of a filter on an item, or by an operator, that the caller may not use.
const CodeNotGranted = "filter_not_granted"

// rootPath is the name of the whole filter in field paths.
const rootPath = "filter"

// Parse reads one filter. It is strict: unknown members and operators, repeated members, members that do not belong to
// the operator, null values and anything beyond the bounds above are refused. The error is an Invalid fault with the
// code filter_invalid and one field whose name is the path of the fault ("filter.args[0].value"); no part of the
// submitted text is repeated.
func Parse(data []byte) (*Node, error) {
	switch {
	case len(data) > MaxBytes:
		return nil, invalid(rootPath, "too_long", "a filter has at most "+strconv.Itoa(MaxBytes)+" bytes")
	case !utf8.Valid(data):
		return nil, invalid(rootPath, "not_utf8", "write the filter in UTF-8")
	case !json.Valid(data):
		return nil, invalid(rootPath, "not_json", "write the filter as one JSON object")
	case hasLoneSurrogate(data):
		return nil, invalid(rootPath, "not_utf8", "a \\u escape names half a character; write both halves or the character itself")
	}
	p := &parser{dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	n, err := p.node(rootPath, 1)
	if err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, invalid(rootPath, "not_json", "write the filter as one JSON object")
	}
	if len(n.Canonical()) > MaxBytes {
		return nil, invalid(rootPath, "too_long", "a filter has at most "+strconv.Itoa(MaxBytes)+" bytes in its canonical form")
	}
	return n, nil
}

func invalid(path, code, message string) *fault.Fault {
	return invalidAll([]fault.Field{{Name: path, Code: code, Message: message}})
}

func invalidAll(fields []fault.Field) *fault.Fault {
	f := fault.New(fault.Invalid, CodeInvalid, "the filter cannot be used; correct the places named in fields")
	f.Fields = fields
	return f
}

// hasLoneSurrogate reports whether valid JSON text has a \u escape for half a surrogate pair. The decoder would replace
// it silently, and the filter would then compare with another text than the one submitted.
func hasLoneSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // the escaped character; valid JSON always has one
		if data[i] != 'u' {
			continue
		}
		unit := hex4(data[i+1:])
		i += 4
		switch {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return true
		case unit >= 0xD800 && unit <= 0xDBFF:
			if !bytes.HasPrefix(data[i+1:], []byte(`\u`)) {
				return true
			}
			if low := hex4(data[i+3:]); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 6
		}
	}
	return false
}

func hex4(b []byte) uint64 {
	// Valid JSON has four hexadecimal digits after \u.
	u, _ := strconv.ParseUint(string(b[:4]), 16, 32)
	return u
}

type parser struct {
	dec   *json.Decoder
	nodes int
}

// token returns the next JSON token. The text was checked as a whole, so an error here is a defect of the caller.
func (p *parser) token(path string) (json.Token, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, invalid(path, "not_json", "write the filter as one JSON object")
	}
	return t, nil
}

// node reads one node at the given level.
func (p *parser) node(path string, depth int) (*Node, error) {
	p.nodes++
	switch {
	case depth > MaxDepth:
		return nil, invalid(path, "too_deep", "a filter has at most "+strconv.Itoa(MaxDepth)+" levels")
	case p.nodes > MaxNodes:
		return nil, invalid(path, "too_many", "a filter has at most "+strconv.Itoa(MaxNodes)+" conditions")
	}
	t, err := p.token(path)
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, invalid(path, "bad_type", "write a JSON object with op")
	}
	n := &Node{path: path}
	seen := map[string]bool{}
	for p.dec.More() {
		t, err := p.token(path)
		if err != nil {
			return nil, err
		}
		member, _ := t.(string)
		if seen[member] {
			return nil, invalid(path, "repeated", "a member occurs twice")
		}
		seen[member] = true
		if err := p.member(n, member, depth); err != nil {
			return nil, err
		}
	}
	if _, err := p.token(path); err != nil {
		return nil, err
	}
	return n, n.checkMembers(seen)
}

// member reads the value of one member into n.
func (p *parser) member(n *Node, member string, depth int) (err error) {
	switch member {
	case "op":
		var text string
		text, err = p.text(n.path + ".op")
		n.op = Op(text)
	case "item":
		n.item, err = p.text(n.path + ".item")
		if err == nil && !isIdentifier(n.item) {
			err = invalid(n.path+".item", "bad_identifier", "name an item by its identifier")
		}
	case "value", "from", "to":
		var v literal
		v, err = p.literal(n.path + "." + member)
		if member == "from" {
			n.values = append([]literal{v}, n.values...)
		} else {
			n.values = append(n.values, v)
		}
	case "values":
		n.values, err = p.list(n.path + ".values")
	case "args":
		n.args, err = p.args(n.path+".args", depth)
	case "arg":
		var arg *Node
		arg, err = p.node(n.path+".arg", depth+1)
		n.args = []*Node{arg}
	case "box":
		n.box, err = p.boxEdges(n.path + ".box")
	default:
		err = invalid(n.path, "unknown_member", "members are op, item, value, values, from, to, box, args and arg")
	}
	return err
}

func (p *parser) text(path string) (string, error) {
	t, err := p.token(path)
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", invalid(path, "bad_type", "write a JSON string")
	}
	return s, nil
}

func (p *parser) literal(path string) (literal, error) {
	t, err := p.token(path)
	if err != nil {
		return literal{}, err
	}
	return newLiteral(path, t)
}

func newLiteral(path string, t json.Token) (literal, error) {
	switch v := t.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return literal{}, invalid(path, "bad_character", "text cannot hold the character U+0000")
		}
		return literal{literalText, v}, nil
	case bool:
		return literal{literalBool, strconv.FormatBool(v)}, nil
	case json.Number:
		d, ok := literalDecimal(v.String())
		if !ok {
			return literal{}, invalid(path, "bad_number", "write a number of ordinary size")
		}
		return literal{literalNumber, d.String()}, nil
	case nil:
		return literal{}, invalid(path, "is_null", "null is not a value; ask with is_null")
	default:
		return literal{}, invalid(path, "bad_type", "write a string, a number, true or false")
	}
}

func (p *parser) list(path string) ([]literal, error) {
	if err := p.open(path); err != nil {
		return nil, err
	}
	var values []literal
	for p.dec.More() {
		at := path + "[" + strconv.Itoa(len(values)) + "]"
		if len(values) == MaxValues {
			return nil, invalid(path, "too_many", "in takes at most "+strconv.Itoa(MaxValues)+" values")
		}
		v, err := p.literal(at)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, invalid(path, "required", "give at least one value")
	}
	_, err := p.token(path)
	return values, err
}

func (p *parser) args(path string, depth int) ([]*Node, error) {
	if err := p.open(path); err != nil {
		return nil, err
	}
	var args []*Node
	for p.dec.More() {
		arg, err := p.node(path+"["+strconv.Itoa(len(args))+"]", depth+1)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if len(args) == 0 {
		return nil, invalid(path, "required", "give at least one condition")
	}
	_, err := p.token(path)
	return args, err
}

// boxEdges reads [west, south, east, north] in degrees.
func (p *parser) boxEdges(path string) (box [4]float64, err error) {
	wrong := invalid(path, "bad_box", "write [west, south, east, north] in degrees, west ≤ east and south ≤ north")
	if err := p.open(path); err != nil {
		return box, err
	}
	count := 0
	for ; p.dec.More(); count++ {
		t, err := p.token(path)
		if err != nil {
			return box, err
		}
		number, ok := t.(json.Number)
		if !ok || count == len(box) {
			return box, wrong
		}
		edge, err := number.Float64()
		if err != nil {
			return box, wrong
		}
		if edge == 0 {
			edge = 0 // -0 and 0 are one edge and must have one canonical form
		}
		box[count] = edge
	}
	if _, err := p.token(path); err != nil {
		return box, err
	}
	if count != len(box) || box[0] > box[2] || box[1] > box[3] ||
		math.Abs(box[0]) > 180 || math.Abs(box[2]) > 180 || math.Abs(box[1]) > 90 || math.Abs(box[3]) > 90 {
		return box, wrong
	}
	return box, nil
}

func (p *parser) open(path string) error {
	t, err := p.token(path)
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return invalid(path, "bad_type", "write a JSON array")
	}
	return nil
}

// membersOf lists the members an operator takes beside op, all of them required; nil for an unknown operator.
func membersOf(op Op) []string {
	switch op {
	case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe, OpPrefix:
		return []string{"item", "value"}
	case OpIn:
		return []string{"item", "values"}
	case OpBetween:
		return []string{"item", "from", "to"}
	case OpIsNull:
		return []string{"item"}
	case OpBBox:
		return []string{"item", "box"}
	case OpAnd, OpOr:
		return []string{"args"}
	case OpNot:
		return []string{"arg"}
	default:
		return nil
	}
}

func (n *Node) checkMembers(seen map[string]bool) error {
	if !seen["op"] {
		return invalid(n.path+".op", "required", "name the operator")
	}
	members := membersOf(n.op)
	if members == nil {
		return invalid(n.path+".op", "unknown_op",
			"operators are eq, ne, lt, le, gt, ge, in, prefix, between, is_null, bbox, and, or, not")
	}
	for _, member := range members {
		if !seen[member] {
			return invalid(n.path+"."+member, "required", "the operator "+string(n.op)+" needs "+member)
		}
	}
	if len(seen) != len(members)+1 {
		return invalid(n.path, "unexpected_member", "the operator "+string(n.op)+" takes only "+strings.Join(members, " and "))
	}
	return nil
}

// isIdentifier reports whether s has the form of an item identifier: ^[a-z][a-z0-9_]{0,62}$.
func isIdentifier(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
