package transform

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/shuqiao/shuqiao/catalog/codes"
)

// Row is one converted row. A Row is reused from call to call: everything in it except Key is valid only until the next
// call, and Values may share memory with the cells they were made from.
type Row struct {
	Values [][]byte // Store text form per item, in the order of the plan's items; nil is NULL.
	Boxes  []Box    // Bounding boxes per item; nil unless the plan has an item of letter G.
	// Key is the canonical key: key values in item-number order joined as by JoinKey. KeyOK says whether it can be relied
	// upon: every part has a value that converted, even when a validator or code list refused it. A row without it
	// identifies nothing. Without key items in the plan it is always false.
	Key      string
	KeyOK    bool
	Hash     [16]byte // Content hash; zero when Reasons is not empty.
	Reasons  []Reason // All reasons why the row is refused, by item; empty when it is accepted.
	Warnings []Reason // What validators found unusual in accepted values, by item.

	arena     []byte   // Bytes of converted values.
	raw       [][]byte // Raw bytes of binary values per item.
	canonical []byte   // What is hashed, or the key while it is built.
	converted []bool   // Per item: the value converted, if only with a complaint.
}

// Row converts, validates, keys and hashes one row of cells into out. Column i of cells feeds item i of the plan.
func (p *Plan) Row(cells Cells, row int, out *Row) {
	out.reset(p)
	crossed := false
	for i := range p.items {
		item := &p.items[i]
		cell := cells.Cell(row, i)
		value, reason := out.convert(item, i, cell)
		if reason != "" {
			out.refuse(item, reason)
			if value == nil {
				continue
			}
		}
		out.converted[i] = true
		if missing(item, value) {
			if item.item.Key {
				out.refuse(item, ReasonKeyMissing)
			} else if item.item.Required {
				out.refuse(item, ReasonRequiredMissing)
			}
		}
		out.Values[i] = value
		if len(value) == 0 {
			continue
		}
		if item.codes != nil {
			out.matchCode(item, i)
		}
		if item.validator != nil {
			if item.typeIndex >= 0 {
				crossed = true
				continue
			}
			out.judge(item, item.validator.Check(view(value), p.asOf))
		}
	}
	if crossed {
		p.judgeTyped(out)
	}
	p.key(out)
	if len(out.Reasons) == 0 {
		p.hash(out)
	}
}

// judgeTyped runs the validators that need the value of another item, after all items were converted.
func (p *Plan) judgeTyped(out *Row) {
	for i := range p.items {
		item := &p.items[i]
		if item.typeIndex < 0 || len(out.Values[i]) == 0 {
			continue
		}
		out.judge(item, item.validator.CheckTyped(view(out.Values[item.typeIndex]), view(out.Values[i]), p.asOf))
	}
	byItem := func(a, b Reason) int { return a.ItemNo - b.ItemNo }
	slices.SortStableFunc(out.Reasons, byItem)
	slices.SortStableFunc(out.Warnings, byItem)
}

// reset empties out for a row of plan p; its memory is kept.
func (r *Row) reset(p *Plan) {
	if r.arena == nil {
		// Never nil, so that an empty value cut from it is not taken for NULL.
		r.arena = make([]byte, 0, 1024)
	}
	if len(r.Values) != len(p.items) {
		r.Values = make([][]byte, len(p.items))
		r.converted = make([]bool, len(p.items))
		r.raw, r.Boxes = nil, nil
	}
	if p.binary && r.raw == nil {
		r.raw = make([][]byte, len(p.items))
		r.Boxes = make([]Box, len(p.items))
	}
	if !p.binary {
		r.raw, r.Boxes = nil, nil
	}
	clear(r.Values)
	clear(r.converted)
	clear(r.raw)
	clear(r.Boxes)
	r.Key, r.KeyOK, r.Hash = "", false, [16]byte{}
	r.Reasons, r.Warnings = r.Reasons[:0], r.Warnings[:0]
	r.arena, r.canonical = r.arena[:0], r.canonical[:0]
}

// since returns the bytes of the arena from start on. They stay valid when the arena grows, because growing copies.
func (r *Row) since(start int) []byte { return r.arena[start:len(r.arena):len(r.arena)] }

func (r *Row) refuse(item *itemPlan, code string) {
	r.Reasons = append(r.Reasons, Reason{ItemNo: item.item.No, Code: code, Message: messages[code]})
}

// judge sorts a validator's findings into reasons and warnings.
func (r *Row) judge(item *itemPlan, findings []codes.Finding) {
	for _, f := range findings {
		reason := Reason{ItemNo: item.item.No, Code: f.Code, Message: f.Message}
		if f.Level == codes.LevelError {
			r.Reasons = append(r.Reasons, reason)
		} else {
			r.Warnings = append(r.Warnings, reason)
		}
	}
}

// missing reports whether a value counts as none for required and key items: NULL, and text that is empty or blank.
func missing(item *itemPlan, value []byte) bool {
	if value == nil {
		return true
	}
	return item.text && (len(value) == 0 || (value[0] <= ' ' || value[0] >= utf8.RuneSelf) && len(bytes.TrimSpace(value)) == 0)
}

// convert brings a cell into store text form. nil with no reason is NULL. Text columns that feed other letters mean NULL
// when they are blank. A value beside a reason is one that is refused and still known.
func (r *Row) convert(p *itemPlan, i int, cell []byte) (value []byte, reason string) {
	if cell == nil {
		return nil, ""
	}
	if p.text {
		return r.text(p, cell)
	}
	if p.kind == KindText {
		cell = bytes.TrimSpace(cell)
		if len(cell) == 0 {
			return nil, ""
		}
	}
	switch p.item.Letter {
	case 'N', 'Y':
		return r.numeric(p, cell)
	case 'I':
		return r.integer(p, cell)
	case 'B', 'F':
		return r.float(cell)
	case 'D':
		return r.date(p, cell)
	case 'T':
		return r.time(p, cell)
	case 'L':
		return boolean(cell)
	default:
		return r.binary(p, i, cell)
	}
}

// text checks and where the item is an identifier normalises text. Everything else is stored as it came.
func (r *Row) text(p *itemPlan, cell []byte) ([]byte, string) {
	if !utf8.Valid(cell) {
		return nil, ReasonInvalidUTF8
	}
	if bytes.IndexByte(cell, 0) >= 0 {
		return nil, ReasonNULByte
	}
	if p.validator != nil && len(cell) > 0 {
		s := view(cell)
		if n := p.validator.Normalise(s); n != s {
			start := len(r.arena)
			r.arena = append(r.arena, n...)
			cell = r.since(start)
		}
	}
	// A character has at least one byte, so short texts need no counting.
	if p.item.Length > 0 && len(cell) > p.item.Length && utf8.RuneCount(cell) > p.item.Length {
		// The text itself is sound: it is returned, so that an overlong key still identifies its row.
		return cell, ReasonTooLong
	}
	return cell, ""
}

// binary converts to G. The raw bytes are kept for the content hash.
func (r *Row) binary(p *itemPlan, i int, cell []byte) ([]byte, string) {
	raw := cell
	switch {
	case p.item.Format == FormatGeometry:
		var reason string
		if raw, r.Boxes[i], reason = r.geometry(p.kind, cell); reason != "" {
			return nil, reason
		}
	case p.kind == KindText:
		var ok bool
		if raw, ok = r.binaryText(cell); !ok {
			return nil, ReasonBadBinary
		}
	}
	r.raw[i] = raw
	start := len(r.arena)
	r.arena = append(r.arena, '\\', 'x')
	r.arena = hex.AppendEncode(r.arena, raw)
	return r.since(start), ""
}

// binaryText reads \x and hexadecimal digits, or standard base64.
func (r *Row) binaryText(in []byte) ([]byte, bool) {
	start := len(r.arena)
	var err error
	if digits, ok := bytes.CutPrefix(in, []byte(`\x`)); ok {
		r.arena, err = hex.AppendDecode(r.arena, digits)
	} else {
		r.arena, err = base64.StdEncoding.AppendDecode(r.arena, in)
	}
	return r.since(start), err == nil
}

// matchCode replaces a value by the code it means: itself, or what is left after normalising and upper-casing.
func (r *Row) matchCode(p *itemPlan, i int) {
	value := r.Values[i]
	if _, ok := p.codes[string(value)]; ok {
		return
	}
	if p.text {
		normalised := codes.Normalise(string(value))
		code, ok := p.codes[normalised]
		if !ok {
			code, ok = p.codes[codes.NormaliseUpper(normalised)]
		}
		if ok {
			start := len(r.arena)
			r.arena = append(r.arena, code...)
			r.Values[i] = r.since(start)
			return
		}
	}
	r.refuse(p, ReasonUnknownCode)
}

// key builds the canonical key.
func (p *Plan) key(out *Row) {
	if len(p.keys) == 0 {
		return
	}
	out.canonical = out.canonical[:0]
	for n, i := range p.keys {
		value := out.Values[i]
		if !out.converted[i] || missing(&p.items[i], value) {
			return
		}
		if n > 0 {
			out.canonical = append(out.canonical, '~', '1')
		}
		out.canonical = appendKeyPart(out.canonical, value)
	}
	out.Key, out.KeyOK = string(out.canonical), true
}

// hash is the first 128 bits of SHA-256 over item number (uvarint), letter, length of the canonical value (uvarint) and
// the canonical value, of the items that are not NULL in item-number order.
func (p *Plan) hash(out *Row) {
	b := out.canonical[:0]
	for _, i := range p.byNo {
		value := out.Values[i]
		if value == nil {
			continue
		}
		item := &p.items[i]
		b = append(b, item.prefix...)
		if item.item.Letter == 'G' {
			digest := sha256.Sum256(out.raw[i])
			b = appendUvarint(b, uint64(len(digest)))
			b = append(b, digest[:]...)
			continue
		}
		b = appendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	out.canonical = b
	digest := sha256.Sum256(b)
	copy(out.Hash[:], digest[:16])
}

func appendUvarint(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

// view is b as a string without copying. The string must not outlive the current row, nor b change while it is used;
// validators and number parsers keep neither.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
