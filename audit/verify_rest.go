package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/google/uuid"
)

// pending checks the events that wait, as far as there is something to compare them with.
func (v *verification) pending(ctx context.Context) error {
	for after := (uuid.UUID{}); ; {
		rows, err := v.tx.Query(ctx, "SELECT p.event_id, EXISTS (SELECT FROM leaf l WHERE l.event_id = p.event_id), "+recordColumns+`
			FROM (SELECT event_id FROM pending WHERE event_id > $1 ORDER BY event_id LIMIT $2) p LEFT JOIN event e ON e.id = p.event_id
			ORDER BY p.event_id`, after, window)
		if err != nil {
			return fmt.Errorf("reading pending events: %w", err)
		}
		count := 0
		for rows.Next() {
			var r record
			var sealed bool
			if err := rows.Scan(append([]any{&after, &sealed}, r.targets()...)...); err != nil {
				rows.Close()
				return fmt.Errorf("reading pending events: %w", err)
			}
			count++
			v.pendingEvent(&r, after, sealed)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("reading pending events: %w", err)
		}
		if err := v.checkUsage(ctx); err != nil {
			return err
		}
		if count < window {
			return nil
		}
	}
}

func (v *verification) pendingEvent(r *record, id uuid.UUID, sealed bool) {
	switch {
	case r.id == nil:
		v.add(Problem{Kind: EventMissing, Event: id, Text: "an event that waits to be sealed does not exist"})
	case sealed:
		v.add(r.problem(EventTwice, nil, nil, "the event is sealed and marked as pending again"))
	default:
		if where := v.columns(r); len(where) > 0 {
			v.add(r.problem(EventAltered, nil, where, "columns contradict the body of an event not yet sealed"))
		}
	}
}

// unsealed looks for events without leaf and pending mark. An event and its mark are one transaction, and so are its leaf
// and the mark's end: in one snapshot there is no moment without both, however young the event claims to be.
func (v *verification) unsealed(ctx context.Context) error {
	rows, err := v.tx.Query(ctx, `
		SELECT `+recordColumns+` FROM event e
		WHERE NOT EXISTS (SELECT FROM leaf l WHERE l.event_id = e.id) AND NOT EXISTS (SELECT FROM pending p WHERE p.event_id = e.id)`)
	if err != nil {
		return fmt.Errorf("reading unsealed events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		if err := rows.Scan(r.targets()...); err != nil {
			return fmt.Errorf("reading unsealed events: %w", err)
		}
		v.add(r.problem(EventUnsealed, nil, nil, "the event has neither leaf nor pending mark: it was slipped in, or its leaf was removed"))
	}
	return rows.Err()
}

// usageClaim is what an event says about usage records.
type usageClaim struct {
	event, object uuid.UUID
	body          body
	records       int64
	sha256        string
}

func newUsageClaim(b *body) (usageClaim, bool) {
	if b.Action != ActionUsageBatch && b.Action != ActionUsageOpen && b.Action != ActionUsageEnd {
		return usageClaim{}, false
	}
	claim := usageClaim{event: b.ID, body: *b}
	claim.object, _ = uuid.Parse(b.Object.ID)
	claim.sha256, _ = b.Detail["sha256"].(string)
	if records, ok := b.Detail["records"].(float64); ok {
		claim.records = int64(records)
	}
	return claim, true
}

func (c *usageClaim) problem(kind ProblemKind, format string, args ...any) Problem {
	return Problem{Kind: kind, Event: c.event, At: c.body.At, Action: c.body.Action, Text: fmt.Sprintf(format, args...)}
}

// checkUsage compares the claims gathered in this window with the records.
func (v *verification) checkUsage(ctx context.Context) error {
	claims := v.usage
	v.usage = v.usage[:0]
	var batches, singles []usageClaim
	for _, claim := range claims {
		if claim.body.Action == ActionUsageBatch {
			batches = append(batches, claim)
		} else {
			singles = append(singles, claim)
		}
	}
	if err := v.usageBatches(ctx, batches); err != nil {
		return err
	}
	return v.usageSingles(ctx, singles)
}

// usageBatches recomputes the digests of group commits.
func (v *verification) usageBatches(ctx context.Context, claims []usageClaim) error {
	if len(claims) == 0 {
		return nil
	}
	type sum struct {
		count int64
		hash  hash.Hash
	}
	sums := make(map[uuid.UUID]*sum, len(claims))
	events := make([]uuid.UUID, len(claims))
	for i, claim := range claims {
		sums[claim.event] = &sum{hash: sha256.New()}
		events[i] = claim.event
	}
	err := v.eachUsage(ctx, "u.batch_event = ANY($1) ORDER BY u.batch_event, u.id", events, func(u Usage) error {
		line, err := u.canonical()
		if err != nil {
			return err
		}
		s := sums[u.Evidence]
		s.count++
		_, err = s.hash.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	for _, claim := range claims {
		s := sums[claim.event]
		if s.count != claim.records || hex.EncodeToString(s.hash.Sum(nil)) != claim.sha256 {
			v.add(claim.problem(UsageAltered, "the %d usage records of this batch (%d when written) are not those that were recorded", s.count, claim.records))
		}
	}
	return nil
}

// usageSingles recomputes the digests of streams as opened and as ended.
func (v *verification) usageSingles(ctx context.Context, claims []usageClaim) error {
	if len(claims) == 0 {
		return nil
	}
	byRecord := make(map[uuid.UUID][]*usageClaim, len(claims))
	ids := make([]uuid.UUID, 0, len(claims))
	for i := range claims {
		byRecord[claims[i].object] = append(byRecord[claims[i].object], &claims[i])
		ids = append(ids, claims[i].object)
	}
	found := make(map[uuid.UUID]bool, len(claims))
	err := v.eachUsage(ctx, "u.id = ANY($1)", ids, func(u Usage) error {
		found[u.ID] = true
		for _, claim := range byRecord[u.ID] {
			said := u
			if claim.body.Action == ActionUsageOpen {
				said = u.asOpened()
			}
			digest, err := said.digest()
			if err != nil {
				return err
			}
			if digest != claim.sha256 {
				v.add(claim.problem(UsageAltered, "usage record %s is not the one that was recorded", u.ID))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range claims {
		if found[claims[i].object] {
			continue
		}
		removed, err := v.openedBefore(ctx, claims[i].object)
		if err != nil {
			return err
		}
		if !removed {
			v.add(claims[i].problem(UsageMissing, "usage record %s does not exist", claims[i].object))
		}
	}
	return nil
}

func (v *verification) eachUsage(ctx context.Context, condition string, ids []uuid.UUID, do func(Usage) error) error {
	rows, err := v.tx.Query(ctx, "SELECT "+usageColumns+" FROM usage u WHERE "+condition, ids)
	if err != nil {
		return fmt.Errorf("reading usage records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		u, err := scanUsage(rows)
		if err != nil {
			return fmt.Errorf("reading usage records: %w", err)
		}
		if err := do(u); err != nil {
			return err
		}
	}
	return rows.Err()
}

// unevidenced looks for usage records that no event of the right kind vouches for. Those that one does were compared
// with it when the event was read.
func (v *verification) unevidenced(ctx context.Context) error {
	rows, err := v.tx.Query(ctx, `
		SELECT u.id, `+boundedAt("u.at")+`, u.state FROM usage u
		WHERE u.at >= $1 AND NOT EXISTS (
			SELECT FROM event e WHERE e.id = u.batch_event AND CASE e.action
				WHEN 'usage.batch' THEN u.state = 'done'
				WHEN 'usage.open' THEN u.state = 'opened' AND e.object_id = u.id::text
				WHEN 'usage.end' THEN u.state <> 'opened' AND e.object_id = u.id::text
				ELSE false END)`, v.usageSince())
	if err != nil {
		return fmt.Errorf("reading usage records without evidence: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Problem
		var id uuid.UUID
		var state string
		if err := rows.Scan(&id, &p.At, &state); err != nil {
			return fmt.Errorf("reading usage records without evidence: %w", err)
		}
		p.Kind, p.Text = UsageUnevidenced, fmt.Sprintf("no event vouches for usage record %s, which is %s", id, state)
		v.add(p)
	}
	return rows.Err()
}
