package pull

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ExportFilter narrows List. A nil field does not narrow.
type ExportFilter struct {
	State   *ExportState
	GrantID *uuid.UUID
}

// List returns what a client ordered, newest first, page by page: how far each is, never a row or the filter. Whatever became of the
// grants, a client may see its own orders; the way to a file is decided each time anew. Faults: Forbidden for others than
// clients, Invalid for unknown states and for cursors of other lists.
func (x *Exports) List(ctx context.Context, client authz.Principal, f ExportFilter, page db.Page) ([]Export, string, error) {
	if client.Kind != audit.ActorClient {
		return nil, "", fault.New(fault.Forbidden, "forbidden", "exports are those of consuming systems").At("policy")
	}
	if f.State != nil && !f.State.known() {
		return nil, "", fault.InvalidFields([]fault.Field{{Name: "state", Code: "unknown", Message: "choose queued, running, ready, failed or gone"}})
	}
	var at *time.Time
	var id *uuid.UUID
	if _, err := page.After(&at, &id); err != nil {
		return nil, "", err
	}
	rows, err := x.db.Pool.Query(ctx, "SELECT "+exportColumns+` FROM export
		WHERE client_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR grant_id = $3)
			AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid))
		ORDER BY created_at DESC, id DESC LIMIT $6`, client.ID, (*string)(f.State), f.GrantID, at, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing exports: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Export, error) {
		e, err := x.scanExport(row)
		if err != nil {
			return Export{}, err
		}
		return *e, nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing exports: %w", err)
	}
	if len(found) <= page.Size() {
		return found, "", nil
	}
	found = found[:page.Size()]
	last := found[len(found)-1]
	return found, db.Next(last.CreatedAt, last.ID), nil
}

func (s ExportState) known() bool {
	switch s {
	case ExportQueued, ExportRunning, ExportReady, ExportFailed, ExportGone:
		return true
	}
	return false
}
