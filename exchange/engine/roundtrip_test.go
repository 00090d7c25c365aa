package engine_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// everyLetter has one item of each letter, most of them fed by the source type a register would use, and some by text.
func everyLetter() []engine.Mapped {
	item := func(no int, letter byte, column string, kind transform.Kind) engine.Mapped {
		return engine.Mapped{Item: transform.Item{No: no, Identifier: column, Letter: letter}, Column: column, Kind: kind}
	}
	items := []engine.Mapped{
		item(1, 'C', "id", transform.KindText), item(2, 'C', "c", transform.KindText), item(3, 'M', "m", transform.KindText),
		item(4, 'N', "n", transform.KindDecimal), item(5, 'Y', "y", transform.KindDecimal), item(6, 'I', "i", transform.KindInteger),
		item(7, 'B', "b", transform.KindFloat), item(8, 'F', "f", transform.KindFloat), item(9, 'D', "d", transform.KindDate),
		item(10, 'T', "t", transform.KindTimestamp), item(11, 'L', "l", transform.KindBool), item(12, 'G', "g", transform.KindBytes),
		item(13, 'T', "lt", transform.KindLocalTimestamp), item(14, 'N', "nt", transform.KindText), item(15, 'D', "dt", transform.KindText),
		{Item: transform.Item{No: 16, Identifier: "none", Letter: 'G', Format: transform.FormatGeometry}},
		{Item: transform.Item{No: 17, Identifier: "geo", Letter: 'G', Format: transform.FormatGeometry}, Column: "geo", Kind: transform.KindText},
	}
	items[0].Item.Key = true
	items[5].Filterable, items[8].Filterable = true, true
	return items
}

const everyTable = `CREATE TABLE person (id text PRIMARY KEY, c text, m text, n numeric, y numeric(18,2), i bigint, b float8, f float4, d date,
	t timestamptz, l boolean, g bytea, lt timestamp, nt text, dt text, geo text)`

// storedKinds says in which form the store gives its columns back, by letter.
var storedKinds = map[byte]transform.Kind{
	'C': transform.KindText, 'M': transform.KindText, 'N': transform.KindDecimal, 'Y': transform.KindDecimal, 'I': transform.KindInteger,
	'B': transform.KindFloat, 'F': transform.KindFloat, 'D': transform.KindDate, 'T': transform.KindTimestamp, 'L': transform.KindBool, 'G': transform.KindText,
}

// cells is one row of cells.
type cells [][]byte

func (c cells) Cell(_, column int) []byte { return c[column] }

// What lies in the store, read back and converted again, has the hash that lies beside it: for values of every letter from a
// real source, through reading, converting, staging, merging and both ways of loading. NULL stays NULL and empty stays empty.
func TestStoredRowsHaveTheirHash(t *testing.T) {
	t.Parallel()
	b := newBench(t, everyTable, everyLetter())
	first := true
	rapid.Check(t, func(rt *rapid.T) {
		b.at(t, "TRUNCATE person")
		n := rapid.IntRange(1, 12).Draw(rt, "rows")
		for i := range n {
			args := []any{fmt.Sprintf("k%d%s", i, rapid.StringOf(rapid.RuneFrom([]rune("ab~1\\\t\n中é"))).Draw(rt, "key"))}
			columns := []string{"id"}
			for _, v := range drawValues(rt) {
				columns = append(columns, v.column)
				args = append(args, v.text)
			}
			places := make([]string, len(args))
			for p := range places {
				places[p] = fmt.Sprintf("$%d::text::%s", p+1, types[columns[p]])
			}
			b.at(t, "INSERT INTO person ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(places, ", ")+")", args...)
		}
		if first || rapid.Bool().Draw(rt, "anew") {
			// A first load goes another way than a merge.
			first = false
			b.sql(t, "UPDATE store.layout SET state = 'dropped'; UPDATE store.store_head SET layout = 0")
		}
		out := b.run(t)
		if out.Result.Counts.Rejected > 0 {
			rt.Fatalf("rejected: %s", one[string](t, b, "SELECT reasons::text FROM reject WHERE state = 'open' LIMIT 1"))
		}
		b.rehash(t, rt, n)
	})
}

var types = map[string]string{
	"id": "text", "c": "text", "m": "text", "n": "numeric", "y": "numeric", "i": "bigint", "b": "float8", "f": "float4", "d": "date",
	"t": "timestamptz", "l": "boolean", "g": "bytea", "lt": "timestamp", "nt": "text", "dt": "text", "geo": "text",
}

type value struct {
	column string
	text   *string
}

func drawValues(rt *rapid.T) []value {
	text := rapid.StringOf(rapid.RuneFrom([]rune("aZ09 \\\t\n\r\v\b\f\"'{},~$中文é\u2028😀")))
	number := rapid.SampledFrom([]string{"0", "-0.00", "1.50", "100", "0.000001", "-12345678901234567890.123456789", "1e3", "7"})
	draw := map[string]*rapid.Generator[string]{
		"c": text, "m": text, "n": number, "nt": rapid.SampledFrom([]string{"0.10", "+5", "007", "-.5"}),
		"y":   rapid.SampledFrom([]string{"0", "12.30", "-0.01", "9999999999999999.99"}),
		"i":   rapid.Custom(func(rt *rapid.T) string { return fmt.Sprint(rapid.Int64().Draw(rt, "i")) }),
		"b":   rapid.Custom(func(rt *rapid.T) string { return fmt.Sprint(rapid.Float64().Draw(rt, "b")) }),
		"f":   rapid.Custom(func(rt *rapid.T) string { return fmt.Sprint(rapid.Float32().Draw(rt, "f")) }),
		"d":   rapid.SampledFrom([]string{"0001-01-01", "1582-10-10", "1949-10-01", "2024-02-29", "9999-12-31"}),
		"dt":  rapid.SampledFrom([]string{"19491001", "2024/2/29", "1986-05-04 23:30:00+08"}),
		"t":   rapid.SampledFrom([]string{"0001-01-02 00:00:00Z", "1940-06-01 12:00:00+09", "1986-07-01 00:00:00.000001Z", "2026-01-01 00:00:00.123456+08", "9999-12-31 23:59:59.999999Z"}),
		"lt":  rapid.SampledFrom([]string{"1901-01-01 00:00:00", "1986-07-01 08:00:00", "2026-01-01 00:00:00.5"}),
		"l":   rapid.SampledFrom([]string{"true", "false"}),
		"g":   rapid.Custom(func(rt *rapid.T) string { return `\x` + hex.EncodeToString(rapid.SliceOf(rapid.Byte()).Draw(rt, "g")) }),
		"geo": rapid.SampledFrom([]string{"POINT(120.5 30.25)", "LINESTRING(120 30, 121 31.5)", "POLYGON((120 30, 121 30, 121 31, 120 30))"}),
	}
	var out []value
	for _, column := range []string{"c", "m", "n", "y", "i", "b", "f", "d", "t", "l", "g", "lt", "nt", "dt", "geo"} {
		v := value{column: column}
		if rapid.IntRange(0, 4).Draw(rt, "null") > 0 {
			s := draw[column].Draw(rt, column)
			v.text = &s
		}
		out = append(out, v)
	}
	return out
}

// rehash reads the stored rows back and compares keys and hashes with those computed anew.
func (b *bench) rehash(t *testing.T, rt *rapid.T, want int) {
	var items []transform.Item
	var columns []transform.Column
	var list []string
	for _, m := range b.Items {
		items = append(items, m.Item)
		kind := storedKinds[m.Item.Letter]
		if m.Item.Format == transform.FormatGeometry {
			kind = transform.KindGeometry
		}
		columns = append(columns, transform.Column{Name: m.Item.Identifier, Kind: kind})
		name := fmt.Sprintf("i%d", m.Item.No)
		if m.Item.Letter == 'T' {
			name = fmt.Sprintf(`to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`, name)
		}
		list = append(list, name+"::text")
	}
	plan, faults := transform.Compile(items, columns, b.AsOf)
	if faults != nil {
		rt.Fatal(faults)
	}
	rows, err := b.hub.Pool.Query(context.Background(), "SELECT _key, _h1, _h2, "+strings.Join(list, ", ")+" FROM "+b.table(t))
	if err != nil {
		rt.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	var row transform.Row
	for rows.Next() {
		seen++
		values, err := rows.Values()
		if err != nil {
			rt.Fatal(err)
		}
		c := make(cells, len(items))
		for i, v := range values[3:] {
			if v == nil {
				continue
			}
			c[i] = []byte(v.(string))
			if columns[i].Kind == transform.KindGeometry {
				if c[i], err = hex.DecodeString(strings.TrimPrefix(v.(string), `\x`)); err != nil {
					rt.Fatal(err)
				}
			}
		}
		plan.Row(c, 0, &row)
		got := fmt.Sprintf("%s %x", row.Key, row.Hash)
		stored := fmt.Sprintf("%s %016x%016x", values[0], uint64(values[1].(int64)), uint64(values[2].(int64)))
		if got != stored || len(row.Reasons) > 0 {
			rt.Fatalf("row %q reads back as %s, stored as %s, reasons %v", values, got, stored, row.Reasons)
		}
	}
	if err := rows.Err(); err != nil || seen != want {
		rt.Fatalf("%d rows, want %d, err %v", seen, want, err)
	}
}

// One row that no index can hold is refused and reported; it does not fail the run, nor does a refused row with such a key.
func TestValuesTooLongToIndex(t *testing.T) {
	t.Parallel()
	items := person()
	items[0].Item.Length, items[1].Item.Length, items[2].Item.Length = 0, 0, 4
	b := newBench(t, strings.Replace(personTable, "id text PRIMARY KEY", "id text", 1), items)
	b.at(t, `INSERT INTO person SELECT k, d, n FROM (VALUES
		('a', '330602', 'ok'),
		((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i), '330602', 'ok'),
		((SELECT string_agg(md5(i::text), '') FROM generate_series(2, 200) i), '330602', 'overlong name'),
		('b', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i), 'ok')) v(k, d, n)`)
	for _, inserted := range []int64{1, 0} {
		out := b.run(t)
		if c := out.Result.Counts; c.Rejected != 3 || c.Inserted != inserted {
			t.Errorf("got %+v", c)
		}
	}
}

// The bounding boxes of geometries belong to their own items, also where another geometry item has no column or no value.
func TestBoundingBoxes(t *testing.T) {
	t.Parallel()
	geometry := func(no int, column string) engine.Mapped {
		m := engine.Mapped{Item: transform.Item{No: no, Identifier: fmt.Sprint("g", no), Letter: 'G', Format: transform.FormatGeometry}, Column: column}
		if column != "" {
			m.Kind = transform.KindText
		}
		return m
	}
	b := newBench(t, personTable, []engine.Mapped{person()[0], geometry(2, ""), geometry(3, "division"), geometry(4, "name")})
	b.at(t, "INSERT INTO person VALUES ('a', NULL, 'POINT(103 40)'), ('b', 'LINESTRING(101 20, 105 26)', 'POINT(107 28)'), ('c', 'POINT(101 20)', NULL)")
	b.run(t)
	got := one[[]string](t, b, `SELECT array_agg(concat_ws('|', _key, coalesce(i2_x0::text, '-'), coalesce(concat_ws(',', i3_x0, i3_y0, i3_x1, i3_y1), ''),
		coalesce(concat_ws(',', i4_x0, i4_y0, i4_x1, i4_y1), '')) ORDER BY _key) FROM `+b.table(t))
	if diff := cmp.Diff([]string{"a|-||103,40,103,40", "b|-|101,20,105,26|107,28,107,28", "c|-|101,20,101,20|"}, got); diff != "" {
		t.Error(diff)
	}
}

// The memory of a run does not grow with its rows, whether they are accepted, rejected with large values, or all of one key.
func TestMemoryIsFlat(t *testing.T) {
	cases := []struct {
		name, rows string
		limit      uint64
	}{
		{"accepted", "SELECT n::text, '330602', 'name' FROM generate_series(1, 120000) n", 40 << 20},
		{"rejected, 100 kB each", "SELECT n::text, repeat(md5(n::text), 3000), 'name' FROM generate_series(1, 1500) n", 96 << 20},
		{"one key", "SELECT 'same', '330602', 'name' FROM generate_series(1, 60000) n", 48 << 20},
	}
	for _, c := range cases {
		b := newBench(t, strings.Replace(personTable, "id text PRIMARY KEY", "id text", 1), person())
		b.at(t, "INSERT INTO person "+c.rows)
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		stop, peak := make(chan struct{}), make(chan uint64)
		go func() {
			ticker := time.NewTicker(5 * time.Millisecond)
			defer ticker.Stop()
			var highest uint64
			for {
				select {
				case <-stop:
					peak <- highest
					return
				case <-ticker.C:
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					highest = max(highest, m.HeapInuse)
				}
			}
		}()
		b.run(t)
		close(stop)
		if grown := <-peak - before.HeapInuse; grown > c.limit && grown < 1<<62 {
			t.Errorf("%s: the heap grew by %d MiB, want at most %d", c.name, grown>>20, c.limit>>20)
		} else {
			t.Logf("%s: %d MiB", c.name, grown>>20)
		}
	}
}
