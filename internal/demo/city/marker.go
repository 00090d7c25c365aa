package city

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// markerSchema replaces the marker of an earlier build. It has a schema of its own, so it does not appear among the
// department's tables.
const markerSchema = `
DROP SCHEMA IF EXISTS shuqiao_demo CASCADE;
CREATE SCHEMA shuqiao_demo;
CREATE TABLE shuqiao_demo.build (
	mark     text NOT NULL,
	built_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE shuqiao_demo.wrong (
	database    text   NOT NULL,
	tbl         text   NOT NULL,
	kind        text   NOT NULL,
	row_no      bigint NOT NULL,
	row_column  text   NOT NULL,
	row_key     text   NOT NULL,
	col         text   NOT NULL,
	good_value  text   NOT NULL,
	PRIMARY KEY (tbl, row_no)
);`

// readMark returns what the marker says, or "" when there is none.
func readMark(ctx context.Context, conn *pgx.Conn) (string, error) {
	var exists bool
	err := conn.QueryRow(ctx, `SELECT to_regclass('shuqiao_demo.build') IS NOT NULL`).Scan(&exists)
	if err != nil {
		return "", fmt.Errorf("looking for the marker: %w", err)
	}
	if !exists {
		return "", nil
	}
	var mark string
	if err := conn.QueryRow(ctx, `SELECT coalesce(max(mark), '') FROM shuqiao_demo.build`).Scan(&mark); err != nil {
		return "", fmt.Errorf("reading the marker: %w", err)
	}
	return mark, nil
}

func writeInventory(ctx context.Context, tx pgx.Tx, wrong []Wrong) error {
	rows := pgx.CopyFromSlice(len(wrong), func(i int) ([]any, error) {
		w := wrong[i]
		return []any{w.Database, w.Table, string(w.Kind), w.Row, w.RowColumn, w.Key, w.Column, w.GoodValue}, nil
	})
	columns := []string{"database", "tbl", "kind", "row_no", "row_column", "row_key", "col", "good_value"}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"shuqiao_demo", "wrong"}, columns, rows); err != nil {
		return fmt.Errorf("writing the inventory of wrong rows: %w", err)
	}
	return nil
}

// Inventory returns the rows that are still wrong on purpose, in the order of Databases, table and row. Rows corrected by
// Change or Correct are no longer in it, rows spoilt by Change are.
func Inventory(ctx context.Context, dsn DSN) ([]Wrong, error) {
	var wrong []Wrong
	for _, s := range systems() {
		list, err := databaseInventory(ctx, dsn(s.Name))
		if err != nil {
			return nil, fmt.Errorf("reading the wrong rows of %s: %w", s.Name, err)
		}
		wrong = append(wrong, list...)
	}
	return wrong, nil
}

func databaseInventory(ctx context.Context, dsn string) ([]Wrong, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT database, tbl, kind, row_no, row_column, row_key, col, good_value FROM shuqiao_demo.wrong
		ORDER BY tbl, row_no`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Wrong, error) {
		var w Wrong
		err := row.Scan(&w.Database, &w.Table, &w.Kind, &w.Row, &w.RowColumn, &w.Key, &w.Column, &w.GoodValue)
		return w, err
	})
}
