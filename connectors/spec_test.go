package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/fault"
)

func testSpec() Spec {
	return Spec{Name: "fake", Fields: []Field{
		{Key: "name", Kind: FieldString, Required: true, Doc: "d", DocZH: "文"},
		{Key: "rows", Kind: FieldInt, Default: "5000", Min: 1, Max: 10_000, Doc: "d", DocZH: "文"},
		{Key: "deep", Kind: FieldBool, Doc: "d", DocZH: "文"},
		{Key: "mode", Kind: FieldEnum, Choices: []string{"a", "b"}, Default: "a", Doc: "d", DocZH: "文"},
		{Key: "wait", Kind: FieldDuration, Default: "30s", Doc: "d", DocZH: "文"},
		{Key: "token", Kind: FieldSecret, Doc: "d", DocZH: "文"},
	}}
}

// Settings become typed values, and absent or empty ones take their default.
func TestParse(t *testing.T) {
	t.Parallel()
	c, err := testSpec().Parse(map[string]string{"name": "x", "deep": "true", "mode": "", "token": "hidden"})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.String("name"), c.Int("rows"), c.Bool("deep"), c.String("mode"), c.Duration("wait"), c.String("token"), c.Has("deep")}
	if diff := cmp.Diff([]any{"x", int64(5000), true, "a", 30 * time.Second, "hidden", true}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"token"}, testSpec().SecretKeys()); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	document, err := json.Marshal(map[string]any{"config": c})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %#v %s", c, c, document); strings.Contains(text, "hidden") || strings.Count(text, "token=***") != 3 {
		t.Errorf("printed as %s", text)
	}
}

// Everything wrong is named at once, in field order, with a code and without the value.
func TestParseNamesEverythingWrong(t *testing.T) {
	t.Parallel()
	_, err := testSpec().Parse(map[string]string{
		"rows": "hidden1", "deep": "hidden2", "mode": "hidden3", "wait": "-1s", "zzz": "hidden4", "aaa": "hidden5",
	})
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Kind != fault.Invalid {
		t.Fatalf("error %v, want an Invalid fault", err)
	}
	var got []string
	for _, field := range f.Fields {
		got = append(got, field.Name+" "+field.Code)
		if strings.Contains(field.Message, "hidden") {
			t.Errorf("the message repeats the value: %s", field.Message)
		}
	}
	want := []string{
		"name required", "rows not_int", "deep not_bool", "mode not_choice", "wait not_duration", "aaa unknown", "zzz unknown",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// A driver that asks for a setting it does not have, or as another kind, is stopped in its first test.
func TestConfigPanicsOnWrongKey(t *testing.T) {
	t.Parallel()
	c, err := testSpec().Parse(map[string]string{"name": "x"})
	if err != nil {
		t.Fatal(err)
	}
	for name, get := range map[string]func(){
		"an unknown key": func() { c.String("nmae") },
		"another kind":   func() { c.Int("name") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			get()
		}()
	}
}

// fakeDriver is the smallest driver: its source fails as it is told.
type fakeDriver struct {
	spec Spec
	err  error
}

func (d fakeDriver) Spec() Spec { return d.spec }

func (d fakeDriver) OpenSource(context.Context, Config) (Source, error) {
	return fakeSource{err: d.err}, nil
}

func (d fakeDriver) Classify(error) Failure { return Failure{Code: CodeReadFailed, Text: "classified"} }

type fakeSource struct {
	Source
	err error
}

func (s fakeSource) Now(ctx context.Context) (time.Time, error) {
	if s.err == nil {
		<-ctx.Done()
		return time.Time{}, errors.New("hidden raw error")
	}
	return time.Time{}, s.err
}

func (fakeSource) Close() error { return nil }

// A registry refuses a name twice and specifications that no form or document could be made of.
func TestRegistry(t *testing.T) {
	t.Parallel()
	change := func(edit func(*Spec)) Spec {
		s := testSpec()
		s.Fields = slices.Clone(s.Fields)
		edit(&s)
		return s
	}
	for name, specs := range map[string][]Spec{
		"a name twice":        {testSpec(), testSpec()},
		"no name":             {change(func(s *Spec) { s.Name = "" })},
		"a name with a slash": {change(func(s *Spec) { s.Name = "a/b" })},
		"a key twice":         {change(func(s *Spec) { s.Fields[1].Key = "name" })},
		"no Chinese text":     {change(func(s *Spec) { s.Fields[0].DocZH = "" })},
		"an enum alone":       {change(func(s *Spec) { s.Fields[3].Choices = nil })},
		"a wrong default":     {change(func(s *Spec) { s.Fields[1].Default = "0" })},
		"a default secret":    {change(func(s *Spec) { s.Fields[5].Default = "x" })},
	} {
		var drivers []Driver
		for _, spec := range specs {
			drivers = append(drivers, fakeDriver{spec: spec})
		}
		if _, err := NewRegistry(drivers...); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	r, err := NewRegistry(fakeDriver{spec: testSpec()}, fakeDriver{spec: Spec{Name: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if specs := r.Specs(); len(specs) != 2 || specs[0].Name != "a" || specs[1].Name != "fake" {
		t.Errorf("specs %v", specs)
	}
	_, err = Open(t.Context(), r, "hidden", nil, Options{})
	if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Kind != fault.Invalid || f.Fields[0].Name != "driver" || strings.Contains(err.Error(), "hidden") {
		t.Errorf("an unknown driver: %v", err)
	}
}

// Raw errors become faults of a known kind and code whose text is the driver's judgement only; the caller's own context
// stays its own, and silence is a timeout.
func TestFaults(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		name      string
		ctx       context.Context
		err       error
		code      string
		is        error
		retryable bool
	}{
		{"a refused address", t.Context(), fmt.Errorf("dialling: %w", ErrRefused), CodeRefused, nil, false},
		{"a raw error", t.Context(), errors.New("hidden raw error"), CodeReadFailed, nil, false},
		{"a missing object", t.Context(), fmt.Errorf("%w: x", ErrObjectMissing), CodeObjectMissing, nil, false},
		{"a missing column", t.Context(), ErrColumnMissing, CodeColumnMissing, nil, false},
		{"a bad order", t.Context(), ErrOrderNotUnique, CodeOrder, nil, false},
		{"a huge row", t.Context(), ErrRowTooLarge, CodeRowTooLarge, nil, false},
		{"silence", t.Context(), nil, CodeTimeout, nil, true},
		{"a cancelled caller", cancelled, nil, "internal", context.Canceled, false},
	} {
		r, err := NewRegistry(fakeDriver{spec: testSpec(), err: row.err})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Open(t.Context(), r, "fake", map[string]string{"name": "x"}, Options{StallTimeout: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Now(row.ctx)
		if fault.CodeOf(err) != row.code || Retryable(err) != row.retryable || row.is != nil && !errors.Is(err, row.is) {
			t.Errorf("%s: %v, retryable %v", row.name, err, Retryable(err))
		}
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the raw text is shown: %v", row.name, err)
		}
	}
}

// Each code has exactly one row that gives it a kind and a sentence, and wraps stay retryable.
func TestFailuresAreComplete(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		CodeDown, CodeTimeout, CodeAuth, CodeObjectMissing, CodeColumnMissing, CodePermission, CodeOrder, CodeRowTooLarge, CodeRefused, CodeReadFailed,
	} {
		f := newFault(Failure{Code: code})
		if f.Code != code || !slices.Contains(fault.Kinds(), f.Kind) || f.Message == "" || f.Layer != "source" {
			t.Errorf("%s: %+v", code, f)
		}
	}
	if f := newFault(Failure{Code: "unheard_of"}); f.Code != CodeReadFailed {
		t.Errorf("an unknown code: %v", f)
	}
	passing := fmt.Errorf("collecting: %w", newFault(Failure{Code: CodeReadFailed, Passing: true}))
	if !Retryable(passing) || Retryable(nil) || Retryable(newFault(Failure{Code: CodeAuth, Passing: true})) {
		t.Error("Retryable must follow the table, and Passing for read failures alone")
	}
}
