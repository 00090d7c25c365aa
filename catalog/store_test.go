package catalog

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm/schema"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// fill sets every field of a struct to a value that is not zero and differs from field to field.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 1, 0, 0, *n, 0, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{"n": %d}`, *n))))
		return
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.NewSHA1(uuid.Nil, fmt.Append(nil, *n))))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"k": fmt.Sprint(*n)}))
	case reflect.String:
		v.SetString(fmt.Sprintf("v%d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	default:
		t.Fatalf("fill does not know %s", v.Type())
	}
}

func filledValue[T any](t *testing.T) T {
	var out T
	n := 0
	fill(t, reflect.ValueOf(&out).Elem(), &n)
	return out
}

// Every field of a noun survives the way into its row and back: none is forgotten in a conversion.
func TestRowsKeepEveryField(t *testing.T) {
	t.Parallel()
	check := func(name string, want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	d := filledValue[Department](t)
	gotD, err := newDepartmentRow(d).department()
	check("department", d, gotD, err)
	s := filledValue[System](t)
	gotS, err := coveredRow{newSystemRow(s), s.Covered}.system()
	check("system", s, gotS, err)
	b := filledValue[BaseDatabase](t)
	gotB, err := newBaseDatabaseRow(b).baseDatabase()
	check("base database", b, gotB, err)
	r := filledValue[Resource](t)
	r.Version = Version{} // It has rows of its own.
	rowR, err := newResourceRow(r)
	if err != nil {
		t.Fatal(err)
	}
	gotR, err := rowR.resource()
	check("resource", r, gotR, err)
	src := filledValue[Source](t)
	rowSrc, err := newSourceRow(src, []byte{1})
	if err != nil {
		t.Fatal(err)
	}
	gotSrc, err := rowSrc.source()
	check("source", src, gotSrc, err)
	m := filledValue[Mount](t)
	rowM, err := newMountRow(m)
	if err != nil {
		t.Fatal(err)
	}
	gotM, err := rowM.mount()
	check("mount", m, gotM, err)
	v := filledValue[Version](t)
	v.ProviderCode = "" // It is the department's.
	rowV, err := newVersionRow(uuid.New(), v)
	if err != nil {
		t.Fatal(err)
	}
	gotV, err := rowV.version()
	items := v.Items
	v.Items = nil
	check("version", v, gotV, err)
	gotI, err := newItemRow(uuid.New(), 1, 1, items[0]).item()
	check("item", items[0], gotI, err)
}

// The row structs have exactly the columns of their tables.
func TestRowsMatchTables(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	for table, row := range map[string]any{
		"department": departmentRow{}, "system": systemRow{}, "base_database": baseDatabaseRow{}, "resource": resourceRow{},
		"source": sourceRow{}, "mount": mountRow{}, "resource_version": versionRow{}, "item": itemRow{},
	} {
		want, err := column[string](t.Context(), pool, "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1 ORDER BY 1", table)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		typ := reflect.TypeOf(row)
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := schema.NamingStrategy{}.ColumnName("", f.Name)
			if tag, ok := strings.CutPrefix(f.Tag.Get("gorm"), "column:"); ok {
				name = tag
			}
			if tag := f.Tag.Get("db"); tag != "" {
				name = tag
			}
			got = append(got, name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns of %s (-want +got):\n%s", table, diff)
		}
	}
	copied := slices.Clone(itemColumns)
	slices.Sort(copied)
	want, err := column[string](t.Context(), pool, "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'item' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, copied); diff != "" {
		t.Errorf("copied columns of item (-want +got):\n%s", diff)
	}
}

// A version with every field filled reads back from the database as it was written.
func TestVersionRoundTrip(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	d, err := db.Open(t.Context(), db.Options{URL: pool.Config().ConnString(), ApplicationName: "test", MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	var got, want Version
	err = d.InTx(t.Context(), func(tx *db.Tx) error {
		ctx := t.Context()
		department := departmentRow{ID: db.NewID(), USCC: "U", Name: "N", Level: "city", RowVersion: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if err := insert(ctx, tx, &department); err != nil {
			return err
		}
		system := systemRow{ID: db.NewID(), DepartmentID: department.ID, Name: "S", State: "live", RowVersion: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if err := insert(ctx, tx, &system); err != nil {
			return err
		}
		r := Resource{ID: db.NewID(), ProviderDeptID: department.ID, Name: "R", State: Draft, Newest: 1, NextItemNo: 1, RowVersion: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		row, err := newResourceRow(r)
		if err != nil {
			return err
		}
		if err := insert(ctx, tx, &row); err != nil {
			return err
		}
		want = filledValue[Version](t)
		want.Number, want.State, want.SystemID, want.ProviderCode = 1, Draft, system.ID, "U"
		want.Items[0].DataType, want.Items[0].ShareType, want.Items[0].Grade = Char, Conditional, L3
		want.Items[0].SourceDeptID, want.OldUntil = department.ID, "2026-12-31"
		if err := saveVersion(ctx, tx, &r, &want); err != nil {
			return err
		}
		if r.NextItemNo != 2 || want.Items[0].No != 1 || want.Grade != L3 || want.ShareType != Conditional {
			t.Errorf("got next item %d, item %d, grade %s, share type %s", r.NextItemNo, want.Items[0].No, want.Grade, want.ShareType)
		}
		got, err = loadVersion(ctx, tx, r.ID, 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("version (-want +got):\n%s", diff)
	}
}
