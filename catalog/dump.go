package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// dumpBatch is how many entries are in memory at a time while the directory is written out.
const dumpBatch = 200

// Dump writes every entry that p may read to w, one JSON object a line in the order of the ids: what Get returns of it. The
// memory it needs does not grow with the directory. What changes meanwhile is in it as it was at some moment. It returns how many it wrote.
func (s *Service) Dump(ctx context.Context, p authz.Principal, w io.Writer) (int, error) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	written := 0
	for after := uuid.Nil; ; {
		// Asked again for each batch: a right that ends ends a dump under way.
		if err := s.mayRead(ctx, p); err != nil {
			return written, err
		}
		batch, last, err := s.dumpAfter(ctx, s.sight(p, states()...), after)
		if err != nil {
			return written, err
		}
		for i := range batch {
			if err := encoder.Encode(batch[i]); err != nil {
				return written, fmt.Errorf("writing an entry: %w", err)
			}
		}
		written += len(batch)
		if last == uuid.Nil {
			return written, nil
		}
		after = last
	}
}

// dumpAfter reads the next entries with what is shown of them, in four queries. It returns after which entry to go on, zero
// after the last one.
func (s *Service) dumpAfter(ctx context.Context, may sight, after uuid.UUID) (batch []Resource, last uuid.UUID, err error) {
	all, err := many(ctx, s.db.Pool, resourceRow.resource, `
		SELECT * FROM resource WHERE id > $1 AND (state = ANY ($2) OR provider_dept_id = $3 AND state = ANY ($4)) ORDER BY id LIMIT $5`,
		after, may.others, may.department, may.own, dumpBatch)
	if err != nil {
		return nil, uuid.Nil, err
	}
	if len(all) == dumpBatch {
		last = all[len(all)-1].ID
	}
	ids, numbers, at := make([]uuid.UUID, len(all)), make([]int, len(all)), make(map[uuid.UUID]*Resource, len(all))
	for i := range all {
		ids[i], numbers[i], at[all[i].ID] = all[i].ID, shown(all[i]), &all[i]
	}
	const chosen = " JOIN unnest($1::uuid[], $2::int[]) AS c (id, number) ON c.id = t.resource_id AND c.number = t.version"
	versions, err := many(ctx, s.db.Pool, func(r versionRow) (versionRow, error) { return r, nil }, "SELECT t.* FROM resource_version t"+chosen, ids, numbers)
	if err != nil {
		return nil, uuid.Nil, err
	}
	for _, row := range versions {
		if at[row.ResourceID].Version, err = row.version(); err != nil {
			return nil, uuid.Nil, err
		}
	}
	items, err := many(ctx, s.db.Pool, func(r itemRow) (itemRow, error) { return r, nil }, "SELECT t.* FROM item t"+chosen+" ORDER BY t.resource_id, t.ordinal", ids, numbers)
	if err != nil {
		return nil, uuid.Nil, err
	}
	for _, row := range items {
		item, err := row.item()
		if err != nil {
			return nil, uuid.Nil, err
		}
		v := &at[row.ResourceID].Version
		v.Items = append(v.Items, item)
	}
	rows, err := s.db.Pool.Query(ctx, "SELECT r.id, d.uscc FROM resource r JOIN department d ON d.id = r.provider_dept_id WHERE r.id = ANY ($1)", ids)
	if err != nil {
		return nil, uuid.Nil, fmt.Errorf("reading providers: %w", err)
	}
	var id uuid.UUID
	var code string
	_, err = pgx.ForEachRow(rows, []any{&id, &code}, func() error { at[id].Version.ProviderCode = code; return nil })
	if err != nil {
		return nil, uuid.Nil, fmt.Errorf("reading providers: %w", err)
	}
	// A draft that was discarded between the queries is in no version any more.
	return slices.DeleteFunc(all, func(r Resource) bool { return r.Version.Number == 0 }), last, nil
}
