package catalog

import (
	"reflect"
	"strings"
)

// Difference is one thing that two versions of an entry state differently.
type Difference struct {
	Field  string `json:"field"`  // JSON name of the field, such as "summary" or "withhold_basis.title"; of an item's field, such as "grade".
	Before any    `json:"before"` // The value, of the type that Metadata or Item has; the zero value where nothing was stated.
	After  any    `json:"after"`
}

// ItemDifference is one item that was added, removed, changed or moved. Items are the same when their identifiers are.
type ItemDifference struct {
	Before  *Item        `json:"before,omitempty"` // nil where the item was not there.
	After   *Item        `json:"after,omitempty"`  // Likewise.
	Changes []Difference `json:"changes"`
}

// Compare lists what two versions state differently: the fields of the entry in their order, then the items in the order of
// after, with those that are gone at the end. Numbers and ids of items, which the hub gives, are not compared.
func Compare(before, after Metadata) (fields []Difference, items []ItemDifference) {
	fields = compareStructs("", reflect.ValueOf(before), reflect.ValueOf(after), map[string]bool{"items": true})
	given := map[string]bool{"no": true, "id": true}
	for _, a := range after.Items {
		b, known := before.Item(a.Identifier)
		if !known {
			items = append(items, ItemDifference{After: &a})
			continue
		}
		if changes := compareStructs("", reflect.ValueOf(b), reflect.ValueOf(a), given); len(changes) > 0 {
			items = append(items, ItemDifference{Before: &b, After: &a, Changes: changes})
		}
	}
	for _, b := range before.Items {
		if _, still := after.Item(b.Identifier); !still {
			items = append(items, ItemDifference{Before: &b})
		}
	}
	return fields, items
}

// compareStructs walks two structs of one type by their JSON names. A nil pointer states the zero value in every field.
func compareStructs(prefix string, before, after reflect.Value, skip map[string]bool) []Difference {
	var out []Difference
	for i := range before.NumField() {
		name, _, _ := strings.Cut(before.Type().Field(i).Tag.Get("json"), ",")
		if skip[name] {
			continue
		}
		b, a := before.Field(i), after.Field(i)
		if b.Kind() == reflect.Pointer {
			out = append(out, compareStructs(prefix+name+".", pointedTo(b), pointedTo(a), nil)...)
			continue
		}
		if b.Kind() == reflect.Slice && b.Len() == 0 && a.Len() == 0 {
			continue // Nil or empty: nothing is stated.
		}
		if !reflect.DeepEqual(b.Interface(), a.Interface()) {
			out = append(out, Difference{Field: prefix + name, Before: b.Interface(), After: a.Interface()})
		}
	}
	return out
}

func pointedTo(v reflect.Value) reflect.Value {
	if v.IsNil() {
		return reflect.Zero(v.Type().Elem())
	}
	return v.Elem()
}
