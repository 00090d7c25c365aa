package pull

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Bounds of a page of rows or changes.
const (
	DefaultLimit = 1000
	MaxLimit     = 5000
)

// pageBuffer is where the body of a page starts; it grows with the rows there are.
const pageBuffer = 32 << 10

// sampleRows is after how many rows the size of a page is estimated.
const sampleRows = 16

// RowsRequest asks for rows. Limit 0 means DefaultLimit for pages and all rows for streams. No Items means all granted
// ones. With a cursor, Items and Filter must be those of the call that gave it.
type RowsRequest struct {
	Call
	Limit  int
	Cursor string
	Items  []string        // Identifiers.
	Filter json.RawMessage // In the language of sharing/filter; nil for all granted rows.
	Format Format          // Of pages JSON or CSV, of streams NDJSON or CSV.
}

func pageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return DefaultLimit, nil
	case limit < 0 || limit > MaxLimit:
		return 0, fault.InvalidFields([]fault.Field{{Name: "limit", Code: "out_of_range", Message: "a page has 1 to 5000 entries"}})
	}
	return limit, nil
}

// scan is a reading of rows in key order, page by page. as_of of the first page stays with it.
type scan struct {
	view  *view
	place cursor
	first bool // No page was read yet.
	rid   *ridMaker
	csv   bool
	more  bool  // Whether rows may follow the last page read.
	rows  int   // Of the last page read.
	ends  []int // Where each row of the last page read ends, from its start.
}

func (c *session) scan(r RowsRequest) (*scan, error) {
	v, err := newView(c.terms, r.Items, r.Filter)
	if err != nil {
		return nil, err
	}
	return c.scanView(v, r.Cursor, r.Format)
}

// scanView is a reading of the rows of a view, from a cursor on where there is one.
func (c *session) scanView(v *view, from string, format Format) (*scan, error) {
	s := &scan{view: v, first: from == "", rid: newRidMaker(c.terms.ridKey), csv: format == FormatCSV}
	s.place = cursor{kind: rowsCursor, terms: c.terms.grant.TermsVersion, view: v.digest}
	if from != "" {
		var err error
		if s.place, err = openCursor(c.service.keyring, c.terms, rowsCursor, v.digest, from); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// read appends up to limit rows to dst, each followed by separator or, of CSV, by the end of its line, and moves the place
// on. dst is unchanged on an error.
func (s *scan) read(ctx context.Context, c *session, dst []byte, limit int, separator byte) ([]byte, error) {
	start := len(dst)
	s.rows, s.more, s.ends = 0, false, s.ends[:0]
	last := s.place.key
	snap, err := c.service.store.Rows(ctx, c.permit.Decision, s.view.query, s.place.key, limit+1, func(r store.Record) error {
		if s.rows == limit {
			s.more = true
			return nil
		}
		s.rows++
		if s.csv {
			dst = s.view.appendCSVRow(dst, r.Key, r.Cells, s.rid)
		} else {
			dst = append(s.view.appendRow(dst, r.Key, r.Cells, s.rid), separator)
		}
		s.ends = append(s.ends, len(dst)-start)
		if s.rows == sampleRows {
			// From here the size of the whole is known well enough to make room once.
			dst = slices.Grow(dst, (len(dst)-start)/sampleRows*(limit-sampleRows)*9/8)
		}
		last = r.Key
		return nil
	})
	if err != nil {
		return dst[:start], err
	}
	if s.first {
		s.first = false
		s.place.layout, s.place.incarnation = snap.Head.Layout, snap.Head.Incarnation
		s.place.seq, s.place.at = snap.Head.Seq, snap.At
	} else if err := s.place.check(c.terms, snap.Head); err != nil {
		return dst[:start], err
	}
	s.place.key = last
	return dst, nil
}

// cursors returns where to go on: behind the last page read, or, when that was the last, with the changes since the
// first page. A view that changes cannot follow has no changes cursor.
func (s *scan) cursors(c *session) (next, changes string, err error) {
	if s.more {
		next, err = s.place.seal(c.service.keyring, c.terms.grant.ID)
		return next, "", err
	}
	if !s.view.followed {
		return "", "", nil
	}
	follow := s.place
	follow.kind, follow.key, follow.at = changesCursor, "", time.Time{}
	changes, err = follow.seal(c.service.keyring, c.terms.grant.ID)
	return "", changes, err
}

// Rows returns a page of current rows in key order:
//
//	{"resource","version","items":[…],"rows":[{…}],"next_cursor":…|null,"as_of":…,"changes_cursor":…}
//
// as_of is the time of the first page; changes_cursor is on the last page only, and null when the filter looks at an
// item that is not filterable in changes. Reading all pages and then the changes converges on the granted rows.
//
// A cursor of a layout that was replaced is continued in that layout while it is kept, and the answer has a member "resync": where
// to read the rows as they are now.
//
// The faults are those of sharing.Decide and: Forbidden item_not_granted, filter_not_granted; Invalid filter_invalid,
// cursor_invalid; Conflict terms_changed; Gone resync_required, cursor_expired; Exhausted rate_limited, quota_exhausted;
// NotFound not_collected.
func (s *Service) Rows(ctx context.Context, client authz.Principal, r RowsRequest) (*Page, error) {
	c, err := s.begin(ctx, client, r.Call, authz.DataPull)
	if err != nil {
		return nil, err
	}
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return nil, err
	}
	return inItsLayout(ctx, c, r.Cursor, func(c *session) (*Page, error) { return c.rowsPage(ctx, r, limit) })
}

func (c *session) rowsPage(ctx context.Context, r RowsRequest, limit int) (*Page, error) {
	scan, err := c.scan(r)
	if err != nil {
		return nil, err
	}
	return c.page(ctx, scan, limit, audit.ModeRows)
}

// page reads and discloses one page of a scan.
func (c *session) page(ctx context.Context, scan *scan, limit int, mode audit.Mode) (*Page, error) {
	var err error
	body := make([]byte, 0, pageBuffer)
	if scan.csv {
		body = scan.view.appendCSVHead(body)
	} else {
		body = append(scan.view.appendHead(body), `,"rows":[`...)
	}
	if body, err = scan.read(ctx, c, body, limit, ','); err != nil {
		return nil, err
	}
	next, changes, err := scan.cursors(c)
	if err != nil {
		return nil, err
	}
	if !scan.csv {
		body = scan.closePage(body, next, changes)
	}
	query, err := scan.view.evidence(limit)
	if err != nil {
		return nil, err
	}
	u := c.usage(mode, scan.view.columns, query)
	u.SeqTo, u.AsOf = &scan.place.seq, &scan.place.at
	for _, key := range scan.view.keys {
		u.SubjectTokens = append(u.SubjectTokens, c.service.subject(key))
	}
	page, err := c.disclose(ctx, u, scan.rows, body)
	if err != nil {
		return nil, err
	}
	page.NextCursor, page.ChangesCursor, page.AsOf, page.Resync = next, changes, scan.place.at, c.terms.resyncHint()
	if scan.csv {
		page.Format = FormatCSV
	}
	return page, nil
}

// closePage ends the JSON of a page behind its rows.
func (s *scan) closePage(body []byte, next, changes string) []byte {
	if s.rows > 0 {
		body = body[:len(body)-1]
	}
	body = appendTail(append(body, ']'), next, s.place.at)
	if !s.more {
		body = append(body, `,"changes_cursor":`...)
		body = appendTextOrNull(body, changes)
	}
	return append(s.view.terms.appendResync(body), '}')
}

// resyncHint is where to start again, for answers from a replaced layout that is read on; "" for others: who is served an old version
// finds the same rows there.
func (t *terms) resyncHint() string {
	if t.layout == 0 || t.frozen {
		return ""
	}
	return t.start()
}

// appendResync appends the member resync where it says something.
func (t *terms) appendResync(dst []byte) []byte {
	hint := t.resyncHint()
	if hint == "" {
		return dst
	}
	return appendString(append(dst, `,"resync":`...), []byte(hint))
}

// appendTail appends the members next_cursor and as_of.
func appendTail(dst []byte, next string, at time.Time) []byte {
	dst = append(dst, `,"next_cursor":`...)
	dst = appendTextOrNull(dst, next)
	dst = append(dst, `,"as_of":"`...)
	dst = at.In(beijing).AppendFormat(dst, answerTime)
	return append(dst, '"')
}

func appendTextOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, []byte(s))
}
