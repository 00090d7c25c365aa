package all

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every package beside this one that is a driver must be listed, under the name of its folder.
func TestEveryDriverIsListed(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "all" && entry.Name() != "connectortest" && entry.Name() != "testdata" {
			want = append(want, entry.Name())
		}
	}
	registry, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, spec := range registry.Specs() {
		got = append(got, spec.Name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drivers (-folders +registered):\n%s", diff)
	}
}
