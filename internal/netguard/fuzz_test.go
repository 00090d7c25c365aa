package netguard_test

import (
	"testing"

	"github.com/shuqiao/shuqiao/internal/netguard"
)

// Whatever stands in a list of networks, reading it ends with a policy or with an error.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "default", "default,127.0.0.0/8", "unix", "::1/129", ",,", "10.0.0.1/8", "fe80::1%eth0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := netguard.Parse(text); err != nil && err.Error() == "" {
			t.Errorf("%q is refused without a word", text)
		}
	})
}
