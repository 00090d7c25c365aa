package db_test

import (
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Whatever is given as the cursor of a list, it is refused as no cursor, or continues behind values that make a cursor of the same
// place.
func FuzzPage(f *testing.F) {
	f.Add(db.Next(time.Unix(0, 0).UTC(), "户籍", int64(7)))
	for _, cursor := range []string{"", "AQ", "W10", "WzEsMiwzXQ", "bnVsbA", "W251bGwsbnVsbCxudWxsXQ", "\x00", "===="} {
		f.Add(cursor)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		var at time.Time
		var name string
		var n int64
		more, err := db.Page{Cursor: cursor}.After(&at, &name, &n)
		if err != nil {
			if more || fault.CodeOf(err) != "cursor_invalid" {
				t.Errorf("%q: %v, %v", cursor, more, err)
			}
			return
		}
		if more != (cursor != "") {
			t.Errorf("%q: %v", cursor, more)
		}
		if !more || at.Year() < 0 || at.Year() > 9999 {
			return
		}
		var at2 time.Time
		var name2 string
		var n2 int64
		if _, err := (db.Page{Cursor: db.Next(at, name, n)}).After(&at2, &name2, &n2); err != nil || !at2.Equal(at) || name2 != name || n2 != n {
			t.Errorf("%q: %v %q %d, then %v %q %d, %v", cursor, at, name, n, at2, name2, n2, err)
		}
	})
}
