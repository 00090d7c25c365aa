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
	"github.com/shuqiao/shuqiao/exchange/pull"
)

// desk is a node's exports, and whoever fetches from it.
type desk struct {
	*bundle
	exports *pull.Exports
	folder  string
	id      uuid.UUID
	options pull.ExportOptions
	stop    func()
}

// desk starts the exports of the bundle's node. Several desks share a folder.
func (b *bundle) desk(t testing.TB, folder string) *desk {
	t.Helper()
	d := b.idleDesk(t, folder, uuid.New())
	d.run(t)
	return d
}

// run starts the loop of an idle desk.
func (d *desk) run(t testing.TB) {
	t.Helper()
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
	d.options = pull.ExportOptions{Pull: b.first.pull, DB: b.db, Files: files, NodeID: node, Silence: time.Second}
	d.exports = pull.NewExports(d.options)
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
		{Format: pull.FormatCSV},
		{Format: pull.FormatCSV, Compression: pull.CompressGzip},
		{Format: pull.FormatNDJSON},
		{Format: pull.FormatNDJSON, Compression: pull.CompressZstd},
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
