package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
)

// partitionLock is the key of the advisory lock under which partitions are made: "shu_part" in ASCII.
const partitionLock = 0x7368755f70617274

// MakePartitions makes the usage partitions of this and the next month (UTC, by the database's clock), moving rows that
// already lie in the default partition. It changes nothing where they exist, so several nodes may call it daily. While rows
// are moved, writers wait; it gives up after two seconds of waiting for them, and the next call tries again.
func MakePartitions(ctx context.Context, d *db.DB) error {
	for ahead := range 2 {
		err := d.InTx(ctx, func(tx *db.Tx) error {
			year, month, _ := tx.Now().Date()
			return makePartition(ctx, tx, time.Date(year, month+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func makePartition(ctx context.Context, tx *db.Tx, from time.Time) error {
	name := "usage_" + from.Format("200601")
	var exists bool
	err := tx.QueryRow(ctx, "SELECT to_regclass($2) IS NOT NULL FROM pg_advisory_xact_lock($1)", int64(partitionLock), name).Scan(&exists)
	if err != nil {
		return fmt.Errorf("looking for partition %s: %w", name, err)
	}
	if exists {
		return nil
	}
	// A function of the schema does it with the rights of the tables' owner, which the hub's sessions need not have.
	if _, err := tx.Exec(ctx, "SELECT make_usage_partition($1::date)", from.Format(time.DateOnly)); err != nil {
		return fmt.Errorf("making partition %s: %w", name, err)
	}
	return nil
}
