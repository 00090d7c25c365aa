package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Querier is what reads need: the pool, or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// many reads rows of a table by column name and turns each into what it stands for.
func many[R, T any](ctx context.Context, q Querier, convert func(R) (T, error), sql string, args ...any) ([]T, error) {
	found, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	out, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (T, error) {
		r, err := pgx.RowToStructByName[R](row)
		if err != nil {
			var none T
			return none, err
		}
		return convert(r)
	})
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	return out, nil
}

// one reads the only row; missing is returned when there is none.
func one[R, T any](ctx context.Context, q Querier, convert func(R) (T, error), missing error, sql string, args ...any) (T, error) {
	all, err := many(ctx, q, convert, sql, args...)
	var none T
	switch {
	case err != nil:
		return none, err
	case len(all) == 0:
		return none, missing
	}
	return all[0], nil
}

// versionRow is a row of resource_version. The columns besides body repeat what lists filter by.
type versionRow struct {
	ResourceID   uuid.UUID
	Version      int
	State        string
	Round        int
	Name         string
	Summary      string
	ClassCode    string
	BaseDatabase *string
	ShareType    string
	Grade        string
	UpdateCycle  string
	Open         bool
	SystemID     *uuid.UUID
	Body         json.RawMessage
	MadeBy       uuid.UUID
	SubmittedBy  *uuid.UUID
	PublishedAt  *time.Time
	OldUntil     *string
	ServedUntil  *time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

func newVersionRow(resource uuid.UUID, v Version) (versionRow, error) {
	row := versionRow{
		ResourceID: resource, Version: v.Number, State: string(v.State), Round: v.Round, Name: v.Name, Summary: v.Summary,
		ClassCode: v.ClassCode(), ShareType: string(v.ShareType), Grade: string(v.Grade), UpdateCycle: string(v.UpdateCycle),
		Open: v.Open, SystemID: optional(v.SystemID), MadeBy: v.MadeBy, SubmittedBy: optional(v.SubmittedBy),
		PublishedAt: v.PublishedAt, OldUntil: optional(v.OldUntil), ServedUntil: v.ServedUntil, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
	if v.BaseDatabase != "" {
		row.BaseDatabase = &v.BaseDatabase
	}
	body := v.Metadata
	body.Items = nil // They have a table of their own.
	var err error
	if row.Body, err = json.Marshal(body); err != nil {
		return row, fmt.Errorf("encoding metadata: %w", err)
	}
	return row, nil
}

// version returns the version without its items and the provider's code.
func (r versionRow) version() (Version, error) {
	v := Version{
		Number: r.Version, State: State(r.State), Round: r.Round, MadeBy: r.MadeBy, SubmittedBy: given(r.SubmittedBy),
		PublishedAt: db.UTC(r.PublishedAt), OldUntil: given(r.OldUntil), ServedUntil: db.UTC(r.ServedUntil), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		ShareType: ShareType(r.ShareType), Grade: Grade(r.Grade),
	}
	return v, decode(r.Body, &v.Metadata)
}

// itemRow is a row of item.
type itemRow struct {
	ResourceID     uuid.UUID
	Version        int
	No             int
	ID             uuid.UUID
	Ordinal        int
	Name           string
	Identifier     string
	DataType       string
	Length         int
	Scale          int
	Format         string
	IsKey          bool
	Required       bool
	Filterable     bool
	Definition     string
	Unit           string
	CodeSet        string
	DataElement    string
	Validator      string
	ShareType      string
	ShareCondition string
	Open           bool
	Grade          string
	SensitivePI    bool `db:"sensitive_pi"`
	MaskRule       string
	MaskReason     string
	SourceDeptID   *uuid.UUID
}

func newItemRow(resource uuid.UUID, version, ordinal int, i Item) itemRow {
	return itemRow{
		ResourceID: resource, Version: version, No: i.No, ID: i.ID, Ordinal: ordinal, Name: i.Name, Identifier: i.Identifier,
		DataType: string(i.DataType), Length: i.Length, Scale: i.Scale, Format: i.Format, IsKey: i.Key, Required: i.Required,
		Filterable: i.Filterable, Definition: i.Definition, Unit: i.Unit, CodeSet: i.CodeSet, DataElement: i.DataElement,
		Validator: i.Validator, ShareType: string(i.ShareType), ShareCondition: i.ShareCondition, Open: i.Open,
		Grade: string(i.Grade), SensitivePI: i.SensitivePI, MaskRule: i.MaskRule, MaskReason: i.MaskReason,
		SourceDeptID: optional(i.SourceDeptID),
	}
}

func (r itemRow) item() (Item, error) {
	return Item{
		No: r.No, ID: r.ID, Name: r.Name, Identifier: r.Identifier, DataType: DataType(r.DataType), Length: r.Length,
		Scale: r.Scale, Format: r.Format, Key: r.IsKey, Required: r.Required, Filterable: r.Filterable,
		Definition: r.Definition, Unit: r.Unit, CodeSet: r.CodeSet, DataElement: r.DataElement, Validator: r.Validator,
		ShareType: ShareType(r.ShareType), ShareCondition: r.ShareCondition, Open: r.Open, Grade: Grade(r.Grade),
		SensitivePI: r.SensitivePI, MaskRule: r.MaskRule, MaskReason: r.MaskReason, SourceDeptID: given(r.SourceDeptID),
	}, nil
}

// columns and values of an item in one order, for COPY.
var itemColumns = []string{
	"resource_id", "version", "no", "id", "ordinal", "name", "identifier", "data_type", "length", "scale", "format",
	"is_key", "required", "filterable", "definition", "unit", "code_set", "data_element", "validator", "share_type",
	"share_condition", "open", "grade", "sensitive_pi", "mask_rule", "mask_reason", "source_dept_id",
}

func (r itemRow) values() []any {
	return []any{
		r.ResourceID, r.Version, r.No, r.ID, r.Ordinal, r.Name, r.Identifier, r.DataType, r.Length, r.Scale, r.Format,
		r.IsKey, r.Required, r.Filterable, r.Definition, r.Unit, r.CodeSet, r.DataElement, r.Validator, r.ShareType,
		r.ShareCondition, r.Open, r.Grade, r.SensitivePI, r.MaskRule, r.MaskReason, r.SourceDeptID,
	}
}

// writeVersion writes a version, replacing what it states where it exists. Its parameters are those of versionRow.args.
const writeVersion = `
	INSERT INTO resource_version (resource_id, version, state, round, name, summary, class_code, base_database, share_type,
		grade, update_cycle, open, system_id, body, made_by, submitted_by, published_at, created_at, updated_at, old_until, served_until)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
	ON CONFLICT (resource_id, version) DO UPDATE SET
		name = excluded.name, summary = excluded.summary, class_code = excluded.class_code,
		base_database = excluded.base_database, share_type = excluded.share_type, grade = excluded.grade,
		update_cycle = excluded.update_cycle, open = excluded.open, system_id = excluded.system_id,
		body = excluded.body, updated_at = excluded.updated_at`

func (r versionRow) args() []any {
	return []any{
		r.ResourceID, r.Version, r.State, r.Round, r.Name, r.Summary, r.ClassCode, r.BaseDatabase, r.ShareType,
		r.Grade, r.UpdateCycle, r.Open, r.SystemID, r.Body, r.MadeBy, r.SubmittedBy, r.PublishedAt,
		r.CreatedAt, r.UpdatedAt, r.OldUntil, r.ServedUntil,
	}
}

// saveVersion writes a version with its items, replacing both where the version exists. Items that are new get the next
// numbers of the resource; r.NextItemNo and v.Items are updated to what was written.
func saveVersion(ctx context.Context, tx *db.Tx, r *Resource, v *Version) error {
	if err := numberItems(ctx, tx, r, v.Items); err != nil {
		return err
	}
	v.ShareType, v.Grade = deriveShareType(v.Items), deriveGrade(v.Items)
	row, err := newVersionRow(r.ID, *v)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, writeVersion, row.args()...)
	if err != nil {
		return fmt.Errorf("writing version %d: %w", v.Number, err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM item WHERE resource_id = $1 AND version = $2", r.ID, v.Number); err != nil {
		return fmt.Errorf("writing items: %w", err)
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"item"}, itemColumns, pgx.CopyFromSlice(len(v.Items), func(i int) ([]any, error) {
		return newItemRow(r.ID, v.Number, i+1, v.Items[i]).values(), nil
	}))
	if err != nil {
		return fmt.Errorf("writing items: %w", err)
	}
	return nil
}

// numberItems gives each item the number and id of its meaning: the same identifier with the same data type keeps its
// number across the versions of a resource, everything else gets a number that was never used, because store columns and
// content hashes are named by it.
func numberItems(ctx context.Context, tx *db.Tx, r *Resource, items []Item) error {
	type known struct {
		Identifier string
		DataType   string
		No         int
		ID         uuid.UUID
	}
	found, err := tx.Query(ctx, `
		SELECT DISTINCT ON (identifier) identifier, data_type, no, id FROM item
		WHERE resource_id = $1 ORDER BY identifier, version DESC`, r.ID)
	if err != nil {
		return fmt.Errorf("reading item numbers: %w", err)
	}
	before, err := pgx.CollectRows(found, pgx.RowToStructByName[known])
	if err != nil {
		return fmt.Errorf("reading item numbers: %w", err)
	}
	byIdentifier := make(map[string]known, len(before))
	for _, k := range before {
		byIdentifier[k.Identifier] = k
	}
	for i := range items {
		if k, ok := byIdentifier[items[i].Identifier]; ok && k.DataType == string(items[i].DataType) {
			items[i].No, items[i].ID = k.No, k.ID
			continue
		}
		items[i].No, items[i].ID = r.NextItemNo, db.NewID()
		r.NextItemNo++
	}
	return nil
}

// loadVersion reads a version with its items, in order, and the provider's code.
func loadVersion(ctx context.Context, q Querier, resource uuid.UUID, number int) (Version, error) {
	if number < 1 || number > math.MaxInt32 { // Versions are counted in an integer column.
		return Version{}, notFound("version")
	}
	v, err := one(ctx, q, versionRow.version, notFound("version"),
		"SELECT * FROM resource_version WHERE resource_id = $1 AND version = $2", resource, number)
	if err != nil {
		return Version{}, err
	}
	v.Items, err = many(ctx, q, itemRow.item,
		"SELECT * FROM item WHERE resource_id = $1 AND version = $2 ORDER BY ordinal", resource, number)
	if err != nil {
		return Version{}, err
	}
	err = q.QueryRow(ctx, "SELECT d.uscc FROM resource r JOIN department d ON d.id = r.provider_dept_id WHERE r.id = $1", resource).
		Scan(&v.ProviderCode)
	if err != nil {
		return Version{}, fmt.Errorf("reading provider: %w", err)
	}
	return v, nil
}

// loadResource reads an entry without its version; lock is "", "FOR SHARE" or "FOR UPDATE".
func loadResource(ctx context.Context, q Querier, id uuid.UUID, lock string) (Resource, error) {
	return one(ctx, q, resourceRow.resource, notFound("resource"), "SELECT * FROM resource WHERE id = $1 "+lock, id)
}
