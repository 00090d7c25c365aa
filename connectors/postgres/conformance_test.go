package postgres

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/connectors/connectortest"
)

// The driver passes the common suite on a database whose locale sorts by pinyin, with an account that may only SELECT.
func TestConformance(t *testing.T) {
	kinds := make([]connectors.Kind, 0)
	for _, kind := range connectors.Kinds() {
		if kind != connectors.Other {
			kinds = append(kinds, kind)
		}
	}
	connectortest.Run(t, connectortest.Harness{
		Driver: Driver{},
		NewConfig: func(t *testing.T) map[string]string {
			settings := newDatabase(t, "")
			createGeometry(t, connect(t, settings[keyDatabase]))
			return settings
		},
		Load: func(t *testing.T, settings map[string]string, table connectortest.Table) string {
			load(t, settings, table, true)
			return formatObject("public", table.Name)
		},
		Replace: func(t *testing.T, settings map[string]string, table connectortest.Table) {
			load(t, settings, table, false)
		},
		Kill: func(t *testing.T, settings map[string]string) {
			// With a timeout pg_terminate_backend returns when the session is gone, not when it was told to go.
			mustExec(t, connect(t, "postgres"), "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '"+settings[keyUser]+"'")
		},
		Kinds:    kinds,
		Required: []string{keyHost, keyDatabase, keyUser},
		Password: keyPassword,
	})
}

// createGeometry makes a type that looks to clients like PostGIS's: named geometry, hexadecimal as text, raw in binary.
func createGeometry(t testing.TB, conn *pgx.Conn) {
	mustExec(t, conn,
		"CREATE TYPE geometry",
		"CREATE FUNCTION geometry_in(cstring) RETURNS geometry AS 'byteain' LANGUAGE internal IMMUTABLE STRICT",
		"CREATE FUNCTION geometry_out(geometry) RETURNS cstring AS 'byteaout' LANGUAGE internal IMMUTABLE STRICT",
		"CREATE FUNCTION geometry_send(geometry) RETURNS bytea AS 'byteasend' LANGUAGE internal IMMUTABLE STRICT",
		"CREATE TYPE geometry (INPUT = geometry_in, OUTPUT = geometry_out, SEND = geometry_send, LIKE = bytea)",
	)
}

func nativeType(c connectors.Column) string {
	switch c.Kind {
	case connectors.Text:
		if c.Length > 0 {
			return fmt.Sprintf("varchar(%d)", c.Length)
		}
		return "text"
	case connectors.Integer:
		return "bigint"
	case connectors.Decimal:
		if c.Length > 0 {
			return fmt.Sprintf("numeric(%d,%d)", c.Length, c.Scale)
		}
		return "numeric"
	case connectors.Float:
		return "double precision"
	case connectors.Bool:
		return "boolean"
	case connectors.Date:
		return "date"
	case connectors.Timestamp:
		return "timestamptz"
	case connectors.LocalTimestamp:
		return "timestamp"
	case connectors.Time:
		return "time"
	case connectors.Bytes:
		return "bytea"
	case connectors.Geometry:
		return "geometry"
	case connectors.JSON:
		return "json"
	}
	panic("no type for " + c.Kind)
}

// load fills a table by COPY in one transaction, creating it first or deleting its rows.
func load(t *testing.T, settings map[string]string, table connectortest.Table, create bool) {
	t.Helper()
	conn := connect(t, settings[keyDatabase])
	defer conn.Close(t.Context())
	name := quoteIdentifier(table.Name)
	mustExec(t, conn, "BEGIN", "SET LOCAL timezone = 'UTC'")
	if create {
		var parts, comments []string
		for _, c := range table.Columns {
			definition := quoteIdentifier(c.Name) + " " + nativeType(c)
			if !c.Nullable {
				definition += " NOT NULL"
			}
			parts = append(parts, definition)
			if c.Comment != "" {
				comments = append(comments, "COMMENT ON COLUMN "+name+"."+quoteIdentifier(c.Name)+" IS '"+c.Comment+"'")
			}
		}
		if len(table.Key) > 0 {
			var key []string
			for _, column := range table.Key {
				key = append(key, quoteIdentifier(column))
			}
			parts = append(parts, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
		}
		mustExec(t, conn, append([]string{"DROP TABLE IF EXISTS " + name, "CREATE TABLE " + name + " (" + strings.Join(parts, ", ") + ")"}, comments...)...)
	} else {
		mustExec(t, conn, "DELETE FROM "+name)
	}
	r, w := io.Pipe()
	go func() {
		var b bytes.Buffer
		for row := range table.Rows {
			for i, cell := range row {
				if i > 0 {
					b.WriteByte('\t')
				}
				b.WriteString(copyText(table.Columns[i].Kind, cell))
			}
			b.WriteByte('\n')
			if b.Len() > 1<<16 {
				if _, err := b.WriteTo(w); err != nil {
					return
				}
			}
		}
		_, err := b.WriteTo(w)
		_ = w.CloseWithError(err)
	}()
	if _, err := conn.PgConn().CopyFrom(t.Context(), r, "COPY "+name+" FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, "COMMIT")
}

var copyEscapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func copyText(kind connectors.Kind, cell []byte) string {
	switch {
	case cell == nil:
		return `\N`
	case kind == connectors.Bytes || kind == connectors.Geometry:
		return `\\x` + hex.EncodeToString(cell)
	}
	return copyEscapes.Replace(string(cell))
}
