package console

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// entryFindings are the findings about an entry as its form and its reviewers show them.
type entryFindings struct {
	Needed, Filled   int
	Blocks, Warnings []finding
	Similar          []catalog.SimilarTo
	Owned            []catalog.ItemSource // Items that another department is the source of and that are not referenced.
	Score            int
	Points           []catalog.Point // Of the rules that are not met whole.
	ShareType        catalog.ShareType
	Grade            catalog.Grade
	At               string // JSON: sentences by field, for the script to put there.
}

// finding is one thing wrong, or to be looked at.
type finding struct {
	Where, Sentence string
	Href            string // Of the field.
	Cell            string // "row.field" of a cell of the items, or "".
}

// Shown is how many problems are listed; the rest is counted.
func (f entryFindings) Shown() []finding { return f.Blocks[:min(len(f.Blocks), 100)] }

// Rest is how many problems are not listed.
func (f entryFindings) Rest() int { return len(f.Blocks) - len(f.Shown()) }

// unlinked is for pages without the form that the links lead into.
func (f entryFindings) unlinked() entryFindings {
	for _, list := range [][]finding{f.Blocks, f.Warnings} {
		for i := range list {
			list[i].Href, list[i].Cell = "", ""
		}
	}
	return f
}

var (
	indices  = regexp.MustCompile(`\[[0-9]+\]`)
	itemPath = regexp.MustCompile(`^items\[([0-9]+)\](?:\.(\w+))?$`)
)

// finding says what is wrong with a field: by field and code, by the field alone, by the code alone.
func (l look) finding(f fault.Field) string {
	at := "check." + indices.ReplaceAllString(f.Name, "")
	for _, key := range []string{at + "." + f.Code, at, "wrong." + f.Code} {
		if l.has(key) {
			return l.say(key)
		}
	}
	return f.Message
}

// fieldLabel is what people call a field of an entry.
func (v *visit) fieldLabel(name string, items []catalog.Item) string {
	if m := itemPath.FindStringSubmatch(name); m != nil {
		i, _ := strconv.Atoi(m[1])
		where := v.say("compile.item_row", "n", i+1)
		if i < len(items) && items[i].Name != "" {
			where = v.say("compile.item_named", "n", i+1, "item", items[i].Name)
		}
		if m[2] == "" {
			return where
		}
		return where + " \u00b7 " + v.word("item_field", m[2])
	}
	name = indices.ReplaceAllString(name, "")
	for {
		if v.has("field." + name) {
			return v.say("field." + name)
		}
		at := strings.LastIndexByte(name, '.')
		if at < 0 {
			return name
		}
		name = name[:at]
	}
}

// endedSentence says since when a value is not valid any more, and what has taken its place.
func (v *visit) endedSentence(ended []catalog.EndedValue, f fault.Field, otherwise string) string {
	for _, e := range ended {
		switch {
		case e.Field != f.Name:
		case e.Successor != "":
			return v.say("compile.value_replaced", "name", v.pick(e.Name, e.NameEN), "code", e.Code, "day", e.ValidTo, "successor", e.Successor)
		default:
			return v.say("compile.value_ended", "name", v.pick(e.Name, e.NameEN), "code", e.Code, "day", e.ValidTo)
		}
	}
	return otherwise
}

// anchorOf is the part of the form in which a field stands: a list is one part, and a document has a part for its digest.
func anchorOf(name string) string {
	name = indices.ReplaceAllString(name, "")
	if strings.HasSuffix(name, ".sha256") {
		return name
	}
	part, _, _ := strings.Cut(name, ".")
	return part
}

// entryFindings says findings in words. What is only missing is not shown at its field before somebody tried to submit: a new
// form would be red all over.
func (v *visit) entryFindings(f catalog.Findings, m catalog.Metadata, tried bool) entryFindings {
	out := entryFindings{Needed: f.Needed, Filled: f.Filled, Similar: f.Similar, Score: f.Score, Points: unmet(f.Points), ShareType: f.ShareType, Grade: f.Grade}
	for _, o := range f.Owned {
		if !o.Referenced {
			out.Owned = append(out.Owned, o)
		}
	}
	at := map[string]string{}
	say := func(field fault.Field) finding {
		one := finding{Where: v.fieldLabel(field.Name, m.Items), Sentence: v.finding(field), Href: "#f-" + anchorOf(field.Name)}
		if field.Code == "value_ended" {
			one.Sentence = v.endedSentence(f.Ended, field, one.Sentence)
		}
		if cell := itemPath.FindStringSubmatch(field.Name); cell != nil {
			one.Href, one.Cell = "#items", cell[1]+"."+cell[2]
		}
		return one
	}
	for _, field := range f.Blocks {
		one := say(field)
		out.Blocks = append(out.Blocks, one)
		if _, already := at[field.Name]; !already && (tried || field.Code != "required" || one.Cell != "") {
			at[field.Name] = one.Sentence
		}
	}
	for _, field := range f.Warnings {
		if field.Code != "one_source" && field.Code != "owned_elsewhere" { // Similar and Owned say it with names.
			out.Warnings = append(out.Warnings, say(field))
		}
	}
	raw, err := json.Marshal(at)
	if err != nil {
		raw = []byte("{}")
	}
	out.At = string(raw)
	return out
}

// unmet keeps the points of rules that are not met whole.
func unmet(points []catalog.Point) (out []catalog.Point) {
	for _, p := range points {
		if p.Got < p.Points {
			out = append(out, p)
		}
	}
	return out
}

// checkDraft says how complete what is typed is, while it is typed. Nothing is stored.
func (c *console) checkDraft(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	typed, problem := v.typedDraft()
	if problem != nil {
		return problem
	}
	found, err := v.Catalog.CheckDraft(v.r.Context(), v.principal, id, typed.m)
	if err != nil {
		return err
	}
	return v.part("compile_form", "findings", v.entryFindings(found, typed.m, typed.tried))
}
