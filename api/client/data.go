package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Pull says which grant a consuming system means and for what it reads. Empty fields are not sent.
type Pull struct {
	Resource   string // Id of the resource, or its code with "/" written "-".
	Grant      string
	Purpose    string
	CaseNumber string
}

// Query narrows a page, a stream or changes. Zero fields do not narrow.
type Query struct {
	Limit  int
	Cursor string
	Items  []string
	Filter string // In the filter language, as JSON.
}

// Row is one row by identifier; numbers of types N and Y are strings.
type Row map[string]any

// RawRow is one row by identifier with every value as the hub wrote it, since a float64 does not hold every whole number.
type RawRow map[string]json.RawMessage

// Evidence is what came with an answer beside its body.
type Evidence struct {
	ID             string // Of the usage record.
	Digest         string
	QuotaRemaining int64 // -1 when the grant has no quota.
}

// Page is a page of rows.
type Page = PageOf[Row]

// PageOf is a page of rows in a form of the caller's: a struct, or RawRow where every digit counts.
type PageOf[R any] struct {
	Resource      string    `json:"resource"`
	Version       int       `json:"version"`
	Items         []string  `json:"items"`
	Rows          []R       `json:"rows"`
	NextCursor    string    `json:"next_cursor"`
	ChangesCursor string    `json:"changes_cursor"`
	Resync        string    `json:"resync"` // Where to read the rows as they are now, when these are of a shape that was replaced.
	AsOf          time.Time `json:"as_of"`
	Evidence      Evidence  `json:"-"`
}

// RowAnswer is one row.
type RowAnswer struct {
	Resource string    `json:"resource"`
	Version  int       `json:"version"`
	Items    []string  `json:"items"`
	Row      Row       `json:"row"`
	AsOf     time.Time `json:"as_of"`
	Evidence Evidence  `json:"-"`
}

// RowChange is one change.
type RowChange = ChangeOf[Row]

// ChangeOf is one change. A delete bears Key, or RID where the key is masked or not granted.
type ChangeOf[R any] struct {
	Op  string `json:"op"` // upsert, delete
	Seq int64  `json:"seq"`
	Row R      `json:"row"`
	Key string `json:"key"`
	RID string `json:"_rid"`
}

// Changes is what changed since a cursor.
type Changes = ChangesOf[Row]

// ChangesOf is what changed since a cursor, with rows in a form of the caller's.
type ChangesOf[R any] struct {
	Resource   string        `json:"resource"`
	Version    int           `json:"version"`
	Items      []string      `json:"items"`
	Changes    []ChangeOf[R] `json:"changes"`
	NextCursor string        `json:"next_cursor"`
	More       bool          `json:"more"`
	Resync     string        `json:"resync"` // Where to read the rows as they are now: this cursor is of a shape that was replaced and will soon be gone.
	AsOf       time.Time     `json:"as_of"`
	Evidence   Evidence      `json:"-"`
}

// Claim is what a caller believes about one row.
type Claim struct {
	Key   string         `json:"key"`
	Items map[string]any `json:"items"`
}

// Verdicts is the answer to claims, in their order: match, mismatch or unknown per item.
type Verdicts struct {
	Results []struct {
		Key   string            `json:"key"`
		Items map[string]string `json:"items"`
	} `json:"results"`
	AsOf     time.Time `json:"as_of"`
	Evidence Evidence  `json:"-"`
}

func (p Pull) path(rest string) string { return "/data/" + url.PathEscape(p.Resource) + rest }

func (p Pull) headers(r *http.Request) {
	for name, value := range map[string]string{"X-Grant": p.Grant, "X-Purpose": p.Purpose, "X-Case-Number": p.CaseNumber} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

func (q Query) encode() string {
	v := url.Values{}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Cursor != "" {
		v.Set("cursor", q.Cursor)
	}
	if len(q.Items) > 0 {
		v.Set("items", strings.Join(q.Items, ","))
	}
	if q.Filter != "" {
		v.Set("filter", q.Filter)
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

// pull calls a data route and decodes the answer.
func (c *Client) pull(ctx context.Context, p Pull, method, path string, body, out any) (Evidence, error) {
	raw, header, err := c.exchange(ctx, method, path, body, p.headers)
	if err != nil {
		return Evidence{}, err
	}
	digest := header.Get("X-Content-Digest")
	if digest != "" && digest != contentDigest(sha256.Sum256(raw)) {
		return Evidence{}, fmt.Errorf("reading the answer of %s: %w", path, ErrDigest)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return Evidence{}, fmt.Errorf("decoding the answer of %s: %w", path, err)
	}
	e := Evidence{ID: header.Get("X-Evidence-Id"), Digest: digest, QuotaRemaining: -1}
	if left, err := strconv.ParseInt(header.Get("X-Quota-Remaining"), 10, 64); err == nil {
		e.QuotaRemaining = left
	}
	return e, nil
}

// contentDigest writes a SHA-256 as the hub does (RFC 9530).
func contentDigest(sum [sha256.Size]byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// ErrDigest says that what arrived is not what the hub sent: its SHA-256 differs from the one that came with it.
var ErrDigest = errors.New("the answer was damaged on the way: its digest does not fit")

// Rows reads one page of current rows.
func (c *Client) Rows(ctx context.Context, p Pull, q Query) (Page, error) {
	return RowsOf[Row](ctx, c, p, q)
}

// RowsOf reads one page of current rows into a form of the caller's.
func RowsOf[R any](ctx context.Context, c *Client, p Pull, q Query) (out PageOf[R], err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodGet, p.path("/rows"+q.encode()), nil, &out)
	return out, err
}

// Row reads one row by its clear key.
func (c *Client) Row(ctx context.Context, p Pull, key string, items ...string) (out RowAnswer, err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodGet, p.path("/rows/"+url.PathEscape(key)+Query{Items: items}.encode()), nil, &out)
	return out, err
}

// Changes reads what changed since q.Cursor.
func (c *Client) Changes(ctx context.Context, p Pull, q Query) (Changes, error) {
	return ChangesSince[Row](ctx, c, p, q)
}

// ChangesSince reads what changed since q.Cursor, with rows in a form of the caller's.
func ChangesSince[R any](ctx context.Context, c *Client, p Pull, q Query) (out ChangesOf[R], err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodGet, p.path("/changes"+q.encode()), nil, &out)
	return out, err
}

// Verify checks claims.
func (c *Client) Verify(ctx context.Context, p Pull, claims []Claim) (out Verdicts, err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodPost, p.path("/verify"), map[string]any{"claims": claims}, &out)
	return out, err
}

// Schema is what a grant gives.
type Schema struct {
	Resource     string       `json:"resource"`
	Version      int          `json:"version"`
	Grant        string       `json:"grant"`
	TermsVersion int64        `json:"terms_version"`
	RowID        bool         `json:"row_id"` // Rows carry _rid, since their key is masked or not granted.
	ByKey        bool         `json:"by_key"` // Rows can be asked for by key.
	Key          []string     `json:"key"`    // The key items in the order in which keys are written; empty where rows carry _rid.
	Items        []SchemaItem `json:"items"`
}

// SchemaItem is one granted item.
type SchemaItem struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
	DataType   string `json:"data_type"`
	Length     int    `json:"length"`
	Scale      int    `json:"scale"`
	Format     string `json:"format"`
	Key        bool   `json:"is_key"`
	Required   bool   `json:"required"`
	Masked     bool   `json:"masked"`
	Mask       string `json:"mask"`
	Lookup     bool   `json:"lookup"`
	Filterable bool   `json:"filterable"`
	Definition string `json:"definition"`
	Unit       string `json:"unit"`
	CodeSet    string `json:"code_set"`
}

// SchemaOf returns what a grant gives.
func (c *Client) SchemaOf(ctx context.Context, p Pull) (out Schema, err error) {
	_, err = c.pull(ctx, p, http.MethodGet, p.path("/schema"), nil, &out)
	return out, err
}

// Schema returns the granted items as the hub describes them.
func (c *Client) Schema(ctx context.Context, p Pull) (out Raw, err error) {
	_, err = c.pull(ctx, p, http.MethodGet, p.path("/schema"), nil, &out)
	return out, err
}

// StreamEnd is the last line of a stream that ended well.
type StreamEnd struct {
	Rows          int64  `json:"rows"`
	NextCursor    string `json:"next_cursor"`
	ChangesCursor string `json:"changes_cursor"`
	Digest        string `json:"digest"`
}

// ErrTruncated says that a stream ended without its last line: what came is not the whole.
var ErrTruncated = errors.New("the stream was cut before its end")

// Stream reads all rows, one by one, and returns how the stream ended. A stream that policy stops returns a *Problem with
// the code of its last line; any other early end matches ErrTruncated. An error of each stops reading and is returned.
func (c *Client) Stream(ctx context.Context, p Pull, q Query, each func(Row) error) (StreamEnd, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.send(ctx, http.MethodGet, p.path("/rows"+q.encode()), nil, p.headers, func(r *http.Request) {
		r.Header.Set("Accept", "application/x-ndjson")
	})
	if err != nil {
		return StreamEnd{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return StreamEnd{}, fmt.Errorf("reading the answer: %w", err)
		}
		return StreamEnd{}, newProblem(resp, raw)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 64<<10), 64<<20)
	sum := sha256.New()
	for lines.Scan() {
		end, done, err := readLine(lines.Bytes(), resp.StatusCode, each)
		if err == nil && done && end.Digest != "" && end.Digest != contentDigest([sha256.Size]byte(sum.Sum(nil))) {
			err = ErrDigest
		}
		if err != nil || done {
			return end, err
		}
		_, _ = sum.Write(lines.Bytes()) // A hash never fails to take bytes.
		_, _ = sum.Write([]byte{'\n'})
	}
	if err := lines.Err(); err != nil {
		return StreamEnd{}, fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	return StreamEnd{}, ErrTruncated
}

// readLine handles one line of a stream: a row, the end, or the error that stopped it. Items cannot be called "end" or
// "error" with an object as value, so the two closing lines cannot be taken for rows.
func readLine(line []byte, status int, each func(Row) error) (end StreamEnd, done bool, err error) {
	if bytes.HasPrefix(line, []byte(`{"end":{`)) || bytes.HasPrefix(line, []byte(`{"error":{`)) {
		var closing struct {
			End   *StreamEnd `json:"end"`
			Error *Problem   `json:"error"`
		}
		if err := json.Unmarshal(line, &closing); err != nil {
			return StreamEnd{}, false, fmt.Errorf("decoding the last line of a stream: %w", err)
		}
		if closing.Error != nil {
			closing.Error.Status = status
			return StreamEnd{}, true, closing.Error
		}
		if closing.End == nil { // The line names it twice, the second time as null.
			return StreamEnd{}, false, errors.New("decoding the last line of a stream: it says nothing")
		}
		return *closing.End, true, nil
	}
	var row Row
	if err := json.Unmarshal(line, &row); err != nil {
		return StreamEnd{}, false, fmt.Errorf("decoding a row of a stream: %w", err)
	}
	return StreamEnd{}, false, each(row)
}
