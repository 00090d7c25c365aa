package console

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
)

// entryWords says the values of an entry's fields as people do.
type entryWords struct {
	v       *visit
	names   *names
	bases   map[string]string
	systems map[uuid.UUID]string
	columns map[string]map[string]string // Words of the lists of the grid, by field and code.
	book    *catalog.CodeBook
	today   string
}

func (v *visit) entryWords(r catalog.Resource) (*entryWords, error) {
	w := &entryWords{v: v, names: v.names(), bases: v.bases(), systems: map[uuid.UUID]string{}, columns: map[string]map[string]string{}}
	systems, _, err := v.Catalog.Systems(v.r.Context(), v.principal, r.ProviderDeptID, db.Page{Limit: db.MaxPage})
	if err != nil {
		return nil, err
	}
	for _, s := range systems {
		w.systems[s.ID] = s.Name
	}
	if w.book, w.today, err = v.Catalog.CodeChoices(v.r.Context(), v.principal); err != nil {
		return nil, err
	}
	for _, c := range v.itemColumns(nil) {
		w.columns[c.Field] = map[string]string{}
		for _, value := range c.Values {
			w.columns[c.Field][value.Value] = value.Text
		}
	}
	return w, nil
}

// value says the value of a field of the entry, "" for none.
func (w *entryWords) value(field string, value any) string {
	v := w.v
	switch x := value.(type) {
	case bool:
		return v.word("yes", strconv.FormatBool(x))
	case catalog.ShareType:
		return v.word("share_type", x)
	case catalog.UpdateCycle:
		return v.word("update_cycle", x)
	case []catalog.ShareMethod:
		parts := make([]string, len(x))
		for i, m := range x {
			parts[i] = v.word("share_method", m)
		}
		return v.joined(parts)
	case []string:
		return v.joined(x)
	case []catalog.Classification:
		parts := make([]string, len(x))
		for i, c := range x {
			parts[i] = w.class(c)
		}
		return strings.Join(parts, v.say("list.semicolon"))
	case uuid.UUID:
		if x == uuid.Nil {
			return ""
		}
		if field == "system_id" {
			return w.systems[x]
		}
		return w.names.department(x)
	case string:
		switch {
		case x == "":
		case field == "format_category" || field == "withhold_basis.rank":
			return v.word(map[string]string{"format_category": "format_category", "withhold_basis.rank": "withhold_rank"}[field], x)
		case field == "level":
			return v.word("entry_level", x)
		case field == "base_database" && w.bases[x] != "":
			return w.bases[x]
		case field == "template":
			if t, err := catalog.FindTemplate(x); err == nil {
				return v.pick(t.Title, t.TitleEN)
			}
		}
		return x
	}
	return ""
}

func (w *entryWords) class(c catalog.Classification) string {
	out := w.v.classWords(w.book, w.today, c)
	if c.Primary {
		out += w.v.say("compile.primary_mark")
	}
	return out
}

// classWords says a classification: each level by its code and what the code table calls it, the first by the name alone.
func (v *visit) classWords(book *catalog.CodeBook, today string, c catalog.Classification) string {
	words := []string{v.word("class1", c.Class1)}
	code := c.Class1
	for _, part := range []string{c.Class2, c.Class3, c.Class4} {
		if part == "" {
			break
		}
		code += part
		if value, ok := book.Find(catalog.TableClassification, code, today); ok {
			part += " " + v.pick(value.Name, value.NameEN)
		}
		words = append(words, part)
	}
	return strings.Join(words, " / ")
}

// item says how an item differs.
func (w *entryWords) item(d catalog.ItemDifference) shownItem {
	switch {
	case d.Before == nil:
		return shownItem{Name: d.After.Name, Identifier: d.After.Identifier, Change: "added"}
	case d.After == nil:
		return shownItem{Name: d.Before.Name, Identifier: d.Before.Identifier, Change: "removed"}
	}
	out := shownItem{Name: d.After.Name, Identifier: d.After.Identifier, Change: "changed"}
	for _, c := range d.Changes {
		out.Fields = append(out.Fields, shownDifference{w.v.word("item_field", c.Field), w.itemValue(c.Field, c.Before), w.itemValue(c.Field, c.After)})
	}
	return out
}

func (w *entryWords) itemValue(field string, value any) string {
	switch x := value.(type) {
	case int:
		return strconv.Itoa(x)
	case catalog.DataType:
		return w.v.word("data_type", x)
	case catalog.Grade:
		return w.columns["grade"][string(x)]
	case string:
		if word := w.columns[field][x]; x != "" && word != "" {
			return word
		}
		return x
	}
	return w.value(field, value)
}
