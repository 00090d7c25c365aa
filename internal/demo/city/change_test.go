package city

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

func inventoryOf(t testing.TB, dsn DSN, table string) []Wrong {
	t.Helper()
	wrong, err := Inventory(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(wrong, func(w Wrong) bool { return w.Table != table })
}

// A change does to the source exactly what its report says, touches no row twice, and keeps the inventory true.
func TestChangeDoesWhatItReports(t *testing.T) {
	t.Parallel()
	dsn := sources(t)
	build(t, dsn, 9)
	ctx := context.Background()
	conn := pgtest.Conn(t, dsn("police_population"))
	if _, err := conn.Exec(ctx, "CREATE TEMP TABLE before AS SELECT * FROM public.t_rk_jbxx"); err != nil {
		t.Fatal(err)
	}
	before := inventoryOf(t, dsn, populationTable)
	right := before[:2]
	done, err := Change(ctx, dsn("police_population"), ChangePlan{
		From: "330602", To: "330603", Update: 5, Move: 4, Delete: 3, Spoil: 2, Right: right,
	})
	if err != nil {
		t.Fatal(err)
	}
	count := func(query string, args ...any) int { return scalar[int](t, conn, query, args...) }
	const both = `SELECT count(*) FROM before b JOIN public.t_rk_jbxx a USING (xh) WHERE b.gmsfhm = ANY($1) `
	for _, tt := range []struct {
		what      string
		got, want int
	}{
		{"updated rows with another telephone number and residence", count(both+`AND a.lxdh IS DISTINCT FROM b.lxdh AND a.xzdz <> b.xzdz AND a.hjdqh = b.hjdqh`, done.Updated), 5},
		{"moved rows", count(both+`AND b.hjdqh LIKE '330602%' AND a.hjdqh LIKE '330603%' AND a.hjdz <> b.hjdz`, done.Moved), 4},
		{"deleted rows still there", count(both, done.Deleted), 0},
		{"deleted rows once there", count(`SELECT count(*) FROM before WHERE gmsfhm = ANY($1) AND hjdqh LIKE '330602%'`, done.Deleted), 3},
		{"spoilt rows", len(done.Spoilt), 2},
		{"rows that differ in all", count(`SELECT count(*) FROM before b FULL JOIN public.t_rk_jbxx a USING (xh) WHERE a IS DISTINCT FROM b`), 5 + 4 + 3 + 2 + 2},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, tt.got, tt.want)
		}
	}
	for _, w := range right {
		if got := scalar[string](t, conn, "SELECT "+w.Column+" FROM t_rk_jbxx WHERE xh = $1", w.Row); got != w.GoodValue {
			t.Errorf("row %d was not corrected", w.Row)
		}
	}
	want := append(slices.Clone(before[2:]), done.Spoilt...)
	slices.SortFunc(want, func(a, b Wrong) int { return int(a.Row - b.Row) })
	if diff := cmp.Diff(want, inventoryOf(t, dsn, populationTable)); diff != "" {
		t.Errorf("inventory after the change (-want +got):\n%s", diff)
	}
	if err := Correct(ctx, dsn("police_population"), done.Spoilt...); err != nil {
		t.Fatal(err)
	}
	if got := count(`SELECT count(*) FROM before b JOIN public.t_rk_jbxx a USING (xh) WHERE a.csrq <> b.csrq AND xh = ANY($1)`,
		[]int64{done.Spoilt[0].Row, done.Spoilt[1].Row}); got != 0 {
		t.Errorf("%d spoilt rows did not get their birth date back", got)
	}
}

// Correcting every wrong row leaves a city in which every key is there once.
func TestCorrectMendsEveryKind(t *testing.T) {
	t.Parallel()
	dsn := sources(t)
	wrong := build(t, dsn, 10)
	for _, w := range wrong {
		if err := Correct(context.Background(), dsn(w.Database), w); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := Inventory(context.Background(), dsn); err != nil || len(left) != 0 {
		t.Errorf("inventory afterwards: %v, %v", left, err)
	}
	for _, d := range Databases() {
		conn := pgtest.Conn(t, dsn(d.Name))
		for _, table := range d.Tables {
			keys := make([]string, 0, len(table.KeyItems))
			for _, item := range table.KeyItems {
				keys = append(keys, pgx.Identifier{table.Mapping()[item]}.Sanitize())
			}
			list := keys[0]
			for _, k := range keys[1:] {
				list += ", " + k
			}
			got := scalar[int](t, conn, "SELECT count(DISTINCT ("+list+")) FROM "+tableName(table.Name)+" WHERE "+keys[0]+" IS NOT NULL")
			if want := table.RowsAt(testScale); got != want {
				t.Errorf("%s has %d different keys, want %d", table.Name, got, want)
			}
		}
	}
}

// A plan that cannot be carried out is refused and nothing is changed.
func TestChangeRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	dsn := sources(t)
	build(t, dsn, 11)
	before := fingerprint(t, dsn)
	gone := inventoryOf(t, dsn, populationTable)[0]
	gone.Row = 1 << 40
	for _, tt := range []struct {
		name string
		plan ChangePlan
	}{
		{"more rows than the county has", ChangePlan{From: "330602", To: "330603", Update: 1, Delete: 1_000_000}},
		{"a county outside the city", ChangePlan{From: "330106", To: "330603", Update: 1}},
		{"a move to nowhere", ChangePlan{From: "330602", To: "330106", Move: 1}},
		{"a move to itself", ChangePlan{From: "330602", To: "330602", Move: 1}},
		{"a negative count", ChangePlan{From: "330602", To: "330603", Move: -1}},
		{"a correction in another table", ChangePlan{From: "330602", To: "330603", Right: []Wrong{{Table: "e_baseinfo"}}}},
		{"a correction of a row that is gone", ChangePlan{From: "330602", To: "330603", Update: 1, Right: []Wrong{gone}}},
	} {
		if _, err := Change(context.Background(), dsn("police_population"), tt.plan); err == nil {
			t.Errorf("%s: accepted", tt.name)
		}
	}
	if diff := cmp.Diff(before, fingerprint(t, dsn)); diff != "" {
		t.Errorf("a refused plan changed the source:\n%s", diff)
	}
}
