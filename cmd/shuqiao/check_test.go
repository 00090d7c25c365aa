package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// judged runs `shuqiao check` over an input and returns what it printed, line by line.
func judged(t *testing.T, kind, input string) []string {
	t.Helper()
	var out, errOut bytes.Buffer
	if code := runFrom(t.Context(), []string{"check", kind}, nil, strings.NewReader(input), &out, &errOut); code != 0 {
		t.Fatalf("check %s: exit %d: %s", kind, code, errOut.String())
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// Every collected credit code and identity number is told right or wrong as its table says, upper-cased first.
func TestCheckVectors(t *testing.T) {
	t.Parallel()
	for kind, name := range map[string]string{"uscc": "uscc_vectors.csv", "citizen-id": "citizen_id_vectors.csv"} {
		file, err := os.Open("../../catalog/codes/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		in := csv.NewReader(file)
		in.FieldsPerRecord = -1
		rows, err := in.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var input, want []string
		for _, row := range rows[1:] {
			value, expect := row[0], row[1]
			if value == "" {
				continue
			}
			ok := strings.HasPrefix(expect, "valid") || expect == "decide" && !strings.ContainsAny(value, " \t")
			input, want = append(input, value), append(want, fmt.Sprint(value, "\t", ok))
		}
		var got []string
		for i, line := range judged(t, kind, strings.Join(input, "\n")) {
			said, _ := strings.CutPrefix(line, input[i]+"\t")
			got = append(got, fmt.Sprint(input[i], "\t", said == "ok"))
		}
		if diff := cmp.Diff(want, got); len(want) < 20 || diff != "" {
			t.Errorf("%s: of %d values (-want +got):\n%s", kind, len(want), diff)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", maxValue+1)
	for _, c := range []struct{ kind, input, want string }{
		{"uscc", "91110000600037341l", "91110000600037341l\tok"},
		{"uscc", "９１１１００００６０００３７３４１Ｌ", "９１１１００００６０００３７３４１Ｌ\ta credit code has 18 characters"},
		{"uscc", "11330600QQ00000011", "11330600QQ00000011\tthe last character of the credit code does not agree with the other 17"},
		{"citizen-id", "11010519491231002x", "11010519491231002x\tok"},
		{"citizen-id", "110105491231002", "110105491231002\tthis is a 15-digit identity number of before 1999; ask for the 18-digit one"},
		{"org-code", "D2143569-X", "D2143569-X\tok"},
		{"org-code", "D21435690", "D21435690\tthe last character of the organisation code does not agree with the other 8"},
		{"certificate", "1.2.156.3005.2.x", "1.2.156.3005.2.x\ta certificate identifier has type, issuer, serial, version and check character between dots"},
		{"division", "330600", "330600\tok"},
		{"division", "330600123", "330600123\tok"},
		{"division", "339999", "339999\tthe division is not in the table in force; it may be a retired one"},
		{"division", "990000", "990000\tthe first two digits of the division are no province of GB/T 2260"},
		{"division", "330600\r\n\n330602", "330600\tok\n330602\tok"},
		{"division", "\xff33\n330600\n", "\uFFFD33\tthe value is not in UTF-8\n330600\tok"},
		{"division", long + "\n330600", strings.Repeat("9", 64) + "…\tthe value is longer than 4096 bytes\n330600\tok"},
		{"division", strings.Repeat(long, 5) + "\n330600", strings.Repeat("9", 64) + "…\tthe value is longer than 4096 bytes\n330600\tok"},
		{"division", "", ""},
	} {
		if got := strings.Join(judged(t, c.kind, c.input), "\n"); got != c.want {
			t.Errorf("check %s %.40q: got %.200q, want %.200q", c.kind, c.input, got, c.want)
		}
	}
}

// A kind that there is not, and an input that breaks off, fail the command.
func TestCheckFails(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	if code := runFrom(t.Context(), []string{"check", "number"}, nil, strings.NewReader("1\n"), &out, &errOut); code == 0 {
		t.Error("an unknown kind: exit 0")
	}
	broken := io.MultiReader(strings.NewReader("330600\n"), brokenReader{})
	if code := runFrom(t.Context(), []string{"check", "division"}, nil, broken, &out, &errOut); code == 0 || !strings.Contains(out.String(), "330600\tok") {
		t.Errorf("a broken input: exit %d, printed %q", code, out.String())
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestCalendarDue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string // "" for a refusal.
	}{
		{[]string{"2026-02-13", "1"}, "2026-02-14\n"},
		{[]string{"2026-09-18", "2"}, "2026-09-21\n2026-09-19\tweekend\n"},
		{[]string{"2026-05-07", "2"}, "2026-05-09\n"},
		{[]string{"2026-04-30", "1"}, "2026-05-06\n2026-05-01\t劳动节\n2026-05-02\t劳动节\n2026-05-03\t劳动节\n2026-05-04\t劳动节\n2026-05-05\t劳动节\n"},
		{[]string{"2099-01-01", "1"}, "2099-01-02\tprovisional: a year without an announcement is counted by weekends only\n"},
		{[]string{"2026-04-30", "0"}, "2026-04-30\n"},
		{[]string{"2026-02-30", "1"}, ""},
		{[]string{"26-02-03", "1"}, ""},
		{[]string{"2026-02-03", "1001"}, ""},
		{[]string{"2026-02-03", "--", "-1"}, ""},
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), append([]string{"calendar", "due"}, c.args...), nil, &out, &errOut)
		if out.String() != c.want || (code == 0) != (c.want != "") {
			t.Errorf("calendar due %v: exit %d, got %q, want %q", c.args, code, out.String(), c.want)
		}
	}
}
