package pull_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/db"
)

// desk is a node's exports, and whoever fetches from it.
type desk struct {
	*bundle
	exports *pull.Exports
	folder  string
	id      uuid.UUID
	stop    func()
}

// desk starts the exports of the bundle's node. Several desks share a folder.
func (b *bundle) desk(t testing.TB, folder string) *desk {
	t.Helper()
	d := b.idleDesk(t, folder, uuid.New())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- d.exports.Run(ctx) }()
	d.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the exports ended: %v", err)
		}
		done <- nil
	}
	t.Cleanup(d.stop)
	return d
}

// idleDesk is a desk whose loop does not run.
func (b *bundle) idleDesk(t testing.TB, folder string, node uuid.UUID) *desk {
	t.Helper()
	files, err := pull.OpenFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	d := &desk{bundle: b, folder: folder, id: node}
	d.exports = pull.NewExports(pull.ExportOptions{Pull: b.first.pull, DB: b.db, Files: files, NodeID: node, Silence: time.Second})
	return d
}

func (d *desk) order(t testing.TB, r pull.ExportRequest) pull.Export {
	t.Helper()
	r.Call = d.call()
	e, err := d.exports.Create(t.Context(), d.client, r)
	if err != nil {
		t.Fatalf("ordering: %v", err)
	}
	return e
}

// wait waits until an export is no longer on its way.
func (d *desk) wait(t testing.TB, id uuid.UUID) pull.Export {
	t.Helper()
	var e pull.Export
	d.until(t, func() bool {
		var err error
		if e, err = d.exports.Get(t.Context(), d.client, pull.Call{}, id); err != nil {
			t.Fatalf("asking for the export: %v", err)
		}
		return e.State != pull.ExportQueued && e.State != pull.ExportRunning
	})
	return e
}

// until asks again and again, at most 20 seconds long.
func (b *bundle) until(t testing.TB, there func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); !there(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatal("it never came about")
		}
	}
}

// fetch returns a part of a file; to -1 stands for its end.
func (d *desk) fetch(t testing.TB, id uuid.UUID, from, to int64) []byte {
	t.Helper()
	f, err := d.exports.Fetch(t.Context(), d.client, pull.Call{}, id)
	if err != nil {
		t.Fatalf("fetching: %v", err)
	}
	defer f.Close()
	if to < 0 {
		to = f.Export.Size
	}
	s := &sink{}
	end, err := f.Send(t.Context(), from, to, s)
	if err != nil || !end.Begun {
		t.Fatalf("sending: %v", err)
	}
	return s.data.Bytes()
}

func unpack(t testing.TB, c pull.Compression, data []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(data)
	var err error
	switch c {
	case pull.CompressGzip:
		r, err = gzip.NewReader(r)
	case pull.CompressZstd:
		var z *zstd.Decoder
		z, err = zstd.NewReader(r)
		r = z
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A file holds exactly the rows that pages give, masked and filtered alike, in each format and compression, and nothing
// clear lies in the folder; its fetch is in the evidence with its rows, and its rows are taken from the quota once.
func TestExport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{
		items: allButHidden, filter: `{"op":"eq","item":"division_code","value":"330602"}`, masks: map[string]string{"cert_no": "mid", "full_name": "name", "birth_date": "date_year"},
		quota: 1000,
	})
	d := b.desk(t, t.TempDir())
	filter := json.RawMessage(`{"op":"not","arg":{"op":"eq","item":"children","value":4}}`)
	page, _ := b.rows(t, pull.RowsRequest{Filter: filter})
	text, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Filter: filter, Format: pull.FormatCSV})
	if err != nil {
		t.Fatal(err)
	}
	left := func() int64 {
		p, err := b.first.pull.Rows(t.Context(), b.client, pull.RowsRequest{Call: b.call(), Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return p.Limits.QuotaLeft
	}
	before := left()
	for _, r := range []pull.ExportRequest{
		{Format: pull.FormatCSV}, {Format: pull.FormatCSV, Compression: pull.CompressGzip},
		{Format: pull.FormatNDJSON}, {Format: pull.FormatNDJSON, Compression: pull.CompressZstd},
	} {
		r.Filter = filter
		e := d.wait(t, d.order(t, r).ID)
		if e.State != pull.ExportReady || e.Rows != int64(len(page.Rows)) || e.Total == nil || *e.Total != e.Rows || e.ExpiresAt == nil || e.AsOf == nil {
			t.Fatalf("the export: %+v", e)
		}
		sealed := d.onDisk(t)
		got := unpack(t, r.Compression, d.fetch(t, e.ID, 0, -1))
		if bytes.Contains(sealed, []byte("330602")) {
			t.Error("the folder holds clear values")
		}
		if r.Format == pull.FormatCSV {
			if diff := cmp.Diff(string(text.Body), string(got)); diff != "" {
				t.Errorf("%s %s (-page +file):\n%s", r.Format, r.Compression, diff)
			}
			continue
		}
		var rows []map[string]any
		for _, line := range strings.Split(strings.TrimSuffix(string(got), "\n"), "\n") {
			var row map[string]any
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		if diff := cmp.Diff(page.Rows, rows); diff != "" {
			t.Errorf("%s %s (-page +file):\n%s", r.Format, r.Compression, diff)
		}
	}
	if took := before - left() - 1; took != int64(4*len(page.Rows)) {
		t.Errorf("the quota lost %d rows, want 4 times %d", took, len(page.Rows))
	}
	fetched := 0
	for _, u := range b.usage(t) {
		if u.Mode == audit.ModeExport {
			fetched++
			if u.Rows != int64(len(page.Rows)) || u.State != audit.UsageDone || len(u.Items) != len(allButHidden) || len(u.Digest) != 32 {
				t.Errorf("the record of a fetch: %+v", u)
			}
		}
	}
	if fetched != 4 {
		t.Errorf("%d fetches are recorded, want 4", fetched)
	}
}

// onDisk returns the bytes of all files in the folder.
func (d *desk) onDisk(t testing.TB) []byte {
	t.Helper()
	var all []byte
	names, err := filepath.Glob(filepath.Join(d.folder, "*.export"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw...)
	}
	return all
}

// A parquet file has a column of its own type for each item, in the order of the items, and the values of the rows.
func TestExportParquet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "UPDATE item SET length = 12, scale = 3 WHERE identifier = 'amount'")
	rows := sampleRows()
	rows["A1"]["amount"], rows["A3"] = "-123456.78", person{"amount": "0.005"}
	b.collect(t, rows)
	b.grant(t, grantTerms{items: allButHidden, masks: map[string]string{"full_name": "name"}})
	d := b.desk(t, t.TempDir())
	e := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatParquet}).ID)
	if e.State != pull.ExportReady {
		t.Fatalf("the export: %+v", e)
	}
	data := d.fetch(t, e.ID, 0, -1)
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{
		"cert_no": "STRING", "division_code": "STRING", "full_name": "STRING", "birth_date": "DATE", "amount": "DECIMAL(12,3)", "height": "DOUBLE",
		"children": "INT(64,true)", "registered_at": "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "alive": "BOOLEAN", "remark": "STRING",
		"shape": "STRING", "photo": "STRING",
	}
	for i, field := range f.Schema().Fields() {
		if name := allButHidden[i]; field.Name() != name || field.Type().String() != types[name] || !field.Optional() {
			t.Errorf("column %d is %s %s, want %s %s", i, field.Name(), field.Type(), name, types[name])
		}
	}
	reader := parquet.NewReader(bytes.NewReader(data))
	defer reader.Close()
	got := make([]parquet.Row, 3)
	if n, err := reader.ReadRows(got); n != 3 || err != nil && err != io.EOF {
		t.Fatalf("%d rows, %v", n, err)
	}
	var shown [][]string
	for _, row := range got {
		line := []string{}
		for _, value := range row {
			if value.IsNull() {
				line = append(line, "null")
			} else {
				line = append(line, value.String())
			}
		}
		shown = append(shown, line)
	}
	at := time.Date(2026, 2, 13, 20, 30, 0, 500_000_000, time.UTC).UnixMicro()
	want := [][]string{
		{"A1", "330602", "******", "7363", "-123456780", "1.705", "2", fmt.Sprint(at), "true", "行一\t\x01", `{"type":"Point","coordinates":[120.5,30]}`, "06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8"},
		{"A2", "330602", "null", "null", "null", "null", "null", "null", "null", "null", "null", "null"},
		{"A3", "null", "null", "null", "5", "null", "null", "null", "null", "null", "null", "null"},
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if f.NumRows() != int64(len(rows)) {
		t.Errorf("%d rows, want %d", f.NumRows(), len(rows))
	}
}

// Any part of a file of many chunks can be fetched, and the record counts no fewer rows than the part can hold; a changed
// byte on the disk is found out.
func TestExportParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(5000))
	b.grant(t, grantTerms{items: []string{"cert_no", "children", "remark"}})
	d := b.desk(t, t.TempDir())
	e := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatNDJSON}).ID)
	whole := d.fetch(t, e.ID, 0, -1)
	if int64(len(whole)) != e.Size || bytes.Count(whole, []byte("\n")) != 5000 {
		t.Fatalf("the file has %d bytes", len(whole))
	}
	const chunk = 64 << 10
	for _, part := range [][2]int64{{0, 1}, {chunk - 1, chunk + 1}, {chunk, 2 * chunk}, {100, e.Size - 100}, {e.Size - 1, e.Size}, {5, 5}} {
		got := d.fetch(t, e.ID, part[0], part[1])
		if !bytes.Equal(got, whole[part[0]:part[1]]) {
			t.Errorf("bytes %d to %d differ", part[0], part[1])
		}
		records := b.usage(t)
		last := records[len(records)-1]
		if least := int64(bytes.Count(whole[:part[1]], []byte("\n"))); part[0] < part[1] && last.Rows < least {
			t.Errorf("bytes %d to %d: %d rows recorded, at least %d lie before its end", part[0], part[1], last.Rows, least)
		}
	}
	name, err := filepath.Glob(filepath.Join(d.folder, "*.export"))
	if err != nil || len(name) != 1 {
		t.Fatalf("files %v, %v", name, err)
	}
	raw, err := os.ReadFile(name[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[chunk+100] ^= 1
	if err := os.WriteFile(name[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := d.exports.Fetch(t.Context(), b.client, pull.Call{}, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &sink{}
	end, err := f.Send(t.Context(), 0, e.Size, s)
	if err == nil || s.data.Len() != chunk || !end.Begun {
		t.Errorf("a changed file was sent: %d bytes, %v", s.data.Len(), err)
	}
}

// Who has no right to a file gets none: other clients are told that there is no such export, a suspended grant refuses and
// its file comes back with it, and with the end of the grant the key is destroyed and the file removed.
func TestExportRights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	grant := b.grant(t, grantTerms{items: []string{"cert_no", "children"}})
	d := b.desk(t, t.TempDir())
	e := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatCSV}).ID)
	fetch := func(client authz.Principal, id uuid.UUID) error {
		f, err := d.exports.Fetch(t.Context(), client, pull.Call{}, id)
		if err == nil {
			err = f.Close()
		}
		return err
	}
	stranger := authztest.Client(db.NewID())
	for name, err := range map[string]error{
		"the file for another client":   fetch(stranger, e.ID),
		"the export for another client": func() error { _, err := d.exports.Get(t.Context(), stranger, pull.Call{}, e.ID); return err }(),
		"deleting by another client":    d.exports.Delete(t.Context(), stranger, pull.Call{}, e.ID),
		"an unknown export":             fetch(b.client, uuid.New()),
	} {
		if f := wantCode(t, err, "not_found"); f.Message != "this client has no such export" {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.change(t, grant, "state = 'suspended'")
	b.first.sync(t)
	wantCode(t, fetch(b.client, e.ID), "grant_suspended")
	b.change(t, grant, "state = 'active'")
	b.first.sync(t)
	if err := fetch(b.client, e.ID); err != nil {
		t.Errorf("after the suspension: %v", err)
	}
	b.change(t, grant, "terms_version = terms_version + 1")
	b.first.sync(t)
	b.until(t, func() bool { return d.wait(t, e.ID).State == pull.ExportGone })
	if f := wantCode(t, fetch(b.client, e.ID), "export_gone"); f.Detail["reason"] != "terms_changed" {
		t.Errorf("reason %v", f.Detail)
	}

	second := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatCSV}).ID)
	if err := d.exports.Delete(t.Context(), b.client, pull.Call{}, second.ID); err != nil {
		t.Fatal(err)
	}
	if f := wantCode(t, fetch(b.client, second.ID), "export_gone"); f.Detail["reason"] != "deleted" {
		t.Errorf("reason %v", f.Detail)
	}

	third := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatCSV}).ID)
	b.change(t, grant, "state = 'terminated'")
	ended := time.Now()
	b.until(t, func() bool {
		var sealed []byte
		if err := b.db.Pool.QueryRow(t.Context(), "SELECT sealed_key FROM export WHERE id = $1", third.ID).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		return sealed == nil
	})
	if took := time.Since(ended); took > time.Second {
		t.Errorf("the key was destroyed %v after the end of the grant, want within a second", took)
	}
	b.first.sync(t)
	wantCode(t, fetch(b.client, third.ID), "no_grant")
	if err := d.exports.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := d.onDisk(t); len(left) != 0 {
		t.Errorf("%d bytes are left in the folder", len(left))
	}
}

// A fetch that is under way stops when the grant is suspended.
func TestExportSuspendedWhileFetched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, manyRows(4000))
	grant := b.grant(t, grantTerms{items: []string{"cert_no", "remark"}})
	d := b.desk(t, t.TempDir())
	e := d.wait(t, d.order(t, pull.ExportRequest{Format: pull.FormatNDJSON}).ID)
	f, err := d.exports.Fetch(t.Context(), b.client, pull.Call{}, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &sink{block: 100 << 10}
	arrived := s.reachedBytes(1)
	done := make(chan error, 1)
	go func() {
		_, err := f.Send(context.WithoutCancel(t.Context()), 0, e.Size, s)
		done <- err
	}()
	<-arrived
	b.change(t, grant, "state = 'suspended'")
	suspended := time.Now()
	wantCode(t, <-done, "grant_suspended")
	if took := time.Since(suspended); took > time.Second {
		t.Errorf("it stopped after %v", took)
	}
	records := b.usage(t)
	if last := records[len(records)-1]; last.Mode != audit.ModeExport || last.Rows < int64(bytes.Count(s.data.Bytes(), []byte("\n"))) {
		t.Errorf("the record: %+v", last)
	}
}

// An export whose node died is written from the start by another one, whole, and what the dead attempt left is removed. Of
// a node that starts again it is taken at once.
func TestExportTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no"}})
	folder := t.TempDir()
	idle := b.idleDesk(t, folder, uuid.New())
	e := idle.order(t, pull.ExportRequest{Format: pull.FormatCSV})
	// As a process leaves it that is killed while it writes.
	b.exec(t, "UPDATE export SET state = 'running', attempt = 1, node = $2, seen_at = clock_timestamp(), rows = 7 WHERE id = $1", e.ID, idle.id)
	left := filepath.Join(folder, e.ID.String()+".1.export")
	if err := os.WriteFile(left, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	d := b.desk(t, folder)
	if got := d.wait(t, e.ID); got.State != pull.ExportReady || got.Rows != 22 {
		t.Fatalf("the export: %+v", got)
	}
	if records := parseCSV(t, string(d.fetch(t, e.ID, 0, -1))); len(records) != 23 {
		t.Errorf("%d records", len(records))
	}
	if err := d.exports.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what the dead attempt left: %v", err)
	}
	d.stop()

	again := idle.order(t, pull.ExportRequest{Format: pull.FormatCSV})
	b.exec(t, "UPDATE export SET state = 'running', attempt = 1, node = $2, seen_at = clock_timestamp() + interval '1 hour' WHERE id = $1", again.ID, idle.id)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- idle.exports.Run(ctx) }()
	if got := idle.wait(t, again.ID); got.State != pull.ExportReady {
		t.Errorf("the export: %+v", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A node that stops while it writes puts the export back and leaves no file; deleting stops the writing, and the node goes on
// to the next.
func TestExportInterrupted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no"}})
	b.findTable(t)
	folder := t.TempDir()
	d := b.desk(t, folder)
	blocker, err := b.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Rollback(context.Background())
	if _, err := blocker.Exec(t.Context(), "LOCK TABLE "+b.table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	state := func(id uuid.UUID) pull.ExportState {
		e, err := d.exports.Get(t.Context(), b.client, pull.Call{}, id)
		if err != nil {
			t.Fatal(err)
		}
		return e.State
	}
	deleted := d.order(t, pull.ExportRequest{Format: pull.FormatCSV})
	kept := d.order(t, pull.ExportRequest{Format: pull.FormatCSV})
	b.until(t, func() bool { return state(deleted.ID) == pull.ExportRunning && state(kept.ID) == pull.ExportRunning })
	if err := d.exports.Delete(t.Context(), b.client, pull.Call{}, deleted.ID); err != nil {
		t.Fatal(err)
	}
	b.until(t, func() bool {
		names, err := filepath.Glob(filepath.Join(folder, deleted.ID.String()+"*"))
		return err == nil && len(names) == 0
	})
	d.stop()
	if got := state(kept.ID); got != pull.ExportQueued {
		t.Errorf("after the node stopped the export is %s", got)
	}
	if left := d.onDisk(t); len(left) != 0 {
		t.Errorf("%d bytes are left in the folder", len(left))
	}
	if err := blocker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := b.desk(t, folder)
	if e := other.wait(t, kept.ID); e.State != pull.ExportReady || e.Rows != 22 {
		t.Errorf("the export: %+v", e)
	}
	if got := state(deleted.ID); got != pull.ExportGone {
		t.Errorf("the deleted export is %s", got)
	}
}

// Orders are refused that ask for what is not granted, for unknown forms, and beyond the bound of a grant; one whose rows
// the quota does not cover fails before a row is written.
func TestExportRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, sampleRows())
	b.grant(t, grantTerms{items: []string{"cert_no"}, quota: 10})
	d := b.idleDesk(t, t.TempDir(), uuid.New())
	for _, c := range []struct {
		r    pull.ExportRequest
		code string
	}{
		{pull.ExportRequest{Format: "xml"}, "invalid"},
		{pull.ExportRequest{Format: pull.FormatCSV, Compression: "rar"}, "invalid"},
		{pull.ExportRequest{Format: pull.FormatParquet, Compression: pull.CompressGzip}, "invalid"},
		{pull.ExportRequest{Format: pull.FormatCSV, Items: []string{"full_name"}}, "item_not_granted"},
		{pull.ExportRequest{Format: pull.FormatCSV, Filter: json.RawMessage(`{"op":"eq","item":"children","value":1}`)}, "filter_not_granted"},
	} {
		c.r.Call = b.call()
		_, err := d.exports.Create(t.Context(), b.client, c.r)
		wantCode(t, err, c.code)
	}
	var first pull.Export
	for range pull.MaxOpenExports {
		first = d.order(t, pull.ExportRequest{Format: pull.FormatCSV})
	}
	_, err := d.exports.Create(t.Context(), b.client, pull.ExportRequest{Call: b.call(), Format: pull.FormatCSV})
	wantCode(t, err, "too_many_exports")
	_, err = d.exports.Fetch(t.Context(), b.client, pull.Call{}, first.ID)
	wantCode(t, err, "export_not_ready")
	running := b.desk(t, t.TempDir())
	if e := running.wait(t, first.ID); e.State != pull.ExportFailed || e.Reason != "quota_exhausted" || len(running.onDisk(t)) != 0 {
		t.Errorf("an export beyond the quota: %+v", e)
	}
	_, err = d.exports.Fetch(t.Context(), b.client, pull.Call{}, first.ID)
	if f := wantCode(t, err, "export_failed"); f.Detail["reason"] != "quota_exhausted" {
		t.Errorf("detail %v", f.Detail)
	}
}
