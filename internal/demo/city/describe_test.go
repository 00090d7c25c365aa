package city

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The description is consistent: each column and item once, keys mapped, leads known, and every producer fills every column.
func TestDescriptionFitsTheProducers(t *testing.T) {
	t.Parallel()
	w, err := newWorld(1, MinScale)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range systems() {
		if departmentByKey(s.Department).Key == "" {
			t.Errorf("%s: unknown department %q", s.Name, s.Department)
		}
		for _, table := range s.tables {
			n := table.RowsAt(MinScale)
			produce, err := table.open(w, n)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(produce(n-1, []string{"1"})), len(table.Columns); got != want {
				t.Errorf("%s: producer fills %d columns, want %d", table.Name, got, want)
			}
			if table.Columns[0].Name != table.RowColumn || table.Columns[0].Type != "bigint" {
				t.Errorf("%s: the first column is not the row number", table.Name)
			}
			items, names := map[string]bool{}, map[string]bool{}
			for _, c := range table.Columns {
				if names[c.Name] || (c.Item != "" && items[c.Item]) {
					t.Errorf("%s: %s or its item %s occurs twice", table.Name, c.Name, c.Item)
				}
				names[c.Name], items[c.Item] = true, true
				if strings.Contains(c.Comment, "'") {
					t.Errorf("%s: comment of %s would break its statement", table.Name, c.Name)
				}
			}
			for _, item := range append(slices.Clone(table.KeyItems), flawItems(table)...) {
				if !items[item] {
					t.Errorf("%s: item %s is not mapped", table.Name, item)
				}
			}
			for _, item := range table.Missing {
				if items[item] {
					t.Errorf("%s: item %s is both mapped and missing", table.Name, item)
				}
			}
			for item := range table.Codes {
				if !items[item] {
					t.Errorf("%s: codes of item %s, which is not mapped", table.Name, item)
				}
			}
		}
	}
}

func flawItems(t table) []string {
	var items []string
	for _, f := range t.flaws {
		items = append(items, f.item)
	}
	return items
}

// Templates, row counts and databases are those the base databases need, and credit codes of departments are made up.
func TestDatabasesAndDepartments(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for _, d := range Databases() {
		for _, table := range d.Tables {
			got[d.BaseDatabase] += table.Rows
		}
	}
	for base, want := range map[string]int{
		"population": 200_000, "legal_person": 50_000, "geospatial": 30_000, "credit": 20_000, "certificate": 60_000, "macro_economy": 5_000,
	} {
		if got[base] != want {
			t.Errorf("%s has %d rows, want %d", base, got[base], want)
		}
	}
	code := regexp.MustCompile(`^11330600QQ`)
	for _, d := range Departments() {
		if !code.MatchString(d.USCC) || usccCheck(d.USCC[:17]) != d.USCC[17] || orgCheck(d.USCC[8:16]) != d.USCC[16] {
			t.Errorf("%s has credit code %s", d.Key, d.USCC)
		}
	}
}

// Firms have different credit codes, also at the largest scale.
func TestOrganisationBodiesAreUnique(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool, firmRows*MaxScale)
	for i := range firmRows * MaxScale {
		body := organisationBody(42, i)
		if seen[body] || !strings.HasPrefix(body, "QQ") || len(body) != 8 {
			t.Fatalf("body %d is %s", i, body)
		}
		seen[body] = true
	}
}

// Every published figure is there, and the count the description bounds itself with is the true one.
func TestFiguresAreComplete(t *testing.T) {
	t.Parallel()
	figures, err := readFigures()
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != macroFigures {
		t.Errorf("%d figures, want %d", len(figures), macroFigures)
	}
	if f := figures[0]; f.region != "CHN" || f.year != "2023" {
		t.Errorf("the first figure is %s %s", f.region, f.year)
	}
	longest := slices.MaxFunc(figures, func(a, b figure) int { return len(a.region) - len(b.region) })
	if len(longest.region) != 3 {
		t.Errorf("region code %q does not make six places with 000", longest.region)
	}
}
