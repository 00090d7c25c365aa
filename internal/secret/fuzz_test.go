package secret

import (
	"strings"
	"testing"
)

// A password hash that is read is written back alike, and its costs are within what the hub spends on a sign-in.
func FuzzPasswordHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$$")
	f.Add("$$$$$")
	f.Add("$argon2id$v=19$m=1,t=1,p=1$000000000\r00$00000000000000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parsePHC(text)
		if err != nil {
			return
		}
		if h.String() != text || h.params.MemoryKiB > maxMemoryKiB || h.params.Time > maxTime || h.params.Parallelism > maxLanes {
			t.Errorf("%q was read as %s", text, h)
		}
	})
}

// Whatever stands in a line of a key file, reading it ends with a key or with an error that does not repeat the line.
func FuzzKeyLine(f *testing.F) {
	f.Add("shuqiao-key-1 00000001 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Add("shuqiao-key-1 zz AAAA")
	f.Fuzz(func(t *testing.T, line string) {
		if _, err := parseKeyLine(line); err != nil && len(line) > 20 && strings.Contains(err.Error(), line) {
			t.Errorf("the error repeats the line: %v", err)
		}
	})
}
