package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Difference is what changed from one version of a resource to another.
type Difference struct {
	Fields []FieldChange // Of the metadata, items aside, sorted by name.
	Items  []ItemChange  // In the order of the later version, removed items last.
}

// Empty reports whether nothing changed.
func (d Difference) Empty() bool { return len(d.Fields) == 0 && len(d.Items) == 0 }

// FieldChange is one field of an entry or item. Before and After are as in JSON; null where the field was not there.
type FieldChange struct {
	Name   string // The JSON name.
	Before json.RawMessage
	After  json.RawMessage
}

// ItemChange is one item that was added, removed or changed. Items are the same where their identifiers are.
type ItemChange struct {
	Kind       ChangeKind
	Identifier string
	Name       string        // The later one.
	Fields     []FieldChange // Of a changed item, sorted by name.
}

// ChangeKind is what became of an item.
type ChangeKind string

// The kinds of changes.
const (
	ItemAdded   ChangeKind = "added"
	ItemRemoved ChangeKind = "removed"
	ItemChanged ChangeKind = "changed"
)

// ChangeKinds returns every kind once, for tables that must be complete.
func ChangeKinds() []ChangeKind { return []ChangeKind{ItemAdded, ItemRemoved, ItemChanged} }

// hubNames are fields that the hub gives and that say nothing to people about what changed.
var hubNames = []string{"id", "no", "items"}

// Compare says what a department changed from one version to a later one: each field of the metadata by itself, and each item. The
// derived sharing type and grade are among the fields.
func Compare(before, after Version) (Difference, error) {
	type stated struct {
		Metadata
		ShareType ShareType `json:"share_type"`
		Grade     Grade     `json:"grade"`
	}
	var d Difference
	var err error
	if d.Fields, err = changes(stated{before.Metadata, before.ShareType, before.Grade}, stated{after.Metadata, after.ShareType, after.Grade}); err != nil {
		return Difference{}, err
	}
	for _, item := range after.Items {
		old, ok := before.Item(item.Identifier)
		if !ok {
			d.Items = append(d.Items, ItemChange{Kind: ItemAdded, Identifier: item.Identifier, Name: item.Name})
			continue
		}
		fields, err := changes(old, item)
		if err != nil {
			return Difference{}, err
		}
		if len(fields) > 0 {
			d.Items = append(d.Items, ItemChange{Kind: ItemChanged, Identifier: item.Identifier, Name: item.Name, Fields: fields})
		}
	}
	for _, item := range before.Items {
		if _, ok := after.Item(item.Identifier); !ok {
			d.Items = append(d.Items, ItemChange{Kind: ItemRemoved, Identifier: item.Identifier, Name: item.Name})
		}
	}
	return d, nil
}

// changes compares two values of one type field by field, as JSON has them. A list that is missing equals an empty one.
func changes(before, after any) ([]FieldChange, error) {
	old, err := fields(before)
	if err != nil {
		return nil, err
	}
	now, err := fields(after)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(old)
	maps.Copy(names, now)
	var out []FieldChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if slices.Contains(hubNames, name) || bytes.Equal(present(old[name]), present(now[name])) {
			continue
		}
		out = append(out, FieldChange{Name: name, Before: present(old[name]), After: present(now[name])})
	}
	return out, nil
}

func fields(v any) (out map[string]json.RawMessage, err error) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the fields of %T: %w", v, err)
	}
	return out, nil
}

// present is a value, or null for what says nothing: no text, no list.
func present(raw json.RawMessage) json.RawMessage {
	switch string(raw) {
	case "", `""`, "[]":
		return json.RawMessage("null")
	}
	return raw
}
