package catalog

import (
	"time"

	"github.com/google/uuid"
)

// ShareType is one of the three statutory sharing attributes (Order 809, Art 14).
type ShareType string

// The sharing attributes.
const (
	Unconditional ShareType = "unconditional" // 无条件共享
	Conditional   ShareType = "conditional"   // 有条件共享
	Withheld      ShareType = "withheld"      // 不予共享; only with a legal basis of the right rank (Art 15).
)

// ShareMethod is how data reach a consumer (Order 809, Art 22).
type ShareMethod string

// The methods that go through the hub.
const (
	ByTable ShareMethod = "table"
	ByFile  ShareMethod = "file"
	ByAPI   ShareMethod = "api"
)

// Grade is the protection grade of an item or, as the highest of its items, of a resource (domain rule 4.1).
type Grade string

// The grades, lowest first. Comparing them as strings orders them.
const (
	L1 Grade = "L1" // 公开
	L2 Grade = "L2" // 内部
	L3 Grade = "L3" // 敏感
	L4 Grade = "L4" // 高敏感
)

// UpdateCycle is how often the provider promises to refresh a resource.
type UpdateCycle string

// The update cycles.
const (
	Realtime  UpdateCycle = "realtime"
	Daily     UpdateCycle = "daily"
	Weekly    UpdateCycle = "weekly"
	Monthly   UpdateCycle = "monthly"
	Quarterly UpdateCycle = "quarterly"
	Yearly    UpdateCycle = "yearly"
	Irregular UpdateCycle = "irregular"
)

// State is the state of a resource version (domain table 2.7). Moves lists how it changes.
type State string

// The states of a resource version. Superseded is a published version that a newer one has replaced.
const (
	Draft          State = "draft"
	DeptReview     State = "dept_review"
	PlatformReview State = "platform_review"
	Returned       State = "returned"
	Published      State = "published"
	Offline        State = "offline"
	Revoked        State = "revoked"
	Superseded     State = "superseded"
)

// DataType is the type letter of an item (domain table 2.4).
type DataType string

// The type letters.
const (
	Char      DataType = "C" // 字符
	Number    DataType = "N" // 数值, decimal; JSON string
	Currency  DataType = "Y" // 货币, decimal; JSON string
	Date      DataType = "D" // 日期
	Timestamp DataType = "T" // 日期时间
	Logical   DataType = "L" // 逻辑
	Memo      DataType = "M" // 备注, long text
	General   DataType = "G" // 通用, binary; Format "geometry" for geometry
	Double    DataType = "B" // 双精度
	Integer   DataType = "I" // 整型
	Float     DataType = "F" // 浮点
)

// Resource is one directory entry with its visible (or newest) version.
type Resource struct {
	ID              uuid.UUID        `json:"id"`
	Code            string           `json:"code"` // 分类码/顺序码; "" until first published, never reused.
	ProviderDeptID  uuid.UUID        `json:"provider_dept_id"`
	Name            string           `json:"name"`
	State           State            `json:"state"`
	Newest          int              `json:"newest_version"`
	Published       int              `json:"published_version"` // 0 while nothing is published.
	NextItemNo      int              `json:"-"`                 // The number the next new item gets.
	Live            bool             `json:"live"`              // Not materialised: pulls go through to the source.
	StandingConsent *StandingConsent `json:"standing_consent,omitempty"`
	RowVersion      int64            `json:"row_version"` // For If-Match.
	CreatedBy       uuid.UUID        `json:"created_by"`
	CreatedAt       time.Time        `json:"created_at"`
	UpdatedAt       time.Time        `json:"updated_at"`
	Version         Version          `json:"version"`
}

// StandingConsent is the provider's recorded consent under which unconditional requests are granted without a further
// reply (Order 809, Art 20).
type StandingConsent struct {
	By       string    `json:"by"`       // The head of the provider's sharing office.
	Date     string    `json:"date"`     // YYYY-MM-DD.
	Document string    `json:"document"` // Number or title of the document.
	Recorder uuid.UUID `json:"recorder"` // The user who recorded it.
}

// Version is one version of a resource's metadata (domain table 2.2).
type Version struct {
	Number       int        `json:"number"`
	State        State      `json:"state"`
	Round        int        `json:"round"` // Review round, from 1; a return adds one.
	MadeBy       uuid.UUID  `json:"made_by"`
	SubmittedBy  uuid.UUID  `json:"submitted_by"`
	PublishedAt  *time.Time `json:"published_at,omitempty"`
	OldUntil     string     `json:"old_until,omitempty"`    // YYYY-MM-DD: the last day on which the version before is to be served beside this one.
	ServedUntil  *time.Time `json:"served_until,omitempty"` // Until when this version is served beside the one that replaced it.
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	Metadata                // What the department compiles.
	ShareType    ShareType  `json:"share_type"` // The strictest of the items that are not withheld.
	Grade        Grade      `json:"grade"`      // The highest of the items.
	ProviderCode string     `json:"provider_code"`
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
	DeclaredShare   ShareType        `json:"declared_share_type"` // What the department states; must equal the derived one.
	ShareMethods    []ShareMethod    `json:"share_methods"`
	Open            bool             `json:"open"`
	OpenCondition   string           `json:"open_condition"`
	UpdateCycle     UpdateCycle      `json:"update_cycle"`
	RelatedCodes    []string         `json:"related_codes"`
	UsageTerms      string           `json:"usage_terms"`
	Secrecy         string           `json:"secrecy"` // Only 非涉密 is accepted (Art 2-3).
	SecrecyAssess   *Assessment      `json:"secrecy_assessment,omitempty"`
	PIAssess        *Assessment      `json:"pi_assessment,omitempty"`
	HeadSignoff     *Signoff         `json:"head_signoff,omitempty"`
	SourceDeptID    uuid.UUID        `json:"source_dept_id"` // Zero means the provider.
	SystemID        uuid.UUID        `json:"system_id"`
	CollectBasis    string           `json:"collect_basis"`
	RecollectReason string           `json:"recollect_reason"` // Why items are collected again that another department, their source, offers (Art 19).
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
	No             int       `json:"no"` // 0 on input: the hub numbers new items.
	ID             uuid.UUID `json:"id"`
	Name           string    `json:"name"`
	Identifier     string    `json:"identifier"`
	DataType       DataType  `json:"data_type"`
	Length         int       `json:"length"` // In characters; for N and Y the precision.
	Scale          int       `json:"scale"`
	Format         string    `json:"format"` // "geometry" for G items that hold geometry, else "".
	Key            bool      `json:"is_key"`
	Required       bool      `json:"required"`
	Filterable     bool      `json:"filterable"` // May occur in a grant's row filter; at most 8 per resource.
	Definition     string    `json:"definition"`
	Unit           string    `json:"unit"`
	CodeSet        string    `json:"code_set"`
	DataElement    string    `json:"data_element"`
	Validator      string    `json:"validator"`
	ShareType      ShareType `json:"share_type"`
	ShareCondition string    `json:"share_condition"`
	Open           bool      `json:"open"`
	Grade          Grade     `json:"grade"`
	SensitivePI    bool      `json:"sensitive_pi"`
	MaskRule       string    `json:"mask_rule"`   // A mask of catalog/mask, "none", or "" below L3.
	MaskReason     string    `json:"mask_reason"` // Why "none" is right on an L3 or L4 item.
	SourceDeptID   uuid.UUID `json:"source_dept_id"`
}

// MaxFilterable is how many items of a resource may be filterable: each costs an index and a column of the log.
const MaxFilterable = 8
