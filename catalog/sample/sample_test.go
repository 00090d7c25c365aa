package sample_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/catalog/sample"
)

var today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// Every value of every template is one that the hub would accept of a source, and nobody and nothing real.
func TestTemplates(t *testing.T) {
	t.Parallel()
	templates, err := catalog.Templates()
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range templates {
		t.Run(template.Name, func(t *testing.T) {
			t.Parallel()
			items := numbered(template.Items)
			for _, row := range sample.Rows(items, 200, 7) {
				checkRow(t, items, row)
			}
		})
	}
}

// Items of every type and length, with every validator and every code list, have values that fit them.
func TestEveryKindOfItem(t *testing.T) {
	t.Parallel()
	var items []catalog.Item
	add := func(item catalog.Item) {
		item.Identifier, item.Name, item.ShareType = fmt.Sprintf("item_%d", len(items)), fmt.Sprintf("项%d", len(items)), catalog.Conditional
		items = append(items, item)
	}
	for _, letter := range []catalog.DataType{catalog.Char, catalog.Number, catalog.Currency, catalog.Date, catalog.Timestamp, catalog.Logical, catalog.Memo, catalog.General, catalog.Double, catalog.Integer, catalog.Float} {
		for length := 1; length <= 30; length++ {
			add(catalog.Item{DataType: letter, Length: length, Required: length%2 == 0})
			if letter == catalog.Number || letter == catalog.Currency {
				for scale := 1; scale <= length; scale++ {
					add(catalog.Item{DataType: letter, Length: length, Scale: scale})
				}
			}
		}
	}
	for _, v := range codes.Validators() {
		add(catalog.Item{DataType: catalog.Char, Length: 128, Validator: v.Name, Required: true})
	}
	for _, list := range codes.Lists() {
		add(catalog.Item{DataType: catalog.Char, Length: 20, CodeSet: list.Name, Required: true})
	}
	items = numbered(items)
	for _, row := range sample.Rows(items, 20, 1) {
		checkRow(t, items, row)
	}
}

// The same seed gives the same rows, another one gives others.
func TestSeed(t *testing.T) {
	t.Parallel()
	items := population(t)
	first := sample.Rows(items, 5, 1)
	if diff := cmp.Diff(first, sample.Rows(items, 5, 1)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(first, sample.Rows(items, 5, 2)) {
		t.Error("another seed gives the same rows")
	}
}

// A person's number, birth date and sex agree.
func TestPersonAgrees(t *testing.T) {
	t.Parallel()
	items := population(t)
	at := func(identifier string) int {
		return slices.IndexFunc(items, func(i catalog.Item) bool { return i.Identifier == identifier })
	}
	for _, row := range sample.Rows(items, 50, 3) {
		number, birth, sex := row[at("citizen_id")].Text, row[at("birth_date")].Text, row[at("sex_code")].Text
		if number[6:14] != strings.ReplaceAll(birth, "-", "") {
			t.Errorf("%s was born on %s", number, birth)
		}
		if odd := (number[16]-'0')%2 == 1; odd != (sex == "1") {
			t.Errorf("%s has sex %s", number, sex)
		}
	}
}

// Masks of the catalogue are applied as a grant applies them: no masked value equals the one it hides, and withheld items and
// suppressed ones are empty.
func TestMasked(t *testing.T) {
	t.Parallel()
	items := population(t)
	withheld := items[4]
	withheld.ShareType, withheld.MaskRule = catalog.Withheld, ""
	items[4] = withheld
	rows := sample.Rows(items, 30, 5)
	masks := sample.DefaultMasks(items)
	for i, row := range sample.Masked(items, rows, masks) {
		for j, item := range items {
			got, clear := row[j], rows[i][j]
			switch {
			case item.ShareType == catalog.Withheld:
				if !got.Null || got.Text != "" {
					t.Errorf("the withheld %s has %q", item.Identifier, got.Text)
				}
			case masks[item.No] == "":
				if got != clear {
					t.Errorf("%s: got %+v, want %+v", item.Identifier, got, clear)
				}
			case clear.Null:
				if !got.Null {
					t.Errorf("%s: nothing became %q", item.Identifier, got.Text)
				}
			default:
				if got.Text == clear.Text && item.DataType != catalog.Date || !got.Masked {
					t.Errorf("%s: %q is not masked", item.Identifier, got.Text)
				}
				if rule, _ := mask.Find(masks[item.No]); rule.Name != "full" && got.Text == "******" {
					t.Errorf("%s: the mask %s cannot read %q", item.Identifier, rule.Name, clear.Text)
				}
			}
		}
	}
}

func population(t *testing.T) []catalog.Item {
	t.Helper()
	template, err := catalog.FindTemplate("base_population")
	if err != nil {
		t.Fatal(err)
	}
	return numbered(template.Items)
}

func numbered(items []catalog.Item) []catalog.Item {
	items = slices.Clone(items)
	for i := range items {
		items[i].No = i + 1
	}
	return items
}

// real are numbers that somebody could have: identity numbers of a county, mobile numbers of an operator.
var real = regexp.MustCompile(`(?:^|[^0-9A-Z])(?:[1-6]\d{3}(?:0[1-9]|[1-9]\d)(?:19|20)\d{9}[\dX]|1(?:3\d|4[5-9]|5[0-35-9]|[6-9]\d)\d{8})(?:[^0-9A-Z]|$)`)

func checkRow(t *testing.T, items []catalog.Item, row []sample.Value) {
	t.Helper()
	text := func(identifier string) string {
		for i, item := range items {
			if item.Identifier == identifier {
				return row[i].Text
			}
		}
		return ""
	}
	for i, item := range items {
		v := row[i]
		complain := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s (%s %d,%d %s%s) %q: %s", item.Identifier, item.DataType, item.Length, item.Scale, item.Validator, item.CodeSet, v.Text, fmt.Sprintf(format, args...))
		}
		if v.Null {
			if item.Required && item.DataType != catalog.General {
				complain("required and empty")
			}
			continue
		}
		if real.MatchString(v.Text) {
			complain("could be real")
		}
		if item.Length > 0 && item.DataType == catalog.Char && (utf8.RuneCountInString(v.Text) > item.Length || v.Text == "") {
			complain("does not fit")
		}
		if item.CodeSet != "" && codes.CheckCode(item.CodeSet, v.Text) != nil {
			complain("is not in the list")
		}
		if item.Validator != "" {
			validator, typeItem, _ := codes.FindValidator(item.Validator)
			findings := validator.Check(v.Text, today)
			if typeItem != "" {
				findings = validator.CheckTyped(text(typeItem), v.Text, today)
			}
			if f, wrong := codes.FirstError(findings); wrong {
				complain("%s", f.Message)
			}
		}
		if err := readable(item, v.Text); err != nil {
			complain("%v", err)
		}
	}
}

// readable says whether a text is a value of the item's type.
func readable(item catalog.Item, text string) error {
	var err error
	switch item.DataType {
	case catalog.Date:
		_, err = time.Parse(time.DateOnly, text)
	case catalog.Timestamp:
		_, err = time.Parse(time.RFC3339, text)
	case catalog.Logical:
		_, err = strconv.ParseBool(text)
	case catalog.Integer:
		_, err = strconv.Atoi(text)
	case catalog.Double, catalog.Float:
		_, err = strconv.ParseFloat(text, 64)
	case catalog.Number, catalog.Currency:
		whole, fraction, _ := strings.Cut(text, ".")
		if _, err = strconv.ParseFloat(text, 64); err == nil && (len(strings.TrimLeft(whole, "0")) > item.Length-item.Scale || len(fraction) > item.Scale) {
			err = fmt.Errorf("it has too many digits")
		}
	}
	return err
}
