package client

import (
	"bufio"
	"bytes"
	"context"
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

// Evidence is what came with an answer beside its body.
type Evidence struct {
	ID             string // Of the usage record.
	Digest         string
	QuotaRemaining int64 // -1 when the grant has no quota.
}

// Page is a page of rows.
type Page struct {
	Resource      string    `json:"resource"`
	Version       int       `json:"version"`
	Items         []string  `json:"items"`
	Rows          []Row     `json:"rows"`
	NextCursor    string    `json:"next_cursor"`
	ChangesCursor string    `json:"changes_cursor"`
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

// RowChange is one change. A delete bears Key, or RID where the key is masked or not granted.
type RowChange struct {
	Op  string `json:"op"` // upsert, delete
	Seq int64  `json:"seq"`
	Row Row    `json:"row"`
	Key string `json:"key"`
	RID string `json:"_rid"`
}

// Changes is what changed since a cursor.
type Changes struct {
	Resource   string      `json:"resource"`
	Version    int         `json:"version"`
	Items      []string    `json:"items"`
	Changes    []RowChange `json:"changes"`
	NextCursor string      `json:"next_cursor"`
	More       bool        `json:"more"`
	AsOf       time.Time   `json:"as_of"`
	Evidence   Evidence    `json:"-"`
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
	if err := json.Unmarshal(raw, out); err != nil {
		return Evidence{}, fmt.Errorf("decoding the answer of %s: %w", path, err)
	}
	e := Evidence{ID: header.Get("X-Evidence-Id"), Digest: header.Get("X-Content-Digest"), QuotaRemaining: -1}
	if left, err := strconv.ParseInt(header.Get("X-Quota-Remaining"), 10, 64); err == nil {
		e.QuotaRemaining = left
	}
	return e, nil
}

// Rows reads one page of current rows.
func (c *Client) Rows(ctx context.Context, p Pull, q Query) (out Page, err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodGet, p.path("/rows"+q.encode()), nil, &out)
	return out, err
}

// Row reads one row by its clear key.
func (c *Client) Row(ctx context.Context, p Pull, key string, items ...string) (out RowAnswer, err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodGet, p.path("/rows/"+url.PathEscape(key)+Query{Items: items}.encode()), nil, &out)
	return out, err
}

// Changes reads what changed since q.Cursor.
func (c *Client) Changes(ctx context.Context, p Pull, q Query) (out Changes, err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodGet, p.path("/changes"+q.encode()), nil, &out)
	return out, err
}

// Verify checks claims.
func (c *Client) Verify(ctx context.Context, p Pull, claims []Claim) (out Verdicts, err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodPost, p.path("/verify"), map[string]any{"claims": claims}, &out)
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
	for lines.Scan() {
		end, done, err := readLine(lines.Bytes(), resp.StatusCode, each)
		if err != nil || done {
			return end, err
		}
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
		return *closing.End, true, nil
	}
	var row Row
	if err := json.Unmarshal(line, &row); err != nil {
		return StreamEnd{}, false, fmt.Errorf("decoding a row of a stream: %w", err)
	}
	return StreamEnd{}, false, each(row)
}
