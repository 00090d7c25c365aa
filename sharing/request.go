package sharing

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
)

// RequestState is the state of a sharing request (domain table 5.2).
type RequestState string

// The states of a request.
const (
	RequestDraft              RequestState = "draft"               // Editable by the applicant's department.
	RequestDeptReview         RequestState = "dept_review"         // Waits for the head of the consumer's sharing office.
	RequestPendingAcceptance  RequestState = "pending_acceptance"  // Received; waits for the authority. The clock runs from here.
	RequestInReview           RequestState = "in_review"           // Accepted; waits for the provider.
	RequestSupplementRequired RequestState = "supplement_required" // Editable again, once; the clock does not stop.
	RequestApproved           RequestState = "approved"            // Final: a grant enforces it.
	RequestRefused            RequestState = "refused"             // Final, with a reason.
	RequestWithdrawn          RequestState = "withdrawn"           // Final.
)

// RequestStates returns every state once.
func RequestStates() []RequestState {
	return []RequestState{
		RequestDraft, RequestDeptReview, RequestPendingAcceptance, RequestInReview, RequestSupplementRequired,
		RequestApproved, RequestRefused, RequestWithdrawn,
	}
}

// Terms is what an applicant asks for. Items are named by their identifiers. The five facts that Order 809, Art 20 demands
// are the legal basis, the scenario, the scope (items and row filter), the sharing method and the period.
type Terms struct {
	Items        []string              `json:"items"`
	RowFilter    json.RawMessage       `json:"row_filter,omitempty"` // See sharing/filter; empty or null means all rows.
	Lookup       []string              `json:"lookup"`               // Masked key items whose clear values may be looked up.
	Unmask       []string              `json:"unmask"`               // Items asked for without their mask.
	ShareMethods []catalog.ShareMethod `json:"share_methods"`
	LegalBasis   string                `json:"legal_basis"`
	Scenario     string                `json:"scenario"`
	Purpose      string                `json:"purpose"`      // ASCII code, ^[A-Za-z0-9._-]{1,64}$; callers send it as X-Purpose.
	PurposeText  string                `json:"purpose_text"` // The purpose in words.
	CaseRequired bool                  `json:"case_required"`
	ValidUntil   time.Time             `json:"valid_until"`
	Quota        int64                 `json:"quota"`        // Rows per period; 0 means none.
	QuotaPeriod  string                `json:"quota_period"` // total (also ""), day, month
	RateCalls    int                   `json:"rate_calls"`   // Calls per second; 0 means none.
	RateRows     int                   `json:"rate_rows"`    // Rows per second of streams; 0 means none.
}

// Application opens a request: for which client, of which resource, on what terms.
type Application struct {
	ClientID   uuid.UUID `json:"client_id"`
	ResourceID uuid.UUID `json:"resource_id"`
	Terms
}

// Request is a sharing request with its terms and its clock. Items, Lookup and Unmask are item numbers of the resource.
type Request struct {
	ID              uuid.UUID             `json:"id"`
	Kind            string                `json:"kind"` // new
	ClientID        uuid.UUID             `json:"client_id"`
	ConsumerDeptID  uuid.UUID             `json:"consumer_dept_id"`
	ProviderDeptID  uuid.UUID             `json:"provider_dept_id"`
	ResourceID      uuid.UUID             `json:"resource_id"`
	ResourceVersion int                   `json:"resource_version"` // The published version the terms were checked against.
	ShareType       catalog.ShareType     `json:"share_type"`       // The strictest of the requested items.
	Items           []int                 `json:"items"`
	RowFilter       json.RawMessage       `json:"row_filter,omitempty"`
	Lookup          []int                 `json:"lookup"`
	Unmask          []int                 `json:"unmask"`
	ShareMethods    []catalog.ShareMethod `json:"share_methods"`
	LegalBasis      string                `json:"legal_basis"`
	Scenario        string                `json:"scenario"`
	Purpose         string                `json:"purpose"`
	PurposeText     string                `json:"purpose_text"`
	CaseRequired    bool                  `json:"case_required"`
	ValidUntil      time.Time             `json:"valid_until"`
	Quota           int64                 `json:"quota"`
	QuotaPeriod     string                `json:"quota_period"`
	RateCalls       int                   `json:"rate_calls"`
	RateRows        int                   `json:"rate_rows"`
	State           RequestState          `json:"state"`
	ApplicantID     uuid.UUID             `json:"applicant_id"`
	ReceivedAt      *time.Time            `json:"received_at,omitempty"` // First entry to pending_acceptance.
	DueAt           *time.Time            `json:"due_at,omitempty"`      // When the reply is due (Art 21).
	DueProvisional  bool                  `json:"due_provisional"`       // A year without a holiday notice was counted.
	ExtendedDays    int                   `json:"extended_days"`         // Working days; 0 while not extended.
	Supplemented    bool                  `json:"supplemented"`          // The one notice of missing material was given.
	Supplement      string                `json:"supplement"`            // What was missing.
	RefusalCode     string                `json:"refusal_code"`
	RefusalReason   string                `json:"refusal_reason"`
	DecidedBy       uuid.UUID             `json:"decided_by"` // Zero while undecided and for grants under a standing consent.
	DecidedAt       *time.Time            `json:"decided_at,omitempty"`
	GrantID         uuid.UUID             `json:"grant_id"` // Zero unless approved.
	RowVersion      int64                 `json:"row_version"`
	CreatedAt       time.Time             `json:"created_at"`
	UpdatedAt       time.Time             `json:"updated_at"`

	// What the ids above are called now, the resource as in the version of the terms.
	ClientName   string `json:"client_name"`
	ConsumerName string `json:"consumer_name"`
	ProviderName string `json:"provider_name"`
	ResourceName string `json:"resource_name"`
}

// RequestEntry is one line of a request's history.
type RequestEntry struct {
	Step      Step         `json:"step"`
	From      RequestState `json:"from"`
	To        RequestState `json:"to"`
	ActorID   uuid.UUID    `json:"actor_id"`
	ActorDept uuid.UUID    `json:"actor_dept"`
	Reason    string       `json:"reason"`
	At        time.Time    `json:"at"`
	ActorName string       `json:"actor_name"`
}

// Refusal codes. Incomplete material is not among them: it is answered by a supplement notice (Order 809, Art 21).
const (
	RefusedNoBasis     = "no_legal_basis"      // The basis named does not cover the use.
	RefusedScope       = "scope_excessive"     // More items or rows than the purpose needs.
	RefusedPurpose     = "purpose_not_covered" // The purpose is none of those the resource is shared for.
	RefusedCondition   = "condition_not_met"   // A condition of use stated in the catalogue is not met.
	RefusedNotHeld     = "not_held"            // The provider does not hold these data; the catalogue is wrong.
	RefusedOtherSource = "other_source"        // Another department is the source of these data.
	RefusedSecurity    = "security_unfit"      // The consumer's protection does not fit the grade.
)

// RefusalCodes returns every refusal code, in the order in which they are offered.
func RefusalCodes() []string {
	return []string{
		RefusedNoBasis, RefusedScope, RefusedPurpose, RefusedCondition, RefusedNotHeld, RefusedOtherSource, RefusedSecurity,
	}
}
