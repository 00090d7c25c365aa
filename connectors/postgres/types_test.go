package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/connectors"
)

func open(t *testing.T, settings map[string]string, options connectors.Options) *connectors.Connection {
	t.Helper()
	registry, err := connectors.NewRegistry(Driver{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connectors.Open(t.Context(), registry, "postgres", settings, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// read returns all cells of the columns, "NULL" for NULL.
func read(t *testing.T, c *connectors.Connection, request connectors.ReadRequest) [][]string {
	t.Helper()
	s, err := c.Read(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out [][]string
	for {
		b, err := s.Next(t.Context())
		if err == connectors.ErrEndOfData { //nolint:errorlint // The contract is the sentinel itself.
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for row := range b.Rows {
			var cells []string
			for column := range b.Columns() {
				cell := b.Cell(row, column)
				if cell == nil {
					cells = append(cells, "NULL")
				} else {
					cells = append(cells, string(cell))
				}
			}
			out = append(out, cells)
		}
	}
}

// Every native type has its kind, size and form, whatever the settings of the account, the database and the options say.
func TestNativeTypes(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	conn := connect(t, settings[keyDatabase])
	createGeometry(t, conn)
	mustExec(t, conn,
		"ALTER ROLE "+settings[keyUser]+" SET datestyle = 'German, DMY'", "ALTER ROLE "+settings[keyUser]+" SET timezone = 'Asia/Shanghai'",
		"ALTER ROLE "+settings[keyUser]+" SET extra_float_digits = -5", "ALTER ROLE "+settings[keyUser]+" SET bytea_output = 'escape'",
		"ALTER ROLE "+settings[keyUser]+" SET intervalstyle = 'iso_8601'", "ALTER DATABASE "+settings[keyDatabase]+" SET client_encoding = 'GBK'",
		"CREATE TYPE mood AS ENUM ('坏', '好')", "CREATE DOMAIN id_number AS varchar(18)", "CREATE DOMAIN strict_id AS id_number NOT NULL",
		"CREATE DOMAIN picture AS bytea", "CREATE DOMAIN padded AS char(3)",
	)
	settings[keyOptions] = "-c datestyle=SQL -c timezone=America/New_York"
	rows := []struct {
		native string // Type and, after a slash, the literal.
		column connectors.Column
		cell   string
	}{
		{"smallint/-32768", connectors.Column{Kind: connectors.Integer}, "-32768"},
		{"integer/2147483647", connectors.Column{Kind: connectors.Integer}, "2147483647"},
		{"oid/4294967295", connectors.Column{Kind: connectors.Integer}, "4294967295"},
		{"numeric(20,0)/12345678901234567890", connectors.Column{Kind: connectors.Decimal, Length: 20}, "12345678901234567890"},
		{"numeric(3,-2)/12345", connectors.Column{Kind: connectors.Decimal, Length: 3, Scale: -2}, "12300"},
		{"numeric/NaN", connectors.Column{Kind: connectors.Decimal}, "NaN"},
		{"real/0.1", connectors.Column{Kind: connectors.Float}, "0.1"},
		{"double precision/0.30000000000000004", connectors.Column{Kind: connectors.Float}, "0.30000000000000004"},
		{"double precision/-Infinity", connectors.Column{Kind: connectors.Float}, "-Infinity"},
		{"character(4)/王", connectors.Column{Kind: connectors.Text, Length: 4}, "王"},
		{"character(4)/ 王 ", connectors.Column{Kind: connectors.Text, Length: 4}, " 王"},
		{"padded/x", connectors.Column{Kind: connectors.Text, Length: 3}, "x"},
		{"character varying(18)/x", connectors.Column{Kind: connectors.Text, Length: 18}, "x"},
		{"name/n", connectors.Column{Kind: connectors.Text}, "n"},
		{"uuid/0190163d-8694-739b-aea5-966c26f8ad91", connectors.Column{Kind: connectors.Text}, "0190163d-8694-739b-aea5-966c26f8ad91"},
		{"xml/<a>王</a>", connectors.Column{Kind: connectors.Text}, "<a>王</a>"},
		{"mood/好", connectors.Column{Kind: connectors.Text}, "好"},
		{"id_number/330600", connectors.Column{Kind: connectors.Text, Length: 18}, "330600"},
		{"strict_id/330600", connectors.Column{Kind: connectors.Text, Length: 18}, "330600"},
		{"picture/\\x00ff", connectors.Column{Kind: connectors.Bytes}, "\x00\xff"},
		{"geometry/\\x0101", connectors.Column{Kind: connectors.Geometry}, "\x01\x01"},
		{"date/10000-01-01", connectors.Column{Kind: connectors.Date}, "10000-01-01"},
		{"date/0044-03-15 BC", connectors.Column{Kind: connectors.Date}, "0044-03-15 BC"},
		{"timestamp with time zone/infinity", connectors.Column{Kind: connectors.Timestamp}, "infinity"},
		{"timestamp with time zone/2026-03-01 00:00:00.5+08", connectors.Column{Kind: connectors.Timestamp}, "2026-02-28T16:00:00.500000Z"},
		{"timestamp with time zone/0044-03-15 00:00:00+00 BC", connectors.Column{Kind: connectors.Timestamp}, "0044-03-15 00:00:00+00 BC"},
		{"timestamp without time zone/2026-03-01 00:00:00", connectors.Column{Kind: connectors.LocalTimestamp}, "2026-03-01T00:00:00"},
		{"timestamp without time zone/10000-01-01 00:00:00", connectors.Column{Kind: connectors.LocalTimestamp}, "10000-01-01 00:00:00"},
		{"time without time zone/24:00:00", connectors.Column{Kind: connectors.Time}, "24:00:00"},
		{"time with time zone/09:00:00+08", connectors.Column{Kind: connectors.Other}, "09:00:00+08"},
		{"interval/1 day 02:00:00", connectors.Column{Kind: connectors.Other}, "1 day 02:00:00"},
		{"jsonb/{\"b\":1,\"a\":2.50}", connectors.Column{Kind: connectors.JSON}, `{"a": 2.50, "b": 1}`},
		{"text[]/{a,NULL}", connectors.Column{Kind: connectors.Other}, "{a,NULL}"},
		{"inet/10.0.0.1", connectors.Column{Kind: connectors.Other}, "10.0.0.1"},
		{"int4range/[1,5)", connectors.Column{Kind: connectors.Other}, "[1,5)"},
	}
	var definitions, literals, names []string
	var want []connectors.Column
	var cells []string
	for i, row := range rows {
		native, literal, _ := strings.Cut(row.native, "/")
		column := row.column
		column.Name, column.NativeType, column.Nullable = "c"+string(rune('A'+i)), native, true
		definitions = append(definitions, quoteIdentifier(column.Name)+" "+native)
		literals = append(literals, "'"+literal+"'")
		names = append(names, column.Name)
		want = append(want, column)
		cells = append(cells, row.cell)
	}
	mustExec(t, conn, "CREATE TABLE typed ("+strings.Join(definitions, ", ")+")", "SET datestyle = 'ISO, YMD'",
		"INSERT INTO typed VALUES ("+strings.Join(literals, ", ")+")")
	c := open(t, settings, connectors.Options{})
	schema, err := c.Describe(t.Context(), "typed")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, schema.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{cells}, read(t, c, connectors.ReadRequest{Object: "public.typed", Columns: names})); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

// The key is the primary key, else the narrowest unique key without NULLs; keys that bind only part of the rows do not
// count; views, partitioned tables and materialised views can be read, and partitions are not listed apart.
func TestKeysAndObjects(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	conn := connect(t, settings[keyDatabase])
	mustExec(t, conn,
		"CREATE TABLE narrow (a int NOT NULL, b int NOT NULL, c int NOT NULL, UNIQUE (b, c), UNIQUE (c) INCLUDE (a))",
		"CREATE TABLE nullable (a int UNIQUE, b int NOT NULL)",
		"CREATE TABLE partial (a int NOT NULL)", "CREATE UNIQUE INDEX ON partial (a) WHERE a > 0",
		"CREATE TABLE expression (a text NOT NULL)", "CREATE UNIQUE INDEX ON expression (lower(a))",
		"CREATE TABLE parent (a int PRIMARY KEY)", "CREATE TABLE child () INHERITS (parent)",
		"CREATE TABLE parts (a int, b int, PRIMARY KEY (b, a)) PARTITION BY RANGE (a)",
		"CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)", "INSERT INTO parts VALUES (1, 2)",
		"CREATE VIEW seen AS SELECT a + 1 AS next FROM parts", "CREATE MATERIALIZED VIEW kept AS SELECT a FROM parts",
		"CREATE TABLE empty_columns ()", "CREATE SCHEMA other", "CREATE TABLE other.hidden (a int)",
		"CREATE TABLE locked (a int)", "REVOKE ALL ON locked FROM "+settings[keyUser], "CREATE SCHEMA 业务",
		"GRANT USAGE ON SCHEMA 业务 TO "+settings[keyUser], "CREATE TABLE 业务.办件 (编号 int PRIMARY KEY)",
		"GRANT SELECT ON 业务.办件 TO "+settings[keyUser], "ANALYZE parts_1",
	)
	c := open(t, settings, connectors.Options{})
	for object, want := range map[string][]string{
		"narrow": {"c"}, "nullable": nil, "partial": nil, "expression": nil, "parent": nil, "child": nil,
		"parts": {"b", "a"}, "seen": nil, "kept": nil, "业务.办件": {"编号"},
	} {
		schema, err := c.Describe(t.Context(), object)
		if err != nil {
			t.Fatal(object, err)
		}
		if diff := cmp.Diff(want, schema.Key); diff != "" {
			t.Errorf("key of %s (-want +got):\n%s", object, diff)
		}
	}
	tables, err := c.Tables(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, table := range tables {
		listed = append(listed, table.Object+" "+string(table.Kind))
	}
	want := []string{
		"public.child table", "public.expression table", "public.kept view", "public.narrow table", "public.nullable table",
		"public.parent table", "public.partial table", "public.parts table", "public.seen view", "业务.办件 table",
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"2"}}, read(t, c, connectors.ReadRequest{Object: "seen", Columns: []string{"next"}})); diff != "" {
		t.Errorf("view (-want +got):\n%s", diff)
	}
	for object, code := range map[string]string{
		"locked": connectors.CodePermission, "other.hidden": connectors.CodePermission, "empty_columns": connectors.CodeObjectMissing,
		"parts_pkey": connectors.CodeObjectMissing, "PARTS": connectors.CodeObjectMissing,
	} {
		s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"a"}})
		if err == nil {
			_, err = s.Next(t.Context())
			_ = s.Close()
		}
		checkCode(t, object, err, code)
	}
}

// Rows with a key of CHAR(n) come in the order of their cells, a read goes on behind a cell, and a cell finds its row, though
// the server has it padded.
func TestPaddedKey(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	mustExec(t, connect(t, settings[keyDatabase]),
		"CREATE TABLE padded (k char(3), n smallint, PRIMARY KEY (k, n))",
		`INSERT INTO padded VALUES (E'a\t', 1), ('a', 2), ('a', 1), ('ab', 1), ('', 1)`)
	c := open(t, settings, connectors.Options{})
	order := []string{"k", "n"}
	request := connectors.ReadRequest{Object: "padded", Columns: order, OrderBy: order}
	want := [][]string{{"", "1"}, {"a", "1"}, {"a", "2"}, {"a\t", "1"}, {"ab", "1"}}
	if diff := cmp.Diff(want, read(t, c, request)); diff != "" {
		t.Errorf("all rows (-want +got):\n%s", diff)
	}
	request.After = []string{"a", "1"}
	if diff := cmp.Diff(want[2:], read(t, c, request)); diff != "" {
		t.Errorf("after a key (-want +got):\n%s", diff)
	}
	r, err := c.Lookup(t.Context(), connectors.LookupRequest{Object: "padded", Columns: order, KeyColumns: order, Keys: [][]string{{"a\t", "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Next(t.Context())
	if err != nil || b.Rows != 1 || string(b.Cell(0, 0)) != "a\t" {
		t.Errorf("looking a key up: %v, %v", b, err)
	}
}

// An ordered read walks the key's own index where that sorts by bytes already, and sorts where the locale differs.
func TestOrderUsesTheIndex(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, locale, column string
		want                 collation
		index                bool
		after                string // So late that an index pays.
	}{
		{"a database in locale C", "LOCALE_PROVIDER libc LOCALE 'C'", "k text", collationBinary, true, "9998"},
		{"a database sorted by pinyin", "", "k text", collationLocale, false, "9998"},
		{"a column of collation C in it", "", `k text COLLATE "C"`, collationBinary, true, "9998"},
		{"a libc locale C behind an ICU locale", "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'zh-u-co-pinyin'", "k text", collationLocale, false, "9998"},
		{"a number", "", "k bigint", collationNone, true, "19990"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			settings := newDatabase(t, row.locale)
			conn := connect(t, settings[keyDatabase])
			mustExec(t, conn, "CREATE TABLE t ("+row.column+" PRIMARY KEY, v text)",
				"INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 20000) AS i", "ANALYZE t")
			config, err := Driver{}.Spec().Parse(settings)
			if err != nil {
				t.Fatal(err)
			}
			target, err := newTarget(config)
			if err != nil {
				t.Fatal(err)
			}
			s := &source{target: target}
			defer s.Close()
			err = s.inSnapshot(t.Context(), func(q *session) error {
				o, err := q.object(t.Context(), "t")
				if err != nil {
					return err
				}
				if got := o.columns[0].collation; got != row.want {
					t.Errorf("collation %d, want %d", got, row.want)
				}
				st, err := readStatement(o, o.columns, connectors.ReadRequest{OrderBy: []string{"k"}, After: []string{row.after}})
				if err != nil {
					return err
				}
				result := q.conn.ExecParams(t.Context(), "EXPLAIN "+st.sql, st.args, st.types, nil, nil).Read()
				plan := ""
				for _, line := range result.Rows {
					plan += string(line[0]) + "\n"
				}
				if got := strings.Contains(plan, "Index") && !strings.Contains(plan, "Sort"); got != row.index {
					t.Errorf("by index %v, want %v:\n%s", got, row.index, plan)
				}
				return result.Err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Nothing can be written through a source, even by an account that owns the tables and by a function inside a view.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	settings := newDatabase(t, "")
	mustExec(t, connect(t, settings[keyDatabase]),
		"ALTER ROLE "+settings[keyUser]+" SUPERUSER",
		"CREATE TABLE touched (a int)",
		"CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS 'INSERT INTO touched VALUES (1) RETURNING a'",
		"CREATE FUNCTION unlock() RETURNS text LANGUAGE sql AS $$SELECT set_config('transaction_read_only', 'off', true)$$",
		"CREATE VIEW trap AS SELECT touch() AS a", "CREATE VIEW door AS SELECT unlock() AS a",
	)
	c := open(t, settings, connectors.Options{})
	for _, object := range []string{"trap", "door"} {
		s, err := c.Read(t.Context(), connectors.ReadRequest{Object: object, Columns: []string{"a"}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Next(t.Context())
		checkCode(t, object, err, connectors.CodeReadFailed)
		_ = s.Close()
	}
	var n int
	if err := connect(t, settings[keyDatabase]).QueryRow(context.Background(), "SELECT count(*) FROM touched").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows written, %v", n, err)
	}
	probe, err := c.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := connectors.Probe{
		Product: "PostgreSQL", Version: probe.Version, ServerTime: probe.ServerTime, Latency: probe.Latency, ReadOnly: true,
		Encrypted: true, Warnings: []connectors.Warning{connectors.WarnPrivileged},
	}
	if diff := cmp.Diff(want, probe); diff != "" {
		t.Errorf("probe (-want +got):\n%s", diff)
	}
}
