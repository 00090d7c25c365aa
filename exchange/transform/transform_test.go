package transform

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/fault"
)

var runStart = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// table is a batch of rows in memory.
type table [][][]byte

func (t table) Cell(row, col int) []byte { return t[row][col] }

// null stands for NULL in the tables of these tests.
const null = "<null>"

func cells(values ...string) [][]byte {
	row := make([][]byte, len(values))
	for i, v := range values {
		if v != null {
			row[i] = []byte(v)
		}
	}
	return row
}

func texts(values [][]byte) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = null
		if v != nil {
			out[i] = string(v)
		}
	}
	return out
}

func codesOf(reasons []Reason) string {
	parts := make([]string, 0, len(reasons))
	for _, r := range reasons {
		parts = append(parts, fmt.Sprintf("%d:%s", r.ItemNo, r.Code))
	}
	return strings.Join(parts, " ")
}

func mustCompile(t testing.TB, items []Item, columns []Column) *Plan {
	t.Helper()
	plan, faults := Compile(items, columns, runStart)
	if len(faults) > 0 {
		t.Fatalf("compiling: %v", faults)
	}
	return plan
}

// Each kind of cell becomes the store text form of each letter it may feed, or gives the one reason that fits.
func TestConversions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		letter byte
		kind   Kind
		in     string
		want   string // The value, or a reason.
	}{
		{'C', KindText, "张三", "张三"},
		{'C', KindText, "", ""},
		{'C', KindText, " a ", " a "},
		{'C', KindText, null, null},
		{'C', KindText, "a\xffb", ReasonInvalidUTF8},
		{'C', KindText, "a\x00b", ReasonNULByte},
		{'M', KindText, "line\nline\t\\", "line\nline\t\\"},
		{'M', KindJSON, `{"a":1}`, `{"a":1}`},
		{'C', KindInteger, "-12", "-12"},
		{'C', KindBool, "true", "true"},
		{'C', KindTime, "08:30:00", "08:30:00"},
		{'C', KindOther, "{1,2}", "{1,2}"},

		{'N', KindDecimal, "12.500", "12.5"},
		{'N', KindDecimal, "0012.5", "12.5"},
		{'N', KindDecimal, "12.5", "12.5"},
		{'N', KindDecimal, "-0.00", "0"},
		{'N', KindDecimal, "0.5", "0.5"},
		{'N', KindText, "+.50", "0.5"},
		{'N', KindText, "-.5", "-0.5"},
		{'N', KindText, "5.", "5"},
		{'N', KindText, " 12 ", "12"},
		{'N', KindText, "", null},
		{'N', KindText, " ", null},
		{'N', KindText, ".", ReasonBadNumber},
		{'N', KindText, "-", ReasonBadNumber},
		{'N', KindText, "1.2.3", ReasonBadNumber},
		{'N', KindText, "1e3", ReasonBadNumber},
		{'N', KindText, "1,000", ReasonBadNumber},
		{'N', KindText, "１２", ReasonBadNumber},
		{'N', KindDecimal, "NaN", ReasonBadNumber},
		{'N', KindFloat, "1.5e+20", "150000000000000000000"},
		{'N', KindFloat, "1e-7", "0.0000001"},
		{'N', KindFloat, "0x1e3", ReasonBadNumber},
		{'N', KindText, strings.Repeat("9", 1001), ReasonOutOfRange},
		{'Y', KindInteger, "7", "7"},

		{'I', KindInteger, "9223372036854775807", "9223372036854775807"},
		{'I', KindInteger, "-9223372036854775808", "-9223372036854775808"},
		{'I', KindDecimal, "9223372036854775808", ReasonOutOfRange},
		{'I', KindText, "007", "7"},
		{'I', KindText, "-0", "0"},
		{'I', KindDecimal, "12.00", "12"},
		{'I', KindDecimal, "12.5", ReasonBadNumber},
		{'I', KindFloat, "1e+06", "1000000"},
		{'I', KindText, "", null},

		{'B', KindFloat, "0.1", "0.1"},
		{'B', KindFloat, "-0", "0"},
		{'B', KindFloat, "1e+400", ReasonOutOfRange},
		{'B', KindFloat, "NaN", ReasonBadNumber},
		{'B', KindFloat, "Infinity", ReasonBadNumber},
		{'B', KindText, "1.50", "1.5"},
		{'B', KindText, "1_000", ReasonBadNumber},
		{'B', KindText, "1e-", ReasonBadNumber},
		{'F', KindDecimal, "100000000000000000000000", "1e+23"},

		{'D', KindDate, "2026-02-13", "2026-02-13"},
		{'D', KindDate, "9999-12-31", "9999-12-31"},
		{'D', KindText, "20260213", "2026-02-13"},
		{'D', KindText, "2026/02/13", "2026-02-13"},
		{'D', KindText, "2026/2/3", "2026-02-03"},
		{'D', KindText, "2026-2-13", "2026-02-13"},
		{'D', KindText, " 2026-02-13 ", "2026-02-13"},
		{'D', KindText, "2026-02-13 23:59:59", "2026-02-13"},
		{'D', KindText, "2026-02-13T20:00:00Z", "2026-02-14"},
		{'D', KindTimestamp, "2026-02-13T16:00:00Z", "2026-02-14"},
		{'D', KindTimestamp, "1988-07-01T15:30:00Z", "1988-07-02"},
		{'D', KindLocalTimestamp, "2026-02-13T23:00:00", "2026-02-13"},
		{'D', KindInteger, "20260213", "2026-02-13"},
		{'D', KindText, "1900-02-29", ReasonImpossibleDate},
		{'D', KindText, "2000-02-29", "2000-02-29"},
		{'D', KindText, "20261301", ReasonImpossibleDate},
		{'D', KindText, "2026-04-31", ReasonImpossibleDate},
		{'D', KindText, "0000-01-01", ReasonImpossibleDate},
		{'D', KindText, "2026-00-10", ReasonImpossibleDate},
		{'D', KindText, "2026-02/13", ReasonBadDate},
		{'D', KindText, "13.02.2026", ReasonBadDate},
		{'D', KindText, "2026-02-13x", ReasonBadDate},
		{'D', KindText, "2026", ReasonBadDate},
		{'D', KindText, "202602", ReasonBadDate},
		{'D', KindText, "至今", ReasonBadDate},
		{'D', KindText, "", null},
		{'D', KindDate, "infinity", ReasonBadDate},
		{'D', KindTimestamp, "9999-12-31T20:00:00Z", ReasonOutOfRange},

		{'T', KindTimestamp, "2026-02-13T00:30:00Z", "2026-02-13T00:30:00Z"},
		{'T', KindTimestamp, "2026-02-13T00:30:00.120000Z", "2026-02-13T00:30:00.12Z"},
		{'T', KindLocalTimestamp, "2026-02-13T08:30:00", "2026-02-13T00:30:00Z"},
		{'T', KindDate, "2026-02-13", "2026-02-12T16:00:00Z"},
		{'T', KindText, "2026-02-13 08:30", "2026-02-13T00:30:00Z"},
		{'T', KindText, "20260213083000", "2026-02-13T00:30:00Z"},
		{'T', KindText, "2026/2/13 8:30:00", "2026-02-13T00:30:00Z"},
		{'T', KindText, "2026-02-13 08:30:00+08", "2026-02-13T00:30:00Z"},
		{'T', KindText, "2026-02-13T08:30:00.123456789+08:00", "2026-02-13T00:30:00.123456Z"},
		{'T', KindText, "2026-02-13T00:30:00-0330", "2026-02-13T04:00:00Z"},
		{'T', KindText, "1988-07-01 12:00:00", "1988-07-01T03:00:00Z"},
		{'T', KindText, "1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001Z"},
		{'T', KindText, "2026-02-13 24:00:00", ReasonImpossibleDate},
		{'T', KindText, "2026-02-13 08:60:00", ReasonImpossibleDate},
		{'T', KindText, "2026-02-13 08", ReasonBadDate},
		{'T', KindText, "2026-02-13 08:30:00 CST", ReasonBadDate},
		{'T', KindText, "2026-02-13 08:30:00.", ReasonBadDate},
		{'T', KindText, "2026-02-13 08:30:00+", ReasonBadDate},
		{'T', KindText, "2026-02-13 08:30:00+08:", ReasonBadDate},
		{'T', KindText, "2026-02-13 08:30:00+99:00", ReasonBadDate},
		{'T', KindText, "0001-01-01 00:00:00", ReasonOutOfRange},

		{'L', KindBool, "true", "true"},
		{'L', KindText, "N", "false"},
		{'L', KindText, "是", "true"},
		{'L', KindText, "否", "false"},
		{'L', KindInteger, "1", "true"},
		{'L', KindText, " 0 ", "false"},
		{'L', KindText, "", null},
		{'L', KindText, "2", ReasonBadBoolean},

		{'G', KindBytes, "\x00\xff", `\x00ff`},
		{'G', KindBytes, "", `\x`},
		{'G', KindText, `\x00FF`, `\x00ff`},
		{'G', KindText, "AP8=", `\x00ff`},
		{'G', KindText, "?", ReasonBadBinary},
		{'G', KindText, `\x0`, ReasonBadBinary},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %q to %c", tt.kind, tt.in, tt.letter), func(t *testing.T) {
			t.Parallel()
			plan := mustCompile(t, []Item{{No: 7, Letter: tt.letter}}, []Column{{Kind: tt.kind}})
			var row Row
			plan.Row(table{cells(tt.in)}, 0, &row)
			got := texts(row.Values)[0]
			if len(row.Reasons) > 0 {
				got = row.Reasons[0].Code
				if row.Reasons[0].ItemNo != 7 || row.Reasons[0].Message == "" || row.Hash != [16]byte{} {
					t.Errorf("reason %+v is incomplete, or a refused row has a hash", row.Reasons[0])
				}
			}
			if got != tt.want || len(row.Reasons) > 1 {
				t.Errorf("got %q (%s), want %q", got, codesOf(row.Reasons), tt.want)
			}
		})
	}
}

// A stored value converts to itself with the kind it has in the store, so that both ends of a comparison hash alike.
func TestStoreFormIsStable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		letter byte
		kind   Kind
		value  string
	}{
		{'N', KindDecimal, "-12.5"},
		{'I', KindInteger, "-7"},
		{'B', KindFloat, "1e+23"},
		{'B', KindFloat, "0.30000000000000004"},
		{'D', KindDate, "0001-01-01"},
		{'T', KindTimestamp, "2026-02-13T00:30:00.12Z"},
		{'T', KindTimestamp, "1927-12-31T15:54:07Z"},
		{'L', KindBool, "false"},
		{'C', KindText, " "},
		{'G', KindText, `\x00ff`},
	}
	for _, tt := range tests {
		plan := mustCompile(t, []Item{{No: 1, Letter: tt.letter}}, []Column{{Kind: tt.kind}})
		var row Row
		plan.Row(table{cells(tt.value)}, 0, &row)
		if got := texts(row.Values)[0]; got != tt.value {
			t.Errorf("%c: got %q, want %q", tt.letter, got, tt.value)
		}
	}
}

// Lengths count characters, precision counts digits before and after the point, and nothing is cut or rounded to fit.
func TestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		item Item
		in   string
		want string
	}{
		{Item{No: 1, Letter: 'C', Length: 2}, "𡐓村", ""},
		{Item{No: 1, Letter: 'C', Length: 2}, "𡐓村里", "1:too_long"},
		{Item{No: 1, Letter: 'N', Length: 5, Scale: 2}, "999.99", ""},
		{Item{No: 1, Letter: 'N', Length: 5, Scale: 2}, "-999.990", ""},
		{Item{No: 1, Letter: 'N', Length: 5, Scale: 2}, "1000", "1:out_of_range"},
		{Item{No: 1, Letter: 'N', Length: 5, Scale: 2}, "0.001", "1:out_of_range"},
		{Item{No: 1, Letter: 'N', Length: 2, Scale: 2}, "0.99", ""},
		{Item{No: 1, Letter: 'I', Length: 2}, "100", "1:out_of_range"},
		{Item{No: 1, Letter: 'C', Required: true}, "", "1:required_missing"},
		{Item{No: 1, Letter: 'C', Required: true}, "　", "1:required_missing"},
		{Item{No: 1, Letter: 'C', Required: true}, null, "1:required_missing"},
		{Item{No: 1, Letter: 'C'}, "", ""},
		{Item{No: 1, Letter: 'D', Required: true}, "", "1:required_missing"},
		{Item{No: 1, Letter: 'C', Key: true, Required: true}, null, "1:key_missing"},
		{Item{No: 1, Letter: 'C', Key: true}, " ", "1:key_missing"},
		{Item{No: 1, Letter: 'C', Codes: []string{"1", "2X"}}, "1", ""},
		{Item{No: 1, Letter: 'C', Codes: []string{"1", "2X"}}, "3", "1:unknown_code"},
		{Item{No: 1, Letter: 'C', Codes: []string{}}, "3", "1:unknown_code"},
		{Item{No: 1, Letter: 'C', Codes: []string{"1"}, Length: 1}, "33", "1:too_long 1:unknown_code"},
		{Item{No: 1, Letter: 'C', Codes: []string{"1"}}, "", ""},
		{Item{No: 1, Letter: 'I', Codes: []string{"1"}}, "2", "1:unknown_code"},
		{Item{No: 1, Letter: 'C', Validator: "citizen_id", Length: 18}, "110105194912310021", "1:bad_check_digit"},
		{Item{No: 1, Letter: 'C', Validator: "citizen_id", Length: 18}, "", ""},
		{Item{No: 1, Letter: 'C', Validator: "uscc"}, "91110000802100433A", "1:bad_check_digit"},
	}
	for _, tt := range tests {
		plan := mustCompile(t, []Item{tt.item}, []Column{{Kind: KindText}})
		var row Row
		plan.Row(table{cells(tt.in)}, 0, &row)
		if got := codesOf(row.Reasons); got != tt.want {
			t.Errorf("%c(%d,%d) %q: got %q, want %q", tt.item.Letter, tt.item.Length, tt.item.Scale, tt.in, got, tt.want)
		}
	}
}

// Identifiers and coded values are stored normalised; other text keeps its blanks, case and width.
func TestNormalisation(t *testing.T) {
	t.Parallel()
	plan := mustCompile(t, []Item{
		{No: 1, Letter: 'C', Validator: "citizen_id", Length: 18},
		{No: 2, Letter: 'C', Validator: "org_code"},
		{No: 3, Letter: 'C', Codes: []string{"A1"}},
		{No: 4, Letter: 'C'},
		{No: 5, Letter: 'C', Validator: "mobile"},
	}, []Column{{Kind: KindText}, {Kind: KindText}, {Kind: KindText}, {Kind: KindText}, {Kind: KindText}})
	var row Row
	plan.Row(table{cells(" １1010519491231002x ", "d2143569-x", " ａ1", " ａ1", " ")}, 0, &row)
	want := []string{"11010519491231002X", "D2143569X", "A1", " ａ1", ""}
	if diff := cmp.Diff(want, texts(row.Values)); diff != "" || len(row.Reasons) > 0 {
		t.Errorf("values (-want +got), reasons %s:\n%s", codesOf(row.Reasons), diff)
	}
}

// A refused row lists the reasons of all its items in item order, and a validator's warnings refuse nothing.
func TestAllReasons(t *testing.T) {
	t.Parallel()
	items := []Item{
		{No: 1, Identifier: "id_no", Letter: 'C', Key: true, Validator: "id_number_by_type:id_type"},
		{No: 2, Identifier: "id_type", Letter: 'C', Codes: []string{"111", "414", "553"}},
		{No: 3, Identifier: "birth", Letter: 'D', Required: true},
		{No: 4, Identifier: "phone", Letter: 'C', Validator: "mobile"},
		{No: 5, Identifier: "amount", Letter: 'N', Length: 4, Scale: 2},
	}
	text := Column{Kind: KindText}
	plan := mustCompile(t, items, []Column{text, text, text, text, text})
	tests := []struct {
		name              string
		row               [][]byte
		reasons, warnings string
		keyOK             bool
	}{
		{"sound", cells("11010519491231002X", "111", "20260213", "13800001234", "1"), "", "", true},
		{"unusual", cells("110105491231002", "111", "20260213", "10000001234", "1"), "", "1:old_form 4:unassigned_block", true},
		{"a passport number is free", cells("E12345678", "414", "20260213", null, null), "", "", true},
		{
			"everything wrong", cells("110105194912310021", "111", "20261313", "1", "x"),
			"1:bad_check_digit 3:impossible_date 4:bad_length 5:bad_number", "", true,
		},
		{"unknown type", cells("E1", "x", "20260213", null, null), "2:unknown_code", "", true},
		{"no key, no birth", cells(null, "111", null, null, null), "1:key_missing 3:required_missing", "", false},
		{"key unreadable", cells("\xff", "111", "20260213", null, null), "1:invalid_utf8", "", false},
	}
	var row Row
	for _, tt := range tests {
		plan.Row(table{tt.row}, 0, &row)
		if got := codesOf(row.Reasons); got != tt.reasons {
			t.Errorf("%s: got reasons %q, want %q", tt.name, got, tt.reasons)
		}
		if got := codesOf(row.Warnings); got != tt.warnings {
			t.Errorf("%s: got warnings %q, want %q", tt.name, got, tt.warnings)
		}
		if row.KeyOK != tt.keyOK || (row.Key != "") != tt.keyOK {
			t.Errorf("%s: got key %q %v, want ok %v", tt.name, row.Key, row.KeyOK, tt.keyOK)
		}
	}
}

// Keys join their parts by item number whatever the order of columns, and split again into the same parts.
func TestKeys(t *testing.T) {
	t.Parallel()
	plan := mustCompile(t,
		[]Item{{No: 2, Letter: 'N', Key: true}, {No: 3, Letter: 'C'}, {No: 1, Letter: 'C', Key: true, Length: 5}},
		[]Column{{Kind: KindDecimal}, {Kind: KindText}, {Kind: KindText}})
	tests := []struct {
		row  [][]byte
		want string
	}{
		{cells("1.0", "x", "a~b"), "a~0b~11"},
		{cells("1", "x", "~1"), "~01~11"},
		{cells("1", "x", "toolong"), "toolong~11"},
		{cells(null, "x", "a"), ""},
		{cells("x", "x", "a"), ""},
	}
	var row Row
	for _, tt := range tests {
		plan.Row(table{tt.row}, 0, &row)
		if row.Key != tt.want || row.KeyOK != (tt.want != "") {
			t.Errorf("got %q %v, want %q", row.Key, row.KeyOK, tt.want)
		}
	}
	for _, parts := range [][]string{{"a"}, {""}, {"~", "~1", ""}, {"~0", "1"}, {"a", "b", "c"}} {
		got, ok := SplitKey(JoinKey(parts...))
		if diff := cmp.Diff(parts, got); !ok || diff != "" {
			t.Errorf("key round trip (-want +got):\n%s", diff)
		}
	}
	for _, bad := range []string{"~", "a~2", "~~1"} {
		if _, ok := SplitKey(bad); ok {
			t.Errorf("%q was split", bad)
		}
	}
	if Bucket("a", 0) != 0 || Bucket("a", 8) != 0xca || Bucket("a", 32) != 0xca978112 || Bucket("a", 99) != 0xca978112 {
		t.Errorf("buckets are not the first bits of SHA-256: %x", Bucket("a", 32))
	}
}

// The content hash is SHA-256 over number, letter, length and canonical value in item order, without NULL items.
func TestContentHash(t *testing.T) {
	t.Parallel()
	hash := func(items []Item, kinds []Kind, row [][]byte) string {
		columns := make([]Column, len(kinds))
		for i, k := range kinds {
			columns[i].Kind = k
		}
		var out Row
		mustCompile(t, items, columns).Row(table{row}, 0, &out)
		if len(out.Reasons) > 0 {
			t.Fatalf("refused: %s", codesOf(out.Reasons))
		}
		return hex.EncodeToString(out.Hash[:])
	}
	sum := func(s string) string {
		d := sha256.Sum256([]byte(s))
		return hex.EncodeToString(d[:16])
	}
	name, amount := Item{No: 1, Letter: 'C'}, Item{No: 300, Letter: 'N'}
	photo := Item{No: 4, Letter: 'G'}
	digest := sha256.Sum256([]byte{0, 255})
	tests := []struct {
		name, got, want string
	}{
		{
			"text and number", hash([]Item{name, amount}, []Kind{KindText, KindDecimal}, cells("张三", "12.50")),
			sum("\x01C\x06张三\xac\x02N\x0412.5"),
		},
		{
			"columns in another order", hash([]Item{amount, name}, []Kind{KindText, KindText}, cells("+12.5", "张三")),
			sum("\x01C\x06张三\xac\x02N\x0412.5"),
		},
		{"NULL is not hashed", hash([]Item{name, amount}, []Kind{KindText, KindDecimal}, cells("张三", null)), sum("\x01C\x06张三")},
		{"empty is not NULL", hash([]Item{name}, []Kind{KindText}, cells("")), sum("\x01C\x00")},
		{"nothing at all", hash([]Item{name}, []Kind{KindText}, cells(null)), sum("")},
		{"minus zero", hash([]Item{amount}, []Kind{KindDecimal}, cells("-0.0")), sum("\xac\x02N\x010")},
		{
			"time in UTC", hash([]Item{{No: 2, Letter: 'T'}}, []Kind{KindText}, cells("2026-02-13 08:30:00.500")),
			sum("\x02T\x162026-02-13T00:30:00.5Z"),
		},
		{"float at its shortest", hash([]Item{{No: 2, Letter: 'B'}}, []Kind{KindText}, cells("0.10")), sum("\x02B\x030.1")},
		{"text is not normalised", hash([]Item{name}, []Kind{KindText}, cells("e\u0301")), sum("\x01C\x03e\u0301")},
		{"binary by digest", hash([]Item{photo}, []Kind{KindBytes}, cells("\x00\xff")), sum("\x04G\x20" + string(digest[:]))},
		{"a fixed vector", hash([]Item{name}, []Kind{KindText}, cells("abc")), "a5995b4f47b5ce76d811f60a6a98dd79"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

// Sums do not depend on order, count doubles, give back what was taken, and survive their text form.
func TestSum(t *testing.T) {
	t.Parallel()
	a, b := [16]byte{15: 1}, [16]byte{0: 255, 1: 255, 2: 255, 3: 255, 4: 255, 5: 255, 6: 255, 7: 255, 8: 255, 9: 255, 10: 255, 11: 255, 12: 255, 13: 255, 14: 255, 15: 255}
	var ab, ba, doubled Sum
	ab.Add(a)
	ab.Add(b)
	ba.Add(b)
	ba.Add(a)
	if want := (Sum{Count: 2}); !ab.Equal(ba) || !ab.Equal(want) {
		t.Errorf("got %v and %v, want %v: 1 + (2^128-1) is 0 mod 2^128", ab, ba, want)
	}
	doubled.Add(a)
	doubled.Add(a)
	if doubled.Equal(Sum{}) || doubled.String() != "00000000000000000000000000000002:2" {
		t.Errorf("a row twice gives %v", doubled)
	}
	ab.Sub(b)
	ab.Sub(a)
	if !ab.Equal(Sum{}) {
		t.Errorf("got %v after taking everything away", ab)
	}
	ab.Sub(a)
	text, err := ab.MarshalText()
	if err != nil || string(text) != "ffffffffffffffffffffffffffffffff:-1" {
		t.Errorf("got %s, %v", text, err)
	}
	var back Sum
	if err := back.UnmarshalText(text); err != nil || !back.Equal(ab) {
		t.Errorf("got %v, %v, want %v", back, err, ab)
	}
	for _, bad := range []string{"", "00:1", "zz000000000000000000000000000000:1", "00000000000000000000000000000000:", "00000000000000000000000000000000"} {
		if err := back.UnmarshalText([]byte(bad)); fault.CodeOf(err) != "sum_invalid" {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// Every pair of kind and letter compiles or is refused as the table says, and no kind is forgotten.
func TestCompatibility(t *testing.T) {
	t.Parallel()
	want := map[Kind]string{
		KindText: "CNYDTLMGBIF", KindInteger: "CNYDLMBIF", KindDecimal: "CNYMBIF", KindFloat: "CNYMBIF", KindBool: "CLM",
		KindDate: "CDTM", KindTimestamp: "CDTM", KindLocalTimestamp: "CDTM", KindTime: "CM", KindBytes: "G", KindGeometry: "",
		KindJSON: "CM", KindOther: "CM",
	}
	for _, kind := range Kinds() {
		got := ""
		for _, letter := range []byte(Letters) {
			_, faults := Compile([]Item{{No: 1, Letter: letter}}, []Column{{Kind: kind}}, runStart)
			if len(faults) == 0 {
				got += string(letter)
			} else if faults[0].Code != "incompatible_type" || faults[0].Name != "items[0]" {
				t.Errorf("%s to %c: got %+v", kind, letter, faults)
			}
		}
		if got != want[kind] {
			t.Errorf("%s feeds %q, want %q", kind, got, want[kind])
		}
		_, faults := Compile([]Item{{No: 1, Letter: 'G', Format: FormatGeometry}}, []Column{{Kind: kind}}, runStart)
		if feeds := strings.Contains("text geometry bytes json", string(kind)); feeds != (len(faults) == 0) {
			t.Errorf("%s to geometry: got %+v", kind, faults)
		}
	}
}

// A mapping that cannot work is refused with every fault named at its item.
func TestCompileFaults(t *testing.T) {
	t.Parallel()
	text := Column{Kind: KindText}
	_, faults := Compile([]Item{
		{No: 0, Letter: 'C'},
		{No: 2, Letter: 'X'},
		{No: 2, Letter: 'C', Validator: "nothing"},
		{No: 4, Letter: 'N', Length: 2, Scale: 3},
		{No: 5, Letter: 'G', Key: true},
		{No: 6, Letter: 'D', Validator: "mobile"},
		{No: 7, Letter: 'C', Validator: "id_number_by_type:absent"},
		{No: 8, Letter: 'C'},
	}, []Column{text, text, text, text, text, text, text, {Kind: "colour"}}, runStart)
	var got []string
	for _, f := range faults {
		got = append(got, f.Name+" "+f.Code)
	}
	want := []string{
		"items[0].no item_number", "items[1].data_type unknown_letter", "items[2].no item_number",
		"items[2].validator unknown_validator", "items[3].length length", "items[4].is_key key_type",
		"items[5].validator validator_type", "items[6].validator unknown_validator", "items[7] unknown_kind",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if _, faults := Compile([]Item{{No: 1, Letter: 'C'}}, nil, runStart); len(faults) != 1 || faults[0].Code != "count_mismatch" {
		t.Errorf("got %+v for a missing column", faults)
	}
}

// COPY text escapes what PostgreSQL would read as structure, and NULL differs from the empty text and from \N as text.
func TestEncodeCopyText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   []byte
		want string
	}{
		{nil, `\N`},
		{[]byte{}, ""},
		{[]byte(`\N`), `\\N`},
		{[]byte("a\tb\nc\r\\\b\f\v"), `a\tb\nc\r\\\b\f\v`},
		{[]byte("张三\x01\x1f"), "张三\x01\x1f"},
		{[]byte(`\.`), `\\.`},
	}
	for _, tt := range tests {
		if got := string(EncodeCopyText([]byte("|"), tt.in)); got != "|"+tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, "|"+tt.want)
		}
	}
}

// One Row serves plans of different shapes one after another without carrying anything over.
func TestRowReuse(t *testing.T) {
	t.Parallel()
	wide := mustCompile(t, []Item{{No: 1, Letter: 'G', Key: false}, {No: 2, Letter: 'C', Key: true}}, []Column{{Kind: KindBytes}, {Kind: KindText}})
	narrow := mustCompile(t, []Item{{No: 1, Letter: 'D'}, {No: 2, Letter: 'N'}}, []Column{{Kind: KindText}, {Kind: KindText}})
	var row Row
	wide.Row(table{cells("\x01", "k")}, 0, &row)
	first := row.Hash
	narrow.Row(table{cells("20260213", "x")}, 0, &row)
	if row.Key != "" || row.KeyOK || row.Boxes != nil || codesOf(row.Reasons) != "2:bad_number" {
		t.Errorf("got key %q, boxes %v, reasons %s", row.Key, row.Boxes, codesOf(row.Reasons))
	}
	wide.Row(table{cells("\x01", "k")}, 0, &row)
	if row.Hash != first || row.Key != "k" || len(row.Reasons) > 0 {
		t.Errorf("the same row hashes to %x and %x", first, row.Hash)
	}
}
