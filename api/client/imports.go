package client

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Import is a file of entries on its way into the directory. State is received, checking, checked, applying, done or failed.
type Import struct {
	ID           string     `json:"id"`
	DepartmentID string     `json:"department_id"`
	CreatedBy    string     `json:"created_by"`
	AppliedBy    string     `json:"applied_by,omitempty"`
	FileName     string     `json:"file_name"`
	Size         int64      `json:"size"`
	SHA256       string     `json:"sha256"`
	Mode         string     `json:"mode"`
	State        string     `json:"state"`
	Reason       string     `json:"reason"`
	Message      string     `json:"message"`
	Entries      int        `json:"entries"`
	Items        int        `json:"items"`
	Done         int        `json:"done"`
	Added        int        `json:"added"`
	Changed      int        `json:"changed"`
	Unchanged    int        `json:"unchanged"`
	Wrong        int        `json:"wrong"`
	Troubles     int        `json:"troubles"`
	Applied      int        `json:"applied"`
	RowVersion   int64      `json:"row_version"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	FinishedAt   *time.Time `json:"finished_at,omitempty"`
}

// ImportError is one thing that is wrong in a file.
type ImportError struct {
	Sheet  string `json:"sheet"`
	Row    int    `json:"row"`
	Cell   string `json:"cell"`
	Column string `json:"column"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// SendImport sends a file of entries in: xlsx, CSV, or CSV files in a zip file. mode is all or good.
func (c *Client) SendImport(ctx context.Context, name, mode string, file []byte) (Import, error) {
	q := url.Values{"name": {name}, "mode": {mode}}
	return fetch[Import](ctx, c, http.MethodPost, "/imports?"+q.Encode(), nil, func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(file)), int64(len(file))
		r.Header.Set("Content-Type", "application/octet-stream")
	})
}

// Import returns how far an import is.
func (c *Client) Import(ctx context.Context, id string) (Import, error) {
	return fetch[Import](ctx, c, http.MethodGet, "/imports/"+id, nil)
}

// ApplyImport has the entries of a checked import written.
func (c *Client) ApplyImport(ctx context.Context, id string, changes ...Change) (Import, error) {
	return fetch[Import](ctx, c, http.MethodPost, "/imports/"+id+"/apply", nil, changes...)
}

// EachImportError iterates over what is wrong in the file of an import, in the order of its rows.
func (c *Client) EachImportError(ctx context.Context, id string) iter.Seq2[ImportError, error] {
	return Each[ImportError](ctx, c, "/imports/"+id+"/errors")
}

// ImportResult writes the file of an import to w again, with a column that says what is wrong.
func (c *Client) ImportResult(ctx context.Context, id string, w io.Writer) error {
	return c.download(ctx, "/imports/"+url.PathEscape(id)+"/result", w)
}

// ImportTemplate writes the workbook to fill in to w.
func (c *Client) ImportTemplate(ctx context.Context, w io.Writer) error {
	return c.download(ctx, "/directory/template", w)
}

// ExportDirectory writes all entries that the caller may read to w, in a form that can be imported again; narrow holds format (xlsx
// or csv, in a zip file) and what a search may be narrowed by: department_id, q, base_database, share_type, update_cycle.
func (c *Client) ExportDirectory(ctx context.Context, narrow url.Values, w io.Writer) error {
	return c.download(ctx, "/directory/export?"+narrow.Encode(), w)
}
