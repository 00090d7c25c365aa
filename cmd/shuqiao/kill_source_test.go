package main

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// Sizes of the killed collect's source. Every version of it has about killRows rows.
const (
	killRows = 200_000
	heldKeys = 2_000 // Of which every fifth is wrong in each version, another fifth in the next.
	sameRows = 20_000
)

// ledger is the department's table. Keys of four kinds lie in it: A rows change with every version, U rows never do, H rows
// are wrong now and then, M rows change in the middle of a run. wrong says what is wrong with a row, NULL that it is right;
// the hub does not read it.
const ledger = `
	CREATE TABLE ledger (
		id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		no       varchar(20),
		division varchar(6) NOT NULL,
		title    varchar(150),
		born     varchar(20),
		amount   numeric(12,3),
		batch    bigint NOT NULL,
		stamp    timestamptz NOT NULL,
		note     text,
		wrong    text
	);
	CREATE INDEX ON ledger (no);
	INSERT INTO ledger (no, division, title, born, amount, batch, stamp, note)
	SELECT kind || lpad(n::text, 6, '0'), CASE WHEN n %% 20 = 0 THEN '330602' ELSE '330603' END, '示例事项' || n,
		to_char(date '2000-01-01' + n %% 9000, 'YYYY-MM-DD'), n * 1.5, 1, timestamptz '2026-01-01 00:00:00+08' + n * interval '1 second',
		CASE WHEN n %% 7 = 0 THEN NULL ELSE repeat('备', n %% 9) END
	FROM (
		SELECT 'A', n FROM generate_series(1, %[1]d) n UNION ALL SELECT 'U', n FROM generate_series(1, %[2]d) n
		UNION ALL SELECT 'M', n FROM generate_series(1, 2000) n) AS k (kind, n)
	ORDER BY n, kind`

// reviseLedger makes the next version in one transaction: nearly every row changes, one in a hundred goes, as many come, some
// move to another division, wrong rows are mended and others become wrong. The first value is the number of keys that are wrong
// now and then, the second the number of the version.
const reviseLedger = `
	WITH moved AS (
		UPDATE ledger SET batch = %[2]d, amount = amount + 1, stamp = stamp + interval '1 day',
			division = CASE WHEN substr(no, 2)::int %% 40 = %[2]d %% 40 THEN '330602' WHEN substr(no, 2)::int %% 40 = (%[2]d + 3) %% 40 THEN '330603' ELSE division END
		WHERE no LIKE 'A%%' AND substr(no, 2)::int %% 100 <> %[2]d %% 100),
	gone AS (DELETE FROM ledger WHERE no LIKE 'A%%' AND substr(no, 2)::int %% 100 = %[2]d %% 100),
	came AS (
		INSERT INTO ledger (no, division, title, born, amount, batch, stamp, note)
		SELECT 'A' || lpad((300000 + %[2]d * 3001 + n)::text, 6, '0'), CASE WHEN n %% 20 = 0 THEN '330602' ELSE '330603' END, '示例事项', '2001-02-03', n, %[2]d, now(), NULL
		FROM generate_series(1, 2000) n),
	mended AS (DELETE FROM ledger WHERE no IS NULL OR no LIKE 'H%%')
	INSERT INTO ledger (no, division, title, born, amount, batch, stamp, wrong)
	SELECT no, '330602', title || CASE wrong WHEN 'long' THEN repeat('长', 110) ELSE '' END,
		CASE wrong WHEN 'date' THEN '2025-02-30' ELSE '2001-02-03' END, n + %[2]d, %[2]d, now(), wrong
	FROM (
		SELECT 'H' || lpad(n::text, 6, '0') AS no, n, '示例事项' || copy AS title,
			CASE WHEN (n + %[2]d) %% 5 <> 0 THEN NULL WHEN n %% 3 = 0 THEN 'date' WHEN n %% 3 = 1 THEN 'long' ELSE 'twice' END AS wrong, copy
		FROM generate_series(1, %[1]d) n, generate_series(1, 2) copy
		UNION ALL SELECT NULL, n, '示例事项', 'null', 1 FROM generate_series(1, 50) n) h
	WHERE copy = 1 OR wrong = 'twice'`

// disturbLedger changes M rows only: some change, some go, some come. The value is the number of the version.
const disturbLedger = `
	WITH changed AS (UPDATE ledger SET amount = amount + 7 WHERE no LIKE 'M%%' AND id %% 3 = 0),
	gone AS (DELETE FROM ledger WHERE no LIKE 'M%%' AND id %% 3 = 1 AND id %% 7 = 0)
	INSERT INTO ledger (no, division, title, born, amount, batch, stamp)
	SELECT 'M' || lpad((500000 + %[1]d * 1000 + n)::text, 6, '0'), '330602', '示例事项', '2001-02-03', n, 1, now() FROM generate_series(1, 300) n`

// content is what a row says, in a form that does not depend on how the hub converts: the same expression over the columns of
// the source and over those of the store.
func content(no, division, title, born, amount, batch, stamp, note string) string {
	return fmt.Sprintf(`md5(concat_ws('|', %s, %s, coalesce(%s, '-'), coalesce(%s::date::text, '-'), coalesce(trim_scale(%s)::text, '-'), %s,
		extract(epoch FROM %s)::numeric, coalesce(%s, '-')))`, no, division, title, born, amount, batch, stamp, note)
}

// ledgerItems are the items of the resource, in the order of the store's columns i1 to i8.
func ledgerItems() []client.Item {
	item := func(name, identifier, letter string, length, scale int) client.Item {
		return client.Item{Name: name, Identifier: identifier, DataType: letter, Length: length, Scale: scale, ShareType: "conditional", Grade: "L2"}
	}
	items := []client.Item{
		item("编号", "no", "C", 20, 0), item("区划", "division", "C", 6, 0), item("名称", "title", "C", 100, 0), item("日期", "born", "D", 0, 0),
		item("金额", "amount", "N", 12, 3), item("批次", "batch", "I", 0, 0), item("时刻", "stamp", "T", 0, 0), item("备注", "note", "C", 200, 0),
	}
	items[0].Key, items[0].Required, items[1].Filterable = true, true, true
	return items
}

// edition is what the source holds at one moment.
type edition struct {
	right map[string]string   // Key to content of the rows that are right.
	wrong map[string][]string // Key to what is wrong with its rows, one entry a row; "" holds the rows without a key.
	rows  int64
}

// readVersion reads the source, all of it in one snapshot.
func readVersion(t *testing.T, source *pgxpool.Pool) edition {
	t.Helper()
	v := edition{right: make(map[string]string, killRows), wrong: map[string][]string{}}
	// The content is only formed of rows that are right: no other has a date in every case.
	rows, err := source.Query(t.Context(), `SELECT coalesce(no, ''), coalesce(wrong, ''), CASE WHEN wrong IS NULL THEN `+
		content("no", "division", "title", "CASE WHEN wrong IS NULL THEN born END", "amount", "batch", "stamp", "note")+` ELSE '' END FROM ledger`)
	if err != nil {
		t.Fatalf("reading the source: %v", err)
	}
	var key, wrong, sum string
	_, err = pgx.ForEachRow(rows, []any{&key, &wrong, &sum}, func() error {
		v.rows++
		if wrong != "" {
			v.wrong[key] = append(v.wrong[key], wrong)
		} else {
			v.right[key] = sum
		}
		return nil
	})
	if err != nil {
		t.Fatalf("reading the source: %v", err)
	}
	return v
}

// stored is what the hub must hold after a version was collected on top of another: rows that are right, and the last good
// row of keys that are wrong now.
func (v edition) stored(before map[string]string) (after map[string]string, want client.Counts) {
	after = make(map[string]string, len(v.right))
	want.Read = v.rows
	for _, rows := range v.wrong {
		want.Rejected += int64(len(rows))
	}
	for key, sum := range v.right {
		after[key] = sum
		old, known := before[key]
		switch {
		case !known:
			want.Inserted++
		case old != sum:
			want.Updated++
		default:
			want.Unchanged++
		}
	}
	for key, old := range before {
		if _, right := v.right[key]; right {
			continue
		}
		if _, wrong := v.wrong[key]; wrong {
			after[key] = old
			want.Held++
		} else {
			want.Deleted++
		}
	}
	return after, want
}

// mountLedger publishes the resource and mounts it on the source.
func mountLedger(t *testing.T, staff hubtest.Staff, provider hubtest.Bureau, dsn string) (client.Resource, client.Task) {
	t.Helper()
	ctx := t.Context()
	meta := hubtest.Metadata("示例台账")
	meta.Items = ledgerItems()
	r, err := provider.Operator.CreateResource(ctx, "", meta)
	if err == nil {
		_, err = provider.Operator.MoveResource(ctx, r.ID, "submit")
	}
	if err == nil {
		_, err = provider.Admin.MoveResource(ctx, r.ID, "approve")
	}
	if err == nil {
		r, err = staff.Operator.MoveResource(ctx, r.ID, "publish")
	}
	if err != nil {
		t.Fatalf("publishing: %v", err)
	}
	source, err := provider.Operator.CreateSource(ctx, client.SourceInput{Name: "示例库", Driver: "postgres", Settings: map[string]string{"dsn": dsn}})
	if err != nil {
		t.Fatalf("creating the source: %v", err)
	}
	in := client.MountInput{SourceID: source.ID, Object: "public.ledger", DeleteRule: "missing"}
	for _, item := range r.Version.Items {
		in.Columns = append(in.Columns, client.MountColumn{ItemNo: item.No, Column: item.Identifier})
	}
	m, err := provider.Operator.CreateMount(ctx, r.ID, in)
	var report client.MountReport
	if err == nil {
		report, err = provider.Operator.CheckMount(ctx, m.ID)
	}
	if err == nil && len(report.Blocks) == 0 {
		_, err = provider.Admin.ActivateMount(ctx, m.ID)
	}
	if err != nil || len(report.Blocks) > 0 {
		t.Fatalf("mounting: %v %+v", err, report.Blocks)
	}
	task, err := provider.Operator.CreateTask(ctx, client.NewTask{ResourceID: r.ID})
	if err != nil {
		t.Fatalf("creating the task: %v", err)
	}
	return r, task
}

// fillLedger makes the source with its first version, which has wrong rows already.
func fillLedger(t *testing.T, source *pgxpool.Pool) {
	t.Helper()
	change(t, source, fmt.Sprintf(ledger, killRows-sameRows-heldKeys-2000, sameRows))
	change(t, source, fmt.Sprintf(reviseLedger, heldKeys, 2))
}

// change executes statements at the source.
func change(t *testing.T, source *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := source.Exec(t.Context(), sql); err != nil {
		t.Fatalf("changing the source: %v", err)
	}
}
