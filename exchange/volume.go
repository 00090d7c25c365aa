package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

const (
	// volumeLock is the key of the advisory lock that the counting node holds: "shu_volu" in ASCII.
	volumeLock = 0x7368755f766f6c75
	// countedAtOnce bounds the resources of one round: the others have their turn in the next.
	countedAtOnce = 500
	// countLimit bounds the counting of one resource under filters.
	countLimit = 20 * time.Second
)

// surveyed is what one resource holds and which grants open how much of it.
type surveyed struct {
	Resource uuid.UUID
	Table    string
	Rows     int64
	Bytes    int64
	Open     bool
	Opened   bool              // An active grant opens all rows.
	Filters  []json.RawMessage // Of active grants that open some.
	Columns  json.RawMessage   // {"identifier": {"no", "letter"}} of the filterable items.
}

// CountVolumes counts the six numbers of the survey (catalog.Volume) of the resources that were not counted for longest: rows from the
// head of the store, bytes from what their table takes, and of both what active grants and opening to the public reach. Where all
// grants carry a row filter, the rows that any of them lets through are counted, and the bytes in proportion. Only one node counts at
// a time. What was counted less than fresh ago is left alone. It returns how many resources it counted.
func CountVolumes(ctx context.Context, d *db.DB, fresh time.Duration) (int, error) {
	conn, err := d.Pool.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("taking a database connection: %w", err)
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(volumeLock)).Scan(&mine); err != nil || !mine {
		return 0, err
	}
	defer func() {
		// A lock that cannot be given back ends with its session.
		if _, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(volumeLock)); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx))
		}
	}()
	// What is not held any more has no volume.
	_, err = conn.Exec(ctx, `
		DELETE FROM resource_volume v
		WHERE NOT EXISTS (SELECT FROM store.layout l WHERE l.resource = v.resource_id AND l.state = 'active')`)
	if err != nil {
		return 0, fmt.Errorf("forgetting the volumes of what is gone: %w", err)
	}
	found, err := conn.Query(ctx, `
		SELECT l.resource, l.table_name AS table, h.rows, pg_total_relation_size(format('store.%I', l.table_name)::regclass) AS bytes,
			coalesce(v.open AND r.state = 'published', false) AS open,
			EXISTS (SELECT FROM sharing_grant g WHERE `+grantInForce+` AND (g.row_filter IS NULL OR g.row_filter = 'null')) AS opened,
			ARRAY(SELECT g.row_filter FROM sharing_grant g WHERE `+grantInForce+` AND g.row_filter <> 'null' ORDER BY g.id LIMIT 100) AS filters,
			(SELECT coalesce(jsonb_object_agg(i.identifier, jsonb_build_object('no', i.no, 'letter', i.data_type)), '{}')
				FROM item i WHERE i.resource_id = r.id AND i.version = r.published AND i.filterable) AS columns
		FROM store.layout l
		JOIN store.store_head h ON h.resource = l.resource AND h.layout = l.layout
		JOIN resource r ON r.id = l.resource
		LEFT JOIN resource_version v ON v.resource_id = r.id AND v.version = r.published
		LEFT JOIN resource_volume c ON c.resource_id = r.id
		WHERE l.state = 'active' AND to_regclass(format('store.%I', l.table_name)) IS NOT NULL
			AND (c.counted_at IS NULL OR c.counted_at <= now() - $2::interval)
		ORDER BY c.counted_at NULLS FIRST LIMIT $1`, countedAtOnce, fresh)
	if err != nil {
		return 0, fmt.Errorf("reading what is to be counted: %w", err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByName[surveyed])
	if err != nil {
		return 0, fmt.Errorf("reading what is to be counted: %w", err)
	}
	var failed error
	counted := 0
	for _, s := range all {
		if err := s.count(ctx, d.Pool); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		counted++
	}
	return counted, failed
}

// grantInForce says that grant g lets rows of resource r through now.
const grantInForce = "g.resource_id = r.id AND g.state = 'active' AND now() >= g.valid_from AND now() < g.valid_to"

// count counts one resource and writes what it found.
func (s surveyed) count(ctx context.Context, pool *pgxpool.Pool) error {
	rows, err := s.shared(ctx, pool)
	if err != nil {
		return fmt.Errorf("counting the rows of resource %s that are shared: %w", s.Resource, err)
	}
	var shared int64
	if s.Rows > 0 {
		shared = int64(float64(s.Bytes) * float64(min(rows, s.Rows)) / float64(s.Rows))
	}
	var openRows, openBytes int64
	if s.Open {
		openRows, openBytes = s.Rows, s.Bytes
	}
	_, err = pool.Exec(ctx, `
		INSERT INTO resource_volume (resource_id, rows_total, bytes_total, rows_shared, bytes_shared, rows_open, bytes_open, counted_at)
		SELECT id, $2, $3, $4, $5, $6, $7, now() FROM resource WHERE id = $1
		ON CONFLICT (resource_id) DO UPDATE SET rows_total = excluded.rows_total, bytes_total = excluded.bytes_total,
			rows_shared = excluded.rows_shared, bytes_shared = excluded.bytes_shared, rows_open = excluded.rows_open,
			bytes_open = excluded.bytes_open, counted_at = excluded.counted_at`,
		s.Resource, s.Rows, s.Bytes, rows, shared, openRows, openBytes)
	if err != nil {
		return fmt.Errorf("writing the volume of resource %s: %w", s.Resource, err)
	}
	return nil
}

// shared returns how many rows grants in force open.
func (s surveyed) shared(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	switch {
	case s.Opened:
		return s.Rows, nil
	case len(s.Filters) == 0:
		return 0, nil
	}
	var columns map[string]struct {
		No     int
		Letter string
	}
	if err := json.Unmarshal(s.Columns, &columns); err != nil {
		return 0, err
	}
	schema := filter.Schema{}
	for identifier, c := range columns {
		schema[identifier] = filter.Column{SQL: store.Column{No: c.No}.Name(), Letter: c.Letter[0], Ops: filter.LetterOps(c.Letter[0]).Without(filter.OpBBox)}
	}
	var parts []string
	var args []any
	for _, raw := range s.Filters {
		node, err := filter.Parse(raw)
		if err != nil {
			return 0, err
		}
		bound, err := filter.Bind(node, schema)
		if err != nil {
			continue // A filter on what the entry no longer has lets nothing through.
		}
		where, values := bound.SQL(len(args) + 1)
		parts, args = append(parts, "("+where+")"), append(args, values...)
	}
	if len(parts) == 0 {
		return 0, nil
	}
	limited, cancel := context.WithTimeout(ctx, countLimit)
	defer cancel()
	var rows int64
	err := pool.QueryRow(limited, "SELECT count(*) FROM "+store.Layout{Table: s.Table}.Name()+" WHERE "+strings.Join(parts, " OR "), args...).Scan(&rows)
	return rows, err
}
