package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// Beside says that a grant is served an old version of a resource beside the published one.
type Beside struct {
	Successor int       // The published version.
	Since     time.Time // When that was published.
	Until     time.Time // When the old version is served no longer.
}

// published is a resource as it is published, with the version before it where that is still served beside it.
type published struct {
	resource *catalog.Resource
	old      *oldVersion // nil where the published version serves everyone.
}

// oldVersion is a version that is served beside the one that replaced it, and whom.
type oldVersion struct {
	beside      Beside
	resource    *catalog.Resource // With the old version, as strict as the published one demands.
	items       []int             // The items that the change touches, as version_change has them.
	identifiers []string
	whole       bool
}

// besideSQL selects the version that is served beside the published one of a resource at a moment, as oldVersion reads it; NULL where there
// is none. Its parameters are SQL.
func besideSQL(resource, number, at string) string {
	return `(SELECT jsonb_build_object('version', o.version, 'name', o.name, 'state', o.state, 'update_cycle', o.update_cycle,
			'published_at', o.published_at, 'since', c.at, 'until', o.served_until, 'touched', c.items, 'identifiers', c.identifiers, 'whole', c.whole,
			'items', (SELECT json_agg(i ORDER BY i.ordinal) FROM item i WHERE i.resource_id = o.resource_id AND i.version = o.version))
		FROM version_change c JOIN resource_version o ON o.resource_id = c.resource_id AND o.version = c.previous AND o.served_until > ` + at + `
		WHERE c.resource_id = ` + resource + ` AND c.version = ` + number + `)`
}

// newPublished puts a resource together with what besideSQL selected.
func newPublished(r *catalog.Resource, raw []byte) (*published, error) {
	p := &published{resource: r}
	if raw == nil || r.Version.ShareType == catalog.Withheld {
		return p, nil
	}
	var row struct {
		Version     int                 `json:"version"`
		Name        string              `json:"name"`
		State       catalog.State       `json:"state"`
		UpdateCycle catalog.UpdateCycle `json:"update_cycle"`
		PublishedAt *time.Time          `json:"published_at"`
		Since       time.Time           `json:"since"`
		Until       time.Time           `json:"until"`
		Touched     []int               `json:"touched"`
		Identifiers []string            `json:"identifiers"`
		Whole       bool                `json:"whole"`
		Items       []catalog.Item      `json:"items"`
	}
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, fmt.Errorf("decoding the old version of resource %s: %w", r.ID, err)
	}
	old := *r
	old.Published = row.Version
	old.Version = catalog.Version{
		Number: row.Version, State: row.State, PublishedAt: inUTC(row.PublishedAt),
		Metadata: catalog.Metadata{Name: row.Name, UpdateCycle: row.UpdateCycle, Items: row.Items},
	}.Under(r.Version)
	p.old = &oldVersion{
		beside:   Beside{Successor: r.Published, Since: row.Since.UTC(), Until: row.Until.UTC()},
		resource: &old, items: row.Touched, identifiers: row.Identifiers, whole: row.Whole,
	}
	return p, nil
}

// serves returns the resource in the version that a grant is served at a moment, and why where that is not the published one. It is the
// old one for grants of before that the change touches, until the consumer has taken note of it or its time is over. The conditions are
// those of touchedSQL: who is served the old version can always take note.
func (p *published) serves(h held, now time.Time) (*catalog.Resource, *Beside) {
	o := p.old
	if o == nil || !o.beside.Until.After(now) || h.grant.ResourceVersion >= o.beside.Successor || o.beside.Since.Before(h.grant.ValidFrom) ||
		slices.Contains(h.noted, o.beside.Successor) || !o.touches(h) {
		return p.resource, nil
	}
	return o.resource, &o.beside
}

// touches reports whether the change takes something from a grant: by what it reads, or by its row filter.
func (o *oldVersion) touches(h held) bool {
	return o.whole ||
		slices.ContainsFunc(o.items, func(no int) bool { return contains(h.grant.Items, no) }) ||
		slices.ContainsFunc(o.identifiers, func(identifier string) bool { return slices.Contains(h.filtered, identifier) })
}

// heldAs finds a grant among those of a client.
func heldAs(grants []held, id uuid.UUID) (held, bool) {
	for _, h := range grants {
		if h.grant.ID == id {
			return h, true
		}
	}
	return held{}, false
}

// Served says which version of a resource a grant is served.
type Served struct {
	Version     int        `json:"version"`                // 0 where nothing was ever published.
	ServedUntil *time.Time `json:"served_until,omitempty"` // Of an old version: until when, at the latest.
}

// ServedGrant is a grant with the version that it is served.
type ServedGrant struct {
	Grant
	Served
}

// GetServed returns one grant as GetGrant does, with the version that it would be served now, whatever its own state is.
func (s *Service) GetServed(ctx context.Context, p authz.Principal, id uuid.UUID) (ServedGrant, error) {
	g, err := s.GetGrant(ctx, p, id)
	if err != nil {
		return ServedGrant{}, err
	}
	out := ServedGrant{Grant: g}
	err = s.db.Pool.QueryRow(ctx, `
		SELECT coalesce(o.version, r.published, 0), o.served_until FROM sharing_grant g JOIN resource r ON r.id = g.resource_id
		LEFT JOIN version_change v ON v.version = r.published AND `+touchedSQL()+` AND NOT EXISTS (
			SELECT FROM change_acknowledgement a WHERE a.resource_id = v.resource_id AND a.version = v.version AND a.grant_id = g.id)
		LEFT JOIN resource_version o ON o.resource_id = v.resource_id AND o.version = v.previous AND o.served_until > clock_timestamp()
		WHERE g.id = $1`, g.ID).Scan(&out.Version, &out.ServedUntil)
	if err != nil {
		return ServedGrant{}, fmt.Errorf("reading which version a grant is served: %w", err)
	}
	out.ServedUntil = inUTC(out.ServedUntil)
	return out, nil
}
