package api_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// readingTable is a table as systems of others are built: a composite key of a padded text and a small number, single and
// double precision, exact numbers, dates, times with and without zone, and values missing everywhere.
const readingTable = `
	CREATE TABLE reading (
		station char(4) NOT NULL, slot smallint NOT NULL,
		level real, flow double precision, cost numeric(10,2), volume bigint, day date, measured timestamptz, noted timestamp,
		valid boolean, label varchar(20), remark text, alarm char(3),
		PRIMARY KEY (station, slot));
	INSERT INTO reading VALUES
		('A1', 1, 14, 0.1, 12.50, 9007199254740993, '1996-07-04', '1996-07-04 10:00:00.25+02', '1996-07-04 10:00:00', true, '示例一', E'a\tb', 'x'),
		('A1', -2, 42.4, 0.30000000000000004, 0, 0, '0001-01-01', '1996-07-04 23:30:00+00', '1988-07-01 12:00:00', false, '', ' ', ''),
		('A1', 10, 3.4028235e38, 1e-300, -99999999.99, -1, '2024-02-29', '2026-01-01 00:00:00+08', '2026-01-01 00:00:00.000001', NULL, 'x~1y', NULL, NULL),
		('B~', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		('王', 32767, 0.15, -0.0, 1, 1, '9999-12-31', '9999-12-31 15:59:59+00', '1992-01-01 00:00:00', true, 'z', 'z', 'abc')`

// readingMetadata states every column of the table, each as the letter a department would choose.
func readingMetadata() client.Metadata {
	m := hubtest.Metadata("示例读数")
	m.Items = nil
	for _, spec := range []struct {
		identifier, letter string
		length, scale      int
	}{
		{"station", "C", 4, 0},
		{"slot", "I", 0, 0},
		{"level", "F", 0, 0},
		{"flow", "B", 0, 0},
		{"cost", "N", 10, 2},
		{"volume", "I", 0, 0},
		{"day", "D", 0, 0},
		{"measured", "T", 0, 0},
		{"noted", "T", 0, 0},
		{"valid", "L", 0, 0},
		{"label", "C", 20, 0},
		{"remark", "M", 0, 0},
		{"alarm", "C", 3, 0},
	} {
		key := spec.identifier == "station" || spec.identifier == "slot"
		m.Items = append(m.Items, client.Item{
			Name: spec.identifier, Identifier: spec.identifier, DataType: spec.letter, Length: spec.length, Scale: spec.scale,
			ShareType: "conditional", Grade: "L2", Key: key, Required: key,
			Filterable: slices.Contains([]string{"station", "slot", "level", "day", "measured", "valid", "cost"}, spec.identifier),
		})
	}
	return m
}

// readings builds the world with the table as the sample's resource, collected and granted whole.
func readings(t *testing.T) (hubtest.Sample, client.Pull) {
	t.Helper()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 1)
	mustSource(t, s, readingTable)
	s.Resource, s.Task = s.Offer(t, readingMetadata(), "public.reading")
	if run := s.Collect(t); run.State != "succeeded" || run.Counts.Inserted != 5 || run.Counts.Read != 5 {
		t.Fatalf("first run: %s, %+v, %+v", run.State, run.Counts, run.Error)
	}
	terms := s.Terms()
	terms.Items, terms.RowFilter = nil, nil
	for _, item := range s.Resource.Version.Items {
		terms.Items = append(terms.Items, item.Identifier)
	}
	grant := s.Grant(t, terms)
	pull := client.Pull{Resource: s.Resource.ID, Grant: grant.ID, Purpose: terms.Purpose}
	waitUntil(t, func() bool { _, err := s.Client.Schema(t.Context(), pull); return err == nil })
	return s, pull
}

// mustSource changes the provider's database.
func mustSource(t *testing.T, s hubtest.Sample, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := s.Source.Exec(t.Context(), sql); err != nil {
			t.Fatalf("changing the source: %v", err)
		}
	}
}

// keyOf names a row of the table as its consumers do.
func keyOf(row client.Row) string {
	station, _ := row["station"].(string)
	slot, _ := json.Marshal(row["slot"])
	return strings.ReplaceAll(station, "~", "~0") + "~1" + string(slot)
}

// Every type of a foreign table arrives at the consumer with its value, in pages, streams, by key and in claims; NULL stays
// apart from the empty text, and no padding is left.
func TestForeignTypes(t *testing.T) {
	t.Parallel()
	s, pull := readings(t)
	ctx := t.Context()
	want := map[string]client.Row{
		"A1~11": {
			"level": 14.0, "flow": 0.1, "cost": "12.5", "volume": 9007199254740992.0, "day": "1996-07-04",
			"measured": "1996-07-04T16:00:00.25+08:00", "noted": "1996-07-04T10:00:00+08:00", "valid": true, "label": "示例一", "remark": "a\tb", "alarm": "x",
		},
		"A1~1-2": {
			"level": 42.4, "flow": 0.30000000000000004, "cost": "0", "volume": 0.0, "day": "0001-01-01",
			"measured": "1996-07-05T07:30:00+08:00", "noted": "1988-07-01T11:00:00+08:00", "valid": false, "label": "", "remark": " ", "alarm": "",
		},
		"A1~110": {
			"level": 3.4028235e38, "flow": 1e-300, "cost": "-99999999.99", "volume": -1.0, "day": "2024-02-29",
			"measured": "2026-01-01T00:00:00+08:00", "noted": "2026-01-01T00:00:00.000001+08:00", "valid": nil, "label": "x~1y", "remark": nil, "alarm": nil,
		},
		"B~0~11": {
			"level": nil, "flow": nil, "cost": nil, "volume": nil, "day": nil, "measured": nil, "noted": nil, "valid": nil, "label": nil, "remark": nil,
			"alarm": nil,
		},
		"王~132767": {
			"level": 0.15, "flow": 0.0, "cost": "1", "volume": 1.0, "day": "9999-12-31",
			"measured": "9999-12-31T23:59:59+08:00", "noted": "1992-01-01T00:00:00+08:00", "valid": true, "label": "z", "remark": "z", "alarm": "abc",
		},
	}
	for key, row := range want {
		parts := strings.Split(key, "~1")
		var slot float64
		if err := json.Unmarshal([]byte(parts[1]), &slot); err != nil {
			t.Fatal(err)
		}
		row["station"], row["slot"] = strings.ReplaceAll(parts[0], "~0", "~"), slot
	}
	var order []string
	paged := map[string]client.Row{}
	for cursor := ""; ; {
		page, err := s.Client.Rows(ctx, pull, client.Query{Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Rows {
			order = append(order, keyOf(row))
			paged[keyOf(row)] = row
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(want, paged); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A1~1-2", "A1~11", "A1~110", "B~0~11", "王~132767"}, order); diff != "" {
		t.Errorf("order of pages (-want +got):\n%s", diff)
	}
	streamed := map[string]client.Row{}
	if _, err := s.Client.Stream(ctx, pull, client.Query{}, func(row client.Row) error { streamed[keyOf(row)] = row; return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, streamed); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
	for key, row := range want {
		got, err := s.Client.Row(ctx, pull, key)
		if err != nil {
			t.Errorf("row %s: %v", key, err)
		}
		if diff := cmp.Diff(row, got.Row); diff != "" {
			t.Errorf("row %s (-want +got):\n%s", key, diff)
		}
	}
	_, err := s.Client.Row(ctx, pull, "A1")
	wantCode(t, "half of a key", err, 404, "row_not_found")
	if !strings.Contains(err.Error(), "2 parts") {
		t.Errorf("half of a key: %v does not say what a key is", err)
	}
	_, absent := s.Client.Row(ctx, pull, "A1~199")
	if absent == nil || absent.Error() != err.Error() {
		t.Errorf("a row that does not exist: got %v, want the same as %v", absent, err)
	}

	claims := make([]client.Claim, 0, len(want))
	for _, key := range slices.Sorted(maps.Keys(want)) {
		items := maps.Clone(want[key])
		if key == "A1~11" {
			items["volume"] = json.RawMessage("9007199254740993") // Beyond what a float holds.
		}
		claims = append(claims, client.Claim{Key: key, Items: items})
	}
	verdicts, err := s.Client.Verify(ctx, pull, claims)
	if err != nil || len(verdicts.Results) != len(claims) {
		t.Fatalf("verify: %d results, %v", len(verdicts.Results), err)
	}
	for _, result := range verdicts.Results {
		for item, verdict := range result.Items {
			if verdict != "match" {
				t.Errorf("verify %s %s: got %s, want match", result.Key, item, verdict)
			}
		}
	}
}

// A caller's filter compares every filterable type by its value, whatever notation the value is given in.
func TestForeignTypesFilter(t *testing.T) {
	t.Parallel()
	s, pull := readings(t)
	for _, c := range []struct {
		filter string
		want   []string
	}{
		{`{"op":"eq","item":"station","value":"A1"}`, []string{"A1~1-2", "A1~11", "A1~110"}},
		{`{"op":"prefix","item":"station","value":"B"}`, []string{"B~0~11"}},
		{`{"op":"lt","item":"slot","value":0}`, []string{"A1~1-2"}},
		{`{"op":"eq","item":"level","value":42.4}`, []string{"A1~1-2"}},
		{`{"op":"between","item":"day","from":"1996-07-04","to":"2024-02-29"}`, []string{"A1~11", "A1~110"}},
		{`{"op":"eq","item":"measured","value":"1996-07-04T08:00:00.25Z"}`, []string{"A1~11"}},
		{`{"op":"eq","item":"valid","value":false}`, []string{"A1~1-2"}},
		{`{"op":"eq","item":"cost","value":"12.5"}`, []string{"A1~11"}},
		{`{"op":"is_null","item":"level"}`, []string{"B~0~11"}},
		{`{"op":"not","arg":{"op":"is_null","item":"valid"}}`, []string{"A1~1-2", "A1~11", "王~132767"}},
	} {
		page, err := s.Client.Rows(t.Context(), pull, client.Query{Filter: c.filter})
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		var got []string
		for _, row := range page.Rows {
			got = append(got, keyOf(row))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.filter, diff)
		}
	}
}

// Changes and deletes of a foreign table arrive with composite keys, a fresh comparison finds both ends equal, and what a
// source does to its table or to the hub's access fails the run with the source's side named while the last good rows stay
// served.
func TestForeignTableChanges(t *testing.T) {
	t.Parallel()
	s, pull := readings(t)
	ctx := t.Context()
	page, err := s.Client.Rows(ctx, pull, client.Query{})
	if err != nil {
		t.Fatal(err)
	}
	mustSource(t, s,
		`UPDATE reading SET level = 14.3, alarm = NULL WHERE station = 'A1' AND slot = 1`,
		`UPDATE reading SET alarm = 'abc  ' WHERE station = '王'`, // Another padding of the same value.
		`UPDATE reading SET slot = 11 WHERE station = 'A1' AND slot = 10`,
		`DELETE FROM reading WHERE station = 'B~'`,
		`INSERT INTO reading (station, slot, level) VALUES ('C', 1, 'NaN')`)
	run := s.Collect(t)
	wantCounts := client.Counts{Read: 5, Inserted: 1, Updated: 1, Unchanged: 2, Rejected: 1, Deleted: 2}
	if diff := cmp.Diff(wantCounts, run.Counts); run.State != "succeeded" || diff != "" {
		t.Fatalf("second run %s, %+v (-want +got):\n%s", run.State, run.Error, diff)
	}
	changes, err := s.Client.Changes(ctx, pull, client.Query{Cursor: page.ChangesCursor})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range changes.Changes {
		if c.Op == "upsert" {
			c.Key = keyOf(c.Row)
		}
		got[c.Key] = c.Op
	}
	want := map[string]string{"A1~11": "upsert", "A1~111": "upsert", "A1~110": "delete", "B~0~11": "delete"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	rejects, err := s.Provider.Operator.Rejects(ctx, s.Resource.ID, "open")
	if err != nil || len(rejects) != 1 || rejects[0].Key == nil || len(rejects[0].Reasons) != 1 || rejects[0].Reasons[0].Code != "bad_number" {
		t.Errorf("rejects: got %+v, %v; want the row whose level is no number", rejects, err)
	}
	run, err = s.Provider.Operator.Reconcile(ctx, s.Task.ID)
	if err != nil {
		t.Fatal(err)
	}
	run = hubtest.WaitRun(t, s.Provider.Operator, run.ID)
	found, err := s.Provider.Operator.Reconciliations(ctx, run.ID)
	if err != nil || len(found.Data) != 1 || !found.Data[0].Equal || !found.Data[0].Fresh || found.Data[0].StoreRows != 4 {
		t.Errorf("a fresh comparison: %s, %+v, %v", run.State, found.Data, err)
	}

	for _, c := range []struct {
		what, before, code, after string
	}{
		{
			"a dropped column", `ALTER TABLE reading RENAME COLUMN flow TO stream`, "source_column_missing",
			`ALTER TABLE reading RENAME COLUMN stream TO flow`,
		},
		{
			"another type", `ALTER TABLE reading ALTER COLUMN flow TYPE text`, "schema_changed",
			`ALTER TABLE reading ALTER COLUMN flow TYPE double precision USING flow::double precision`,
		},
		{"a renamed table", `ALTER TABLE reading RENAME TO readings`, "source_object_missing", `ALTER TABLE readings RENAME TO reading`},
	} {
		mustSource(t, s, c.before)
		run := s.Collect(t)
		if run.State != "failed" || run.Error == nil || run.Error.Code != c.code || run.Error.Side != "source" || run.Error.Stage != "read" ||
			run.Error.Advice == "" || run.Error.Object != "public.reading" {
			t.Errorf("%s: %s, %+v", c.what, run.State, run.Error)
		}
		if page, err := s.Client.Rows(ctx, pull, client.Query{}); err != nil || len(page.Rows) != 4 {
			t.Errorf("%s: %d rows are served, %v; want the last good 4", c.what, len(page.Rows), err)
		}
		mustSource(t, s, c.after)
		// The mount stays in force: it works again as soon as the source is as it was.
		mounts, err := s.Provider.Operator.Mounts(ctx, s.Resource.ID)
		if err != nil || len(mounts.Data) != 1 || mounts.Data[0].State != "active" {
			t.Fatalf("%s: mounts %+v, %v", c.what, mounts, err)
		}
	}
	if run := s.Collect(t); run.State != "succeeded" || run.Counts.Unchanged != 4 {
		t.Errorf("after all was mended: %s, %+v, %+v", run.State, run.Counts, run.Error)
	}
}
