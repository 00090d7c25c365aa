package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// columnType is the SQL type of a type letter. Text is compared by bytes, as at the hub; numbers keep the digits they have;
// shapes and digests stay JSON as the hub writes it.
func columnType(letter string) string {
	switch letter {
	case "N", "Y":
		return "numeric"
	case "I":
		return "bigint"
	case "B", "F":
		return "double precision"
	case "D":
		return "date"
	case "T":
		return "timestamptz"
	case "L":
		return "boolean"
	case "G":
		return "json"
	default:
		return "text"
	}
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal quotes a text for statements that take no parameters.
func literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", "").Replace(text) + "'"
}

func createTable(name string, s Shape) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", quoted(name))
	for _, c := range s.Columns {
		kind := columnType(c.Letter)
		if kind == "text" {
			kind += ` COLLATE "C"`
		}
		fmt.Fprintf(&b, "%s %s, ", quoted(c.Identifier), kind)
	}
	fmt.Fprintf(&b, "PRIMARY KEY (%s))", strings.Join(s.keyNames(), ", "))
	return b.String()
}

func (s Shape) keyNames() []string {
	var out []string
	for _, i := range s.keys() {
		out = append(out, quoted(s.Columns[i].Identifier))
	}
	return out
}

// arrays turns rows into one array a column.
func arrays(columns int, rows []cells) []any {
	out := make([]any, columns)
	for i := range out {
		column := make([]*string, len(rows))
		for n, row := range rows {
			column[n] = row[i]
		}
		out[i] = column
	}
	return out
}

// upsert puts rows into a table and returns how many are new.
func upsert(ctx context.Context, tx pgx.Tx, table string, s Shape, rows []cells) (added int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	var names, casts, unnest, sets []string
	for i, c := range s.Columns {
		names = append(names, quoted(c.Identifier))
		casts = append(casts, fmt.Sprintf("c%d::%s", i, columnType(c.Letter)))
		unnest = append(unnest, fmt.Sprintf("$%d::text[]", i+1))
		if c.Key == 0 {
			sets = append(sets, fmt.Sprintf("%[1]s = excluded.%[1]s", quoted(c.Identifier)))
		}
	}
	var places []string
	for i := range s.Columns {
		places = append(places, fmt.Sprintf("c%d", i))
	}
	conflict := "DO NOTHING"
	if len(sets) > 0 {
		conflict = "DO UPDATE SET " + strings.Join(sets, ", ")
	}
	// xmax is 0 in rows that were inserted rather than updated.
	sql := fmt.Sprintf(`
		WITH put AS (
			INSERT INTO %s AS t (%s) SELECT %s FROM unnest(%s) AS u (%s)
			ON CONFLICT (%s) %s RETURNING t.xmax = 0 AS fresh)
		SELECT count(*) FILTER (WHERE fresh) FROM put`,
		quoted(table), strings.Join(names, ", "), strings.Join(casts, ", "), strings.Join(unnest, ", "), strings.Join(places, ", "),
		strings.Join(s.keyNames(), ", "), conflict)
	if err := tx.QueryRow(ctx, sql, arrays(len(s.Columns), rows)...).Scan(&added); err != nil {
		return 0, withoutValues(err)
	}
	return added, nil
}

// withoutValues keeps to itself what a row holds: PostgreSQL repeats values in what it says about them, and errors go to logs.
func withoutValues(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || !strings.HasPrefix(pg.Code, "22") && !strings.HasPrefix(pg.Code, "23") { // data_exception, integrity_constraint_violation
		return err
	}
	return fmt.Errorf("the database does not take a row (SQLSTATE %s %s)", pg.Code, pg.ConstraintName)
}

// remove deletes rows by their keys and returns how many there were.
func remove(ctx context.Context, tx pgx.Tx, table string, s Shape, keys [][]string) (int64, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	places := s.keys()
	args := make([]any, len(places))
	var unnest, names, same []string
	for n, column := range places {
		values := make([]string, len(keys))
		for i, key := range keys {
			values[i] = key[n]
		}
		args[n] = values
		c := s.Columns[column]
		unnest = append(unnest, fmt.Sprintf("$%d::text[]", n+1))
		names = append(names, fmt.Sprintf("k%d", n))
		same = append(same, fmt.Sprintf("t.%s = k%d::%s", quoted(c.Identifier), n, columnType(c.Letter)))
	}
	tag, err := tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s t USING unnest(%s) AS u (%s) WHERE %s",
		quoted(table), strings.Join(unnest, ", "), strings.Join(names, ", "), strings.Join(same, " AND ")), args...)
	return tag.RowsAffected(), withoutValues(err)
}

// swap makes what is beside the copy visible. Where the columns are the same, the differences are merged, so that views,
// privileges and indexes that people made on the copy stay and readers are never locked out. Otherwise the tables change places.
func (p *postgres) swap(ctx context.Context, s *State) error {
	old, err := p.load(ctx)
	if err != nil {
		return err
	}
	same := old != nil && old.Visible != nil && slices.Equal(tableColumns(old.Visible.Shape), tableColumns(s.Visible.Shape))
	for {
		err := p.inTx(ctx, "letting the copy take over what was read", func(tx pgx.Tx) error {
			if same {
				err = p.merge(ctx, tx, s.Visible.Shape)
			} else {
				err = p.replace(ctx, tx)
			}
			if err != nil {
				return err
			}
			return p.storeState(ctx, tx, s)
		})
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "55P03" { // lock_not_available
			return err
		}
		// A long reader is let finish; meanwhile new readers do not queue behind this.
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// tableColumns are what decides whether two shapes fit into one table.
func tableColumns(s Shape) []string {
	var out []string
	for _, c := range s.Columns {
		out = append(out, fmt.Sprintf("%s %s %d", c.Identifier, columnType(c.Letter), c.Key))
	}
	return out
}

// merge brings the copy to what is beside it, writing only what differs.
func (p *postgres) merge(ctx context.Context, tx pgx.Tx, s Shape) error {
	var same, differ, names, sets []string
	for _, c := range s.Columns {
		name := quoted(c.Identifier)
		names = append(names, name)
		if c.Key > 0 {
			same = append(same, fmt.Sprintf("t.%[1]s = n.%[1]s", name))
			continue
		}
		cast := ""
		if columnType(c.Letter) == "json" { // Has no equality.
			cast = "::text"
		}
		differ = append(differ, fmt.Sprintf("t.%[1]s%[2]s IS DISTINCT FROM excluded.%[1]s%[2]s", name, cast))
		sets = append(sets, fmt.Sprintf("%[1]s = excluded.%[1]s", name))
	}
	conflict := "DO NOTHING"
	if len(sets) > 0 {
		conflict = fmt.Sprintf("DO UPDATE SET %s WHERE %s", strings.Join(sets, ", "), strings.Join(differ, " OR "))
	}
	list := strings.Join(names, ", ")
	for _, statement := range []string{
		fmt.Sprintf("DELETE FROM %s t WHERE NOT EXISTS (SELECT 1 FROM %s n WHERE %s)", quoted(p.table), quoted(p.side()), strings.Join(same, " AND ")),
		fmt.Sprintf("INSERT INTO %s AS t (%s) SELECT %s FROM %s ON CONFLICT (%s) %s",
			quoted(p.table), list, list, quoted(p.side()), strings.Join(s.keyNames(), ", "), conflict),
		"DROP TABLE " + quoted(p.side()),
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return withoutValues(err)
		}
	}
	return nil
}

// replace puts the new table in the old one's place, with its owner's privileges for others.
func (p *postgres) replace(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '500ms'"); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		SELECT format('GRANT %s ON %I TO %s', a.privilege_type, $2::text, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END)
		FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
		WHERE c.oid = to_regclass(quote_ident($1)) AND a.grantee <> c.relowner`, p.table, p.side())
	if err != nil {
		return err
	}
	grants, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	statements := append(grants,
		"DROP TABLE IF EXISTS "+quoted(p.table),
		fmt.Sprintf("ALTER TABLE %s RENAME TO %s", quoted(p.side()), quoted(p.table)))
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return dependents(err)
		}
	}
	return nil
}

// dependents says what to do about views that stand on a table.
func dependents(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "2BP01" { // dependent_objects_still_exist
		return err
	}
	return &Refusal{
		Code: "views_depend", cause: err,
		Message: "the table of the copy has to go, and others stand on it: " + pg.Detail + "; drop them, repeat the command, and make them again where there is a new table",
	}
}
