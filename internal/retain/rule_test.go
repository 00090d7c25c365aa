package retain_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/retain"
)

var update = flag.Bool("update", false, "write the table into docs/retention.md")

// Each kind stands once in the table, says everything in both languages, and is kept by default at least as long as it must be; what rests on
// a law cannot be set below it.
func TestRules(t *testing.T) {
	t.Parallel()
	seen := map[retain.Kind]bool{}
	for _, r := range retain.Rules() {
		if seen[r.Kind] || r.What == "" || r.WhatZH == "" || r.Since == "" || r.SinceZH == "" || r.How == "" || r.HowZH == "" {
			t.Errorf("%s: twice, or something is not said", r.Kind)
		}
		seen[r.Kind] = true
		least := map[retain.Law]int{retain.Order809: 1096, retain.Cybersecurity: 184, retain.Own: 0}[r.Basis]
		if r.Least < least || !r.Fixed && (r.Days < r.Least || r.Least < 1) {
			t.Errorf("%s: kept %d days, at least %d, where %s asks for %d", r.Kind, r.Days, r.Least, r.Basis, least)
		}
	}
}

// Settings are followed down to the least period and no further; what has none follows the table.
func TestDays(t *testing.T) {
	t.Parallel()
	days := retain.Days{retain.Usage: 10, retain.Runs: 200, retain.Answers: 9}
	for kind, want := range map[retain.Kind]int{retain.Usage: 1096, retain.Runs: 200, retain.Answers: 1, retain.Fires: 366} {
		if got := days.Of(kind); got != want {
			t.Errorf("%s: got %d days, want %d", kind, got, want)
		}
	}
	if got := retain.Days(nil).Period(retain.Layouts).Hours(); got != 24 {
		t.Errorf("got %v hours", got)
	}
}

// docs/retention.md shows the table. Run the test with -update after changing it.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../docs/retention.md", "<!-- rules -->\n", "<!-- end -->\n"
	var table strings.Builder
	table.WriteString("| what | days | least, and why | counted from | how |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range retain.Rules() {
		days, least := fmt.Sprint(r.Days), fmt.Sprintf("%d: %s", r.Least, r.Basis.Text())
		if r.Fixed {
			least = "no setting: " + r.Basis.Text()
		} else {
			days += fmt.Sprintf(" (`retain-%s`)", strings.ReplaceAll(string(r.Kind), "_", "-"))
		}
		if r.Months {
			days += ", whole months"
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", r.What, days, least, r.Since, r.How)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	old, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("the page lacks the marks of the table")
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table.String(), old); diff != "" {
		t.Errorf("the page's table is not the program's (-program +page):\n%s", diff)
	}
}
