package retention

import (
	"testing"

	"github.com/shuqiao/shuqiao/internal/retain"
)

// Every kind of the table has a way to go, and nothing else has.
func TestEveryKindHasAWay(t *testing.T) {
	t.Parallel()
	for _, r := range retain.Rules() {
		if ways[r.Kind].remove == nil {
			t.Errorf("nothing removes %s", r.Kind)
		}
	}
	if got, want := len(ways), len(retain.Rules()); got != want {
		t.Errorf("got %d ways for %d kinds", got, want)
	}
}
