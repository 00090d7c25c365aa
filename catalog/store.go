package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
)

// The row structs serve both hands: gorm writes them, pgx reads them by name. Each mirrors its table column by column.

type departmentRow struct {
	ID           uuid.UUID `gorm:"primaryKey"`
	USCC         string    `gorm:"column:uscc"`
	Name         string
	NameEN       string `gorm:"column:name_en"`
	DivisionCode string
	Level        string
	ParentID     *uuid.UUID
	Authority    bool
	RowVersion   int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

func (departmentRow) TableName() string { return "department" }

func newDepartmentRow(d Department) departmentRow {
	return departmentRow{
		ID: d.ID, USCC: d.USCC, Name: d.Name, NameEN: d.NameEN, DivisionCode: d.DivisionCode, Level: d.Level,
		ParentID: optional(d.ParentID), Authority: d.Authority, RowVersion: d.RowVersion,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

func (r departmentRow) department() (Department, error) {
	return Department{
		ID: r.ID, USCC: r.USCC, Name: r.Name, NameEN: r.NameEN, DivisionCode: r.DivisionCode, Level: r.Level,
		ParentID: given(r.ParentID), Authority: r.Authority, RowVersion: r.RowVersion,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}

type systemRow struct {
	ID           uuid.UUID `gorm:"primaryKey"`
	DepartmentID uuid.UUID
	Name         string
	State        string
	RowVersion   int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

func (systemRow) TableName() string { return "system" }

func newSystemRow(s System) systemRow {
	return systemRow{
		ID: s.ID, DepartmentID: s.DepartmentID, Name: s.Name, State: s.State, RowVersion: s.RowVersion, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
}

// coveredRow is a system with whether a published entry names it.
type coveredRow struct {
	systemRow
	Covered bool
}

func (r coveredRow) system() (System, error) {
	return System{
		ID: r.ID, DepartmentID: r.DepartmentID, Name: r.Name, State: r.State, Covered: r.Covered, RowVersion: r.RowVersion,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}

type baseDatabaseRow struct {
	Code         string `gorm:"primaryKey"`
	Name         string
	NameEN       string `gorm:"column:name_en"`
	Theme        bool
	Template     string
	Sort         int
	LeadDeptID   *uuid.UUID
	ResourceID   *uuid.UUID
	SourceID     *uuid.UUID
	KeyItem      string
	RegisteredBy *uuid.UUID
	RegisteredAt *time.Time
	RowVersion   int64
}

func (baseDatabaseRow) TableName() string { return "base_database" }

func newBaseDatabaseRow(b BaseDatabase) baseDatabaseRow {
	return baseDatabaseRow{
		Code: b.Code, Name: b.Name, NameEN: b.NameEN, Theme: b.Theme, Template: b.Template, Sort: b.Sort,
		LeadDeptID: optional(b.LeadDeptID), ResourceID: optional(b.ResourceID), SourceID: optional(b.SourceID),
		KeyItem: b.KeyItem, RegisteredBy: optional(b.RegisteredBy), RegisteredAt: b.RegisteredAt, RowVersion: b.RowVersion,
	}
}

func (r baseDatabaseRow) baseDatabase() (BaseDatabase, error) {
	return BaseDatabase{
		Code: r.Code, Name: r.Name, NameEN: r.NameEN, Theme: r.Theme, Template: r.Template, Sort: r.Sort,
		LeadDeptID: given(r.LeadDeptID), ResourceID: given(r.ResourceID), SourceID: given(r.SourceID),
		KeyItem: r.KeyItem, RegisteredBy: given(r.RegisteredBy), RegisteredAt: db.UTC(r.RegisteredAt), RowVersion: r.RowVersion,
	}, nil
}

type resourceRow struct {
	ID              uuid.UUID `gorm:"primaryKey"`
	Code            *string
	ProviderDeptID  uuid.UUID
	Name            string
	State           string
	Newest          int
	Published       *int
	NextItemNo      int
	Live            bool
	StandingConsent json.RawMessage `gorm:"type:jsonb"`
	RowVersion      int64
	CreatedBy       uuid.UUID
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

func (resourceRow) TableName() string { return "resource" }

func newResourceRow(r Resource) (resourceRow, error) {
	row := resourceRow{
		ID: r.ID, ProviderDeptID: r.ProviderDeptID, Name: r.Name, State: string(r.State), Newest: r.Newest,
		NextItemNo: r.NextItemNo, Live: r.Live, RowVersion: r.RowVersion, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	if r.Code != "" {
		row.Code = &r.Code
	}
	if r.Published != 0 {
		row.Published = &r.Published
	}
	var err error
	row.StandingConsent, err = encode(r.StandingConsent)
	return row, err
}

// resource returns the entry without its version.
func (r resourceRow) resource() (Resource, error) {
	out := Resource{
		ID: r.ID, ProviderDeptID: r.ProviderDeptID, Name: r.Name, State: State(r.State), Newest: r.Newest,
		NextItemNo: r.NextItemNo, Live: r.Live, RowVersion: r.RowVersion, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if r.Code != nil {
		out.Code = *r.Code
	}
	if r.Published != nil {
		out.Published = *r.Published
	}
	return out, decode(r.StandingConsent, &out.StandingConsent)
}

type sourceRow struct {
	ID           uuid.UUID `gorm:"primaryKey"`
	DepartmentID uuid.UUID
	Name         string
	Driver       string
	Settings     json.RawMessage `gorm:"type:jsonb"`
	Sealed       []byte
	LastProbe    json.RawMessage `gorm:"type:jsonb"`
	ProbedAt     *time.Time
	RowVersion   int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

func (sourceRow) TableName() string { return "source" }

// newSourceRow takes the sealed secrets beside the source, which never holds them.
func newSourceRow(s Source, sealed []byte) (sourceRow, error) {
	row := sourceRow{
		ID: s.ID, DepartmentID: s.DepartmentID, Name: s.Name, Driver: s.Driver, Sealed: sealed,
		RowVersion: s.RowVersion, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	settings := s.Settings
	if settings == nil {
		settings = map[string]string{}
	}
	var err error
	if row.Settings, err = json.Marshal(settings); err != nil {
		return row, fmt.Errorf("encoding settings: %w", err)
	}
	if s.LastProbe != nil {
		row.ProbedAt = &s.LastProbe.At
	}
	row.LastProbe, err = encode(s.LastProbe)
	return row, err
}

func (r sourceRow) source() (Source, error) {
	out := Source{
		ID: r.ID, DepartmentID: r.DepartmentID, Name: r.Name, Driver: r.Driver, RowVersion: r.RowVersion,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if err := decode(r.Settings, &out.Settings); err != nil {
		return Source{}, err
	}
	return out, decode(r.LastProbe, &out.LastProbe)
}

type mountRow struct {
	ID              uuid.UUID `gorm:"primaryKey"`
	ResourceID      uuid.UUID
	Version         int
	SourceID        uuid.UUID
	Object          string
	Columns         json.RawMessage `gorm:"type:jsonb"`
	RowFilter       json.RawMessage `gorm:"type:jsonb"`
	OrderColumn     string
	WatermarkColumn string
	DeleteRule      string
	Deletes         json.RawMessage `gorm:"type:jsonb"`
	Schema          json.RawMessage `gorm:"type:jsonb"`
	State           string
	Note            string
	RowVersion      int64
	CreatedBy       uuid.UUID
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

func (mountRow) TableName() string { return "mount" }

func newMountRow(m Mount) (mountRow, error) {
	row := mountRow{
		ID: m.ID, ResourceID: m.ResourceID, Version: m.Version, SourceID: m.SourceID, Object: m.Object,
		RowFilter: m.RowFilter, OrderColumn: m.OrderColumn, WatermarkColumn: m.WatermarkColumn, DeleteRule: m.DeleteRule,
		State: string(m.State), Note: m.Note, RowVersion: m.RowVersion, CreatedBy: m.CreatedBy,
		CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
	}
	columns := m.Columns
	if columns == nil {
		columns = []MountColumn{}
	}
	var err error
	if row.Columns, err = json.Marshal(columns); err != nil {
		return row, fmt.Errorf("encoding columns: %w", err)
	}
	if m.Deletes != nil {
		if row.Deletes, err = json.Marshal(m.Deletes); err != nil {
			return row, fmt.Errorf("encoding deletes: %w", err)
		}
	}
	if row.Schema, err = json.Marshal(m.Schema); err != nil {
		return row, fmt.Errorf("encoding schema: %w", err)
	}
	return row, nil
}

func (r mountRow) mount() (Mount, error) {
	out := Mount{
		ID: r.ID, ResourceID: r.ResourceID, Version: r.Version, SourceID: r.SourceID, Object: r.Object,
		RowFilter: r.RowFilter, OrderColumn: r.OrderColumn, WatermarkColumn: r.WatermarkColumn, DeleteRule: r.DeleteRule,
		State: MountState(r.State), Note: r.Note, RowVersion: r.RowVersion, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if err := decode(r.Columns, &out.Columns); err != nil {
		return Mount{}, err
	}
	if err := decode(r.Deletes, &out.Deletes); err != nil {
		return Mount{}, err
	}
	return out, decode(r.Schema, &out.Schema)
}

// insert adds a row in the caller's transaction. The database's error stays in the chain, for db.IsUnique and its like.
func insert[R any](ctx context.Context, tx *db.Tx, row *R) error {
	if err := tx.Gorm(ctx).Create(row).Error; err != nil {
		return fmt.Errorf("inserting %T: %w", *row, err)
	}
	return nil
}

func optional[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

func given[T any](v *T) T {
	if v == nil {
		return *new(T)
	}
	return *v
}

// encode returns the JSON of v, nil (SQL NULL) for a nil pointer.
func encode[T any](v *T) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", *v, err)
	}
	return raw, nil
}

// decode reads JSON into out and leaves it alone for SQL NULL.
func decode[T any](raw json.RawMessage, out *T) error {
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("decoding %T: %w", *out, err)
	}
	return nil
}
