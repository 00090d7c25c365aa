package sharing

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// ridPurpose names the sealed keys of _rid; the grant's id is bound to each.
const ridPurpose = "grant-rid"

// Conditions are the provider's: they may narrow what was asked for, never widen it. Nil and zero fields leave the terms
// as they are, except Unmask: what the approver does not name stays masked.
type Conditions struct {
	Items        []string          `json:"items,omitempty"`      // Granted items; nil means all requested.
	RowFilter    json.RawMessage   `json:"row_filter,omitempty"` // Holds besides the requested filter.
	Masks        map[string]string `json:"masks,omitempty"`      // Masks by identifier in place of the catalogue's.
	Lookup       []string          `json:"lookup,omitempty"`     // nil means as requested, empty none.
	Unmask       []string          `json:"unmask,omitempty"`     // Requested items granted without their mask.
	CaseRequired bool              `json:"case_required,omitempty"`
	ValidUntil   *time.Time        `json:"valid_until,omitempty"` // Not later than requested.
	Quota        *int64            `json:"quota,omitempty"`       // Not more than requested.
	RateCalls    *int              `json:"rate_calls,omitempty"`
	RateRows     *int              `json:"rate_rows,omitempty"`
	Opinion      string            `json:"opinion,omitempty"`
}

// Approve grants a request on its terms as narrowed by the conditions. Decision, grant, evidence and the entry of the
// policy log are one transaction: the grant is in force everywhere within a second of the commit. A resource that
// is not published any more is the Conflict fault "resource_not_published"; one whose published version has lost a
// requested item or withholds it, "resource_changed"; a client that is disabled, "client_disabled".
func (s *Service) Approve(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, c Conditions) (Request, error) {
	return s.move(ctx, p, id, ifMatch, StepApprove, c.Opinion, func(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request) error {
		resource, err := s.offered(ctx, tx, *r)
		if err != nil {
			return err
		}
		g, wrong := c.grant(*r, resource.Version, tx.Now())
		if err := wrong.fault(); err != nil {
			return err
		}
		now := tx.Now()
		r.DecidedBy, r.DecidedAt = p.ID, &now
		return s.create(ctx, tx, p, r, g)
	})
}

// grantStanding grants a received request of unconditional items under the provider's standing consent.
func (s *Service) grantStanding(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request, resource catalog.Resource) error {
	g, wrong := Conditions{}.grant(*r, resource.Version, tx.Now())
	if err := wrong.fault(); err != nil {
		return err
	}
	g.Standing = true
	now := tx.Now()
	r.DecidedAt = &now
	if err := s.create(ctx, tx, p, r, g); err != nil {
		return err
	}
	m, err := findMove(r.State, StepGrantStanding)
	if err != nil {
		return err
	}
	return s.shift(ctx, tx, p, r, m, "standing consent: "+resource.StandingConsent.Document)
}

// offered returns the resource of a request as it is published now, with the rows that an approval relies on held FOR SHARE:
// the resource, its standing consent with it, and the client.
func (s *Service) offered(ctx context.Context, tx *db.Tx, r Request) (catalog.Resource, error) {
	resource, err := s.catalog.PublishedTx(ctx, tx, r.ResourceID, true)
	switch {
	case fault.Is(err, fault.NotFound):
		return resource, fault.New(fault.Conflict, "resource_not_published", "the resource is not published now, so nothing can be granted of it")
	case err != nil:
		return resource, err
	}
	if err := requestable(resource, r.ConsumerDeptID); err != nil {
		return resource, err
	}
	items := chosen(resource.Version.Items, r.Items)
	withheld := slices.ContainsFunc(items, func(i catalog.Item) bool { return i.ShareType == catalog.Withheld })
	if len(items) != len(r.Items) || withheld {
		return resource, fault.New(fault.Conflict, "resource_changed",
			"the resource no longer offers all requested items; have the request completed or made anew")
	}
	err = clientUsable(ctx, tx, r.ClientID, r.ConsumerDeptID, "FOR SHARE")
	if fault.Is(err, fault.Invalid) {
		return resource, fault.New(fault.Conflict, "client_disabled", "the client is not active; its department has to enable it first")
	}
	return resource, err
}

// grant returns the right that follows from the request under the conditions, or what is wrong with these.
func (c Conditions) grant(r Request, version catalog.Version, now time.Time) (Grant, findings) {
	var f findings
	f.text("opinion", c.Opinion, false)
	g := Grant{
		ID: db.NewID(), RequestID: r.ID, ClientID: r.ClientID, ConsumerDeptID: r.ConsumerDeptID,
		ProviderDeptID: r.ProviderDeptID, ResourceID: r.ResourceID, ResourceVersion: version.Number,
		Items: r.Items, RowFilter: r.RowFilter, Lookup: r.Lookup, ShareMethods: r.ShareMethods, Purpose: r.Purpose,
		PurposeText: r.PurposeText, CaseRequired: r.CaseRequired || c.CaseRequired, Quota: r.Quota, QuotaPeriod: r.QuotaPeriod,
		RateCalls: r.RateCalls, RateRows: r.RateRows, ValidFrom: now, ValidTo: r.ValidUntil, State: GrantActive,
		TermsVersion: 1, RowVersion: 1, CreatedAt: now, UpdatedAt: now,
	}
	c.narrowScope(&f, &g, r, version)
	c.narrowUse(&f, &g, r, now)
	items := chosen(version.Items, g.Items)
	g.ShareType, g.Grade = strictest(items), highest(items)
	return g, f
}

func (c Conditions) narrowScope(f *findings, g *Grant, r Request, version catalog.Version) {
	if c.Items != nil {
		g.Items = f.pick("items", c.Items, version.Items)
		f.within("items", c.Items, version.Items, r.Items, "not_requested", "only requested items can be granted")
		if len(c.Items) == 0 {
			f.add("items", "required", "grant at least one item, or refuse the request")
		}
	}
	unmasked := f.pick("unmask", c.Unmask, version.Items)
	f.within("unmask", c.Unmask, version.Items, r.Unmask, "not_requested", "clear values of this item were not asked for")

	g.Masks = map[int]string{}
	for _, i := range chosen(version.Items, g.Items) {
		if rule := masked(i); rule != "" && !slices.Contains(unmasked, i.No) {
			g.Masks[i.No] = rule
		}
	}
	c.replaceMasks(f, g, version)

	keys := make([]int, 0, len(r.Lookup))
	for _, i := range chosen(version.Items, g.Items) {
		if i.Key && g.Masks[i.No] != "" {
			keys = append(keys, i.No)
		}
	}
	if c.Lookup != nil {
		g.Lookup = f.pick("lookup", c.Lookup, version.Items)
		f.within("lookup", c.Lookup, version.Items, r.Lookup, "not_requested", "look-up of this item was not asked for")
		f.within("lookup", c.Lookup, version.Items, keys, "not_masked_key", "look-up by clear value is for key items that are granted masked")
	}
	// What is not granted, or granted in clear, needs no look-up.
	g.Lookup = slices.DeleteFunc(slices.Clone(g.Lookup), func(no int) bool { return !slices.Contains(keys, no) })

	var err error
	extra := f.rowFilter("row_filter", c.RowFilter, version.Items)
	// The requested filter is read again: an item of it may be masked, withheld or no longer filterable by now.
	requested := f.rowFilter("requested_row_filter", r.RowFilter, version.Items)
	if g.RowFilter, err = narrower(requested, extra); err != nil {
		f.add("row_filter", "too_long", "the requested filter and this one are too long together")
	}
}

func (c Conditions) replaceMasks(f *findings, g *Grant, version catalog.Version) {
	known := byIdentifier(version.Items)
	for _, identifier := range slices.Sorted(maps.Keys(c.Masks)) {
		item, ok := known[identifier]
		switch {
		case !ok || !slices.Contains(g.Items, item.No):
			f.add("masks", "not_requested", "name granted items only")
		case !maskFits(c.Masks[identifier], item):
			f.add("masks."+item.Identifier, "unknown_mask", "use a mask that fits the type of the item")
		default:
			g.Masks[item.No] = c.Masks[identifier]
		}
	}
}

func (c Conditions) narrowUse(f *findings, g *Grant, r Request, now time.Time) {
	if c.ValidUntil != nil {
		g.ValidTo = c.ValidUntil.UTC().Truncate(time.Microsecond)
	}
	switch {
	case g.ValidTo.After(r.ValidUntil):
		f.add("valid_until", "wider", "name a time not later than the one requested")
	case !g.ValidTo.After(now):
		f.add("valid_until", "in_the_past", "the period has passed; name a time in the future or refuse the request")
	}
	if c.Quota != nil {
		g.Quota = *c.Quota
	}
	if g.Quota < 0 || r.Quota > 0 && (g.Quota == 0 || g.Quota > r.Quota) {
		f.add("quota", "wider", "name a quota above 0 and not above the one requested")
	}
	for _, rate := range []struct {
		name      string
		condition *int
		requested int
		granted   *int
	}{{"rate_calls", c.RateCalls, r.RateCalls, &g.RateCalls}, {"rate_rows", c.RateRows, r.RateRows, &g.RateRows}} {
		if rate.condition != nil {
			*rate.granted = *rate.condition
		}
		if *rate.granted < 0 || *rate.granted > maxRate || rate.requested > 0 && (*rate.granted == 0 || *rate.granted > rate.requested) {
			f.add(rate.name, "wider", "name a rate above 0 and not above the one requested")
		}
	}
}

// NewRidKey makes the key of a grant's _rid and seals it for the grant's row. A grant whose key changes needs another terms
// version, since identities that consumers hold are others from then on.
func NewRidKey(keyring *secret.Keyring, grant uuid.UUID) ([]byte, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // Never fails: crypto/rand ends the process instead.
	sealed, err := keyring.Seal(ridPurpose, key[:], grant[:])
	if err != nil {
		return nil, fmt.Errorf("sealing the key of a grant: %w", err)
	}
	return sealed, nil
}

// create writes a grant with its key, evidence and policy entry, and names it in the request.
func (s *Service) create(ctx context.Context, tx *db.Tx, p authz.Principal, r *Request, g Grant) error {
	sealed, err := NewRidKey(s.keyring, g.ID)
	if err != nil {
		return err
	}
	if err := insertRow(ctx, tx, "sharing_grant", newGrantRow(g, sealed)); err != nil {
		return err
	}
	r.GrantID = g.ID
	side := ProviderSide
	if g.Standing {
		side = HubSide
	}
	detail := map[string]any{
		"request": r.ID, "client": g.ClientID, "resource": g.ResourceID, "version": g.ResourceVersion,
		"share_type": g.ShareType, "grade": g.Grade, "items": g.Items, "row_filter_sha256": filterHash(g.RowFilter),
		"masks": g.Masks, "lookup": g.Lookup, "purpose": g.Purpose, "valid_to": g.ValidTo, "quota": g.Quota,
		"quota_period": g.QuotaPeriod, "standing": g.Standing,
	}
	return s.noteGrant(ctx, tx, p, g, GrantMove{From: GrantActive, Step: GrantCreate, To: GrantActive}, side, "", nil, detail)
}

// filterHash identifies a row filter in the log without repeating its values; "" stands for all rows.
func filterHash(canonical json.RawMessage) string {
	if len(bytes.TrimSpace(canonical)) == 0 {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}
