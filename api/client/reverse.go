package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// DraftInput asks for entries to be proposed from tables of a source.
type DraftInput struct {
	Objects []string `json:"objects"`        // As Tables names them; at most 500.
	Rows    *int     `json:"rows,omitempty"` // How many rows of each table to look at, 0 to 1,000; 1,000 when not given.
}

// DraftedTable is what became of one table.
type DraftedTable struct {
	Proposal   Proposal      `json:"proposal"`
	ResourceID string        `json:"resource_id"` // The draft; the zero id when none was made.
	Problem    *DraftProblem `json:"problem,omitempty"`
}

// DraftProblem is what kept a table from being looked at or drafted.
type DraftProblem struct {
	Stage   string       `json:"stage"` // describe, sample or draft.
	Code    string       `json:"code"`
	Message string       `json:"message"`
	Fields  []FieldError `json:"fields,omitempty"`
}

// Proposal is what an entry made from one table would state.
type Proposal struct {
	Object   string           `json:"object"`
	Name     string           `json:"name"`
	Sampled  int              `json:"sampled"` // Rows that were looked at.
	Evidence []SampleEvidence `json:"evidence"`
	Items    []ProposedItem   `json:"items"`
}

// ProposedItem is what is proposed for one column.
type ProposedItem struct {
	Column      string       `json:"column"`
	NativeType  string       `json:"native_type"`
	Kind        string       `json:"kind"`
	Name        string       `json:"name"`
	Identifier  string       `json:"identifier"`
	DataType    string       `json:"data_type"`
	Length      int          `json:"length"`
	Scale       int          `json:"scale"`
	Format      string       `json:"format"`
	Key         bool         `json:"is_key"`
	Required    bool         `json:"required"`
	Definition  string       `json:"definition"`
	CodeSet     string       `json:"code_set"`
	Validator   string       `json:"validator"`
	Grade       string       `json:"grade"`
	SensitivePI bool         `json:"sensitive_pi"`
	MaskRule    string       `json:"mask_rule"`
	Suggestions []Suggestion `json:"suggestions"` // Why, field by field.
}

// Suggestion is one field of an item with the evidence for it.
type Suggestion struct {
	Field    string           `json:"field"`
	Value    string           `json:"value"`
	Taken    bool             `json:"taken"` // It stands in the item; otherwise it is only shown.
	Evidence []SampleEvidence `json:"evidence"`
}

// SampleEvidence is one observation: Passed of Of values agree.
type SampleEvidence struct {
	Kind   string `json:"kind"`
	Name   string `json:"name,omitempty"`
	Passed int    `json:"passed,omitempty"`
	Of     int    `json:"of,omitempty"`
}

// Origin is the table from which an entry was proposed, with the evidence of that day.
type Origin struct {
	ResourceID string    `json:"resource_id"`
	SourceID   string    `json:"source_id"`
	Object     string    `json:"object"`
	Proposal   Proposal  `json:"proposal"`
	CreatedBy  string    `json:"created_by"`
	CreatedAt  time.Time `json:"created_at"`
}

// Drift is one difference between a source and what was mounted.
type Drift struct {
	ID           string     `json:"id"`
	MountID      string     `json:"mount_id"`
	ResourceID   string     `json:"resource_id"`
	Resource     string     `json:"resource"`
	SourceID     string     `json:"source_id"`
	Source       string     `json:"source"`
	Object       string     `json:"object"`
	Column       string     `json:"column"` // "" for the object as a whole.
	Kind         string     `json:"kind"`
	Was          string     `json:"was"`
	Now          string     `json:"now"`
	Items        []string   `json:"items"`
	Breaks       bool       `json:"breaks"`        // Runs stop until the source or the mount is mended.
	DraftVersion int        `json:"draft_version"` // The draft that was begun because of it; 0 for none.
	FirstSeen    time.Time  `json:"first_seen"`
	LastSeen     time.Time  `json:"last_seen"`
	ResolvedAt   *time.Time `json:"resolved_at,omitempty"`
}

// ProposeFromSource proposes an entry for each of some tables of a source and stores nothing.
func (c *Client) ProposeFromSource(ctx context.Context, source string, in DraftInput) (List[DraftedTable], error) {
	return fetch[List[DraftedTable]](ctx, c, http.MethodPost, "/sources/"+source+"/draft", in)
}

// DraftFromSource keeps the proposals as drafts of the caller's department.
func (c *Client) DraftFromSource(ctx context.Context, source string, in DraftInput) (List[DraftedTable], error) {
	return fetch[List[DraftedTable]](ctx, c, http.MethodPost, "/sources/"+source+"/draft?create=true", in)
}

// Origin returns the table from which an entry was proposed.
func (c *Client) Origin(ctx context.Context, resource string) (Origin, error) {
	return fetch[Origin](ctx, c, http.MethodGet, "/resources/"+resource+"/origin", nil)
}

// EachDrift iterates over the differences between sources and mounts, those seen last first.
func (c *Client) EachDrift(ctx context.Context, f Filter) iter.Seq2[Drift, error] {
	return Each[Drift](ctx, c, f.path("/drift"))
}
