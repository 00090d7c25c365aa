package pull

import (
	"context"
	"encoding/base64"
	"slices"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/sharing"
)

// inItsLayout reads on from a cursor: in the active layout, or in the one that the cursor is of while that is kept.
func inItsLayout[T any](ctx context.Context, c *session, cursor string, read func(*session) (T, error)) (T, error) {
	out, err := read(c)
	old, err := c.inRetired(ctx, cursor, err)
	if old == nil {
		return out, err
	}
	if out, err = read(old); fault.CodeOf(err) == CodeCursorInvalid {
		// An item that it was read with is no longer in the resource.
		err = c.terms.rebuilt()
	}
	return out, err
}

// inRetired returns the session under which a cursor of a replaced layout is continued in that layout, while it is kept; nil
// when err is not that the rows have another shape now, and with the fault to answer when the cursor is of a layout that
// cannot be read any more. What the resource withholds or no longer has by now stays unread, whatever the old layout holds.
func (c *session) inRetired(ctx context.Context, cursorText string, err error) (*session, error) {
	if code := fault.CodeOf(err); cursorText == "" || c.terms.layout != 0 || code != CodeResyncRequired && code != CodeCursorInvalid {
		return nil, err
	}
	number, ok := layoutOf(c.service.keyring, c.terms, cursorText)
	if !ok {
		return nil, err
	}
	l, kept, findErr := c.service.store.Retired(ctx, c.terms.grant.ResourceID, number)
	if findErr != nil {
		return nil, findErr
	}
	if !kept {
		return nil, err
	}
	t, ok := c.terms.inLayout(c.permit, l)
	if !ok {
		return nil, c.terms.rebuilt()
	}
	old := *c
	old.terms = t
	return &old, nil
}

// inLayout compiles the grant for the columns of a replaced layout: items that are still in the resource, with the types and
// the key that the layout has. ok is false where rows could not be told apart by that key, or the grant does not fit.
func (t *terms) inLayout(p sharing.Permit, l store.Layout) (_ *terms, ok bool) {
	resource := *p.Resource
	resource.Version.Items = nil
	resource.Published = l.Version
	keyed := 0
	for _, item := range p.Resource.Version.Items {
		column, there := l.Column(item.No)
		if !there {
			continue
		}
		if column.Letter != string(item.DataType) {
			// What belongs to the type of now says nothing about values of before.
			item.DataType, item.Format, item.CodeSet, item.Validator = catalog.DataType(column.Letter), "", "", ""
		}
		if column.Key {
			keyed++
		}
		item.Key, item.Filterable = column.Key, item.Filterable && column.Filterable
		resource.Version.Items = append(resource.Version.Items, item)
	}
	// Every part of the key has to be known, since it decides whether a key may be shown.
	if keyed == 0 || keyed != len(slices.DeleteFunc(slices.Clone(l.Columns), func(c store.Column) bool { return !c.Key })) {
		return nil, false
	}
	p.Resource = &resource
	old, err := compile(p)
	if err != nil {
		return nil, false
	}
	old.layout, old.shape = l.Number, nil
	return old, true
}

// layoutOf reads from a cursor of this grant which layout it belongs to.
func layoutOf(k *secret.Keyring, t *terms, text string) (number int, ok bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) > maxCursor {
		return 0, false
	}
	b, err := k.Open(cursorPurpose, sealed, t.grant.ID[:])
	if err != nil || len(b) < cursorFixed {
		return 0, false
	}
	return cursorLayout(b), true
}
