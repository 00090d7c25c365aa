package catalog

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/connectors"
)

// DriftKind is how a source differs from what was mounted.
type DriftKind string

// The kinds of drift.
const (
	DriftGone      DriftKind = "gone"      // The object itself, or the right to read it.
	DriftDropped   DriftKind = "dropped"   // A column is no longer there.
	DriftRenamed   DriftKind = "renamed"   // A column is no longer there, and a new one of its type stands in its place.
	DriftRetyped   DriftKind = "retyped"   // A column has another type.
	DriftNarrowed  DriftKind = "narrowed"  // A column holds less than before.
	DriftWidened   DriftKind = "widened"   // A column holds more than before.
	DriftNullable  DriftKind = "nullable"  // A column that feeds a required item may now be empty.
	DriftAdded     DriftKind = "added"     // A new column.
	DriftCommented DriftKind = "commented" // A column has another comment.
)

// DriftKinds returns every kind once, the gravest first.
func DriftKinds() []DriftKind {
	return []DriftKind{
		DriftGone, DriftDropped, DriftRenamed, DriftRetyped, DriftNarrowed, DriftWidened, DriftNullable, DriftAdded, DriftCommented,
	}
}

// Drift is one difference between a source and what was mounted, from when it was first seen until the source is as it was, or
// the mount is made anew.
type Drift struct {
	ID           uuid.UUID  `json:"id"`
	MountID      uuid.UUID  `json:"mount_id"`
	ResourceID   uuid.UUID  `json:"resource_id"`
	Resource     string     `json:"resource"`
	SourceID     uuid.UUID  `json:"source_id"`
	Source       string     `json:"source"`
	Object       string     `json:"object"`
	Column       string     `json:"column"` // "" for the object as a whole.
	Kind         DriftKind  `json:"kind"`
	Was          string     `json:"was"`           // Name, type or comment that was mounted; "" for an added column.
	Now          string     `json:"now"`           // What the source has instead; "" when nothing.
	Items        []string   `json:"items"`         // Identifiers of the items that the column feeds, and what else the mount uses it for.
	Breaks       bool       `json:"breaks"`        // Runs stop until the source or the mount is mended.
	DraftVersion int        `json:"draft_version"` // The draft that was begun because of it; 0 for none.
	FirstSeen    time.Time  `json:"first_seen"`
	LastSeen     time.Time  `json:"last_seen"`
	ResolvedAt   *time.Time `json:"resolved_at,omitempty"`
}

// maxDrift bounds what is noted about one mount; what breaks it comes first.
const maxDrift = 200

// maxDriftText bounds a comment in a finding, in characters.
const maxDriftText = 300

// The uses of a column besides feeding items.
const (
	useOrder     = "order_column"
	useWatermark = "watermark_column"
	useDeletes   = "deletes.column"
)

// compareSchema returns how live differs from what m was checked against, what breaks it first. v is the version that m feeds.
func compareSchema(m Mount, v Version, live connectors.Schema) []Drift {
	uses := usesOf(m, v)
	var out []Drift
	note := func(kind DriftKind, column, was, now string, breaks bool) {
		out = append(out, Drift{
			MountID: m.ID, Column: column, Kind: kind, Was: cutText(was, maxDriftText), Now: cutText(now, maxDriftText), Items: uses.names(column), Breaks: breaks,
		})
	}
	renamed := renames(m.Schema, live)
	for _, was := range m.Schema.Columns {
		now, there := live.Column(was.Name)
		switch {
		case !there && renamed[was.Name] != "":
			note(DriftRenamed, was.Name, was.Name, renamed[was.Name], uses.used(was.Name))
			continue
		case !there:
			note(DriftDropped, was.Name, was.NativeType, "", uses.used(was.Name))
			continue
		case was.Kind != now.Kind:
			note(DriftRetyped, was.Name, was.NativeType, now.NativeType, uses.used(was.Name))
		case narrower(was, now):
			note(DriftNarrowed, was.Name, was.NativeType, now.NativeType, uses.cut(was.Name, now))
		case narrower(now, was):
			note(DriftWidened, was.Name, was.NativeType, now.NativeType, false)
		case was.NativeType != now.NativeType:
			note(DriftRetyped, was.Name, was.NativeType, now.NativeType, false)
		}
		if !was.Nullable && now.Nullable && uses.needed(was.Name) {
			note(DriftNullable, was.Name, "", "", false)
		}
		if was.Comment != now.Comment {
			note(DriftCommented, was.Name, was.Comment, now.Comment, false)
		}
	}
	for _, now := range live.Columns {
		if _, known := m.Schema.Column(now.Name); !known && !hasValue(renamed, now.Name) {
			note(DriftAdded, now.Name, "", now.NativeType, false)
		}
	}
	slices.SortStableFunc(out, func(a, b Drift) int {
		if a.Breaks != b.Breaks {
			return cmp.Compare(boolRank(b.Breaks), boolRank(a.Breaks))
		}
		return cmp.Compare(slices.Index(DriftKinds(), a.Kind), slices.Index(DriftKinds(), b.Kind))
	})
	return out[:min(len(out), maxDrift)]
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// renames finds, for columns that are gone, the new ones that took their place: the only new column of the same type with the same
// comment, or at the same position. It is a hint for people, no mapping.
func renames(was, live connectors.Schema) map[string]string {
	fresh := func(c connectors.Column) bool { _, known := was.Column(c.Name); return !known }
	out := map[string]string{}
	for at, old := range was.Columns {
		if _, there := live.Column(old.Name); there {
			continue
		}
		var found []string
		for i, c := range live.Columns {
			alike := c.NativeType == old.NativeType && fresh(c) && !hasValue(out, c.Name)
			if alike && (old.Comment != "" && c.Comment == old.Comment || i == at && c.Comment == old.Comment) {
				found = append(found, c.Name)
			}
		}
		if len(found) == 1 {
			out[old.Name] = found[0]
		}
	}
	return out
}

func hasValue(m map[string]string, value string) bool {
	for _, v := range m {
		if v == value {
			return true
		}
	}
	return false
}

// integerSizes are the bytes of whole-number types whose names many kinds of databases share.
var integerSizes = map[string]int{"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "integer": 4, "bigint": 8}

// narrower reports whether b, of the same kind, holds less than a.
func narrower(a, b connectors.Column) bool {
	switch a.Kind {
	case connectors.Text:
		return b.Length > 0 && (a.Length == 0 || b.Length < a.Length)
	case connectors.Decimal:
		if b.Length == 0 || a.Length == 0 {
			return b.Length > 0 && a.Length == 0
		}
		return b.Scale < a.Scale || b.Length-b.Scale < a.Length-a.Scale
	case connectors.Integer:
		from, to := integerSizes[a.NativeType], integerSizes[b.NativeType]
		return from > 0 && to > 0 && to < from
	}
	return false
}

// columnUses is what a mount uses columns for.
type columnUses map[string]columnUse

type columnUse struct {
	items []Item
	other []string
}

func usesOf(m Mount, v Version) columnUses {
	out := columnUses{}
	for _, c := range m.Columns {
		if item, ok := v.ItemNo(c.ItemNo); ok && c.Column != "" {
			use := out[c.Column]
			use.items = append(use.items, item)
			out[c.Column] = use
		}
	}
	other := map[string]string{useOrder: m.OrderColumn, useWatermark: m.WatermarkColumn}
	if m.Deletes != nil {
		other[useDeletes] = m.Deletes.Column
	}
	for _, name := range []string{useOrder, useWatermark, useDeletes} {
		if column := other[name]; column != "" {
			use := out[column]
			use.other = append(use.other, name)
			out[column] = use
		}
	}
	return out
}

func (u columnUses) used(column string) bool { return len(u[column].items)+len(u[column].other) > 0 }

func (u columnUses) names(column string) []string {
	out := []string{}
	for _, item := range u[column].items {
		out = append(out, item.Identifier)
	}
	return append(out, u[column].other...)
}

// needed reports whether the column feeds an item that must not be empty.
func (u columnUses) needed(column string) bool {
	return slices.ContainsFunc(u[column].items, func(i Item) bool { return i.Key || i.Required })
}

// cut reports whether the column, as it is now, is too narrow for an item it feeds: the item promises more than can arrive.
func (u columnUses) cut(column string, now connectors.Column) bool {
	return slices.ContainsFunc(u[column].items, func(i Item) bool {
		switch {
		case now.Kind == connectors.Text && (i.DataType == Char || i.DataType == Memo):
			return i.Length == 0 || now.Length < i.Length
		case now.Kind == connectors.Decimal && (i.DataType == Number || i.DataType == Currency):
			return now.Scale < i.Scale || now.Length-now.Scale < i.Length-i.Scale
		}
		return false
	})
}

func cutText(s string, most int) string {
	if r := []rune(strings.ToValidUTF8(s, "\uFFFD")); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
