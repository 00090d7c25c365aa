package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/connectors"
)

// lookupBatch is how many keys one statement looks up: enough to make round trips cheap, few enough that the planner
// prefers the key's index to a scan of a large table.
const lookupBatch = 2_000

// statement is one SELECT with its bound parameters in text form.
type statement struct {
	sql     string
	args    [][]byte
	types   []uint32
	formats []int16 // Of the results.
}

var (
	errNoColumns = errors.New("a read needs at least one column")
	errKeyWidth  = errors.New("a key has another number of parts than its columns")
	errNoArray   = errors.New("a key column is of a type that cannot be looked up")
)

// Read opens a read of a whole object.
func (s *source) Read(ctx context.Context, request connectors.ReadRequest) (connectors.Reader, error) {
	return s.open(ctx, false, request.Object, request.Columns, func(o *object, columns []column) ([]statement, error) {
		st, err := readStatement(o, columns, request)
		return []statement{st}, err
	})
}

// Lookup opens a read of the rows with certain keys.
func (s *source) Lookup(ctx context.Context, request connectors.LookupRequest) (connectors.Reader, error) {
	return s.open(ctx, true, request.Object, request.Columns, func(o *object, columns []column) ([]statement, error) {
		return lookupStatements(o, columns, request)
	})
}

// open begins a transaction, finds the object in its snapshot, so that its columns cannot differ from those that are
// read, and hands the statements to a reader.
func (s *source) open(
	ctx context.Context, limited bool, name string, names []string, plan func(*object, []column) ([]statement, error),
) (connectors.Reader, error) {
	if len(names) == 0 {
		return nil, errNoColumns
	}
	q, err := s.begin(ctx, limited)
	if err != nil {
		return nil, err
	}
	r, err := func() (*reader, error) {
		o, err := q.object(ctx, name)
		if err != nil {
			return nil, err
		}
		columns, err := o.pick(names)
		if err != nil {
			return nil, err
		}
		statements, err := plan(o, columns)
		if err != nil {
			return nil, err
		}
		return newReader(q, columns, statements), nil
	}()
	if err != nil {
		q.abandon()
		return nil, err
	}
	return r, nil
}

func selectList(columns []column) (sql string, formats []int16) {
	parts := make([]string, 0, len(columns))
	for _, c := range columns {
		parts = append(parts, quoteIdentifier(c.Name))
		formats = append(formats, format(c.Kind))
	}
	return strings.Join(parts, ", "), formats
}

// ordered is the column as an expression that sorts and compares by bytes.
func (c column) ordered() string {
	if c.collation == collationLocale {
		return quoteIdentifier(c.Name) + ` COLLATE pg_catalog."C"`
	}
	return quoteIdentifier(c.Name)
}

func readStatement(o *object, columns []column, request connectors.ReadRequest) (statement, error) {
	list, formats := selectList(columns)
	st := statement{sql: "SELECT " + list + " FROM " + o.sql, formats: formats}
	joint := " WHERE "
	if request.Since != nil {
		marks, err := o.pick([]string{request.Since.Column})
		if err != nil {
			return statement{}, err
		}
		mark := quoteIdentifier(marks[0].Name)
		st.args = append(st.args, []byte(parameter(marks[0].Kind, request.Since.From)))
		st.types = append(st.types, marks[0].typeOID)
		st.sql += joint + "(" + mark + " >= $1 OR " + mark + " IS NULL)"
		joint = " AND "
	}
	if len(request.OrderBy) == 0 {
		if len(request.After) > 0 {
			return statement{}, connectors.ErrOrderNotUnique
		}
		st.limit(request.Limit)
		return st, nil
	}
	order, err := o.pick(request.OrderBy)
	if err != nil {
		return statement{}, err
	}
	if !o.uniqueBy(order) {
		return statement{}, connectors.ErrOrderNotUnique
	}
	expressions := make([]string, 0, len(order))
	for _, c := range order {
		expressions = append(expressions, c.ordered())
	}
	if request.After != nil {
		if len(request.After) != len(order) {
			return statement{}, errKeyWidth
		}
		parameters := make([]string, 0, len(order))
		for i, c := range order {
			st.args = append(st.args, []byte(parameter(c.Kind, request.After[i])))
			st.types = append(st.types, c.typeOID)
			parameters = append(parameters, "$"+strconv.Itoa(len(st.args)))
		}
		st.sql += joint + fmt.Sprintf("(%s) > (%s)", strings.Join(expressions, ", "), strings.Join(parameters, ", "))
	}
	st.sql += " ORDER BY " + strings.Join(expressions, ", ")
	st.limit(request.Limit)
	return st, nil
}

// limit ends the statement after n rows; 0 for all.
func (st *statement) limit(n int) {
	if n > 0 {
		st.sql += " LIMIT " + strconv.Itoa(n)
	}
}

// uniqueBy reports whether no two rows can agree in the columns and none of them can be NULL.
func (o *object) uniqueBy(order []column) bool {
	names := make([]string, 0, len(order))
	for _, c := range order {
		if c.Nullable {
			return false
		}
		names = append(names, c.Name)
	}
	return slices.ContainsFunc(o.keys, func(key []string) bool {
		return !slices.ContainsFunc(key, func(name string) bool { return !slices.Contains(names, name) })
	})
}

func lookupStatements(o *object, columns []column, request connectors.LookupRequest) ([]statement, error) {
	if len(request.KeyColumns) == 0 {
		return nil, errNoColumns
	}
	keyColumns, err := o.pick(request.KeyColumns)
	if err != nil {
		return nil, err
	}
	keys, err := distinct(request.Keys, len(keyColumns))
	if err != nil {
		return nil, err
	}
	list, formats := selectList(columns)
	var names, arrays, aliases []string
	var types []uint32
	for i, c := range keyColumns {
		if c.arrayOID == 0 {
			return nil, errNoArray
		}
		names = append(names, quoteIdentifier(c.Name))
		arrays = append(arrays, "pg_catalog.unnest($"+strconv.Itoa(i+1)+")")
		aliases = append(aliases, "k"+strconv.Itoa(i+1))
		types = append(types, c.arrayOID)
	}
	where := names[0] + " = ANY ($1)"
	if len(names) > 1 {
		where = fmt.Sprintf("(%s) IN (SELECT * FROM ROWS FROM (%s) AS wanted(%s))",
			strings.Join(names, ", "), strings.Join(arrays, ", "), strings.Join(aliases, ", "))
	}
	sql := "SELECT " + list + " FROM " + o.sql + " WHERE " + where
	var statements []statement
	for chunk := range slices.Chunk(keys, lookupBatch) {
		st := statement{sql: sql, types: types, formats: formats}
		for i, c := range keyColumns {
			cells := make([]string, 0, len(chunk))
			for _, key := range chunk {
				cells = append(cells, key[i])
			}
			st.args = append(st.args, []byte(array(c.Kind, cells)))
		}
		statements = append(statements, st)
	}
	return statements, nil
}

// distinct drops keys that occur again, since two statements of one look-up must not find the same row.
func distinct(keys [][]string, width int) ([][]string, error) {
	seen := make(map[string]bool, len(keys))
	out := make([][]string, 0, len(keys))
	for _, key := range keys {
		if len(key) != width {
			return nil, errKeyWidth
		}
		var id strings.Builder
		for _, part := range key {
			id.WriteString(strconv.Itoa(len(part)) + ":" + part)
		}
		if !seen[id.String()] {
			seen[id.String()] = true
			out = append(out, key)
		}
	}
	return out, nil
}
