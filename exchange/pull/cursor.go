package pull

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Problem codes of cursors and of terms that moved on.
const (
	CodeCursorInvalid  = "cursor_invalid"  // Not a cursor of this grant and this call.
	CodeCursorExpired  = "cursor_expired"  // Older than what the change log keeps.
	CodeTermsChanged   = "terms_changed"   // Items, filter, masks or pseudonyms of the grant changed since.
	CodeResyncRequired = "resync_required" // The resource's rows were rebuilt since.
)

// cursorPurpose separates the sealing key of cursors from all others.
const cursorPurpose = "cursor"

// maxCursor bounds the text of a cursor that is looked at. A key has at most 2,704 bytes (an index entry of PostgreSQL).
const maxCursor = 8192

// cursorKind says what a cursor continues.
type cursorKind byte

const (
	rowsCursor    cursorKind = 'r'
	changesCursor cursorKind = 'c'
)

// cursor is a place in the rows or in the changes of a resource under one grant. It is sealed, since it holds a clear
// key, and bound to the grant: opened under another one it is no cursor.
type cursor struct {
	kind        cursorKind
	terms       int64     // Terms version of the grant.
	layout      int       // Layout of the rows.
	incarnation uuid.UUID // Of the store.
	seq         int64     // Rows: head of the first page. Changes: the last change seen.
	at          time.Time // Rows: database time of the first page. Changes: zero.
	view        [16]byte  // Digest of the items and the filter that were asked for.
	key         string    // Rows: the last key seen.
}

const cursorFixed = 1 + 8 + 4 + 16 + 8 + 8 + 16

func (c cursor) seal(k *secret.Keyring, grant uuid.UUID) (string, error) {
	b := make([]byte, 0, cursorFixed+len(c.key))
	b = append(b, byte(c.kind))
	b = binary.BigEndian.AppendUint64(b, uint64(c.terms))
	b = binary.BigEndian.AppendUint32(b, uint32(c.layout))
	b = append(b, c.incarnation[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.seq))
	b = binary.BigEndian.AppendUint64(b, uint64(c.at.UnixMicro()))
	b = append(b, c.view[:]...)
	b = append(b, c.key...)
	sealed, err := k.Seal(cursorPurpose, b, grant[:])
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// openCursor reads a cursor of this grant and kind, made under these terms and for this view. The faults: Invalid
// cursor_invalid, Conflict terms_changed.
func openCursor(k *secret.Keyring, t *terms, kind cursorKind, view [16]byte, text string) (cursor, error) {
	invalid := fault.New(fault.Invalid, CodeCursorInvalid, "this cursor does not belong to this call; use a cursor of the same grant, call, items and filter").At("policy")
	if len(text) > maxCursor {
		return cursor{}, invalid
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return cursor{}, invalid
	}
	b, err := k.Open(cursorPurpose, sealed, t.grant.ID[:])
	if err != nil || len(b) < cursorFixed || b[0] != byte(kind) {
		return cursor{}, invalid
	}
	c := cursor{
		kind:   kind,
		terms:  int64(binary.BigEndian.Uint64(b[1:])),
		layout: cursorLayout(b),
		seq:    int64(binary.BigEndian.Uint64(b[29:])),
		at:     time.UnixMicro(int64(binary.BigEndian.Uint64(b[37:]))).UTC(),
		key:    string(b[cursorFixed:]),
	}
	copy(c.incarnation[:], b[13:29])
	copy(c.view[:], b[45:61])
	if c.terms != t.grant.TermsVersion {
		return cursor{}, t.resync(fault.New(fault.Conflict, CodeTermsChanged, "the terms of the grant changed; read the rows again from the start"))
	}
	if c.view != view {
		return cursor{}, invalid
	}
	return c, nil
}

// cursorLayout is the layout in the bytes of a cursor.
func cursorLayout(b []byte) int { return int(binary.BigEndian.Uint32(b[9:])) }

// check compares the cursor with the head that the read saw. The faults, of kind Gone: resync_required, cursor_expired.
func (c cursor) check(t *terms, h store.Head) error {
	switch {
	case c.incarnation != h.Incarnation, c.layout != h.Layout, c.seq > h.Seq:
		return t.rebuilt()
	case c.seq < h.MinSeq:
		return t.resync(fault.New(fault.Gone, CodeCursorExpired, "this cursor is older than the changes that are kept; read the rows again from the start"))
	}
	return nil
}

func (t *terms) rebuilt() error {
	return t.resync(fault.New(fault.Gone, CodeResyncRequired, "the rows of this resource were rebuilt; read them again from the start"))
}

// resync adds where to start again.
func (t *terms) resync(f *fault.Fault) error {
	return f.At("store").With("resync", t.start())
}

// start is the address from which the rows are read again.
func (t *terms) start() string { return "/api/v1/data/" + t.grant.ResourceID.String() + "/rows" }
