package connectortest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// testSettings: each required setting is missed by name, an unknown one is refused, and no way of printing a Config
// shows a secret.
func testSettings(t *testing.T, h Harness) {
	spec := h.Driver.Spec()
	complete := h.NewConfig(t)
	for _, key := range h.Required {
		settings := maps.Clone(complete)
		delete(settings, key)
		_, err := spec.Parse(settings)
		if got, want := fieldCodes(err), []string{key + " required"}; !slices.Equal(got, want) {
			t.Errorf("without %s: %v, want %v", key, got, want)
		}
	}
	settings := maps.Clone(complete)
	settings["no_such_setting"] = "hidden-setting-value"
	_, err := spec.Parse(settings)
	if got, want := fieldCodes(err), []string{"no_such_setting unknown"}; !slices.Equal(got, want) {
		t.Errorf("with an unknown setting: %v, want %v", got, want)
	}
	if strings.Contains(fmt.Sprint(err), "hidden-setting-value") {
		t.Errorf("the error repeats the value: %v", err)
	}
	config, err := spec.Parse(complete)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := config.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprintf("%v", config), fmt.Sprintf("%+v", config), fmt.Sprintf("%#v", config), fmt.Sprintf("%s", &config),
		config.LogValue().String(), string(asJSON),
	} {
		for _, key := range spec.SecretKeys() {
			if complete[key] != "" && strings.Contains(printed, complete[key]) {
				t.Errorf("%s is printed: %s", key, printed)
			}
		}
	}
}

func fieldCodes(err error) []string {
	f, ok := err.(*fault.Fault) //nolint:errorlint // Parse returns the fault itself.
	if !ok {
		return nil
	}
	var codes []string
	for _, field := range f.Fields {
		codes = append(codes, field.Name+" "+field.Code)
	}
	return codes
}

// testProbe: the source names its product and version, confirms that the session cannot write, and its clock is near ours.
func testProbe(t *testing.T, h Harness) {
	c := h.open(t, h.NewConfig(t), connectors.Options{})
	probe, err := c.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if probe.Product == "" || probe.Version == "" || !probe.ReadOnly || probe.Latency <= 0 {
		t.Errorf("probe %+v, want product, version, a latency and read_only", probe)
	}
	now, err := c.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{probe.ServerTime, now} {
		if away := time.Since(at).Abs(); away > time.Minute || at.Location() != time.UTC {
			t.Errorf("the source's clock says %v, %v away", at, away)
		}
	}
	if now.Before(probe.ServerTime) {
		t.Errorf("Now %v is before the probe's %v", now, probe.ServerTime)
	}
}

// testDescribe: a table with a Chinese name, quotes and a dot in its names is listed and described with its key, and
// can be read by what is listed. Described together, objects look as they do one by one.
func testDescribe(t *testing.T, h Harness) {
	settings := h.NewConfig(t)
	want := []connectors.Column{
		{Name: "编号", Kind: connectors.Integer, IsKey: true, Comment: "内部编号"},
		{Name: `a "quoted" name`, Kind: connectors.Text, Length: 40, IsKey: true},
		{Name: "Mixed.Case", Kind: connectors.Decimal, Length: 12, Scale: 2, Nullable: true},
		{Name: "select", Kind: connectors.Date, Nullable: true},
	}
	table := Table{
		Name: `人口.Basic "1"`, Columns: want, Key: []string{`a "quoted" name`, "编号"},
		Rows: rowsOf([]string{"1", "x", "12.50", "2026-02-28"}),
	}
	h.Load(t, settings, table)
	h.Load(t, settings, Table{Name: "aaa", Columns: want[:1], Rows: rowsOf([]string{"7"})})
	c := h.open(t, settings, connectors.Options{})

	tables, err := c.Tables(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, listed := range tables {
		names = append(names, listed.Name)
	}
	if diff := cmp.Diff([]string{"aaa", table.Name}, names); diff != "" {
		t.Fatalf("tables (-want +got):\n%s", diff)
	}
	if first, err := c.Tables(t.Context(), 1); err != nil || len(first) != 1 || first[0].Name != "aaa" {
		t.Errorf("Tables with limit 1: %v, %v", first, err)
	}
	schema, err := c.Describe(t.Context(), tables[1].Object)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table.Key, schema.Key); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
	for i := range schema.Columns {
		if schema.Columns[i].NativeType == "" {
			t.Errorf("column %s has no native type", schema.Columns[i].Name)
		}
		schema.Columns[i].NativeType = ""
	}
	if diff := cmp.Diff(want, schema.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	s, err := c.Read(t.Context(), connectors.ReadRequest{
		Object: tables[1].Object, Columns: []string{"select", "编号", `a "quoted" name`, "Mixed.Case"}, OrderBy: schema.Key,
	})
	got := rows(t, s, err)
	if diff := cmp.Diff([][]string{{"2026-02-28", "1", "x", "12.50"}}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	all, err := c.DescribeAll(t.Context(), []string{tables[1].Object, "no_such_object", tables[0].Object})
	if err != nil || len(all) != 2 || len(all[tables[0].Object].Columns) != 1 {
		t.Errorf("DescribeAll: %v, %v", all, err)
	}
	together := all[tables[1].Object]
	for i := range together.Columns {
		together.Columns[i].NativeType = ""
	}
	if diff := cmp.Diff(schema, together); diff != "" {
		t.Errorf("DescribeAll differs from Describe (-one +all):\n%s", diff)
	}
	noKey, err := c.Describe(t.Context(), tables[0].Object)
	if err != nil || noKey.Key != nil {
		t.Errorf("a table without a key: key %v, %v", noKey.Key, err)
	}
}

// rowsOf yields rows of cells, null for NULL.
func rowsOf(rows ...[]string) func(func([][]byte) bool) {
	return func(yield func([][]byte) bool) {
		for _, row := range rows {
			if !yield(cellsOf(row)) {
				return
			}
		}
	}
}

func cellsOf(row []string) [][]byte {
	cells := make([][]byte, len(row))
	for i, text := range row {
		if text != null {
			cells[i] = []byte(text)
		}
	}
	return cells
}

// generated yields n rows made by row.
func generated(n int, row func(i int) []string) func(func([][]byte) bool) {
	return func(yield func([][]byte) bool) {
		for i := range n {
			if !yield(cellsOf(row(i))) {
				return
			}
		}
	}
}
