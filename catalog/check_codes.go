package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shuqiao/shuqiao/catalog/codes"
)

// EndedValue is a value that an entry states and that a code table has ended.
type EndedValue struct {
	Field string // JSON path of the field that states it.
	CodeValue
}

// ended warns of a value that was valid once: entries that were compiled with it keep it, and choose another at the next version.
func (c *checker) ended(name string, v CodeValue) {
	if v.ValidOn(c.facts.Today) {
		return
	}
	c.past = append(c.past, EndedValue{Field: name, CodeValue: v})
	successor := "no successor is named"
	if v.Successor != "" {
		successor = "its successor is " + v.Successor
	}
	c.warn(name, "value_ended", "%s %s ended on %s; %s", v.Table, v.Code, v.ValidTo, successor)
}

// tabled judges one level of a classification by the code table: 类 and 项 must be in it, 目 and 细目 should be.
func (c *checker) tabled(name string, class Classification) {
	book := c.facts.Codes
	if !book.Has(TableClassification) {
		return
	}
	code := class.Class1
	for level, part := range []string{class.Class2, class.Class3, class.Class4} {
		if part == "" {
			return
		}
		code += part
		at := fmt.Sprintf("%s.class%d", name, level+2)
		v, ok := book.Find(TableClassification, code, c.facts.Today)
		switch {
		case ok:
			c.ended(at, v)
		case level == 0:
			c.block(at, "not_choice", "this class has no such category")
			return
		default:
			c.warn(at, "not_in_table", "the code table has no such value here; choose one of it, or ask the authority to add it")
			return
		}
	}
}

// themes judges the themes by the code table.
func (c *checker) themes() {
	book := c.facts.Codes
	for i, theme := range c.m.Themes {
		name := fmt.Sprintf("themes[%d]", i)
		if slices.Contains(c.m.Themes[:i], theme) {
			c.block(name, "duplicate", "name each theme once")
		} else if v, ok := book.FindName(TableTheme, theme, c.facts.Today); ok {
			c.ended(name, v)
		} else if book.Has(TableTheme) {
			c.warn(name, "not_in_table", "the code table has no such theme; choose one of it, or ask the authority to add it")
		}
	}
}

// division judges the division: its form and province always, itself by the code table.
func (c *checker) division() {
	code := c.m.DivisionCode
	if code == "" {
		return
	}
	if f, wrong := codes.FirstError(codes.CheckDivision(code)); wrong {
		c.block("division_code", f.Code, "%s", f.Message)
		return
	}
	if book := c.facts.Codes; book.Has(TableDivision) {
		if v, ok := book.Division(code, c.facts.Today); ok {
			c.ended("division_code", v)
		} else {
			c.warn("division_code", "not_in_table", "the code table has no such division")
		}
	}
}

// related judges the codes of other entries: of the form of a code, each once, not its own, and of entries that can be read.
func (c *checker) related() {
	coder := c.facts.Coder
	if coder == nil {
		coder = codes.NationalCoder{}
	}
	for i, code := range c.m.RelatedCodes {
		name := fmt.Sprintf("related_codes[%d]", i)
		if f, wrong := codes.FirstError(coder.Check(code)); wrong {
			c.block(name, f.Code, "%s", f.Message)
			continue
		}
		switch {
		case slices.Contains(c.m.RelatedCodes[:i], code):
			c.block(name, "duplicate", "name each code once")
		case code == c.facts.OwnCode:
			c.block(name, "own_code", "this is the code of the entry itself")
		case !c.facts.Related[code]:
			c.block(name, "unknown", "there is no published entry of this code")
		}
	}
}

// formatsOf returns the formats of a category: those of the code table, else those of the program. nil means that the provider
// names them.
func (c *checker) formatsOf(category string) []string {
	if book := c.facts.Codes; book.Has(TableFormat) {
		return book.Formats(category, c.facts.Today)
	}
	return formatCategories[category].formats
}

// formatKnown judges one format of a category.
func (c *checker) formatKnown(name, category, format string) {
	known := c.formatsOf(category)
	if known == nil || slices.ContainsFunc(known, func(one string) bool { return strings.EqualFold(one, format) }) {
		return
	}
	if v, ok := c.facts.Codes.formatNamed(category, format, c.facts.Today); ok {
		c.ended(name, v)
		return
	}
	c.block(name, "not_in_category", "this format is not one of category %s (%s)", category, formatCategories[category].title)
}

// Formats returns the names of the formats of a category that are valid on a day, nil for the category whose formats the provider
// names.
func (b *CodeBook) Formats(category, day string) []string {
	if formatCategories[category].formats == nil {
		return nil
	}
	names := []string{}
	for _, v := range b.Valid(TableFormat, day) {
		if v.Parent == category {
			names = append(names, v.Name)
		}
	}
	return names
}

// formatNamed returns the format of a category by its name in whatever case.
func (b *CodeBook) formatNamed(category, name, day string) (CodeValue, bool) {
	if b == nil {
		return CodeValue{}, false
	}
	var named []CodeValue
	for _, v := range b.sorted[TableFormat] {
		if v.Parent == category && strings.EqualFold(v.Name, name) {
			named = append(named, v)
		}
	}
	return latest(named, day)
}
