package client

import (
	"encoding/json"
	"time"
)

// Department is an organisation node. One per division is the sharing authority (数据主管部门).
type Department struct {
	ID           string    `json:"id,omitempty"`
	USCC         string    `json:"uscc"`
	Name         string    `json:"name"`
	NameEN       string    `json:"name_en"`
	DivisionCode string    `json:"division_code"`
	Level        string    `json:"level"` // national, province, city, county, township
	ParentID     string    `json:"parent_id,omitempty"`
	Authority    bool      `json:"authority"`
	RowVersion   int64     `json:"row_version"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// System is an information system of a department that produces data (信息系统登记).
type System struct {
	ID           string    `json:"id,omitempty"`
	DepartmentID string    `json:"department_id,omitempty"`
	Name         string    `json:"name"`
	State        string    `json:"state"`   // live, zombie, single_office
	Covered      bool      `json:"covered"` // At least one published entry names it.
	RowVersion   int64     `json:"row_version"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// BaseDatabase is one of the six base databases or a theme database, registered by the authority with its lead
// department and key item.
type BaseDatabase struct {
	Code         string     `json:"code"`
	Name         string     `json:"name"`
	NameEN       string     `json:"name_en"`
	Theme        bool       `json:"theme"`
	Template     string     `json:"template"`
	Sort         int        `json:"sort"` // Place in lists.
	LeadDeptID   string     `json:"lead_dept_id,omitempty"`
	ResourceID   string     `json:"resource_id,omitempty"`
	SourceID     string     `json:"source_id,omitempty"`
	KeyItem      string     `json:"key_item"` // Identifier of the item that identifies its rows.
	RegisteredBy string     `json:"registered_by,omitempty"`
	RegisteredAt *time.Time `json:"registered_at,omitempty"`
	RowVersion   int64      `json:"row_version"`
}

// Registration is what the authority decides about a base database.
type Registration struct {
	LeadDeptID string `json:"lead_dept_id,omitempty"` // The lead department (牵头部门).
	KeyItem    string `json:"key_item"`               // Identifier of the item that identifies its rows.
}

// Resource is one directory entry with its visible (or newest) version.
type Resource struct {
	ID              string           `json:"id,omitempty"`
	Code            string           `json:"code"` // 分类码/顺序码; "" until first published, never reused.
	ProviderDeptID  string           `json:"provider_dept_id,omitempty"`
	Name            string           `json:"name"`
	State           string           `json:"state"`
	Newest          int              `json:"newest_version"`
	Published       int              `json:"published_version"` // 0 while nothing is published.
	NextItemNo      int              `json:"-"`                 // The number the next new item gets.
	Live            bool             `json:"live"`              // Not materialised: pulls go through to the source.
	StandingConsent *StandingConsent `json:"standing_consent,omitempty"`
	RowVersion      int64            `json:"row_version"` // For If-Match.
	CreatedBy       string           `json:"created_by,omitempty"`
	CreatedAt       time.Time        `json:"created_at"`
	UpdatedAt       time.Time        `json:"updated_at"`
	Version         Version          `json:"version"`
}

// StandingConsent is the provider's recorded consent under which unconditional requests are granted without a further
// reply (Order 809, Art 20).
type StandingConsent struct {
	By       string `json:"by"`                 // The head of the provider's sharing office.
	Date     string `json:"date"`               // YYYY-MM-DD.
	Document string `json:"document"`           // Number or title of the document.
	Recorder string `json:"recorder,omitempty"` // The user who recorded it.
}

// Version is one version of a resource's metadata (domain table 2.2).
type Version struct {
	Number      int        `json:"number"`
	State       string     `json:"state"`
	Round       int        `json:"round"` // Review round, from 1; a return adds one.
	MadeBy      string     `json:"made_by,omitempty"`
	SubmittedBy string     `json:"submitted_by,omitempty"`
	PublishedAt *time.Time `json:"published_at,omitempty"`
	OldUntil    string     `json:"old_until,omitempty"`    // YYYY-MM-DD: the last day on which the version before is to be served beside this one.
	ServedUntil *time.Time `json:"served_until,omitempty"` // Until when this version is served beside the one that replaced it.
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	Metadata
	ShareType    string `json:"share_type"` // The strictest of the items that are not withheld.
	Grade        string `json:"grade"`      // The highest of the items.
	ProviderCode string `json:"provider_code"`
}

// Metadata is what a department states about a resource. JSON names are the identifiers of domain table 2.2.
type Metadata struct {
	Classifications []Classification `json:"classifications"`
	Name            string           `json:"name"`
	ProviderUnit    string           `json:"provider_unit"`
	Summary         string           `json:"summary"`
	FormatCategory  string           `json:"format_category"` // "1".."7" of domain table 2.3.
	Formats         []string         `json:"formats"`
	ShareCondition  string           `json:"share_condition"`
	ShareScope      string           `json:"share_scope"`
	SharePurpose    string           `json:"share_purpose"`
	WithholdReason  string           `json:"withhold_reason"`
	WithholdBasis   *WithholdBasis   `json:"withhold_basis,omitempty"`
	WithholdRuling  *WithholdRuling  `json:"withhold_decision,omitempty"`
	DeclaredShare   string           `json:"declared_share_type"` // What the department states; must equal the derived one.
	ShareMethods    []string         `json:"share_methods"`
	Open            bool             `json:"open"`
	OpenCondition   string           `json:"open_condition"`
	UpdateCycle     string           `json:"update_cycle"`
	RelatedCodes    []string         `json:"related_codes"`
	UsageTerms      string           `json:"usage_terms"`
	Secrecy         string           `json:"secrecy"` // Only 非涉密 is accepted (Art 2-3).
	SecrecyAssess   *Assessment      `json:"secrecy_assessment,omitempty"`
	PIAssess        *Assessment      `json:"pi_assessment,omitempty"`
	HeadSignoff     *Signoff         `json:"head_signoff,omitempty"`
	SourceDeptID    string           `json:"source_dept_id,omitempty"` // Zero means the provider.
	SystemID        string           `json:"system_id,omitempty"`
	CollectBasis    string           `json:"collect_basis"`
	RecollectReason string           `json:"recollect_reason"` // Why items are collected again that another department, their source, offers.
	Themes          []string         `json:"themes"`
	Tags            []string         `json:"tags"`
	ContactName     string           `json:"contact_name"`
	ContactPhone    string           `json:"contact_phone"`
	Level           string           `json:"level"`
	DivisionCode    string           `json:"division_code"`
	BaseDatabase    string           `json:"base_database"` // Code of a base database, or "".
	Template        string           `json:"template"`      // The template it was compiled from, or "".
	Items           []Item           `json:"items"`
}

// Classification places a resource on the axes of domain table 2.1: 类, 项, 目, 细目.
type Classification struct {
	Class1  string `json:"class1"` // 1 digit
	Class2  string `json:"class2"` // 2 digits
	Class3  string `json:"class3"` // 3 digits
	Class4  string `json:"class4"` // Variable, may be "".
	Primary bool   `json:"primary"`
}

// WithholdBasis names the provision that forbids sharing (Order 809, Art 15). Rank is law, regulation or
// state_council_decision.
type WithholdBasis struct {
	Rank    string `json:"rank"`
	Title   string `json:"title"`
	Article string `json:"article"`
}

// WithholdRuling is the decision of the government that a resource is withheld.
type WithholdRuling struct {
	Body       string `json:"body"`
	DocumentNo string `json:"document_no"`
	Date       string `json:"date"`
}

// Assessment records an assessment made before compiling (Order 809, Art 13). SHA256 is the hex digest of the document.
type Assessment struct {
	Title      string `json:"title"`
	Date       string `json:"date"`
	Conclusion string `json:"conclusion"`
	SHA256     string `json:"sha256"`
}

// Signoff records the consent of the head of the department (Order 809, Art 13), who is not the dept_admin.
type Signoff struct {
	Name     string `json:"name"`
	Date     string `json:"date"`
	Document string `json:"document"`
}

// Item is one information item of a resource version. No is stable for one meaning across versions: store columns and
// content hashes are named by it. JSON names are the identifiers of domain table 2.4.
type Item struct {
	No             int    `json:"no"` // 0 on input: the hub numbers new items.
	ID             string `json:"id,omitempty"`
	Name           string `json:"name"`
	Identifier     string `json:"identifier"`
	DataType       string `json:"data_type"`
	Length         int    `json:"length"` // In characters; for N and Y the precision.
	Scale          int    `json:"scale"`
	Format         string `json:"format"` // "geometry" for G items that hold geometry, else "".
	Key            bool   `json:"is_key"`
	Required       bool   `json:"required"`
	Filterable     bool   `json:"filterable"` // May occur in a grant's row filter; at most 8 per resource.
	Definition     string `json:"definition"`
	Unit           string `json:"unit"`
	CodeSet        string `json:"code_set"`
	DataElement    string `json:"data_element"`
	Validator      string `json:"validator"`
	ShareType      string `json:"share_type"`
	ShareCondition string `json:"share_condition"`
	Open           bool   `json:"open"`
	Grade          string `json:"grade"`
	SensitivePI    bool   `json:"sensitive_pi"`
	MaskRule       string `json:"mask_rule"`   // A mask of catalog/mask, "none", or "" below L3.
	MaskReason     string `json:"mask_reason"` // Why "none" is right on an L3 or L4 item.
	SourceDeptID   string `json:"source_dept_id,omitempty"`
}

// Source is a connection to a department's system. Secrets are sealed in the database and never leave it with a Source.
type Source struct {
	ID           string            `json:"id,omitempty"`
	DepartmentID string            `json:"department_id,omitempty"`
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
	At       time.Time `json:"at"`
	OK       bool      `json:"ok"`
	Product  string    `json:"product"`
	Version  string    `json:"version"`
	Millis   int64     `json:"millis"`
	Code     string    `json:"code"`     // Error code, "" when OK.
	Advice   string    `json:"advice"`   // What to do, for people.
	Warnings []string  `json:"warnings"` // Codes of what Advice speaks of when OK, such as "account_privileged".
}

// SourceInput is what people state about a source. Settings are those of the driver's specification, secrets among them.
type SourceInput struct {
	Name     string            `json:"name"`
	Driver   string            `json:"driver"`
	Settings map[string]string `json:"settings"`
}

// Mount binds the items of a resource version to an object of a source.
type Mount struct {
	ID              string          `json:"id,omitempty"`
	ResourceID      string          `json:"resource_id,omitempty"`
	Version         int             `json:"version"`
	SourceID        string          `json:"source_id,omitempty"`
	Object          string          `json:"object"` // "schema.table" as the source names it.
	Columns         []MountColumn   `json:"columns"`
	RowFilter       json.RawMessage `json:"row_filter,omitempty"` // Rows outside do not count as present.
	OrderColumn     string          `json:"order_column"`         // Decides among rows with one key; the last wins.
	WatermarkColumn string          `json:"watermark_column"`
	DeleteRule      string          `json:"delete_rule"`       // missing, soft_delete, delete_table or none: how deletes arrive.
	Deletes         *MountDeletes   `json:"deletes,omitempty"` // Where the source notes them; of soft_delete and delete_table.
	Schema          SourceSchema    `json:"schema"`            // Of the object, as found by the last check; empty before.
	State           string          `json:"state"`
	Note            string          `json:"note"` // Why it is where it is, for people.
	RowVersion      int64           `json:"row_version"`
	CreatedBy       string          `json:"created_by,omitempty"`
	CreatedAt       time.Time       `json:"created_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
}

// MountDeletes is where a source notes deletes: a column of the mounted object, or a table of deleted keys.
type MountDeletes struct {
	Column          string   `json:"column,omitempty"`
	Values          []string `json:"values,omitempty"` // None: every value but NULL means deleted.
	Object          string   `json:"object,omitempty"`
	KeyColumns      []string `json:"key_columns,omitempty"` // In item-number order.
	WatermarkColumn string   `json:"watermark_column,omitempty"`
}

// MountColumn feeds one item from one column. Column "" says that the source does not hold the item: Reason then says
// why, and the item is delivered as NULL.
type MountColumn struct {
	ItemNo int    `json:"item_no"`
	Column string `json:"column"`
	Kind   string `json:"kind"`             // The connectors kind found by the last check; "" before, and without a column.
	Reason string `json:"reason,omitempty"` // Why no column feeds the item; "" with a column.
}

// MountInput is what people state about a mount.
type MountInput struct {
	Version         int             `json:"version"` // 0 means the published version, or the newest while none is published.
	SourceID        string          `json:"source_id,omitempty"`
	Object          string          `json:"object"` // As Tables names it.
	Columns         []MountColumn   `json:"columns"`
	RowFilter       json.RawMessage `json:"row_filter,omitempty"` // A row filter over items; null for all rows.
	OrderColumn     string          `json:"order_column"`
	WatermarkColumn string          `json:"watermark_column"`
	DeleteRule      string          `json:"delete_rule"` // missing, soft_delete, delete_table or none; "" means missing.
	Deletes         *MountDeletes   `json:"deletes,omitempty"`
}

// MountReport is what a check found. The mount is submitted when nothing blocks it.
type MountReport struct {
	Mount    Mount        `json:"mount"`
	Blocks   []FieldError `json:"blocks"`
	Warnings []FieldError `json:"warnings"`
}

// Entry is one hit of a search.
type Entry struct {
	ID           string     `json:"id,omitempty"`
	Code         string     `json:"code"`
	Name         string     `json:"name"`
	Summary      string     `json:"summary"`
	DepartmentID string     `json:"department_id,omitempty"`
	Department   string     `json:"department"` // Name of the provider.
	BaseDatabase string     `json:"base_database"`
	ShareType    string     `json:"share_type"`
	ShareMethods []string   `json:"share_methods"`
	Grade        string     `json:"grade"`
	UpdateCycle  string     `json:"update_cycle"`
	Open         bool       `json:"open"`
	State        string     `json:"state"`
	Version      int        `json:"version"`
	Items        int        `json:"items"`                // How many it has.
	Mounted      bool       `json:"mounted"`              // An active mount brings data.
	Rows         int64      `json:"rows"`                 // Now at the hub.
	ArrivedAt    *time.Time `json:"arrived_at,omitempty"` // When the source was last read to its end.
	Timeliness   string     `json:"timeliness"`           // on_time, late, never; "" for withheld entries.
	PublishedAt  *time.Time `json:"published_at,omitempty"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// OfflineRequest records the provider's request to take its entry offline (domain table 2.7).
type OfflineRequest struct {
	By       string `json:"by"`               // The head of the provider's sharing office.
	Date     string `json:"date"`             // YYYY-MM-DD
	Document string `json:"document"`         // Number or title of the request.
	Filing   string `json:"filing,omitempty"` // The filing after negotiation, where grants exist (Order 809, Art 27).
}

// Template is a resource as a base database usually holds it, from which a department compiles its own.
type Template struct {
	Name            string           `json:"name"` // Stable name, snake_case, such as "base_population".
	Title           string           `json:"title"`
	TitleEN         string           `json:"title_en"`
	Group           string           `json:"group"`         // service, hotline, trade, investment or payment; "" with a base database.
	BaseDatabase    string           `json:"base_database"` // Code of the base database it belongs to; "" with a group.
	Provider        string           `json:"provider"`      // Which departments usually provide it, in Chinese.
	ResourceName    string           `json:"resource_name"`
	Summary         string           `json:"summary"`
	Notes           string           `json:"notes"` // What compilers should know; "" for nothing.
	Classifications []Classification `json:"classifications"`
	FormatCategory  string           `json:"format_category"`
	Formats         []string         `json:"formats"`
	ShareMethods    []string         `json:"share_methods"`
	UpdateCycle     string           `json:"update_cycle"`
	Items           []Item           `json:"items"`
}
