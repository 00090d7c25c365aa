package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Column is one item as the store keeps it. Letter is the type letter of domain table 2.4; Geometry marks a G item
// whose four bounding-box columns are kept beside it.
type Column struct {
	No         int    `json:"no"`
	Letter     string `json:"letter"`
	Key        bool   `json:"key,omitempty"` // Part of the row's key: other keys need another layout.
	Geometry   bool   `json:"geometry,omitempty"`
	Filterable bool   `json:"filterable,omitempty"`
}

// Name returns the column's name. It follows the item number, which is stable, not the identifier, which may change.
func (c Column) Name() string { return "i" + strconv.Itoa(c.No) }

// Type returns the SQL type. Text is compared by bytes, so that order is the same for the hub, sources and targets.
func (c Column) Type() string {
	switch c.Letter {
	case "C", "M":
		return `text COLLATE "C"`
	case "N", "Y":
		return "numeric"
	case "D":
		return "date"
	case "T":
		return "timestamptz"
	case "L":
		return "boolean"
	case "B", "F":
		return "double precision"
	case "I":
		return "bigint"
	default:
		return "bytea"
	}
}

// boxColumns returns the names of the bounding-box columns of a geometry: min x, min y, max x, max y.
func (c Column) boxColumns() []string {
	n := c.Name()
	return []string{n + "_x0", n + "_y0", n + "_x1", n + "_y1"}
}

// LayoutState says what a layout is good for.
type LayoutState string

// The states of a layout.
const (
	LayoutFilling LayoutState = "filling" // A run fills it; nobody reads it.
	LayoutActive  LayoutState = "active"  // The one that is read and written.
	LayoutGrace   LayoutState = "grace"   // Replaced; kept for cursors of its time.
	LayoutDropped LayoutState = "dropped" // Its tables are gone.
)

// Layout is one physical shape of a resource's rows.
type Layout struct {
	Resource  uuid.UUID
	Number    int
	Version   int // Resource version whose items it holds.
	Table     string
	Columns   []Column
	State     LayoutState
	CreatedAt time.Time
}

// Name returns the quoted, schema-qualified name of the row table.
func (l Layout) Name() string { return qualified(l.Table) }

// LogName returns the quoted, schema-qualified name of the log of deletes and filter exits.
func (l Layout) LogName() string { return qualified(l.Table + "_log") }

// Column returns the column of an item number.
func (l Layout) Column(no int) (Column, bool) {
	for _, c := range l.Columns {
		if c.No == no {
			return c, true
		}
	}
	return Column{}, false
}

// filterable returns the columns that may occur in row filters.
func (l Layout) filterable() []Column {
	var out []Column
	for _, c := range l.Columns {
		if c.Filterable {
			out = append(out, c)
		}
	}
	return out
}

// copyColumns returns the names of item columns in COPY order, bounding boxes behind their geometry.
func copyColumns(columns []Column) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.Name())
		if c.Geometry {
			out = append(out, c.boxColumns()...)
		}
	}
	return out
}

func qualified(table string) string { return pgx.Identifier{"store", table}.Sanitize() }

// tableName is r_<first 12 hex digits of the random part of the id>_<layout>.
func tableName(resource uuid.UUID, number int) string {
	hex := strings.ReplaceAll(resource.String(), "-", "")
	return fmt.Sprintf("r_%s_%d", hex[len(hex)-16:], number)
}

// itemDefinitions returns the column definitions of the items for CREATE TABLE.
func itemDefinitions(columns []Column) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.Name()+" "+c.Type())
		if c.Geometry {
			for _, b := range c.boxColumns() {
				out = append(out, b+" double precision")
			}
		}
	}
	return out
}

// createRows makes the row table and the log of a layout, without indexes: they are cheaper to build behind the rows.
func createRows(ctx context.Context, tx pgx.Tx, l Layout) error {
	defs := append([]string{
		`_key text COLLATE "C" NOT NULL`, `_seq bigint NOT NULL`, `_run uuid NOT NULL`, `_h1 bigint NOT NULL`, `_h2 bigint NOT NULL`, `_held uuid`,
	}, itemDefinitions(l.Columns)...)
	log := append([]string{`seq bigint PRIMARY KEY`, `key text COLLATE "C" NOT NULL`}, itemDefinitions(l.filterable())...)
	for _, sql := range []string{
		fmt.Sprintf("CREATE TABLE %s (%s)", l.Name(), strings.Join(defs, ", ")),
		fmt.Sprintf("CREATE TABLE %s (%s)", l.LogName(), strings.Join(log, ", ")),
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("creating tables of layout %d: %w", l.Number, err)
		}
	}
	return nil
}

// indexRows builds the indexes: identity, change order, and one per filterable item that also gives key order.
func indexRows(ctx context.Context, tx pgx.Tx, l Layout) error {
	statements := []string{
		fmt.Sprintf("ALTER TABLE %s ADD PRIMARY KEY (_key)", l.Name()),
		fmt.Sprintf("CREATE INDEX ON %s (_seq)", l.Name()),
		fmt.Sprintf("CREATE INDEX ON %s (_held) WHERE _held IS NOT NULL", l.Name()),
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("indexing layout %d: %w", l.Number, err)
		}
	}
	return indexFilterable(ctx, tx, l)
}

func scanLayout(row pgx.Row) (Layout, error) {
	var l Layout
	var columns []byte
	if err := row.Scan(&l.Resource, &l.Number, &l.Version, &l.Table, &columns, &l.State, &l.CreatedAt); err != nil {
		return Layout{}, err
	}
	return l, l.decode(columns)
}

func (l *Layout) decode(columns []byte) error {
	if err := json.Unmarshal(columns, &l.Columns); err != nil {
		return fmt.Errorf("decoding columns of layout %d: %w", l.Number, err)
	}
	return nil
}

const layoutColumns = "resource, layout, version, table_name, columns, state, created_at"

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readLayout returns one layout of a resource.
func readLayout(ctx context.Context, q querier, resource uuid.UUID, number int) (Layout, error) {
	l, err := scanLayout(q.QueryRow(ctx, "SELECT "+layoutColumns+" FROM store.layout WHERE resource = $1 AND layout = $2", resource, number))
	if db.NoRows(err) {
		return Layout{}, fault.New(fault.NotFound, "not_collected", "no data of this resource have arrived at the hub yet").At("store")
	}
	if err != nil {
		return Layout{}, fmt.Errorf("reading layout %d: %w", number, err)
	}
	return l, nil
}
