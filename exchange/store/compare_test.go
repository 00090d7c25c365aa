package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/exchange/store"
)

// compare stages a fresh read and compares it with the store.
func (b *bundle) compare(t testing.TB, rows rowsOf, rejected ...string) store.Comparison {
	t.Helper()
	job := b.job(t)
	job.Compare = true
	st := b.stage(t, job, rows, nil, rejected...)
	c, err := st.Compare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Every kind of difference is counted completely, however many there are of another kind, and the list shows some of each.
func TestComparisonCountsEveryKind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stored, source := rowsOf{}, rowsOf{}
	for i := range 3000 {
		key := fmt.Sprintf("k%04d", i)
		stored[key] = [2]string{"330602", "x"}
		switch {
		case i < 1500:
			source[key] = [2]string{"330602", "other"}
		case i < 1510:
		default:
			source[key] = stored[key]
		}
	}
	for i := range 20 {
		source[fmt.Sprintf("new%d", i)] = [2]string{"330602", "x"}
	}
	b.collect(t, stored)
	c := b.compare(t, source)
	if c.Changed != 1500 || c.Extra != 10 || c.Missing != 20 {
		t.Errorf("changed %d, extra %d, missing %d", c.Changed, c.Extra, c.Missing)
	}
	listed := map[string]int{}
	for _, d := range c.Differences {
		listed[d.Kind]++
	}
	if diff := cmp.Diff(map[string]int{"changed": 970, "extra": 10, "missing": 20}, listed); diff != "" {
		t.Error(diff)
	}
	if c.Listed() {
		t.Error("the list claims to be complete")
	}
}

// Held, rejected and superseded keys stand apart: they are neither equal nor a difference, except that a held row whose key
// the source has in order again is stale, and so changed.
func TestComparisonSetsKeysApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.collect(t, rowsOf{"a": {"330602", "1"}, "held": {"330602", "2"}, "gone": {"330602", "3"}})
	b.collect(t, rowsOf{"a": {"330602", "1"}, "gone": {"330602", "3"}}, "held", "never")
	cases := []struct {
		name     string
		source   rowsOf
		rejected []string
		want     []store.Difference
	}{
		{"as it was", rowsOf{"a": {"330602", "1"}, "gone": {"330602", "3"}}, []string{"held", "never"}, nil},
		{"held key gone from the source", rowsOf{"a": {"330602", "1"}, "gone": {"330602", "3"}}, nil, nil},
		{"held key in order again", rowsOf{"a": {"330602", "1"}, "gone": {"330602", "3"}, "held": {"330602", "2"}}, nil, []store.Difference{{Kind: "changed", Key: "held"}}},
		{"newly rejected key", rowsOf{"a": {"330602", "1"}}, []string{"gone", "held"}, nil},
		{"one gone, one new", rowsOf{"a": {"330602", "1"}, "new": {"330602", "1"}}, []string{"held"}, []store.Difference{{Kind: "extra", Key: "gone"}, {Kind: "missing", Key: "new"}}},
	}
	for _, c := range cases {
		got := b.compare(t, c.source, c.rejected...)
		if diff := cmp.Diff(c.want, got.Differences); diff != "" || got.Equal() != (len(c.want) == 0) {
			t.Errorf("%s: %+v\n%s", c.name, got, diff)
		}
		if got.Held != 1 || got.Rejected != int64(len(c.rejected)) {
			t.Errorf("%s: held %d, rejected %d", c.name, got.Held, got.Rejected)
		}
	}
}

// Where an order column decides, a refused row that is newer than the accepted ones of its key holds the stored row; an
// older one changes nothing. The stored row never goes back to an older one.
func TestOrderColumnAndRejects(t *testing.T) {
	t.Parallel()
	order := func(v string) *string { return &v }
	cases := []struct {
		name     string
		accepted []string // Order values of accepted rows of key k; "" is NULL.
		refused  *string  // Order value of the refused one.
		want     string   // Name of the stored row afterwards; "stored" is the one of before.
		counts   store.Counts
	}{
		{"newest refused", []string{"9"}, order("10"), "stored", store.Counts{Read: 2, Rejected: 1, Superseded: 1, Held: 1}},
		{"newest of three refused", []string{"8", "9"}, order("10"), "stored", store.Counts{Read: 3, Rejected: 1, Superseded: 2, Held: 1}},
		{"older refused", []string{"11"}, order("10"), "11", store.Counts{Read: 2, Rejected: 1, Updated: 1}},
		{"between refused", []string{"11", "9"}, order("10"), "11", store.Counts{Read: 3, Rejected: 1, Updated: 1, Superseded: 1}},
		{"equally old refused", []string{"10"}, order("10"), "stored", store.Counts{Read: 2, Rejected: 1, Superseded: 1, Held: 1}},
		{"refused without order", []string{"10"}, nil, "10", store.Counts{Read: 2, Rejected: 1, Updated: 1}},
		{"accepted without order", []string{""}, order("10"), "stored", store.Counts{Read: 2, Rejected: 1, Superseded: 1, Held: 1}},
	}
	for _, c := range cases {
		b := setup(t)
		b.collect(t, rowsOf{"k": {"330602", "stored"}})
		job := b.job(t)
		job.Ordered = "numeric"
		st, err := b.store.Open(t.Context(), job, false)
		if err != nil {
			t.Fatal(err)
		}
		key := "k"
		st.Refuse(store.Refused{No: 1, Key: &key, Reasons: []byte("[]"), Hash: []byte("h"), Sealed: []byte("s"), Order: c.refused})
		for i, o := range c.accepted {
			r := row(int64(i+2), "k", [2]string{"330602", o})
			if o != "" {
				r.Order = []byte(o)
			}
			st.Append(r)
		}
		checkpoint(t, st, nil)
		if err := st.Settle(t.Context(), seal); err != nil {
			t.Fatal(err)
		}
		if got := b.commit(t, st); got != c.counts {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.counts)
		}
		if got := b.stored(t)["k"][1]; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
