package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// KindOf and CodeOf find a fault under any number of wrappings and call everything else internal.
func TestKindAndCodeSurviveWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset")
	err := fmt.Errorf("opening source: %w", fault.New(fault.Unavailable, "source_down", "the source does not answer").Wrap(cause))
	if got := fault.KindOf(err); got != fault.Unavailable {
		t.Errorf("kind: got %q, want %q", got, fault.Unavailable)
	}
	if got := fault.CodeOf(err); got != "source_down" {
		t.Errorf("code: got %q", got)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is not reachable")
	}
	if got := fault.KindOf(cause); got != fault.Internal {
		t.Errorf("plain error: got %q, want internal", got)
	}
	if got := fault.KindOf(nil); got != "" {
		t.Errorf("nil: got %q", got)
	}
}

// InvalidFields names all fields at once and is nil for none.
func TestInvalidFields(t *testing.T) {
	t.Parallel()
	if err := fault.InvalidFields(nil); err != nil {
		t.Fatalf("no fields: got %v", err)
	}
	err := fault.InvalidFields([]fault.Field{
		{Name: "name", Code: "required", Message: "give a name"},
		{Name: "items[0].length", Code: "required", Message: "give a length"},
	})
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || len(f.Fields) != 2 || f.Kind != fault.Invalid {
		t.Fatalf("got %#v", err)
	}
}

// With and Wrap leave the fault they were called on unchanged, so package-level faults can be shared.
func TestDerivedFaultsDoNotShareState(t *testing.T) {
	t.Parallel()
	base := fault.New(fault.Conflict, "illegal_move", "not now")
	derived := base.With("allowed", "submit")
	if base.Detail != nil || derived.Detail["allowed"] != "submit" {
		t.Fatalf("base %v, derived %v", base.Detail, derived.Detail)
	}
}
