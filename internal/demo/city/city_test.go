package city

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/pgtest"
)

const testScale = 0.01

func build(t testing.TB, dsn DSN, seed uint64) []Wrong {
	t.Helper()
	wrong, err := Build(context.Background(), Options{Scale: testScale, Seed: seed}, dsn)
	if err != nil {
		t.Fatal(err)
	}
	return wrong
}

// One build at the smallest scale is looked at from several sides.
func TestBuiltCity(t *testing.T) {
	t.Parallel()
	dsn := sources(t)
	last := map[string][2]int{}
	wrong, err := Build(context.Background(), Options{Scale: testScale, Seed: 1, Log: func(stage string, done, total int) {
		if done < last[stage][0] {
			t.Errorf("%s: progress fell from %d to %d", stage, last[stage][0], done)
		}
		last[stage] = [2]int{done, total}
	}}, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("progress ends with every row", func(t *testing.T) {
		for _, d := range Databases() {
			if got := last[d.Name]; got[0] != got[1] || got[0] == 0 {
				t.Errorf("%s: progress ended at %d of %d", d.Name, got[0], got[1])
			}
		}
	})
	t.Run("counts and wrong rows", func(t *testing.T) { checkCounts(t, dsn, wrong) })
	t.Run("only listed rows have bad keys", func(t *testing.T) { checkKeys(t, dsn, wrong) })
	t.Run("nobody can be real", func(t *testing.T) { checkNobodyIsReal(t, dsn) })
	t.Run("rows off the inventory are right", func(t *testing.T) { checkRightRows(t, dsn, wrong) })
	t.Run("right rows fit their templates", func(t *testing.T) { checkFitsTemplates(t, dsn, wrong) })
}

// Every table has the rows its scale promises, and about one row in two hundred is wrong, in as many ways as fit.
func checkCounts(t *testing.T, dsn DSN, wrong []Wrong) {
	t.Helper()
	perTable, kinds := map[string]int{}, map[Kind]bool{}
	for _, w := range wrong {
		perTable[w.Table]++
		kinds[w.Kind] = true
	}
	for _, d := range Databases() {
		conn := pgtest.Conn(t, dsn(d.Name))
		for _, table := range d.Tables {
			want := table.RowsAt(testScale)
			if got := scalar[int](t, conn, "SELECT count(*) FROM "+tableName(table.Name)); got != want {
				t.Errorf("%s has %d rows, want %d", table.Name, got, want)
			}
			if got, want := perTable[table.Name], max(2, int(math.Round(float64(want)/200))); got != want {
				t.Errorf("%s has %d wrong rows, want %d", table.Name, got, want)
			}
			key := table.Mapping()[table.KeyItems[0]]
			for _, w := range wrong {
				if w.Table != table.Name {
					continue
				}
				column := pgx.Identifier{w.Column}.Sanitize()
				value := scalar[*string](t, conn, fmt.Sprintf("SELECT %s FROM %s WHERE %s = $1", column, tableName(w.Table), w.RowColumn), w.Row)
				if value != nil && *value == w.GoodValue {
					t.Errorf("%s row %d is listed as %s but holds its good value", w.Table, w.Row, w.Kind)
				}
				if (value == nil) != (w.Kind == NullKey) || (w.Kind == NullKey) != (w.Key == "") {
					t.Errorf("%s row %d (%s): value NULL is %v, key %q", w.Table, w.Row, w.Kind, value == nil, w.Key)
				}
				if w.Kind == DuplicateKey && len(table.KeyItems) == 1 {
					if got := scalar[int](t, conn, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s = $1", tableName(w.Table), key), w.Key); got != 2 {
						t.Errorf("%s: duplicate key occurs %d times", w.Table, got)
					}
				}
			}
		}
	}
	if len(kinds) < 9 {
		t.Errorf("only %d kinds of wrong rows: %v", len(kinds), kinds)
	}
}

// Apart from the inventory no key is missing or occurs twice, so the number of rejects can be told in advance.
func checkKeys(t *testing.T, dsn DSN, wrong []Wrong) {
	t.Helper()
	want := map[string][2]int{}
	for _, w := range wrong {
		n := want[w.Table]
		switch w.Kind {
		case DuplicateKey:
			n[0]++
		case NullKey:
			n[1]++
		}
		want[w.Table] = n
	}
	for _, d := range Databases() {
		conn := pgtest.Conn(t, dsn(d.Name))
		for _, table := range d.Tables {
			var keys, missing []string
			for _, item := range table.KeyItems {
				keys = append(keys, table.Mapping()[item])
				missing = append(missing, table.Mapping()[item]+" IS NULL")
			}
			list, any := strings.Join(keys, ", "), strings.Join(missing, " OR ")
			got := [2]int{
				scalar[int](t, conn, fmt.Sprintf("SELECT count(*) FROM (SELECT FROM %s WHERE NOT (%s) GROUP BY %s HAVING count(*) = 2) d", tableName(table.Name), any, list)),
				scalar[int](t, conn, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s", tableName(table.Name), any)),
			}
			if got != want[table.Name] {
				t.Errorf("%s has %v duplicate and missing keys, the inventory says %v", table.Name, got, want[table.Name])
			}
			rejected, n := Rejected(wrong)[table.Name], 0
			for _, w := range wrong {
				if w.Table == table.Name {
					n++
				}
			}
			if want := n + got[0]; rejected != want {
				t.Errorf("%s: Rejected says %d, want %d", table.Name, rejected, want)
			}
		}
	}
}

// Nobody and no firm can be real: identity numbers lie on the city-level code only, firms and their codes carry their
// marks, telephone numbers and mail hosts belong to nobody.
func checkNobodyIsReal(t *testing.T, dsn DSN) {
	t.Helper()
	const qq = "^(9[123]3306[0-9]{2}|11330600)QQ"
	// Each query counts the values that break the rule; values of wrong rows are bound by it too.
	for _, tt := range []struct{ database, query string }{
		{"police_population", `SELECT count(*) FROM t_rk_jbxx WHERE gmsfhm !~ '^330600[0-9]{11}[0-9X]$'`},
		{"police_population", `SELECT count(*) FROM t_rk_jbxx WHERE lxdh !~ '^154[0-9]{8}$'`},
		{"police_population", `SELECT count(*) FROM t_rk_jbxx WHERE dzyx !~ '@example\.(org|com|net)$'`},
		{"police_population", `SELECT count(*) FROM t_rk_jbxx WHERE fwcs !~ '示例'`},
		{"police_population", `SELECT count(*) FROM t_rk_jbxx WHERE hjdz !~ '示例' OR xzdz !~ '示例'`},
		{"police_population", `SELECT count(*) FROM t_rk_jbxx WHERE sbkh !~ '^QQ'`},
		{"market_entity", `SELECT count(*) FROM e_baseinfo WHERE entname !~ '示例'`},
		{"market_entity", `SELECT count(*) FROM e_baseinfo WHERE uniscid !~ '` + qq + `' OR orgcode !~ '^QQ'`},
		{"market_entity", `SELECT count(*) FROM e_baseinfo WHERE cerno !~ '^330600[0-9]{11}[0-9X]$'`},
		{"market_entity", `SELECT count(*) FROM e_baseinfo WHERE tel !~ '^154[0-9]{8}$'`},
		{"reform_credit", `SELECT count(*) FROM xy_xzcf WHERE cf_xdr_shxym !~ '` + qq + `' OR cf_cfjgdm !~ '` + qq + `'`},
		{"reform_credit", `SELECT count(*) FROM xy_xzcf WHERE cf_xdr_zjhm !~ '^330600[0-9]{11}[0-9X]$'`},
		{"reform_credit", `SELECT count(*) FROM xy_xzcf WHERE cf_xdr_lb IN ('1', '3') AND cf_xdr_mc !~ '示例'`},
		{"reform_credit", `SELECT count(*) FROM xy_xzxk WHERE xk_xdr_zjhm !~ '^330600[0-9]{11}[0-9X]$'`},
		{"reform_credit", `SELECT count(*) FROM xy_xzxk WHERE xk_xdr_lb IN ('1', '3') AND xk_xdr_mc !~ '示例'`},
		{"data_certificate", `SELECT count(*) FROM dzzz_zzml WHERE czztdmlx = '111' AND czztdm !~ '^330600[0-9]{11}[0-9X]$'`},
		{"data_certificate", `SELECT count(*) FROM dzzz_zzml WHERE czztdmlx = '001' AND (czztdm !~ '` + qq + `' OR czzt !~ '示例')`},
		{"data_certificate", `SELECT count(*) FROM dzzz_zzml WHERE zzbs !~ '^1\.2\.156\.3005\.2\.11330600QQ'`},
		{"land_space", `SELECT count(*) FROM dz_bzdz WHERE dzqc !~ '示例' OR dzbm !~ 'QQ'`},
		{"land_space", `SELECT count(*) FROM zd_dk WHERE zdmc !~ '示例' OR zddm !~ 'QQ'`},
	} {
		if got := scalar[int](t, pgtest.Conn(t, dsn(tt.database)), tt.query); got != 0 {
			t.Errorf("%d values break the rule of: %s", got, tt.query)
		}
	}
}

// Rows that are not on the inventory are right: check digits agree with their codes and dates are days.
func checkRightRows(t *testing.T, dsn DSN, wrong []Wrong) {
	t.Helper()
	listed := map[string]bool{}
	for _, w := range wrong {
		listed[fmt.Sprint(w.Table, w.Row)] = true
	}
	checks := map[string]func(string) bool{
		"citizen_id":      func(s string) bool { return citizenCheck(s[:17]) == s[17] && isDay("20060102", s[6:14]) },
		"legal_rep_id_no": func(s string) bool { return citizenCheck(s[:17]) == s[17] },
		"party_id_no":     func(s string) bool { return citizenCheck(s[:17]) == s[17] },
		"uscc":            func(s string) bool { return usccCheck(s[:17]) == s[17] && orgCheck(s[8:16]) == s[16] },
		"party_uscc":      func(s string) bool { return usccCheck(s[:17]) == s[17] },
		"agency_uscc":     func(s string) bool { return usccCheck(s[:17]) == s[17] },
		"issuer_code":     func(s string) bool { return usccCheck(s[:17]) == s[17] },
		"org_code":        func(s string) bool { return orgCheck(s[:8]) == s[8] },
		"reg_no":          func(s string) bool { return registrationCheck(s[:14]) == s[14] },
		"cert_id": func(s string) bool {
			body := strings.ReplaceAll(strings.TrimPrefix(s, certOID), ".", "")
			return certCheck(body[:len(body)-1]) == body[len(body)-1]
		},
	}
	days := map[string]string{
		"birth_date": "20060102", "id_valid_from": "20060102", "id_valid_to": "20060102", "move_in_date": "20060102",
		"death_date": "20060102", "establish_date": "2006-01-02", "approve_date": "2006-01-02", "business_to": "2006-01-02",
		"revoke_date": "2006-01-02", "deregister_date": "2006-01-02", "issue_date": "2006-01-02",
	}
	for item, form := range days {
		checks[item] = func(s string) bool { return isDay(form, s) }
	}
	checked := 0
	for _, d := range Databases() {
		conn := pgtest.Conn(t, dsn(d.Name))
		for _, table := range d.Tables {
			for _, column := range table.Columns {
				check := checks[column.Item]
				if check == nil {
					continue
				}
				rows, err := conn.Query(context.Background(), fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s IS NOT NULL",
					table.RowColumn, column.Name, tableName(table.Name), column.Name))
				if err != nil {
					t.Fatal(err)
				}
				var row int64
				var value string
				_, err = pgx.ForEachRow(rows, []any{&row, &value}, func() error {
					checked++
					if !listed[fmt.Sprint(table.Name, row)] && !check(value) {
						t.Errorf("%s.%s row %d: %q is not right", table.Name, column.Name, row, value)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if checked < 10_000 {
		t.Errorf("only %d values were checked", checked)
	}
}

func isDay(form, s string) bool {
	_, err := time.Parse(form, s)
	return err == nil
}

// fingerprint is a hash over every row of every table, in row order.
func fingerprint(t testing.TB, dsn DSN) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, d := range Databases() {
		conn := pgtest.Conn(t, dsn(d.Name))
		for _, table := range d.Tables {
			m[table.Name] = scalar[string](t, conn, fmt.Sprintf("SELECT md5(string_agg(x::text, '|' ORDER BY %s)) FROM %s x", table.RowColumn, tableName(table.Name)))
		}
	}
	return m
}

// The same seed and scale give the same content whatever the parallelism, another seed gives another.
func TestContentFollowsFromSeedAndScale(t *testing.T) {
	t.Parallel()
	first, second, third := sources(t), sources(t), sources(t)
	wrong := build(t, first, 5)
	again, err := Build(context.Background(), Options{Scale: testScale, Seed: 5, Parallel: 1}, second)
	if err != nil {
		t.Fatal(err)
	}
	build(t, third, 6)
	if diff := cmp.Diff(wrong, again); diff != "" {
		t.Errorf("two inventories of one seed differ (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(fingerprint(t, first), fingerprint(t, second)); diff != "" {
		t.Errorf("two builds of one seed differ (-first +second):\n%s", diff)
	}
	other, same := fingerprint(t, third), fingerprint(t, first)
	for table, hash := range same {
		// The macro-economic figures are published ones: only their wrong rows depend on the seed.
		if other[table] == hash {
			t.Errorf("%s is the same under two seeds", table)
		}
	}
}

// A build that is broken off leaves no half table, is not taken for a finished one, and the next one completes it; a
// finished one is left alone.
func TestBuildGoesOnAfterHalfABuild(t *testing.T) {
	t.Parallel()
	dsn := sources(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := Build(ctx, Options{Scale: testScale, Seed: 7, Parallel: 1, Log: func(stage string, done, total int) {
		if stage == "market_entity" && done == total { // rows are sent, the transaction is still open
			cancel()
		}
	}}, dsn)
	if err == nil {
		t.Fatal("a cancelled build reports success")
	}
	if built, err := Built(context.Background(), dsn); built || err != nil {
		t.Fatalf("after half a build Built says %v, %v", built, err)
	}
	market := pgtest.Conn(t, dsn("market_entity"))
	if got := scalar[*string](t, market, "SELECT to_regclass('public.e_baseinfo')::text"); got != nil {
		t.Errorf("the broken-off table %s is there", *got)
	}
	police := pgtest.Conn(t, dsn("police_population"))
	if _, err := police.Exec(context.Background(), "UPDATE t_rk_jbxx SET fwcs = '示例改名' WHERE xh = 1"); err != nil {
		t.Fatal(err)
	}

	build(t, dsn, 7)
	if built, err := Built(context.Background(), dsn); !built || err != nil {
		t.Fatalf("after a whole build Built says %v, %v", built, err)
	}
	if got := scalar[string](t, police, "SELECT fwcs FROM t_rk_jbxx WHERE xh = 1"); got != "示例改名" {
		t.Errorf("the database already built was built again: employer is %q", got)
	}
	build(t, dsn, 8)
	if got := scalar[int](t, police, "SELECT count(*) FROM t_rk_jbxx WHERE fwcs = '示例改名'"); got != 0 {
		t.Error("another seed did not replace the content")
	}
}

// Databases that do not exist yet are simply not built, and a scale outside the bounds is refused.
func TestBuiltAndBuildJudgeTheirInput(t *testing.T) {
	t.Parallel()
	server := pgtest.Admin(t)
	dsn := func(name string) string {
		u, err := url.Parse(server)
		if err != nil {
			t.Error(err)
			return ""
		}
		u.Path = "/absent_" + name
		return u.String()
	}
	built, err := Built(context.Background(), dsn)
	if built || err != nil {
		t.Errorf("absent databases: Built says %v, %v", built, err)
	}
	for _, scale := range []float64{-1, 0.001, 11, math.NaN()} {
		if _, err := Build(context.Background(), Options{Scale: scale}, dsn); err == nil {
			t.Errorf("scale %v is accepted", scale)
		}
	}
}
