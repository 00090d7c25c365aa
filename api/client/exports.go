package client

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// Keys asks for rows by key, by a condition, or by both. At least one of Keys and Filter is given; all but Limit stays as it was
// while a cursor is followed.
type Keys struct {
	Keys   []string        `json:"keys,omitempty"`   // At most 10,000; parts of a composite key joined by ~1, ~ written ~0.
	Filter json.RawMessage `json:"filter,omitempty"` // In the filter language.
	Items  []string        `json:"items,omitempty"`
	Limit  int             `json:"limit,omitempty"`
	Cursor string          `json:"cursor,omitempty"`
}

// Find reads one page of the rows that k asks for. Keys that are not there are absent.
func (c *Client) Find(ctx context.Context, p Pull, k Keys) (Page, error) {
	return FindOf[Row](ctx, c, p, k)
}

// FindOf reads one page of the rows that k asks for into a form of the caller's.
func FindOf[R any](ctx context.Context, c *Client, p Pull, k Keys) (out PageOf[R], err error) {
	out.Evidence, err = c.pull(ctx, p, http.MethodPost, p.path("/query"), k, &out)
	return out, err
}

// FoundPages iterates over the pages of the rows that k asks for. After an error it ends.
func FoundPages[R any](ctx context.Context, c *Client, p Pull, k Keys) iter.Seq2[PageOf[R], error] {
	return func(yield func(PageOf[R], error) bool) {
		for {
			page, err := FindOf[R](ctx, c, p, k)
			if !yield(page, err) || err != nil {
				return
			}
			if k.Cursor = page.NextCursor; k.Cursor == "" {
				return
			}
		}
	}
}

// NewExport orders a file of rows.
type NewExport struct {
	Format      string          `json:"format"`                // csv, ndjson, parquet
	Compression string          `json:"compression,omitempty"` // none, gzip, zstd; parquet takes none.
	Items       []string        `json:"items,omitempty"`       // All granted ones when not given.
	Filter      json.RawMessage `json:"filter,omitempty"`      // In the filter language.
}

// Export is an order of a file and how far it is.
type Export struct {
	ID          string     `json:"id"`
	Resource    string     `json:"resource"`
	Grant       string     `json:"grant"`
	Format      string     `json:"format"`
	Compression string     `json:"compression"`
	Items       []string   `json:"items"`
	State       string     `json:"state"`  // queued, running, ready, failed, gone
	Reason      string     `json:"reason"` // Of failed and gone: a problem code.
	Rows        int64      `json:"rows"`
	Total       *int64     `json:"total"`
	Size        int64      `json:"size"`
	Digest      string     `json:"digest"` // Of the whole file.
	EvidenceID  string     `json:"evidence_id"`
	AsOf        *time.Time `json:"as_of"`
	CreatedAt   time.Time  `json:"created_at"`
	FinishedAt  *time.Time `json:"finished_at"`
	ExpiresAt   *time.Time `json:"expires_at"`
}

// FileName is the name under which the hub hands the file out.
func (e Export) FileName() string {
	suffix := map[string]string{"gzip": ".gz", "zstd": ".zst"}
	return e.ID + "." + e.Format + suffix[e.Compression]
}

// OrderExport orders a file of the rows of p.Resource.
func (c *Client) OrderExport(ctx context.Context, p Pull, n NewExport, changes ...Change) (Export, error) {
	return create[Export](ctx, c, p.path("/exports"), n, append([]Change{p.headers}, changes...)...)
}

// Export returns how far an order is.
func (c *Client) Export(ctx context.Context, p Pull, id string) (Export, error) {
	return fetch[Export](ctx, c, http.MethodGet, "/exports/"+id, nil, p.headers)
}

// EachExport iterates over what this client ordered, newest first; state "" does not narrow.
func (c *Client) EachExport(ctx context.Context, state string) iter.Seq2[Export, error] {
	return Each[Export](ctx, c, Filter{"state": state}.path("/exports"))
}

// DeleteExport ends an order and destroys its file.
func (c *Client) DeleteExport(ctx context.Context, p Pull, id string) error {
	return c.Call(ctx, http.MethodDelete, "/exports/"+id, nil, nil, p.headers)
}

// ExportOverError says that an order will never have a file.
type ExportOverError struct{ Export Export }

// Error names the state and the reason.
func (e *ExportOverError) Error() string {
	return fmt.Sprintf("export %s is %s: %s", e.Export.ID, e.Export.State, e.Export.Reason)
}

// The pauses between two questions for an export: short for small files, never longer than people like to wait.
const (
	firstExportPause = 200 * time.Millisecond
	lastExportPause  = 5 * time.Second
)

// WaitExport asks until the file is ready, and calls progress (unless it is nil) with each answer. An order that is failed or gone is
// an *ExportOverError.
func (c *Client) WaitExport(ctx context.Context, p Pull, id string, progress func(Export)) (Export, error) {
	for pause := firstExportPause; ; pause = min(pause*3/2, lastExportPause) {
		e, err := c.Export(ctx, p, id)
		if err != nil {
			return e, err
		}
		if progress != nil {
			progress(e)
		}
		switch e.State {
		case "ready":
			return e, nil
		case "failed", "gone":
			return e, &ExportOverError{e}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return e, ctx.Err()
		case <-timer.C:
		}
	}
}

// Download writes the file of a ready export to w. A persistent client goes on where a connection was cut. Only when it returns nil
// is what was written the file: ErrDigest says that it is not.
func (c *Client) Download(ctx context.Context, p Pull, e Export, w io.Writer) error {
	sum := sha256.New()
	out := &countedWriter{w: io.MultiWriter(sum, w)}
	for out.written < e.Size {
		before := out.written
		err := c.persist(ctx, true, func() error {
			err := c.downloadFrom(ctx, p, e, out)
			if out.err != nil || out.written > before {
				return nil // Progress, or nothing that another attempt mends.
			}
			return err
		})
		switch {
		case out.err != nil:
			return fmt.Errorf("writing export %s: %w", e.ID, out.err)
		case err != nil:
			return err
		case c.Retry == nil && out.written < e.Size:
			return fmt.Errorf("fetching export %s: %w", e.ID, ErrTruncated)
		}
	}
	if out.written != e.Size || contentDigest([sha256.Size]byte(sum.Sum(nil))) != e.Digest {
		return fmt.Errorf("fetching export %s: %w", e.ID, ErrDigest)
	}
	return nil
}

// downloadFrom fetches what follows on what was written.
func (c *Client) downloadFrom(ctx context.Context, p Pull, e Export, out *countedWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from := out.written
	resp, err := c.send(ctx, http.MethodGet, "/exports/"+e.ID+"/file", nil, p.headers, func(r *http.Request) {
		if from > 0 {
			r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		}
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case from == 0 && resp.StatusCode == http.StatusOK, from > 0 && resp.StatusCode == http.StatusPartialContent:
	case resp.StatusCode < http.StatusMultipleChoices:
		return fmt.Errorf("fetching export %s: %w", e.ID, errNotThePart)
	default:
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		return newProblem(resp, raw)
	}
	if _, err = io.Copy(out, io.LimitReader(resp.Body, e.Size-from)); err != nil {
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	return nil
}

// errNotThePart says that a server does not answer with the part that was asked for.
var errNotThePart = errors.New("the answer is not the part of the file that was asked for")

// countedWriter counts what was written and keeps the error of a write.
type countedWriter struct {
	w       io.Writer
	written int64
	err     error
}

// Write writes.
func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.written += int64(n)
	c.err = err
	return n, err
}
