package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// CodeTable is a list of values that entries are compiled with.
type CodeTable struct {
	Name       string    `json:"name"`
	Title      string    `json:"title"`
	TitleEN    string    `json:"title_en"`
	Basis      string    `json:"basis"`    // The article or standard it comes from, or "".
	Editable   bool      `json:"editable"` // False: fixed by law or standard.
	Values     int64     `json:"values"`   // Valid today.
	Ended      int64     `json:"ended"`
	RowVersion int64     `json:"row_version"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// CodeValue is one value of a code table with the days on which it is valid.
type CodeValue struct {
	ID        string     `json:"id,omitempty"`
	Table     string     `json:"table"`
	Code      string     `json:"code"`
	Name      string     `json:"name"`
	NameEN    string     `json:"name_en"`
	Parent    string     `json:"parent"`
	Fixed     bool       `json:"fixed"`
	ValidFrom string     `json:"valid_from"` // YYYY-MM-DD, "" for since ever.
	ValidTo   string     `json:"valid_to"`   // The last day, "" for no end.
	Successor string     `json:"successor"`
	Note      string     `json:"note"`
	AddedBy   string     `json:"added_by,omitempty"`
	AddedAt   *time.Time `json:"added_at,omitempty"`
	EndReason string     `json:"end_reason"`
	EndedBy   string     `json:"ended_by,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// NewCodeValue is what is stated to add a value.
type NewCodeValue struct {
	Code      string `json:"code"`
	Name      string `json:"name"`
	NameEN    string `json:"name_en"`
	ValidFrom string `json:"valid_from"` // YYYY-MM-DD; "" means today.
	Note      string `json:"note"`
}

// CodeEnd is what is stated to end a value.
type CodeEnd struct {
	ValidTo   string `json:"valid_to"` // The last day, YYYY-MM-DD.
	Successor string `json:"successor"`
	Reason    string `json:"reason"`
}

// CodeChange is one line in the history of a code table.
type CodeChange struct {
	Value  CodeValue `json:"value"`
	Kind   string    `json:"kind"` // added or ended.
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason"`
}

// Volume is what the hub holds of an entry, shares and opens. Volumes are GB of 1,000,000,000 bytes.
type Volume struct {
	TotalGB    float64    `json:"vol_total_gb"`
	RowsTotal  int64      `json:"rows_total"`
	SharedGB   float64    `json:"vol_shared_gb"`
	RowsShared int64      `json:"rows_shared"`
	OpenGB     float64    `json:"vol_open_gb"`
	RowsOpen   int64      `json:"rows_open"`
	CountedAt  *time.Time `json:"counted_at,omitempty"` // nil: nothing was counted.
}

// Related is an entry that another one names as related, or that names it.
type Related struct {
	ID    string `json:"id,omitempty"`
	Code  string `json:"code"`
	Name  string `json:"name"`
	Named bool   `json:"named"` // The entry names it; false: it names the entry.
}

// CodeTables lists the code tables.
func (c *Client) CodeTables(ctx context.Context) ([]CodeTable, error) {
	return All[CodeTable](ctx, c, "/code-tables")
}

// CodeValues lists the values of a code table that are valid on a day (YYYY-MM-DD), today for "".
func (c *Client) CodeValues(ctx context.Context, table, day string) ([]CodeValue, error) {
	return All[CodeValue](ctx, c, "/code-tables/"+url.PathEscape(table)+"/values?"+url.Values{"day": {day}}.Encode())
}

// AddCodeValue adds a value to an editable code table.
func (c *Client) AddCodeValue(ctx context.Context, table string, v NewCodeValue, changes ...Change) (CodeValue, error) {
	return create[CodeValue](ctx, c, "/code-tables/"+url.PathEscape(table)+"/values", v, changes...)
}

// EndCodeValue ends a value of an editable code table.
func (c *Client) EndCodeValue(ctx context.Context, table, id string, end CodeEnd) (CodeValue, error) {
	return fetch[CodeValue](ctx, c, http.MethodPost, "/code-tables/"+url.PathEscape(table)+"/values/"+id+"/end", end)
}

// CodeHistory lists what was added to a code table and ended in it, the last first.
func (c *Client) CodeHistory(ctx context.Context, table string) ([]CodeChange, error) {
	return All[CodeChange](ctx, c, "/code-tables/"+url.PathEscape(table)+"/history")
}

// Volume returns how much the hub holds of an entry, shares and opens.
func (c *Client) Volume(ctx context.Context, resource string) (Volume, error) {
	return fetch[Volume](ctx, c, http.MethodGet, "/resources/"+resource+"/volume", nil)
}

// Related lists the entries that an entry names as related, or that name it.
func (c *Client) Related(ctx context.Context, resource string) ([]Related, error) {
	return All[Related](ctx, c, "/resources/"+resource+"/related")
}
