package console

import (
	"strconv"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
)

// versionsTab is the versions of a resource and what changed between two of them.
type versionsTab struct {
	Versions []versionLine
	From, To int
	Compared bool
	Fields   []shownDifference
	Items    []shownItem
}

// versionLine is a version in the list.
type versionLine struct {
	catalog.Version
	LastDay *time.Time // On which it is served beside the one that replaced it; nil where it is not.
}

// fillVersions compares the two versions that the address names, else the newest with the one before it.
func (v *visit) fillVersions(page *resourcePage) error {
	ctx, id := v.r.Context(), page.Resource.ID
	all, err := v.Catalog.Versions(ctx, v.principal, id)
	if err != nil {
		return err
	}
	t := &versionsTab{}
	for _, version := range all {
		t.Versions = append(t.Versions, versionLine{version, lastDay(version.ServedUntil)})
	}
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
	words, err := v.entryWords(after)
	if err != nil {
		return err
	}
	t.Compared = true
	fields, items := catalog.Compare(before.Version.Metadata, after.Version.Metadata)
	for _, d := range fields {
		t.Fields = append(t.Fields, shownDifference{v.fieldLabel(d.Field, nil), words.value(d.Field, d.Before), words.value(d.Field, d.After)})
	}
	for _, i := range items {
		t.Items = append(t.Items, words.item(i))
	}
	return nil
}
