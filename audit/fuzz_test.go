package audit

import (
	"testing"
)

// Whatever is given as a checkpoint, reading it ends with a size from 0 up or with a fault.
func FuzzCheckpoint(f *testing.F) {
	for _, text := range []string{
		"hub\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "hub\n-1\n\n\n", "", "\n\n\n\n", "hub\n9223372036854775808\nx\n\n— hub AAAA\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, read := range map[string]func(string) (int64, error){
			"the text":   func(s string) (int64, error) { size, _, err := parseCheckpoint(s); return size, err },
			"the signed": func(s string) (int64, error) { size, _, err := readCheckpoint(s); return size, err },
		} {
			if size, err := read(text); err == nil && size < 0 {
				t.Errorf("%s %q: size %d", name, text, size)
			}
		}
	})
}
