package pull

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ChangesRequest asks for what changed since a cursor. Items and Filter must be those of the call that gave it.
type ChangesRequest struct {
	Call
	Limit  int
	Cursor string
	Items  []string
	Filter json.RawMessage
	Format Format // JSON or CSV.
}

// Changes returns the changes after a cursor in the order in which they were committed:
//
//	{"resource","version","items":[…],"changes":[…],"next_cursor":…,"as_of":…,"more":true|false}
//
// An entry is {"op":"upsert","seq":…,"row":{…}}, or {"op":"delete","seq":…,"key":…} ("_rid" where the key is masked or not
// granted) for a row that left the resource or the view. Upserts may repeat rows that the consumer has. There always is
// a next cursor; more says whether further changes are there already.
//
// A cursor of a layout that was replaced is told what that layout still has, while it is kept, then nothing more: "resync" says
// where to read the rows as they are now.
//
// The faults are those of Rows; without a cursor it is cursor_invalid.
func (s *Service) Changes(ctx context.Context, client authz.Principal, r ChangesRequest) (*Page, error) {
	c, err := s.begin(ctx, client, r.Call, authz.DataPull)
	if err != nil {
		return nil, err
	}
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return nil, err
	}
	if r.Cursor == "" {
		return nil, fault.New(fault.Invalid, CodeCursorInvalid, "changes need a cursor; read the rows first, their last page has it").At("policy")
	}
	return inItsLayout(ctx, c, r.Cursor, func(c *session) (*Page, error) { return c.changesPage(ctx, r, limit) })
}

func (c *session) changesPage(ctx context.Context, r ChangesRequest, limit int) (*Page, error) {
	s := c.service
	v, err := newView(c.terms, r.Items, r.Filter)
	if err != nil {
		return nil, err
	}
	if !v.followed {
		f := fault.New(fault.Invalid, CodeCursorInvalid, "changes cannot follow a filter on items that are not filterable; read the rows again instead")
		return nil, f.At("policy")
	}
	place, err := openCursor(s.keyring, c.terms, changesCursor, v.digest, r.Cursor)
	if err != nil {
		return nil, err
	}

	from, rows, rid := place.seq, 0, newRidMaker(c.terms.ridKey)
	csv := r.Format == FormatCSV
	body := make([]byte, 0, 4096)
	if csv {
		body = v.appendCSVChangesHead(body)
	} else {
		body = append(v.appendHead(body), `,"changes":[`...)
	}
	snap, more, err := s.store.Changes(ctx, c.permit.Decision, v.query, from, limit, func(ch store.Change) error {
		switch {
		case csv:
			body = v.appendCSVChange(body, ch, rid)
		case rows > 0:
			body = v.appendChange(append(body, ','), ch, rid)
		default:
			body = v.appendChange(body, ch, rid)
		}
		rows++
		place.seq = ch.Seq
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := place
	at.seq = from
	if err := at.check(c.terms, snap.Head); err != nil {
		return nil, err
	}
	if !more {
		place.seq = snap.Head.Seq
	}
	next, err := place.seal(s.keyring, c.terms.grant.ID)
	if err != nil {
		return nil, err
	}
	if !csv {
		body = appendTail(append(body, ']'), next, snap.At)
		body = append(body, `,"more":`...)
		body = append(c.terms.appendResync(strconv.AppendBool(body, more)), '}')
	}

	query, err := v.evidence(limit)
	if err != nil {
		return nil, err
	}
	u := c.usage(audit.ModeChanges, v.columns, query)
	u.SeqFrom, u.SeqTo, u.AsOf = &from, &place.seq, &snap.At
	page, err := c.disclose(ctx, u, rows, body)
	if err != nil {
		return nil, err
	}
	page.NextCursor, page.AsOf, page.More, page.Resync = next, snap.At, &more, c.terms.resyncHint()
	if csv {
		page.Format = FormatCSV
	}
	return page, nil
}

func (v *view) appendChange(dst []byte, ch store.Change, rid *ridMaker) []byte {
	if !ch.Delete {
		dst = append(dst, `{"op":"upsert","seq":`...)
		dst = strconv.AppendInt(dst, ch.Seq, 10)
		dst = append(dst, `,"row":`...)
		return append(v.appendRow(dst, ch.Key, ch.Cells, rid), '}')
	}
	dst = append(dst, `{"op":"delete","seq":`...)
	dst = strconv.AppendInt(dst, ch.Seq, 10)
	if v.terms.keyClear {
		dst = append(dst, `,"key":`...)
		return append(appendString(dst, []byte(ch.Key)), '}')
	}
	dst = append(dst, `,"_rid":"`...)
	return append(rid.append(dst, ch.Key), '"', '}')
}
