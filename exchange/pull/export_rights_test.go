package pull_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/internal/db"
)

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
