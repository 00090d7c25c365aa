package catalog

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/connectors"
)

// What drivers and sources say of themselves, for rooms that do not talk to sources.
type (
	DriverSpec   = connectors.Spec
	DriverField  = connectors.Field
	SourceTable  = connectors.Table
	SourceSchema = connectors.Schema
	SourceColumn = connectors.Column
)

// Source is a connection to a department's system. Secrets are sealed in the database and never leave it with a Source.
type Source struct {
	ID           uuid.UUID         `json:"id"`
	DepartmentID uuid.UUID         `json:"department_id"`
	Name         string            `json:"name"`
	Driver       string            `json:"driver"`
	Settings     map[string]string `json:"settings"` // Without secrets.
	LastProbe    *ProbeResult      `json:"last_probe,omitempty"`
	RowVersion   int64             `json:"row_version"`
	CreatedAt    time.Time         `json:"created_at"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

// ProbeResult is the last answer of a source, or why there was none.
type ProbeResult struct {
	At      time.Time `json:"at"`
	OK      bool      `json:"ok"`
	Product string    `json:"product"`
	Version string    `json:"version"`
	Millis  int64     `json:"millis"`
	Code    string    `json:"code"`   // Error code, "" when OK.
	Advice  string    `json:"advice"` // What to do, for people.

	Warnings []connectors.Warning `json:"warnings,omitempty"` // What Advice speaks of when OK.
}

// MountState is the state of a mount (domain rule 2.8).
type MountState string

// The states of a mount.
const (
	MountDraft     MountState = "draft"
	MountChecking  MountState = "checking"
	MountSubmitted MountState = "submitted"
	MountActive    MountState = "active"
	MountRejected  MountState = "rejected"
	MountSuspended MountState = "suspended"
	MountRemoved   MountState = "removed"
)

// Mount binds the items of a resource version to an object of a source.
type Mount struct {
	ID              uuid.UUID         `json:"id"`
	ResourceID      uuid.UUID         `json:"resource_id"`
	Version         int               `json:"version"`
	SourceID        uuid.UUID         `json:"source_id"`
	Object          string            `json:"object"` // "schema.table" as the source names it.
	Columns         []MountColumn     `json:"columns"`
	RowFilter       json.RawMessage   `json:"row_filter,omitempty"` // Rows outside do not count as present.
	OrderColumn     string            `json:"order_column"`         // Decides among rows with one key; the last wins.
	WatermarkColumn string            `json:"watermark_column"`
	DeleteRule      string            `json:"delete_rule"`       // missing, soft_delete, delete_table or none: how deletes arrive.
	Deletes         *MountDeletes     `json:"deletes,omitempty"` // Where the source notes them; of soft_delete and delete_table.
	Schema          connectors.Schema `json:"schema"`            // Of the object, as found by the last check; empty before.
	State           MountState        `json:"state"`
	Note            string            `json:"note"` // Why it is where it is, for people.
	RowVersion      int64             `json:"row_version"`
	CreatedBy       uuid.UUID         `json:"created_by"`
	CreatedAt       time.Time         `json:"created_at"`
	UpdatedAt       time.Time         `json:"updated_at"`
}

// The delete rules of a mount.
const (
	DeleteMissing = "missing"      // A key absent from a full read, or from a sweep of all keys, is deleted.
	DeleteSoft    = "soft_delete"  // A column marks rows as deleted.
	DeleteTable   = "delete_table" // Another table has a row per deleted key.
	DeleteNone    = "none"         // Deletes are not carried.
)

// MountDeletes is where a source notes deletes.
type MountDeletes struct {
	Column string   `json:"column,omitempty"` // The column that marks rows as deleted.
	Values []string `json:"values,omitempty"` // Its values that mean deleted, as text; none: every value but NULL does.

	Object          string   `json:"object,omitempty"`           // The table of deleted keys.
	KeyColumns      []string `json:"key_columns,omitempty"`      // Its columns that hold the key items, in item-number order.
	WatermarkColumn string   `json:"watermark_column,omitempty"` // When the delete was noted there.
}

// MountColumn feeds one item from one column. Column "" says that the source does not hold the item: Reason then says
// why, and the item is delivered as NULL.
type MountColumn struct {
	ItemNo int    `json:"item_no"`
	Column string `json:"column"`
	Kind   string `json:"kind"`             // The connectors kind found by the last check; "" before, and without a column.
	Reason string `json:"reason,omitempty"` // Why no column feeds the item; "" with a column.
}
