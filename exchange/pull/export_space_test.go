package pull_test

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/db"
)

// A client is told of its own orders, newest first, page by page and by state; another client of none of them.
func TestExportList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	d := b.idleDesk(t, t.TempDir(), uuid.New())
	var want []uuid.UUID
	for range pull.MaxOpenExports {
		want = append(want, d.order(t, pull.ExportRequest{Format: pull.FormatCSV}).ID)
	}
	slices.Reverse(want)
	b.exec(t, "UPDATE export SET state = 'failed', reason = 'quota_exhausted' WHERE id = $1", want[1])
	list := func(f pull.ExportFilter, page db.Page) (ids []uuid.UUID, next string) {
		t.Helper()
		found, next, err := d.exports.List(t.Context(), b.client, f, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			ids = append(ids, e.ID)
		}
		return ids, next
	}
	first, next := list(pull.ExportFilter{}, db.Page{Limit: 2})
	rest, end := list(pull.ExportFilter{}, db.Page{Limit: 2, Cursor: next})
	if got := append(first, rest...); !slices.Equal(got, want) || len(first) != 2 || end != "" {
		t.Errorf("got %v, then %v and the cursor %q; want %v", first, rest, end, want)
	}
	failed, nobodys := pull.ExportFailed, uuid.New()
	if got, _ := list(pull.ExportFilter{State: &failed}, db.Page{}); !slices.Equal(got, want[1:2]) {
		t.Errorf("failed ones: %v", got)
	}
	if got, _ := list(pull.ExportFilter{GrantID: &nobodys}, db.Page{}); len(got) != 0 {
		t.Errorf("those of another grant: %v", got)
	}
	stranger, _, err := d.exports.List(t.Context(), authztest.Client(db.NewID()), pull.ExportFilter{}, db.Page{})
	if err != nil || len(stranger) != 0 {
		t.Errorf("another client sees %v, %v", stranger, err)
	}
	unknown := pull.ExportState("lost")
	_, _, err = d.exports.List(t.Context(), b.client, pull.ExportFilter{State: &unknown}, db.Page{})
	wantCode(t, err, "invalid")
	_, _, err = d.exports.List(t.Context(), authztest.Person(db.NewID(), "auditor"), pull.ExportFilter{}, db.Page{})
	wantCode(t, err, "forbidden")
}

// Files take no more space than they may: an order that would is refused and told when to ask again, after the space of files
// whose time is over was freed; two that fit alone are not taken together.
func TestExportSpace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(3000))
	b.grant(t, grantTerms{items: []string{"cert_no", "remark"}})
	folder := t.TempDir()
	d := b.desk(t, folder)
	first := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatCSV}).ID)
	d.stop()

	tight := b.idleDesk(t, folder, uuid.New())
	tight.options.Space = first.Size * 3 / 2
	tight.exports = pull.NewExports(tight.options)
	request := pull.ExportRequest{Call: b.call(), Format: pull.FormatCSV}
	_, err := tight.exports.Create(t.Context(), b.client, request)
	f := wantCode(t, err, "exports_full")
	if wait, _ := strconv.Atoi(f.Detail["retry_after"]); wait < 60 || wait > 3600 {
		t.Errorf("told to wait %d seconds", wait)
	}
	b.exec(t, "UPDATE export SET expires_at = clock_timestamp() WHERE id = $1", first.ID)
	if _, err := tight.exports.Create(t.Context(), b.client, request); err != nil {
		t.Fatalf("after the first file expired: %v", err)
	}
	if left := tight.onDisk(t); len(left) != 0 {
		t.Errorf("the expired file still takes %d bytes", len(left))
	}
	if _, err := tight.exports.Create(t.Context(), b.client, request); err == nil {
		t.Error("a second order was taken beside one that will fill the space")
	}
}

// crowded are files beside which the folder becomes too full as soon as one is being written.
type crowded struct {
	pull.Files
	looked chan struct{} // Closed when somebody saw that it is too full.
	once   sync.Once
	made   atomic.Bool
}

func (c *crowded) Create(name string) (io.WriteCloser, error) {
	w, err := c.Files.Create(name)
	c.made.Store(true)
	return &held{w, c.looked}, err
}

func (c *crowded) Used() (int64, error) {
	if !c.made.Load() {
		return 0, nil
	}
	c.once.Do(func() { close(c.looked) })
	return 1 << 50, nil
}

// held is a file whose first write waits.
type held struct {
	io.WriteCloser
	until chan struct{}
}

func (h *held) Write(p []byte) (int, error) {
	<-h.until
	return h.WriteCloser.Write(p)
}

// An export that fills the folder while it is written fails, and leaves nothing behind.
func TestExportOverfills(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(8000))
	b.grant(t, grantTerms{items: []string{"cert_no", "remark"}})
	d := b.idleDesk(t, t.TempDir(), uuid.New())
	opt := d.options
	opt.Files = &crowded{Files: opt.Files, looked: make(chan struct{})}
	d.exports = pull.NewExports(opt)
	d.run(t)
	e := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatNDJSON}).ID)
	if e.State != pull.ExportFailed || e.Reason != "exports_full" {
		t.Errorf("it is %s, %s", e.State, e.Reason)
	}
	if left := d.onDisk(t); len(left) != 0 {
		t.Errorf("%d bytes are left", len(left))
	}
}

// Files are fetched at the pace of the grant's rows per second, which all fetches of a grant share, and each of them goes on.
func TestExportPace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(2000))
	b.grant(t, grantTerms{items: []string{"cert_no", "remark"}, rateRows: 5000})
	d := b.desk(t, t.TempDir())
	e := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatNDJSON}).ID)
	began := time.Now()
	halves := make(chan error, 2)
	for _, part := range [][2]int64{{0, e.Size}, {e.Size / 2, e.Size}} {
		go func() {
			f, err := d.exports.Fetch(t.Context(), b.client, pull.Call{}, e.ID)
			if err == nil {
				_, err = f.Send(t.Context(), part[0], part[1], &sink{})
				err = errorsOf(err, f.Close())
			}
			halves <- err
		}()
	}
	for range 2 {
		if err := <-halves; err != nil {
			t.Fatal(err)
		}
	}
	// 3000 rows in all, of which a tenth of a second's worth is free.
	if took := time.Since(began); took < 450*time.Millisecond || took > 5*time.Second {
		t.Errorf("3000 rows at 5000 a second took %v", took)
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("fetching: %w", err)
		}
	}
	return nil
}
