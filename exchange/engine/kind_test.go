package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// A kind that a connector reports is one that plans compile and the table of conversions knows, by the same name.
func TestKindsAreOne(t *testing.T) {
	t.Parallel()
	var plans []connectors.Kind
	for _, kind := range transform.Kinds() {
		plans = append(plans, connectors.Kind(kind))
		if !codes.KnownKind(string(kind)) {
			t.Errorf("what a column of kind %s feeds is not stated", kind)
		}
	}
	if diff := cmp.Diff(connectors.Kinds(), plans); diff != "" {
		t.Errorf("kinds (-connectors +plans):\n%s", diff)
	}
}
