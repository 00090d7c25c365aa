package console

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// impactPage is whom a version touches.
type impactPage struct {
	Entry    entryHead
	Impact   sharing.Impact
	Breaks   []breakLine
	Uses     []sharing.ImpactUse
	Versions []option
	Pending  bool // The version is not published yet.
	More     string
	Sheet    string
}

type breakLine struct {
	sharing.ImpactBreak
	Was, Is string // In words.
}

func (c *console) showImpact(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	head, err := v.entryHead(id, "impact")
	if err != nil {
		return err
	}
	number, _ := strconv.Atoi(v.query("version"))
	if number < 1 || number > head.Resource.Version.Number {
		number = head.Resource.Version.Number
	}
	if v.asSheet() {
		return v.impactSheet(id, number)
	}
	page := impactPage{Entry: head, Sheet: v.sheetAddress(), Pending: number > head.Resource.Published}
	if page.Impact, err = v.Sharing.Impact(ctx, v.principal, id, number); err != nil {
		return err
	}
	words, err := v.entryWords(head.Resource)
	if err != nil {
		return err
	}
	for _, b := range page.Impact.Breaks {
		page.Breaks = append(page.Breaks, breakLine{ImpactBreak: b, Was: words.broken(b.Kind, b.Before), Is: words.broken(b.Kind, b.After)})
	}
	uses, next, err := v.Sharing.ImpactUses(ctx, v.principal, id, number, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.Uses, page.More = uses, v.after(next)
	for n := head.Resource.Version.Number; n > 1; n-- {
		if len(page.Versions) == db.MaxPage {
			break
		}
		page.Versions = append(page.Versions, option{Value: strconv.Itoa(n), Text: v.say("compile.version_of", "n", n), Selected: n == number})
	}
	return v.show("entry_impact", head.Resource.Version.Name, page)
}

// impactOf says whom a version that is not published yet will touch; nil for nobody.
func (v *visit) impactOf(r catalog.Resource) (*sharing.Impact, error) {
	if r.Published == 0 || r.Version.Number <= r.Published {
		return nil, nil
	}
	i, err := v.Sharing.Impact(v.r.Context(), v.principal, r.ID, r.Version.Number)
	if err != nil || i.Grants == 0 {
		return nil, err
	}
	return &i, nil
}

func (v *visit) impactSheet(id uuid.UUID, number int) error {
	columns := []string{"request.consumer", "grant.client", "terms.purpose", "terms.items", "impact.tasks", "grant.until", "impact.acknowledged", "impact.note"}
	return v.sheet("impact", columns, func(cursor string) ([][]string, string, error) {
		uses, next, err := v.Sharing.ImpactUses(v.r.Context(), v.principal, id, number, db.Page{Limit: db.MaxPage, Cursor: cursor})
		var cells [][]string
		for _, u := range uses {
			cells = append(cells, []string{
				u.Department, u.Client, u.Purpose, v.joined(u.Items), strconv.FormatInt(u.Tasks, 10), v.formats.day(u.ValidTo), v.formats.second(u.AcknowledgedAt), u.Note,
			})
		}
		return cells, next, err
	})
}

// broken says what was, or is, of something that a version takes away.
func (w *entryWords) broken(kind catalog.BreakKind, value string) string {
	if value == "" {
		return ""
	}
	switch kind {
	case catalog.BreakRetyped:
		return w.v.word("data_type", value)
	case catalog.BreakStricter, catalog.BreakWithheld:
		return w.v.word("share_type", value)
	case catalog.BreakMasked:
		return w.v.word("mask", value)
	case catalog.BreakRegraded:
		return w.v.word("grade", value)
	case catalog.BreakMethod:
		return w.v.word("share_method", value)
	case catalog.BreakSlower:
		return w.v.word("update_cycle", value)
	case catalog.BreakKey, catalog.BreakUnfilterable, catalog.BreakRemoved:
		return "" // The kind says all.
	}
	return value
}

// acknowledgeChange takes note of a publication that touches a grant.
func (c *console) acknowledgeChange(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(v.r.PathValue("number"))
	if err != nil {
		return notFound()
	}
	if _, err := v.Sharing.AcknowledgeChange(v.r.Context(), v.principal, id, number, v.field("note")); err != nil {
		if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.NotFound) {
			return err
		}
		return v.drawGrant(id, "acknowledge", err)
	}
	return v.to(prefix+"/grants/"+id.String(), "change_acknowledged")
}
