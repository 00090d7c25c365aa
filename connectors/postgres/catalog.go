package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/connectors"
)

// object is a table or view as the current snapshot knows it.
type object struct {
	sql     string // Quoted name with schema.
	columns []column
	keys    [][]string // All unique keys without nullable columns, the best first.
}

// column is a portable column with what statements need to know of it.
type column struct {
	connectors.Column
	typeOID   uint32 // Base type, domains resolved.
	arrayOID  uint32 // 0 when the type has no array type.
	collation collation
}

type collation int

const (
	collationNone   collation = iota // The type is not text.
	collationBinary                  // Sorts by bytes already, so an index of the column serves.
	collationLocale                  // Needs COLLATE "C".
)

func (o *object) column(name string) (column, error) {
	i := slices.IndexFunc(o.columns, func(c column) bool { return c.Name == name })
	if i < 0 {
		return column{}, fmt.Errorf("%w: %q", connectors.ErrColumnMissing, name)
	}
	return o.columns[i], nil
}

func (o *object) pick(names []string) ([]column, error) {
	picked := make([]column, 0, len(names))
	for _, name := range names {
		c, err := o.column(name)
		if err != nil {
			return nil, err
		}
		picked = append(picked, c)
	}
	return picked, nil
}

// Tables lists tables, partitioned tables (not their partitions), foreign tables and views that the account may read.
func (s *source) Tables(ctx context.Context, limit int) (tables []connectors.Table, err error) {
	err = s.inSnapshot(ctx, func(q *session) error {
		tables, err = q.tables(ctx, limit)
		return err
	})
	return tables, err
}

func (q *session) tables(ctx context.Context, limit int) ([]connectors.Table, error) {
	rows, err := q.rows(ctx, `
SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'), c.reltuples::bigint, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition AND c.relnatts > 0
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
LIMIT $1::bigint`, strconv.Itoa(max(limit, 0)))
	if err != nil {
		return nil, err
	}
	tables := make([]connectors.Table, 0, len(rows))
	for _, row := range rows {
		t := connectors.Table{
			Schema: string(row[0]), Name: string(row[1]), Kind: connectors.KindTable,
			EstimatedRows: integer(row[3]), Comment: string(row[4]),
		}
		t.Object = formatObject(t.Schema, t.Name)
		if string(row[2]) == "t" {
			t.Kind = connectors.KindView
		}
		// Before PostgreSQL 14 a table never analysed says 0 rather than -1; views have no estimate at all.
		if t.EstimatedRows <= 0 {
			t.EstimatedRows = -1
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// Describe returns the columns and the primary key, or else the unique key of the fewest columns.
func (s *source) Describe(ctx context.Context, name string) (schema connectors.Schema, err error) {
	err = s.inSnapshot(ctx, func(q *session) error {
		o, err := q.object(ctx, name)
		if err != nil {
			return err
		}
		schema = o.schema()
		return nil
	})
	return schema, err
}

func (o *object) schema() connectors.Schema {
	var schema connectors.Schema
	for _, c := range o.columns {
		schema.Columns = append(schema.Columns, c.Column)
	}
	if len(o.keys) > 0 {
		schema.Key, schema.Unique = o.keys[0], o.keys
	}
	return schema
}

// DescribeAll describes objects in three round trips, however many they are.
func (s *source) DescribeAll(ctx context.Context, names []string) (out map[string]connectors.Schema, err error) {
	err = s.inSnapshot(ctx, func(q *session) error {
		found, err := q.objects(ctx, names)
		if err != nil {
			return err
		}
		out = make(map[string]connectors.Schema, len(found))
		for name, o := range found {
			out[name] = o.schema()
		}
		return nil
	})
	return out, err
}

// object finds a table or view and reads its columns and keys.
func (q *session) object(ctx context.Context, name string) (*object, error) {
	found, err := q.objects(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	o, ok := found[name]
	if !ok {
		return nil, connectors.ErrObjectMissing
	}
	return o, nil
}

// objects finds tables and views and reads their columns and keys. Those that are missing, or have no columns, are left out.
func (q *session) objects(ctx context.Context, names []string) (map[string]*object, error) {
	var schemas, tables []string
	var asked []string // Beside them, the name as it was asked for.
	for _, name := range names {
		schema, table, ok := parseObject(name)
		if !ok {
			continue
		}
		if schema == "" {
			schema = q.schema
		}
		schemas, tables, asked = append(schemas, schema), append(tables, table), append(asked, name)
	}
	rows, err := q.rows(ctx, `
SELECT w.position, c.oid, c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS w(schema, name, position)
JOIN pg_namespace n ON n.nspname = w.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p', 'f', 'v', 'm')`,
		array(connectors.Text, schemas), array(connectors.Text, tables))
	if err != nil {
		return nil, err
	}
	byOID := make(map[string]*object, len(rows))
	var oids []string
	var bound []string // Those whose keys bind every row that a read returns.
	for _, row := range rows {
		i, oid := int(integer(row[0]))-1, string(row[1])
		if byOID[oid] != nil {
			continue // Asked for with and without its schema.
		}
		byOID[oid] = &object{sql: quoteIdentifier(schemas[i]) + "." + quoteIdentifier(tables[i])}
		oids = append(oids, oid)
		// A key of a parent table does not bind the tables that inherit from it, whose rows a read returns too.
		if string(row[2]) != "t" {
			bound = append(bound, oid)
		}
	}
	if err := q.columns(ctx, oids, byOID); err != nil {
		return nil, err
	}
	if err := q.keys(ctx, bound, byOID); err != nil {
		return nil, err
	}
	out := make(map[string]*object, len(rows))
	for _, row := range rows {
		o := byOID[string(row[1])]
		if len(o.columns) == 0 {
			continue
		}
		for i := range o.columns {
			o.columns[i].IsKey = len(o.keys) > 0 && slices.Contains(o.keys[0], o.columns[i].Name)
		}
		out[asked[integer(row[0])-1]] = o
	}
	return out, nil
}

// columnsSQL resolves domains to their base type. The provider of the database's locale exists from PostgreSQL 15 on;
// reading it through to_jsonb lets one statement serve all versions.
const columnsSQL = `
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), b.oid, b.typname, b.typtype, b.typarray, greatest(a.atttypmod, b.typmod),
  NOT a.attnotnull, coalesce(col_description(a.attrelid, a.attnum), ''),
  CASE WHEN b.typcollation = 0 THEN 'none'
    WHEN a.attcollation IN (950, 951) THEN 'binary'
    WHEN a.attcollation = 100 AND (SELECT d.datcollate IN ('C', 'POSIX') AND coalesce(to_jsonb(d)->>'datlocprovider', 'c') = 'c'
      FROM pg_database d WHERE d.datname = current_database()) THEN 'binary'
    ELSE 'locale' END
FROM pg_attribute a CROSS JOIN LATERAL (
  WITH RECURSIVE base AS (
    SELECT t.oid, t.typname, t.typtype, t.typarray, t.typcollation, t.typbasetype, t.typtypmod AS typmod, 0 AS depth
    FROM pg_type t WHERE t.oid = a.atttypid
    UNION ALL
    SELECT t.oid, t.typname, t.typtype, t.typarray, t.typcollation, t.typbasetype, greatest(base.typmod, t.typtypmod), depth + 1
    FROM base JOIN pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd')
  SELECT * FROM base ORDER BY depth DESC LIMIT 1) b
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum`

// columns reads the columns of objects into them.
func (q *session) columns(ctx context.Context, oids []string, into map[string]*object) error {
	if len(oids) == 0 {
		return nil
	}
	rows, err := q.rows(ctx, columnsSQL, array(connectors.Integer, oids))
	if err != nil {
		return err
	}
	for _, row := range rows {
		o := into[string(row[0])]
		c := column{
			Column: connectors.Column{
				Name: string(row[1]), NativeType: string(row[2]), Nullable: string(row[8]) == "t", Comment: string(row[9]),
			},
			typeOID: uint32(integer(row[3])), arrayOID: uint32(integer(row[6])),
		}
		c.Kind = kindOf(c.typeOID, string(row[4]), string(row[5]))
		c.Length, c.Scale = size(c.typeOID, int(integer(row[7])))
		switch string(row[10]) {
		case "binary":
			c.collation = collationBinary
		case "locale":
			c.collation = collationLocale
		}
		o.columns = append(o.columns, c)
	}
	return nil
}

// keys reads the columns of each complete, valid unique index over NOT NULL columns into objects. A deferrable constraint
// counts: a snapshot only ever sees states that were committed.
func (q *session) keys(ctx context.Context, oids []string, into map[string]*object) error {
	if len(oids) == 0 {
		return nil
	}
	rows, err := q.rows(ctx, `
WITH unique_index AS (
  SELECT i.indexrelid, i.indrelid, i.indisprimary, i.indkey, coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts) AS width
  FROM pg_index i
  WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL)
SELECT u.indrelid, u.indexrelid, a.attname, bool_and(a.attnotnull) OVER (PARTITION BY u.indexrelid)
FROM unique_index u CROSS JOIN LATERAL generate_series(0, u.width - 1) AS position
JOIN pg_attribute a ON a.attrelid = u.indrelid AND a.attnum = u.indkey[position]
ORDER BY u.indrelid, u.indisprimary DESC, u.width, u.indexrelid, position`, array(connectors.Integer, oids))
	if err != nil {
		return err
	}
	last := ""
	for _, row := range rows {
		if string(row[3]) != "t" {
			continue
		}
		o := into[string(row[0])]
		if index := string(row[1]); index != last {
			last = index
			o.keys = append(o.keys, nil)
		}
		o.keys[len(o.keys)-1] = append(o.keys[len(o.keys)-1], string(row[2]))
	}
	return nil
}

// Probe asks the server who it is and whether the session is what it should be.
func (s *source) Probe(ctx context.Context) (probe connectors.Probe, err error) {
	err = s.inSnapshot(ctx, func(q *session) error {
		start := time.Now()
		if probe.ServerTime, err = q.now(ctx); err != nil {
			return err
		}
		probe.Latency = time.Since(start)
		rows, err := q.rows(ctx, `
SELECT current_setting('server_version'), current_setting('transaction_read_only') = 'on', pg_is_in_recovery(),
  coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), inet_client_addr() IS NULL OR inet_client_addr() = inet_server_addr(),
  (SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = current_user)`)
		if err != nil {
			return err
		}
		row := rows[0]
		is := func(i int) bool { return string(row[i]) == "t" }
		probe.Product, probe.Version, probe.ReadOnly = "PostgreSQL", string(row[0]), is(1)
		probe.Encrypted = is(3) || is(4)
		if is(5) {
			probe.Warnings = append(probe.Warnings, connectors.WarnPrivileged)
		}
		if is(2) {
			probe.Warnings = append(probe.Warnings, connectors.WarnStandby)
		}
		if !probe.Encrypted {
			probe.Warnings = append(probe.Warnings, connectors.WarnNotEncrypted)
		}
		return nil
	})
	return probe, err
}

// now is the server's clock, in UTC.
func (q *session) now(ctx context.Context) (time.Time, error) {
	rows, err := q.rows(ctx, `SELECT to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, string(rows[0][0]))
}

// integer reads a number the server formatted.
func integer(text []byte) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
