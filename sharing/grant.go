package sharing

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
)

// GrantState is the state of a grant (domain table 5.2).
type GrantState string

// The states of a grant.
const (
	GrantPendingDelivery GrantState = "pending_delivery"
	GrantActive          GrantState = "active"
	GrantSuspended       GrantState = "suspended"
	GrantExpired         GrantState = "expired"
	GrantTerminated      GrantState = "terminated"
	GrantDisposing       GrantState = "disposing"
	GrantClosed          GrantState = "closed"
)

// Grant is an approved request, enforced: one client, one resource, these items and rows, for this purpose, until then.
type Grant struct {
	ID              uuid.UUID             `json:"id"`
	RequestID       uuid.UUID             `json:"request_id"`
	ClientID        uuid.UUID             `json:"client_id"`
	ConsumerDeptID  uuid.UUID             `json:"consumer_dept_id"`
	ProviderDeptID  uuid.UUID             `json:"provider_dept_id"`
	ResourceID      uuid.UUID             `json:"resource_id"`
	ResourceVersion int                   `json:"resource_version"`
	ShareType       catalog.ShareType     `json:"share_type"`
	Grade           catalog.Grade         `json:"grade"`
	Items           []int                 `json:"items"`                // Item numbers, in the resource's order.
	RowFilter       json.RawMessage       `json:"row_filter,omitempty"` // See sharing/filter; null means all rows.
	Masks           map[int]string        `json:"masks"`                // Item number to mask rule.
	Lookup          []int                 `json:"lookup"`               // Masked items that eq and in accept clear values of.
	ShareMethods    []catalog.ShareMethod `json:"share_methods"`
	Purpose         string                `json:"purpose"` // ASCII code, sent as X-Purpose.
	PurposeText     string                `json:"purpose_text"`
	CaseRequired    bool                  `json:"case_required"` // X-Case-Number must be sent.
	Quota           int64                 `json:"quota"`         // Rows per period; 0 means none.
	QuotaPeriod     string                `json:"quota_period"`  // total, day, month
	RateCalls       int                   `json:"rate_calls"`    // Calls per second; 0 means none.
	RateRows        int                   `json:"rate_rows"`     // Rows per second of streams; 0 means none.
	ValidFrom       time.Time             `json:"valid_from"`
	ValidTo         time.Time             `json:"valid_to"`
	State           GrantState            `json:"state"`
	StateReason     string                `json:"state_reason"`
	TermsVersion    int64                 `json:"terms_version"`
	Standing        bool                  `json:"standing"` // Granted under a standing consent.
	RowVersion      int64                 `json:"row_version"`
	CreatedAt       time.Time             `json:"created_at"`
	UpdatedAt       time.Time             `json:"updated_at"`

	SuspendedBy SuspendedBy `json:"suspended_by"` // "" unless suspended.

	// What the ids above are called now, the resource as in the version of the terms.
	ClientName   string `json:"client_name"`
	ConsumerName string `json:"consumer_name"`
	ProviderName string `json:"provider_name"`
	ResourceName string `json:"resource_name"`
}
