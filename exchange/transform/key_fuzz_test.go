package transform

import (
	"testing"
)

// A key that can be split is joined to itself again, whatever its parts hold.
func FuzzSplitKey(f *testing.F) {
	for _, key := range []string{"", "a", "a~1b", "~0~1~0", "~", "~2", "a~01", "\xff~1"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		parts, ok := SplitKey(key)
		if !ok {
			return
		}
		if got := JoinKey(parts...); got != key {
			t.Errorf("%q was split into %q, which join to %q", key, parts, got)
		}
	})
}
