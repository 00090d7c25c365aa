package client

import (
	"encoding/json"
	"time"
)

// Terms is what an applicant asks for. Items are named by their identifiers. The five facts that Order 809, Art 20 demands
// are the legal basis, the scenario, the scope (items and row filter), the sharing method and the period.
type Terms struct {
	Items        []string        `json:"items"`
	RowFilter    json.RawMessage `json:"row_filter,omitempty"` // See sharing/filter; empty or null means all rows.
	Lookup       []string        `json:"lookup"`               // Masked key items whose clear values may be looked up.
	Unmask       []string        `json:"unmask"`               // Items asked for without their mask.
	ShareMethods []string        `json:"share_methods"`
	LegalBasis   string          `json:"legal_basis"`
	Scenario     string          `json:"scenario"`
	Purpose      string          `json:"purpose"`      // ASCII code, ^[A-Za-z0-9._-]{1,64}$; callers send it as X-Purpose.
	PurposeText  string          `json:"purpose_text"` // The purpose in words.
	CaseRequired bool            `json:"case_required"`
	ValidUntil   time.Time       `json:"valid_until"`
	Quota        int64           `json:"quota"`        // Rows per period; 0 means none.
	QuotaPeriod  string          `json:"quota_period"` // total (also ""), day, month
	RateCalls    int             `json:"rate_calls"`   // Calls per second; 0 means none.
	RateRows     int             `json:"rate_rows"`    // Rows per second of streams; 0 means none.
}

// Application opens a request: for which client, of which resource, on what terms.
type Application struct {
	ClientID   string `json:"client_id,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`
	Terms
}

// Request is a sharing request with its terms and its clock. Items, Lookup and Unmask are item numbers of the resource.
type Request struct {
	ID              string          `json:"id,omitempty"`
	Kind            string          `json:"kind"` // new
	ClientID        string          `json:"client_id,omitempty"`
	ConsumerDeptID  string          `json:"consumer_dept_id,omitempty"`
	ProviderDeptID  string          `json:"provider_dept_id,omitempty"`
	ResourceID      string          `json:"resource_id,omitempty"`
	ResourceVersion int             `json:"resource_version"` // The published version the terms were checked against.
	ShareType       string          `json:"share_type"`       // The strictest of the requested items.
	Items           []int           `json:"items"`
	RowFilter       json.RawMessage `json:"row_filter,omitempty"`
	Lookup          []int           `json:"lookup"`
	Unmask          []int           `json:"unmask"`
	ShareMethods    []string        `json:"share_methods"`
	LegalBasis      string          `json:"legal_basis"`
	Scenario        string          `json:"scenario"`
	Purpose         string          `json:"purpose"`
	PurposeText     string          `json:"purpose_text"`
	CaseRequired    bool            `json:"case_required"`
	ValidUntil      time.Time       `json:"valid_until"`
	Quota           int64           `json:"quota"`
	QuotaPeriod     string          `json:"quota_period"`
	RateCalls       int             `json:"rate_calls"`
	RateRows        int             `json:"rate_rows"`
	State           string          `json:"state"`
	ApplicantID     string          `json:"applicant_id,omitempty"`
	ReceivedAt      *time.Time      `json:"received_at,omitempty"` // First entry to pending_acceptance.
	DueAt           *time.Time      `json:"due_at,omitempty"`      // When the reply is due (Art 21).
	DueProvisional  bool            `json:"due_provisional"`       // A year without a holiday notice was counted.
	ExtendedDays    int             `json:"extended_days"`         // Working days; 0 while not extended.
	Supplemented    bool            `json:"supplemented"`          // The one notice of missing material was given.
	Supplement      string          `json:"supplement"`            // What was missing.
	RefusalCode     string          `json:"refusal_code"`
	RefusalReason   string          `json:"refusal_reason"`
	DecidedBy       string          `json:"decided_by,omitempty"` // Zero while undecided and for grants under a standing consent.
	DecidedAt       *time.Time      `json:"decided_at,omitempty"`
	GrantID         string          `json:"grant_id,omitempty"` // Zero unless approved.
	RowVersion      int64           `json:"row_version"`
	CreatedAt       time.Time       `json:"created_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
	ClientName      string          `json:"client_name"` // This and the following: what the ids above are called now.
	ConsumerName    string          `json:"consumer_name"`
	ProviderName    string          `json:"provider_name"`
	ResourceName    string          `json:"resource_name"`
}

// Conditions are the provider's: they may narrow what was asked for, never widen it. Nil and zero fields leave the terms
// as they are, except Unmask: what the approver does not name stays masked.
type Conditions struct {
	Items        []string          `json:"items,omitempty"`      // Granted items; nil means all requested.
	RowFilter    json.RawMessage   `json:"row_filter,omitempty"` // Holds besides the requested filter.
	Masks        map[string]string `json:"masks,omitempty"`      // Masks by identifier in place of the catalogue's.
	Lookup       []string          `json:"lookup,omitempty"`     // nil means as requested, empty none.
	Unmask       []string          `json:"unmask,omitempty"`     // Requested items granted without their mask.
	CaseRequired bool              `json:"case_required,omitempty"`
	ValidUntil   *time.Time        `json:"valid_until,omitempty"` // Not later than requested.
	Quota        *int64            `json:"quota,omitempty"`       // Not more than requested.
	RateCalls    *int              `json:"rate_calls,omitempty"`
	RateRows     *int              `json:"rate_rows,omitempty"`
	Opinion      string            `json:"opinion,omitempty"`
}

// Grant is an approved request, enforced: one client, one resource, these items and rows, for this purpose, until then.
type Grant struct {
	ID              string          `json:"id,omitempty"`
	RequestID       string          `json:"request_id,omitempty"`
	ClientID        string          `json:"client_id,omitempty"`
	ConsumerDeptID  string          `json:"consumer_dept_id,omitempty"`
	ProviderDeptID  string          `json:"provider_dept_id,omitempty"`
	ResourceID      string          `json:"resource_id,omitempty"`
	ResourceVersion int             `json:"resource_version"`
	ShareType       string          `json:"share_type"`
	Grade           string          `json:"grade"`
	Items           []int           `json:"items"`                // Item numbers, in the resource's order.
	RowFilter       json.RawMessage `json:"row_filter,omitempty"` // See sharing/filter; null means all rows.
	Masks           map[int]string  `json:"masks"`                // Item number to mask rule.
	Lookup          []int           `json:"lookup"`               // Masked items that eq and in accept clear values of.
	ShareMethods    []string        `json:"share_methods"`
	Purpose         string          `json:"purpose"` // ASCII code, sent as X-Purpose.
	PurposeText     string          `json:"purpose_text"`
	CaseRequired    bool            `json:"case_required"` // X-Case-Number must be sent.
	Quota           int64           `json:"quota"`         // Rows per period; 0 means none.
	QuotaPeriod     string          `json:"quota_period"`  // total, day, month
	RateCalls       int             `json:"rate_calls"`    // Calls per second; 0 means none.
	RateRows        int             `json:"rate_rows"`     // Rows per second of streams; 0 means none.
	ValidFrom       time.Time       `json:"valid_from"`
	ValidTo         time.Time       `json:"valid_to"`
	State           string          `json:"state"`
	StateReason     string          `json:"state_reason"`
	TermsVersion    int64           `json:"terms_version"`
	Standing        bool            `json:"standing"` // Granted under a standing consent.
	RowVersion      int64           `json:"row_version"`
	CreatedAt       time.Time       `json:"created_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
	SuspendedBy     string          `json:"suspended_by"` // provider, authority, restore; "" unless suspended.
	ClientName      string          `json:"client_name"`  // This and the following: what the ids above are called now.
	ConsumerName    string          `json:"consumer_name"`
	ProviderName    string          `json:"provider_name"`
	ResourceName    string          `json:"resource_name"`
	Version         int             `json:"version,omitempty"`      // The version of the resource that the grant is served now; of one grant, not in lists.
	ServedUntil     *time.Time      `json:"served_until,omitempty"` // Of an old version: until when, at the latest.
}

// Filing is the record that a provider needs to end a running service (Order 809, Art 27): the negotiation with the
// consumer, and the filing with the authority (备案).
type Filing struct {
	Negotiation string `json:"negotiation"` // What was negotiated, with whom and when.
	FilingNo    string `json:"filing_no"`   // Number of the filing with the authority.
	Date        string `json:"date"`        // Of the filing, YYYY-MM-DD.
}

// Todo is what waits for one person. Requests that the person made are not among those to sign, accept or decide.
type Todo struct {
	Sign       TodoList `json:"sign"`       // For the head of the consumer's sharing office.
	Accept     TodoList `json:"accept"`     // For the authority.
	Decide     TodoList `json:"decide"`     // For the head of the provider's sharing office.
	Supplement TodoList `json:"supplement"` // To be completed by the applicant's department.
}

// TodoList is one kind of waiting requests: how many, and the first of them, the most urgent first.
type TodoList struct {
	Count    int64     `json:"count"`
	Requests []Request `json:"requests"` // At most 20.
}

// Confirmation is what a confirmation of restored grants did.
type Confirmation struct {
	Confirmed int   `json:"confirmed"`
	Left      int64 `json:"left"` // How many still wait.
}
