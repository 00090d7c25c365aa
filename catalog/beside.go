package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// maxBeside is how many days ahead a version may be served beside the one that replaces it: a year, so that the day is met by
// those who set it. A choice of this project.
const maxBeside = 366

// checkOldUntil says whether a version may ask for the one before it to be served up to a day, which it keeps. "" asks for
// nothing. The faults name the field old_until.
func (s *Service) checkOldUntil(ctx context.Context, tx *db.Tx, r Resource, v *Version, day string) error {
	v.OldUntil = ""
	if day == "" {
		return nil
	}
	wrong := func(code, message string, args ...any) error {
		return fault.InvalidFields([]fault.Field{{Name: "old_until", Code: code, Message: fmt.Sprintf(message, args...)}})
	}
	last, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return wrong("bad_date", "give a day of the calendar as YYYY-MM-DD")
	}
	today, err := time.Parse(time.DateOnly, s.today())
	if err != nil {
		return fmt.Errorf("reading today's date: %w", err)
	}
	switch {
	case last.Before(today):
		return wrong("in_the_past", "this day has passed; name today or a later day")
	case last.After(today.AddDate(0, 0, maxBeside)):
		return wrong("over_a_year", "name a day within %d days", maxBeside)
	case r.Published == 0 || r.Published == v.Number:
		return wrong("nothing_published", "no version is published that could be served beside this one")
	}
	before, err := loadVersion(ctx, tx, r.ID, r.Published)
	if err != nil {
		return err
	}
	if len(Breaking(before, *v)) == 0 {
		return wrong("nothing_breaks", "this version takes nothing from those who use the one before; leave the day out")
	}
	v.OldUntil = day
	return nil
}

// serveBeside says until when before is served beside after, which takes its place: nil where that asks for no day, where the day
// has passed, and where it takes nothing away or shares nothing any more.
func (s *Service) serveBeside(before, after Version) (*time.Time, error) {
	if after.OldUntil < s.today() || after.ShareType == Withheld || len(Breaking(before, after)) == 0 {
		return nil, nil
	}
	last, err := time.ParseInLocation(time.DateOnly, after.OldUntil, s.zone)
	if err != nil {
		return nil, fmt.Errorf("reading until when version %d is served: %w", before.Number, err)
	}
	end := last.AddDate(0, 0, 1).UTC()
	return &end, nil
}

// endBeside ends the time of a version that is served beside the published one.
func endBeside(ctx context.Context, tx *db.Tx, resource uuid.UUID) error {
	_, err := tx.Exec(ctx, "UPDATE resource_version SET served_until = $2 WHERE resource_id = $1 AND served_until > $2", resource, tx.Now())
	if err != nil {
		return fmt.Errorf("ending the time of an old version: %w", err)
	}
	return nil
}

// Under returns the version as it may be served beside a later one: its own items, each withheld, as strictly shared, as highly
// graded and masked as the later version demands. Items that the later version does not have stay as they are.
func (v Version) Under(later Version) Version {
	v.Items = slices.Clone(v.Items)
	for i := range v.Items {
		item := &v.Items[i]
		now, still := later.Item(item.Identifier)
		if !still {
			continue
		}
		if strictness(now.ShareType) > strictness(item.ShareType) {
			item.ShareType = now.ShareType
		}
		item.Grade = max(item.Grade, now.Grade)
		if masking(now) != "" {
			item.MaskRule = now.MaskRule
		}
	}
	v.ShareType, v.Grade = deriveShareType(v.Items), deriveGrade(v.Items)
	return v
}

// Feedable refuses to read rows for a mount of an old version when it feeds items that no version has any more which is published or served
// beside it: the Conflict old_version_over. Such a mount goes on beside a newer version only as long as somebody is served what it feeds.
func (s *Service) Feedable(ctx context.Context, q Querier, m Mount, v Version) error {
	if v.ServedUntil == nil {
		return nil // It was suspended as that version was replaced, had it to be.
	}
	items := make([]int, len(m.Columns))
	for i, c := range m.Columns {
		items[i] = c.ItemNo
	}
	var over bool
	err := q.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM unnest($2::int[]) AS fed WHERE NOT EXISTS (
			SELECT FROM item i JOIN resource r ON r.id = i.resource_id JOIN resource_version v ON v.resource_id = i.resource_id AND v.version = i.version
			WHERE i.resource_id = $1 AND i.no = fed AND (i.version = r.published OR v.served_until > clock_timestamp())))`, m.ResourceID, items).Scan(&over)
	if err != nil {
		return fmt.Errorf("looking for who is served what a mount feeds: %w", err)
	}
	if over {
		return fault.New(fault.Conflict, "old_version_over",
			"the active mount feeds version %d, which is served no longer; activate a mount of the published version", m.Version)
	}
	return nil
}
