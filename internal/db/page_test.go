package db_test

import (
	"testing"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A cursor gives back the sort values it was made from, in their types.
func TestPageCursorRoundTrip(t *testing.T) {
	t.Parallel()
	var name string
	var n int64
	more, err := db.Page{Cursor: db.Next("户籍", int64(42))}.After(&name, &n)
	if err != nil || !more || name != "户籍" || n != 42 {
		t.Fatalf("got %q %d, more %v, err %v", name, n, more, err)
	}
}

// A forged cursor is refused as invalid input, never a panic.
func TestPageForgedCursor(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"!!", "e30", "W10", "WzFd", "bnVsbA"} {
		var name string
		if _, err := (db.Page{Cursor: cursor}).After(&name); !fault.Is(err, fault.Invalid) {
			t.Errorf("cursor %q: got %v", cursor, err)
		}
	}
}

// Size keeps the limit inside its bounds.
func TestPageSize(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: 50, -3: 50, 7: 7, 10_000: db.MaxPage} {
		if got := (db.Page{Limit: limit}).Size(); got != want {
			t.Errorf("limit %d: got %d, want %d", limit, got, want)
		}
	}
}
