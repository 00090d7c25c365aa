package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// The kinds of columns that connectors report are those that plans compile, by the same names.
func TestKindsAreOne(t *testing.T) {
	t.Parallel()
	var plans []connectors.Kind
	for _, kind := range transform.Kinds() {
		plans = append(plans, connectors.Kind(kind))
	}
	if diff := cmp.Diff(connectors.Kinds(), plans); diff != "" {
		t.Errorf("kinds (-connectors +plans):\n%s", diff)
	}
}
