package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Every kind of fault has an HTTP status, and there is no status for anything else.
func TestStatusTableIsComplete(t *testing.T) {
	t.Parallel()
	table := statuses()
	for _, kind := range fault.Kinds() {
		if status := table[kind]; status < 400 || status > 599 {
			t.Errorf("%s has status %d", kind, status)
		}
		delete(table, kind)
	}
	if len(table) > 0 {
		t.Errorf("statuses of unknown kinds: %v", table)
	}
}

// What is internal stays inside: neither the text of a plain error nor that of an internal fault or a cause reaches a caller.
func TestInternalErrorsAreHidden(t *testing.T) {
	t.Parallel()
	const inside = "password=hunter2"
	for _, err := range []error{
		errors.New(inside), fmt.Errorf("reading: %w", errors.New(inside)), fault.New(fault.Internal, "defect", inside),
		fault.New(fault.Unavailable, "source_down", "the source does not answer").Wrap(errors.New(inside)), context.DeadlineExceeded,
	} {
		p := newProblem(err, "r1")
		if strings.Contains(fmt.Sprintf("%+v", *p), inside) || p.Status < 500 || p.RequestID != "r1" {
			t.Errorf("%v: got %+v", err, *p)
		}
	}
}

// A field error keeps names of the contract and places in lists, and drops names and messages that the caller could have
// written.
func TestFieldErrorsRepeatNothing(t *testing.T) {
	t.Parallel()
	a := &API{names: map[string]bool{"items": true, "name": true}}
	for _, c := range []struct{ location, message, name, code string }{
		{"body.items[2].name", "expected string", "items[2].name", "wrong_type"},
		{"body.items[2].secret", "unexpected property", "items[2]", "unknown_field"},
		{"body.secret", "unexpected property", "body", "unknown_field"},
		{"query.secret", "unknown query parameter", "query", "unknown_field"},
		{"body.name", "expected string to be RFC 4122 uuid: secret", "name", "wrong_format"},
		{"path.name", `invalid UUID "secret"`, "name", "malformed"},
		{"body.items[secret]", "expected string", "body", "wrong_type"},
		{"body", "invalid character 's' looking for secret", "body", "malformed"},
		{"body.name", "expected string to be RFC 3986 uri: secret", "name", "wrong_type"},
	} {
		f := a.field(&huma.ErrorDetail{Location: c.location, Message: c.message, Value: "secret"})
		if f.Name != c.name || f.Code != c.code || strings.Contains(f.Message, "secret") {
			t.Errorf("%s %q: got %+v", c.location, c.message, f)
		}
	}
}

// U+0000 is found raw and escaped, and a backslash that is itself escaped is not taken for one.
func TestHoldsNUL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"a":"\u0000"}`: true, `{"a":"\\u0000"}`: false, `{"a":"\\\u0000"}`: true, "a\x00": true, `{"a":"u0000"}`: false, ``: false,
	} {
		if got := holdsNUL([]byte(text)); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}
