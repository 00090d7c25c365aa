package db

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Page asks for a part of a list: at most Limit entries after Cursor. The zero Page is the first 50.
type Page struct {
	Limit  int
	Cursor string
}

// MaxPage is the most entries one list call returns.
const MaxPage = 500

// Size returns Limit bounded to 1..MaxPage, 50 when it is not given.
func (p Page) Size() int {
	switch {
	case p.Limit <= 0:
		return 50
	case p.Limit > MaxPage:
		return MaxPage
	}
	return p.Limit
}

var errLength = errors.New("cursor has another number of values")

// After decodes the cursor into pointers to the sort values of the last entry seen; it is false for the first page. A cursor that
// Next did not make is an Invalid fault "cursor_invalid". List cursors hold sort values a caller has already been shown.
func (p Page) After(values ...any) (bool, error) {
	if p.Cursor == "" {
		return false, nil
	}
	var parts []json.RawMessage
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(raw, &parts)
	}
	if err == nil && len(parts) != len(values) {
		err = errLength
	}
	for i := range parts {
		if err == nil {
			err = json.Unmarshal(parts[i], values[i])
		}
	}
	if err != nil {
		return false, fault.New(fault.Invalid, "cursor_invalid", "this cursor was not issued for this list; start again without one")
	}
	return true, nil
}

// Next makes the cursor that continues after an entry with these sort values.
func Next(values ...any) string {
	raw, err := json.Marshal(values)
	if err != nil {
		panic(err) // Sort values are strings, numbers and times.
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Cut takes the page out of a list that was read one entry further, and makes the cursor of the next page from the last one kept.
func Cut[T any](read []T, page Page, cursor func(T) string) ([]T, string) {
	if len(read) <= page.Size() {
		return read, ""
	}
	read = read[:page.Size()]
	return read, cursor(read[len(read)-1])
}
