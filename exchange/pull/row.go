package pull

import (
	"context"
	"fmt"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// CodeRowNotFound is the problem code of a row that does not exist or is outside the grant's filter.
const CodeRowNotFound = "row_not_found"

// RowRequest asks for one row by its clear key: parts joined by "~1", "~" inside a part written "~0".
type RowRequest struct {
	Call
	Key   string
	Items []string
}

// askByKey refuses clear keys where the grant withholds or masks a key item without lookup.
func (t *terms) askByKey() error {
	if t.keyAsk {
		return nil
	}
	return fault.New(fault.Forbidden, filter.CodeNotGranted, "rows of this grant cannot be asked for by key, because its key is masked or not granted").At("policy")
}

// rowNotFound depends on the resource only, never on the key that was asked for: it must not tell why there is no row.
func (t *terms) rowNotFound() error {
	message := "there is no such row among the rows this grant covers"
	if n := len(t.key); n > 1 {
		message += fmt.Sprintf("; a key of this resource has %d parts, joined by ~1 in the order of its schema", n)
	}
	return fault.New(fault.NotFound, CodeRowNotFound, "%s", message).At("store")
}

// Row returns one row:
//
//	{"resource","version","items":[…],"row":{…},"as_of":…}
//
// A key that does not exist, one that cannot exist and one outside the grant's filter give the same NotFound fault
// row_not_found. Each look-up is in the evidence, found or not. The other faults are those of Rows, and Forbidden
// filter_not_granted where the key is masked without lookup or not granted.
func (s *Service) Row(ctx context.Context, client authz.Principal, r RowRequest) (*Page, error) {
	c, err := s.begin(ctx, client, r.Call, authz.DataPull)
	if err != nil {
		return nil, err
	}
	if err := c.terms.askByKey(); err != nil {
		return nil, err
	}
	v, err := newView(c.terms, r.Items, nil)
	if err != nil {
		return nil, err
	}
	u := c.usage(audit.ModeRow, v.columns, nil)
	// A text that can be no key is looked up as a key that no row has, so that it takes the same way.
	keys := []string{}
	if key, ok := c.terms.canonicalKey(r.Key); ok {
		keys = append(keys, key)
		u.SubjectTokens = [][]byte{s.subject(key)}
	}
	rows := 0
	body := append(v.appendHead(make([]byte, 0, 1024)), `,"row":`...)
	rid := newRidMaker(c.terms.ridKey)
	snap, err := s.store.Lookup(ctx, c.permit.Decision, authz.DataPull, v.query, keys, func(rec store.Record) error {
		rows++
		body = v.appendRow(body, rec.Key, rec.Cells, rid)
		return nil
	})
	if err != nil {
		return nil, err
	}
	u.SeqTo, u.AsOf = &snap.Head.Seq, &snap.At
	if rows == 0 {
		body = nil
	} else {
		body = append(body, `,"as_of":"`...)
		body = append(snap.At.In(beijing).AppendFormat(body, answerTime), `"}`...)
	}
	page, err := c.disclose(ctx, u, rows, body)
	if err != nil {
		return nil, err
	}
	if rows == 0 {
		return nil, c.terms.rowNotFound()
	}
	return page, nil
}
