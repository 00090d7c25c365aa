package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/mask"
)

// identifierPattern is the form of item identifiers (domain table 2.4).
var identifierPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// dataTypes are the type letters of domain table 2.4.
var dataTypes = []DataType{Char, Number, Currency, Date, Timestamp, Logical, Memo, General, Double, Integer, Float}

// formatGeometry is the Format of G items that hold geometry.
const formatGeometry = codes.FormatGeometry

// MaskNone as an item's mask rule states that no mask is right; the item then gives the reason.
const MaskNone = "none"

// itemShapes checks what an item needs to be kept at all.
func (c *checker) itemShapes() {
	names, identifiers := map[string]int{}, map[string]int{}
	for i, item := range c.m.Items {
		at := func(field string) string { return fmt.Sprintf("items[%d].%s", i, field) }
		if c.required(at("name"), item.Name, "name the item") {
			if utf8.RuneCountInString(item.Name) > maxName {
				c.block(at("name"), "too_long", "shorten this to at most %d characters", maxName)
			}
			if first, seen := names[item.Name]; seen {
				c.block(at("name"), "duplicate", "items[%d] has the same name", first)
			} else {
				names[item.Name] = i
			}
		}
		if !identifierPattern.MatchString(item.Identifier) {
			c.block(at("identifier"), "bad_form", "give 1 to 63 lower-case letters, digits and underscores, a letter first")
		} else if first, seen := identifiers[item.Identifier]; seen {
			c.block(at("identifier"), "duplicate", "items[%d] has the same identifier", first)
		} else {
			identifiers[item.Identifier] = i
		}
		if !slices.Contains(dataTypes, item.DataType) {
			c.block(at("data_type"), "not_choice", "state one of the letters C, N, Y, D, T, L, M, G, B, I, F")
		}
		if item.Length < 0 || item.Length > 10_000_000 {
			c.block(at("length"), "out_of_range", "give a length from 0 to 10,000,000")
		}
		if item.ShareType != "" && !validShareType(item.ShareType) {
			c.block(at("share_type"), "not_choice", "state unconditional, conditional or withheld")
		}
		for _, text := range []struct{ field, value string }{
			{"definition", item.Definition},
			{"unit", item.Unit},
			{"data_element", item.DataElement},
			{"share_condition", item.ShareCondition},
			{"mask_reason", item.MaskReason},
		} {
			if utf8.RuneCountInString(text.value) > maxText {
				c.block(at(text.field), "too_long", "shorten this to at most %d characters", maxText)
			}
		}
	}
}

// items checks the items of a complete entry.
func (c *checker) items() {
	c.demand(len(c.m.Items) > 0)
	if len(c.m.Items) == 0 {
		c.block("items", "required", "list at least one item (Art 13)")
		return
	}
	filterable := 0
	for i, item := range c.m.Items {
		at := func(field string) string { return fmt.Sprintf("items[%d].%s", i, field) }
		c.itemType(item, at)
		c.itemCodes(item, at)
		c.itemProtection(item, at)
		if item.SourceDeptID != uuid.Nil && !c.facts.Departments[item.SourceDeptID] {
			c.block(at("source_dept_id"), "unknown", "there is no such department")
		}
		if item.Key {
			c.itemKey(item, at)
		}
		if !item.Filterable {
			continue
		}
		filterable++
		switch {
		case item.DataType == General || item.DataType == Memo || item.DataType == Char && item.Length > maxIndexed:
			c.block(at("filterable"), "contradicts_type", "long texts, binary data and geometry cannot be filterable")
		case item.ShareType == Withheld:
			c.block(at("filterable"), "contradicts", "a withheld item is not held by the hub and cannot be filterable")
		}
	}
	if filterable > MaxFilterable {
		c.block("items", "too_many_filterable", "mark at most %d items as filterable", MaxFilterable)
	}
}

// itemKey checks what the rows are identified by.
func (c *checker) itemKey(item Item, at func(string) string) {
	if !item.Required {
		c.block(at("required"), "contradicts_key", "a key item is required")
	}
	switch item.DataType {
	case General, Memo, Double, Float, Logical:
		c.block(at("is_key"), "contradicts_type", "texts without bound, binary data, inexact numbers and truth values cannot be a key")
	case Char:
		if item.Length > maxIndexed {
			c.block(at("is_key"), "contradicts_type", "a key item has at most %d characters", maxIndexed)
		}
	}
	if item.ShareType == Withheld && c.m.DeclaredShare != Withheld {
		c.block(at("share_type"), "contradicts_key", "the rows cannot be told apart when a key item is withheld")
	}
}

// itemType checks length, scale and format against the type letter.
func (c *checker) itemType(item Item, at func(string) string) {
	switch item.DataType {
	case Char, Number, Currency:
		if item.Length == 0 {
			c.block(at("length"), "required", "give the length in characters, or the number of digits")
		}
	}
	exact := item.DataType == Number || item.DataType == Currency
	switch {
	case exact && item.Length > 1000:
		c.block(at("length"), "out_of_range", "numbers have at most 1,000 digits")
	case exact && (item.Scale < 0 || item.Length > 0 && item.Scale > item.Length):
		c.block(at("scale"), "out_of_range", "digits after the point are at least 0 and at most the length")
	case !exact && item.Scale != 0:
		c.block(at("scale"), "contradicts_type", "only items of type N or Y have digits after the point")
	}
	if item.Format != "" && (item.Format != formatGeometry || item.DataType != General) {
		c.block(at("format"), "contradicts_type", "the only format is geometry, for items of type G")
	}
}

// itemCodes checks that lists and validators exist and suit the item.
func (c *checker) itemCodes(item Item, at func(string) string) {
	text := item.DataType == Char || item.DataType == Memo
	if item.CodeSet != "" {
		list, ok := codes.List(item.CodeSet)
		switch {
		case !ok:
			c.block(at("code_set"), "unknown", "there is no code list of this name")
		case !text:
			c.block(at("code_set"), "contradicts_type", "only items of type C or M have a code list")
		case item.DataType == Char && item.Length > 0:
			for _, code := range list.Codes() {
				if utf8.RuneCountInString(code) > item.Length {
					c.block(at("length"), "too_short", "the codes of the list are longer than the item")
					break
				}
			}
		}
	}
	if item.Validator == "" {
		return
	}
	_, typeItem, ok := codes.FindValidator(item.Validator)
	switch {
	case !ok:
		c.block(at("validator"), "unknown", "there is no validator of this name, or it takes no type item")
		return
	case !text:
		c.block(at("validator"), "contradicts_type", "validators judge items of type C or M only")
	}
	if typeItem == "" {
		return
	}
	if other, found := c.m.Item(typeItem); !found {
		c.block(at("validator"), "unknown_item", "the item that holds the validator's type does not exist")
	} else if other.ShareType == Withheld && item.ShareType != Withheld {
		c.block(at("validator"), "unknown_item", "the item that holds the validator's type is withheld")
	}
}

// itemProtection checks share type, grade, masks and opening of one item (domain rules 4.1 and 4.2, checks 2.6).
func (c *checker) itemProtection(item Item, at func(string) string) {
	c.required(at("share_type"), string(item.ShareType), "state the sharing attribute of the item")
	if !c.required(at("grade"), string(item.Grade), "grade the item L1 to L4 (Art 13)") {
		return
	}
	if !validGrade(item.Grade) {
		code := "not_choice"
		if stateSecret(string(item.Grade)) {
			code = "secret_word"
		}
		c.block(at("grade"), code, "state L1, L2, L3 or L4; the grades of state secrets are not used here")
		return
	}
	if item.Open && item.Grade > L1 {
		c.block(at("open"), "contradicts_grade", "only items of grade L1 can be open to the public")
	}
	if item.Open && item.ShareType == Withheld {
		c.block(at("open"), "contradicts", "a withheld item cannot be open to the public")
	}
	if item.SensitivePI && item.Grade < L3 {
		c.block(at("grade"), "too_low", "sensitive personal information is graded L3 or L4")
	}
	if item.ShareType == Unconditional && item.Grade >= L3 {
		c.warn(at("share_type"), "grade", "items of grade L3 and L4 are usually shared conditionally")
	}
	if item.MaskRule != "" && item.MaskRule != MaskNone {
		m, ok := mask.Find(item.MaskRule)
		switch {
		case !ok:
			c.block(at("mask_rule"), "unknown", "there is no mask of this name")
		case !strings.Contains(m.Letters, string(item.DataType)):
			c.block(at("mask_rule"), "contradicts_type", "this mask does not suit items of this type")
		}
	}
	// Withheld items are never read, so they need no mask.
	if item.ShareType == Withheld {
		return
	}
	switch {
	case item.Grade == L4 && (item.MaskRule == "" || item.MaskRule == MaskNone):
		c.block(at("mask_rule"), "required", "an item of grade L4 needs a mask")
	case item.Grade == L3 && item.MaskRule == "":
		c.block(at("mask_rule"), "required", "an item of grade L3 needs a mask, or none with a reason")
	case item.Grade == L3 && item.MaskRule == MaskNone:
		c.required(at("mask_reason"), item.MaskReason, "say why an item of grade L3 needs no mask (coded value, amount)")
	}
}

// secretWords are the grades of state secrets (保守国家秘密法, Art 14); the hub's own grades never use them.
var secretWords = []string{"秘密", "机密", "绝密"}

func stateSecret(s string) bool {
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(s, word) })
}

// words refuses state-secret terms as labels, points them out in free text, and compares the title with the items.
func (c *checker) words() {
	m := c.m
	for i, tag := range m.Tags {
		if stateSecret(tag) {
			c.block(fmt.Sprintf("tags[%d]", i), "secret_word", "the grades of state secrets are not used as labels")
		}
	}
	for i, theme := range m.Themes {
		if stateSecret(theme) {
			c.block(fmt.Sprintf("themes[%d]", i), "secret_word", "the grades of state secrets are not used as labels")
		}
	}
	for _, text := range []struct{ name, value string }{
		{"name", m.Name},
		{"summary", m.Summary},
		{"usage_terms", m.UsageTerms},
		{"share_condition", m.ShareCondition},
		{"share_scope", m.ShareScope},
		{"share_purpose", m.SharePurpose},
		{"collect_basis", m.CollectBasis},
	} {
		if stateSecret(text.value) {
			c.warn(text.name, "secret_word", "the text uses a term for state secrets")
		}
	}
	for i, item := range m.Items {
		if stateSecret(item.Name) || stateSecret(item.Definition) {
			c.warn(fmt.Sprintf("items[%d].name", i), "secret_word", "the text uses a term for state secrets")
		}
	}
	for _, pair := range opposites {
		c.disagreement(pair[0], pair[1])
		c.disagreement(pair[1], pair[0])
	}
}

// opposites are subjects that are often mixed up: a title with one of them and items with the other disagree.
var opposites = [][2]string{{"许可", "处罚"}, {"出生", "死亡"}, {"结婚", "离婚"}, {"收入", "支出"}}

func (c *checker) disagreement(title, items string) {
	if !strings.Contains(c.m.Name, title) || strings.Contains(c.m.Name, items) {
		return
	}
	has := func(word string) bool {
		return slices.ContainsFunc(c.m.Items, func(i Item) bool { return strings.Contains(i.Name, word) })
	}
	if has(items) && !has(title) {
		c.warn("name", "contradicts_items", "the title speaks of %s, the items of %s", title, items)
	}
}

// sameItems is the share of equal items from which two entries look alike (check 2.6).
const sameItems = 80
