package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/catalog"
)

// versionsTab is the versions of a resource and what changed between two of them.
type versionsTab struct {
	Versions []catalog.Version
	From, To int
	Compared bool
	Fields   []fieldChange
	Items    []itemChange
}

// fieldChange is one field as people read it.
type fieldChange struct {
	Name, Key     string
	Before, After string
}

type itemChange struct {
	Kind             catalog.ChangeKind
	Name, Identifier string
	Fields           []fieldChange
}

// fillVersions compares the two versions that the address names, else the newest with the one before it.
func (v *visit) fillVersions(page *resourcePage) error {
	ctx, id := v.r.Context(), page.Resource.ID
	all, err := v.Catalog.Versions(ctx, v.principal, id)
	if err != nil {
		return err
	}
	t := &versionsTab{Versions: all}
	page.Versions = t
	if len(all) < 2 {
		return nil
	}
	t.From, t.To = all[1].Number, all[0].Number
	number := func(name string, into *int) {
		if n, err := strconv.Atoi(v.query(name)); err == nil {
			*into = n
		}
	}
	number("from", &t.From)
	number("to", &t.To)
	before, err := v.Catalog.GetVersion(ctx, v.principal, id, t.From)
	if err != nil {
		return err
	}
	after, err := v.Catalog.GetVersion(ctx, v.principal, id, t.To)
	if err != nil {
		return err
	}
	d, err := catalog.Compare(before.Version, after.Version)
	if err != nil {
		return err
	}
	t.Compared = true
	t.Fields = v.fieldChanges("version_field.", d.Fields)
	for _, i := range d.Items {
		t.Items = append(t.Items, itemChange{Kind: i.Kind, Name: i.Name, Identifier: i.Identifier, Fields: v.fieldChanges("version_item.", i.Fields)})
	}
	return nil
}

func (v *visit) fieldChanges(group string, all []catalog.FieldChange) []fieldChange {
	out := make([]fieldChange, len(all))
	for i, f := range all {
		name := f.Name
		if v.has(group + f.Name) {
			name = v.say(group + f.Name)
		}
		out[i] = fieldChange{Name: name, Key: f.Name, Before: v.fieldValue(f.Name, f.Before), After: v.fieldValue(f.Name, f.After)}
	}
	return out
}

// fieldWords are the fields whose values are codes, and the group of their words.
var fieldWords = map[string]string{
	"share_type": "share_type", "declared_share_type": "share_type", "share_methods": "share_method", "grade": "grade", "update_cycle": "update_cycle",
	"data_type": "data_type", "mask_rule": "mask", "level": "level",
}

// fieldValue writes a value of an entry or item as people read it, "" for none.
func (v *visit) fieldValue(name string, raw json.RawMessage) string {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return string(raw)
	}
	return v.written(name, value)
}

func (v *visit) written(name string, value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case bool:
		return v.word("yes", value)
	case string:
		if group, ok := fieldWords[name]; ok {
			return v.word(group, value)
		}
		return value
	case []any:
		parts := make([]string, len(value))
		for i, part := range value {
			parts[i] = v.written(name, part)
		}
		return strings.Join(parts, v.say("list.comma"))
	case map[string]any:
		var parts []string
		for _, key := range objectKeys {
			if text := v.written(key, value[key]); text != "" && value[key] != false {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, " ")
	}
	return fmt.Sprint(value)
}

// objectKeys are the fields of the parts of an entry that have several, in the order in which they are written one after the other.
var objectKeys = []string{
	"class1", "class2", "class3", "class4", "name", "body", "title", "article", "document_no", "document", "date", "conclusion",
}
