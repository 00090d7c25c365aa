package codes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each kind of column feeds the letters that its values can be converted into, and a geometry only where one is meant.
func TestFeeds(t *testing.T) {
	t.Parallel()
	type letters struct{ Plain, Geometry string }
	want := map[string]letters{
		"text": {"CNYDTLMGBIF", "G"}, "integer": {"CNYDLMBIF", ""}, "decimal": {"CNYMBIF", ""}, "float": {"CNYMBIF", ""},
		"bool": {"CLM", ""}, "date": {"CDTM", ""}, "timestamp": {"CDTM", ""}, "local_timestamp": {"CDTM", ""}, "time": {"CM", ""},
		"bytes": {"G", "G"}, "geometry": {"", "G"}, "json": {"CM", "G"}, "other": {"CM", ""}, "xml": {"", ""}, "": {"", ""},
	}
	got := map[string]letters{}
	for kind, w := range want {
		var l letters
		for _, letter := range []byte(Letters) {
			if Feeds(kind, letter, "") {
				l.Plain += string(letter)
			}
		}
		if Feeds(kind, 'G', FormatGeometry) {
			l.Geometry = "G"
		}
		got[kind] = l
		if known := KnownKind(kind); known != (w != letters{}) {
			t.Errorf("KnownKind(%q) = %v", kind, known)
		}
		if Feeds(kind, 0, "") || Feeds(kind, 'X', "") {
			t.Errorf("%q feeds an item without a known letter", kind)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("letters fed (-want +got):\n%s", diff)
	}
}
