package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// DataElement is one meaning that items of many entries have in common (数据元).
type DataElement struct {
	Code       string    `json:"code"` // Stable name, snake_case.
	Name       string    `json:"name"`
	NameEN     string    `json:"name_en"`
	Definition string    `json:"definition"`
	DataType   string    `json:"data_type"`
	Length     int       `json:"length"`
	CodeSet    string    `json:"code_set"`
	Standard   string    `json:"standard"` // Number of the standard that defines it, or "".
	Synonyms   []string  `json:"synonyms"`
	State      string    `json:"state"` // current or retired.
	RowVersion int64     `json:"row_version"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// ElementSource is one line of the register of sources: who is the source of a data element in a division.
type ElementSource struct {
	Element      string    `json:"element"`
	ElementName  string    `json:"element_name"`
	Division     string    `json:"division"`
	DepartmentID string    `json:"department_id"`
	Department   string    `json:"department"`
	ResourceID   string    `json:"resource_id"` // The entry by which it is offered, or the zero id.
	Resource     string    `json:"resource"`
	Reason       string    `json:"reason"`
	DecidedBy    string    `json:"decided_by"`
	DecidedAt    time.Time `json:"decided_at"`
	RowVersion   int64     `json:"row_version"`
}

// SourceAssignment is what the authority decides about a line of the register.
type SourceAssignment struct {
	DepartmentID string `json:"department_id"`
	ResourceID   string `json:"resource_id,omitempty"`
	Reason       string `json:"reason"`
}

// DutyClaim is what a department states about a line of the register, and what became of it.
type DutyClaim struct {
	ID           string     `json:"id"`
	Kind         string     `json:"kind"` // claim or contest.
	Element      string     `json:"element"`
	ElementName  string     `json:"element_name"`
	Division     string     `json:"division"`
	DepartmentID string     `json:"department_id"`
	Department   string     `json:"department"`
	ProposedID   string     `json:"proposed_dept_id"` // Who should be the source; the zero id names nobody.
	Proposed     string     `json:"proposed"`
	ResourceID   string     `json:"resource_id"`
	OwnerID      string     `json:"owner_dept_id"`
	Owner        string     `json:"owner"` // Who is registered now.
	Reason       string     `json:"reason"`
	State        string     `json:"state"` // open, approved, refused or withdrawn.
	Decision     string     `json:"decision"`
	MadeBy       string     `json:"made_by"`
	DecidedBy    string     `json:"decided_by"`
	DecidedAt    *time.Time `json:"decided_at,omitempty"`
	RowVersion   int64      `json:"row_version"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// NewDutyClaim is what a department states.
type NewDutyClaim struct {
	Kind       string `json:"kind"` // claim or contest.
	Element    string `json:"element"`
	Division   string `json:"division"` // "" means the department's own.
	ProposedID string `json:"proposed_dept_id,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`
	Reason     string `json:"reason"`
}

// ItemSource is an item of an entry that another department is the source of.
type ItemSource struct {
	Item         string `json:"item"`
	Identifier   string `json:"identifier"`
	Element      string `json:"element"`
	ElementName  string `json:"element_name"`
	Division     string `json:"division"`
	DepartmentID string `json:"department_id"`
	Department   string `json:"department"`
	ResourceID   string `json:"resource_id"`
	Resource     string `json:"resource"`
	Shared       bool   `json:"shared"`     // The source offers it.
	Referenced   bool   `json:"referenced"` // The item names the source as its source department.
}

// SimilarTo is a published entry of another department that may be the same data; percentages say why.
type SimilarTo struct {
	ID           string `json:"id"`
	DepartmentID string `json:"department_id"`
	Department   string `json:"department"`
	Name         string `json:"name"`
	Items        int    `json:"items"`
	Title        int    `json:"title"`
	CodeSets     int    `json:"code_sets"`
	Score        int    `json:"score"`
}

// Point is what one rule of completeness gives an entry.
type Point struct {
	Rule   string `json:"rule"`
	Points int    `json:"points"` // The most there is.
	Got    int    `json:"got"`
	Mend   string `json:"mend,omitempty"` // What to do about it.
}

// Truth is what there is behind an entry.
type Truth struct {
	ResourceID string     `json:"resource_id"`
	Mounted    bool       `json:"mounted"`
	Live       bool       `json:"live"`
	Rows       int64      `json:"rows"`
	ArrivedAt  *time.Time `json:"arrived_at,omitempty"`
	Timeliness string     `json:"timeliness"`        // on_time, late or never; "" for withheld entries.
	Quality    *float64   `json:"quality,omitempty"` // Share of accepted rows, 0 to 1.
	Uses30d    int64      `json:"uses_30d"`
	Rows30d    int64      `json:"rows_30d"`
	UsedAt     *string    `json:"used_at,omitempty"` // Day of the last use.
	Grants     int        `json:"grants"`            // In force.
	Sleeping   string     `json:"sleeping"`          // no_data, stale or unused; "" for entries that do not sleep.
	SleptFrom  *time.Time `json:"sleeping_since,omitempty"`
	Score      int        `json:"score"` // Completeness, 0 to 100.
	Points     []Point    `json:"points"`
	UseCounted *time.Time `json:"use_counted_at,omitempty"`
}

// SleepingEntry is a published entry that has had no data or no use for 90 days.
type SleepingEntry struct {
	ID           string     `json:"id"`
	Code         string     `json:"code"`
	Name         string     `json:"name"`
	DepartmentID string     `json:"department_id"`
	Department   string     `json:"department"`
	Why          string     `json:"why"` // no_data, stale or unused.
	Since        time.Time  `json:"since"`
	UpdateCycle  string     `json:"update_cycle"`
	Mounted      bool       `json:"mounted"`
	Rows         int64      `json:"rows"`
	ArrivedAt    *time.Time `json:"arrived_at,omitempty"`
	Grants       int        `json:"grants"`
	Score        int        `json:"score"`
}

// DataElements lists the data elements.
func (c *Client) DataElements(ctx context.Context) ([]DataElement, error) {
	return All[DataElement](ctx, c, "/data-elements")
}

// CreateDataElement adds a data element.
func (c *Client) CreateDataElement(ctx context.Context, e DataElement, changes ...Change) (DataElement, error) {
	return create[DataElement](ctx, c, "/data-elements", e, changes...)
}

// AssignElementSource records who is the source of a data element in a division.
func (c *Client) AssignElementSource(ctx context.Context, element, division string, a SourceAssignment, changes ...Change) (ElementSource, error) {
	return fetch[ElementSource](ctx, c, http.MethodPut, "/data-elements/"+url.PathEscape(element)+"/sources/"+url.PathEscape(division), a, changes...)
}

// ClaimDuty claims to be the source of a data element, or objects to who is.
func (c *Client) ClaimDuty(ctx context.Context, claim NewDutyClaim, changes ...Change) (DutyClaim, error) {
	return create[DutyClaim](ctx, c, "/duty-claims", claim, changes...)
}

// DecideDuty decides about a claim. step is "approve" or "refuse".
func (c *Client) DecideDuty(ctx context.Context, id, step, reason string, changes ...Change) (DutyClaim, error) {
	return fetch[DutyClaim](ctx, c, http.MethodPost, "/duty-claims/"+id+"/"+step, map[string]string{"reason": reason}, changes...)
}

// Truth returns what there is behind an entry.
func (c *Client) Truth(ctx context.Context, resource string) (Truth, error) {
	return fetch[Truth](ctx, c, http.MethodGet, "/resources/"+resource+"/truth", nil)
}

// SleepingEntries lists the published entries without data or use for 90 days.
func (c *Client) SleepingEntries(ctx context.Context) ([]SleepingEntry, error) {
	return All[SleepingEntry](ctx, c, "/sleeping-entries")
}
