package transform

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// PostgreSQL's COPY takes every store text form, and reads back the values that were meant.
func TestCopyTakesStoreText(t *testing.T) {
	t.Parallel()
	conn := pgtest.Conn(t, pgtest.Empty(t))
	ctx := context.Background()
	if _, err := conn.Exec(ctx, `CREATE TEMP TABLE target (n int, c text COLLATE "C", y numeric(18,2), i bigint, b double precision, d date, at timestamptz, l boolean, g bytea)`); err != nil {
		t.Fatalf("creating the target: %v", err)
	}
	text := Column{Kind: KindText}
	plan := mustCompile(t, []Item{
		{No: 1, Letter: 'I', Key: true},
		{No: 2, Letter: 'C'},
		{No: 3, Letter: 'Y', Length: 18, Scale: 2},
		{No: 4, Letter: 'I'},
		{No: 5, Letter: 'B'},
		{No: 6, Letter: 'D'},
		{No: 7, Letter: 'T'},
		{No: 8, Letter: 'L'},
		{No: 9, Letter: 'G'},
	}, []Column{text, text, text, text, text, text, text, text, {Kind: KindBytes}})
	rows := table{
		cells("1", "a\tb\\\n\r\x01𡐓", "-.50", "-9223372036854775808", "1e-300", "20000229", "1988-07-01 12:00:00.000001", "是", "\x00\\\n"),
		cells("2", "", "9999999999999999.99", "007", "-0", "0001-01-01", "9999-12-31T23:59:59.999999Z", "N", ""),
		cells("3", null, "", "", "", "", "", "", null),
		cells("4", `\N`, "1", "1", "0.30000000000000004", "9999/12/31", "0001-01-02", "1", "\xff"),
	}
	var row Row
	var stream []byte
	for i := range rows {
		plan.Row(rows, i, &row)
		if len(row.Reasons) > 0 {
			t.Fatalf("row %d is refused: %s", i, codesOf(row.Reasons))
		}
		for j, value := range row.Values {
			if j > 0 {
				stream = append(stream, '\t')
			}
			stream = EncodeCopyText(stream, value)
		}
		stream = append(stream, '\n')
	}
	if _, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(stream), "COPY target FROM STDIN"); err != nil {
		t.Fatalf("copying: %v", err)
	}
	query, err := conn.Query(ctx, `SELECT array[coalesce(c, '<null>'), coalesce(y::text, '<null>'), coalesce(i::text, '<null>'), coalesce(b::text, '<null>'),
		coalesce(d::text, '<null>'), coalesce(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '<null>'), coalesce(l::text, '<null>'), coalesce(g::text, '<null>')]
		FROM target ORDER BY n`)
	if err != nil {
		t.Fatalf("reading back: %v", err)
	}
	defer query.Close()
	var got [][]string
	for query.Next() {
		var line []string
		if err := query.Scan(&line); err != nil {
			t.Fatalf("reading back: %v", err)
		}
		got = append(got, line)
	}
	want := [][]string{
		{"a\tb\\\n\r\x01𡐓", "-0.50", "-9223372036854775808", "1e-300", "2000-02-29", "1988-07-01T03:00:00.000001", "true", `\x005c0a`},
		{"", "9999999999999999.99", "7", "0", "0001-01-01", "9999-12-31T23:59:59.999999", "false", `\x`},
		{null, null, null, null, null, null, null, null},
		{`\N`, "1.00", "1", "0.30000000000000004", "9999-12-31", "0001-01-01T15:54:17.000000", "true", `\xff`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}
