package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// OldMonths returns the months (UTC, by their first moment, oldest first) of a table partitioned by month that are wholly older than keep:
// those with a partition of their own, <table>_YYYYMM, and those with rows in <table>_other. column is the time that it is partitioned by.
func OldMonths(ctx context.Context, d *DB, table, column string, keep time.Duration) ([]time.Time, error) {
	at := pgx.Identifier{column}.Sanitize()
	rows, err := d.Pool.Query(ctx, fmt.Sprintf(`
		SELECT m::timestamptz FROM (
			SELECT to_date(right(c.relname, 6), 'YYYYMM') AS m FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = $1::regclass AND c.relname ~ ('^' || $1 || '_[0-9]{6}$')
			UNION SELECT date_trunc('month', %[1]s)::date FROM %[2]s WHERE %[1]s < clock_timestamp() - $2::interval) months
		WHERE m + interval '1 month' <= clock_timestamp() - $2::interval ORDER BY 1`, at, pgx.Identifier{table + "_other"}.Sanitize()), table, keep)
	if err != nil {
		return nil, fmt.Errorf("looking for old months of %s: %w", table, err)
	}
	months, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return nil, fmt.Errorf("looking for old months of %s: %w", table, err)
	}
	for i := range months {
		months[i] = months[i].UTC()
	}
	return months, nil
}
