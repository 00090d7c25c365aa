package catalog

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/internal/db"
)

// BreakKind says what a new version takes from those who use the one before.
type BreakKind string

// The kinds of breaks.
const (
	BreakRemoved      BreakKind = "removed"      // The item is gone.
	BreakRetyped      BreakKind = "retyped"      // It has another type or format, and so another column.
	BreakNarrowed     BreakKind = "narrowed"     // It holds fewer characters or digits.
	BreakStricter     BreakKind = "stricter"     // Its sharing attribute is stricter.
	BreakWithheld     BreakKind = "withheld"     // It is not shared any more.
	BreakMasked       BreakKind = "masked"       // It is masked, or masked otherwise.
	BreakRegraded     BreakKind = "regraded"     // Its grade is higher.
	BreakKey          BreakKind = "key"          // It enters or leaves the key.
	BreakUnfilterable BreakKind = "unfilterable" // Rows cannot be chosen by it any more.
	BreakRecoded      BreakKind = "recoded"      // Its values come from another list of codes.
	BreakMethod       BreakKind = "method"       // A sharing method is no longer offered.
	BreakSlower       BreakKind = "slower"       // The entry is refreshed less often.
	BreakUnit         BreakKind = "unit"         // The item is measured in another unit.
	BreakUsageTerms   BreakKind = "usage_terms"  // The conditions of use are others.
)

// BreakKinds returns every kind once.
func BreakKinds() []BreakKind {
	return []BreakKind{
		BreakRemoved, BreakRetyped, BreakNarrowed, BreakStricter, BreakWithheld, BreakMasked, BreakRegraded, BreakKey, BreakUnfilterable,
		BreakRecoded, BreakUnit, BreakMethod, BreakSlower, BreakUsageTerms,
	}
}

// Break is one thing that a new version takes from those who use the one before.
type Break struct {
	Kind       BreakKind `json:"kind"`
	No         int       `json:"no"`         // Number of the item in the version before; 0 where the entry as a whole is meant.
	Identifier string    `json:"identifier"` // Of that item.
	Name       string    `json:"name"`
	Before     string    `json:"before"`
	After      string    `json:"after"`
}

// Breaking lists what after takes from those who use before: the items in their order, then what concerns every use. Adding
// items, widening them and correcting texts breaks nothing.
func Breaking(before, after Version) []Break {
	out := []Break{}
	for _, b := range before.Items {
		a, still := after.Item(b.Identifier)
		add := func(kind BreakKind, from, to string) {
			out = append(out, Break{Kind: kind, No: b.No, Identifier: b.Identifier, Name: b.Name, Before: from, After: to})
		}
		if b.ShareType == Withheld {
			continue // Nobody uses it.
		}
		if !still {
			add(BreakRemoved, b.Name, "")
			continue
		}
		compareItem(b, a, add)
	}
	add := func(kind BreakKind, from, to string) { out = append(out, Break{Kind: kind, Before: from, After: to}) }
	for _, m := range before.ShareMethods {
		if !slices.Contains(after.ShareMethods, m) {
			add(BreakMethod, string(m), "")
		}
	}
	if pace(after.UpdateCycle) > pace(before.UpdateCycle) {
		add(BreakSlower, string(before.UpdateCycle), string(after.UpdateCycle))
	}
	if strings.TrimSpace(before.UsageTerms) != strings.TrimSpace(after.UsageTerms) {
		add(BreakUsageTerms, before.UsageTerms, after.UsageTerms)
	}
	return out
}

// compareItem says what of an item that is still there is taken away.
func compareItem(b, a Item, add func(kind BreakKind, from, to string)) {
	switch {
	case a.DataType != b.DataType:
		add(BreakRetyped, string(b.DataType), string(a.DataType))
	case a.Format != b.Format:
		add(BreakRetyped, b.Format, a.Format)
	case a.Length != 0 && (b.Length == 0 || a.Length-a.Scale < b.Length-b.Scale || a.Scale < b.Scale):
		add(BreakNarrowed, size(b), size(a))
	}
	switch {
	case a.ShareType == Withheld:
		add(BreakWithheld, string(b.ShareType), string(a.ShareType))
	case strictness(a.ShareType) > strictness(b.ShareType):
		add(BreakStricter, string(b.ShareType), string(a.ShareType))
	}
	if masking(a) != "" && masking(a) != masking(b) {
		add(BreakMasked, masking(b), masking(a))
	}
	if a.Grade > b.Grade {
		add(BreakRegraded, string(b.Grade), string(a.Grade))
	}
	if a.Key != b.Key {
		add(BreakKey, b.Name, a.Name)
	}
	if b.Filterable && !a.Filterable {
		add(BreakUnfilterable, b.Name, a.Name)
	}
	if b.CodeSet != a.CodeSet && b.CodeSet != "" {
		add(BreakRecoded, b.CodeSet, a.CodeSet)
	}
	if b.Unit != a.Unit && b.Unit != "" {
		add(BreakUnit, b.Unit, a.Unit)
	}
}

// Touched returns the numbers and identifiers of the items that breaks touch, and whether they touch every use.
func Touched(breaks []Break) (items []int, identifiers []string, whole bool) {
	items, identifiers = []int{}, []string{}
	for _, b := range breaks {
		if b.No == 0 {
			whole = true
		} else if !slices.Contains(items, b.No) {
			items, identifiers = append(items, b.No), append(identifiers, b.Identifier)
		}
	}
	return items, identifiers, whole
}

// noteBreaks keeps what a version that is being published takes from those who use the one before, so that they can be told and
// their acknowledgement be asked for.
func noteBreaks(ctx context.Context, tx *db.Tx, r Resource, before, after Version) error {
	breaks := Breaking(before, after)
	if len(breaks) == 0 {
		return nil
	}
	items, identifiers, whole := Touched(breaks)
	_, err := tx.Exec(ctx, `
		INSERT INTO version_change (resource_id, version, previous, breaks, items, identifiers, whole, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.ID, after.Number, before.Number, breaks, items, identifiers, whole, tx.Now())
	if err != nil {
		return fmt.Errorf("noting what version %d changes: %w", after.Number, err)
	}
	return nil
}

func strictness(t ShareType) int {
	return slices.Index([]ShareType{Unconditional, Conditional, Withheld}, t)
}

// pace orders update cycles, the fastest first. What comes when it comes is the slowest.
func pace(c UpdateCycle) int { return slices.Index(updateCycles, c) }

// masking is the mask of an item, "" for none.
func masking(i Item) string {
	if i.MaskRule == "none" {
		return ""
	}
	return i.MaskRule
}

// size writes an item's length, with its scale where it has one.
func size(i Item) string {
	if i.Length == 0 {
		return ""
	}
	text := strconv.Itoa(i.Length)
	if i.Scale > 0 {
		text += "," + strconv.Itoa(i.Scale)
	}
	return text
}

// fieldNames are the JSON names of what an entry states.
func fieldNames() []string {
	t := reflect.TypeFor[Metadata]()
	out := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}
