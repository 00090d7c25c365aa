package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// Each iterates over a list, page by page as it is asked for. path may have a query. After an error it ends.
func Each[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			l, err := fetch[List[T]](ctx, c, http.MethodGet, withCursor(path, cursor), nil)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, entry := range l.Data {
				if !yield(entry, nil) {
					return
				}
			}
			if cursor = l.NextCursor; cursor == "" {
				return
			}
		}
	}
}

func withCursor(path, cursor string) string {
	if cursor == "" {
		return path
	}
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	return path + sep + "cursor=" + url.QueryEscape(cursor)
}

// Pages iterates over the pages of current rows from q.Cursor on. The last page has a ChangesCursor. After an error it ends.
func Pages[R any](ctx context.Context, c *Client, p Pull, q Query) iter.Seq2[PageOf[R], error] {
	return func(yield func(PageOf[R], error) bool) {
		for {
			page, err := RowsOf[R](ctx, c, p, q)
			if !yield(page, err) || err != nil {
				return
			}
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				return
			}
		}
	}
}

// ChangePages iterates over the changes since q.Cursor until there are no more for now. Each page has the cursor behind it.
// After an error it ends.
func ChangePages[R any](ctx context.Context, c *Client, p Pull, q Query) iter.Seq2[ChangesOf[R], error] {
	return func(yield func(ChangesOf[R], error) bool) {
		for {
			page, err := ChangesSince[R](ctx, c, p, q)
			if !yield(page, err) || err != nil || !page.More {
				return
			}
			q.Cursor = page.NextCursor
		}
	}
}

// errStopped ends a stream whose rows nobody wants any more.
var errStopped = errors.New("stopped")

// StreamRows iterates over all rows of a stream. It ends with an error where Stream does, that of a wrong digest among them:
// only when it ends without one were these all the rows.
func (c *Client) StreamRows(ctx context.Context, p Pull, q Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		_, err := c.Stream(ctx, p, q, func(row Row) error {
			if !yield(row, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}
