package audit

import (
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// QueueTx adds an event to a batch that the caller sends in its transaction, for changes of many things at once. As with
// WriteTx, a batch that fails must not be committed.
func QueueTx(batch *pgx.Batch, tx *db.Tx, e Event) error {
	_, args, err := newEvent(e, tx.Now())
	if err != nil {
		return err
	}
	batch.Queue(insertEvent, args...)
	return nil
}
