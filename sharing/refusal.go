package sharing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
)

// stops remembers which grants changed and when this node knew, until NoteRefusals has written down those that were stopped. The
// follower must not wait for the database, so it only leaves word here.
type stops struct {
	node uuid.UUID

	mu    sync.Mutex
	heard map[uuid.UUID]time.Time
}

// hear takes the changes of grants that the node has applied by now.
func (s *stops) hear(entries []authz.Entry, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		id, ok := e.UUID()
		if e.Kind != authz.KindGrant || !ok {
			continue
		}
		if s.heard == nil {
			s.heard = map[uuid.UUID]time.Time{}
		}
		s.heard[id] = now
	}
}

func (s *stops) take() map[uuid.UUID]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.heard
	s.heard = nil
	return heard
}

// keep puts back what could not be written; what was heard since is newer.
func (s *stops) keep(heard map[uuid.UUID]time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, at := range s.heard {
		heard[id] = at
	}
	s.heard = heard
}

// NoteRefusals writes down from when on this node has refused the grants that were suspended or terminated since the last call.
// Call it a few times a second; without such a change it asks the database nothing.
func (s *Service) NoteRefusals(ctx context.Context) error {
	heard := s.stops.take()
	if len(heard) == 0 {
		return nil
	}
	ids, moments := make([]uuid.UUID, 0, len(heard)), make([]time.Time, 0, len(heard))
	for id, at := range heard {
		ids, moments = append(ids, id), append(moments, at)
	}
	// A grant that was resumed and stopped once more meanwhile was heard of again, too.
	_, err := s.db.Pool.Exec(ctx, `
		INSERT INTO grant_refusal (grant_id, row_version, node, at)
		SELECT g.id, g.row_version, $3, h.at FROM unnest($1::uuid[], $2::timestamptz[]) AS h (id, at)
		JOIN sharing_grant g ON g.id = h.id AND g.state IN ('suspended', 'terminated') AND g.updated_at <= h.at
		ON CONFLICT DO NOTHING`, ids, moments, s.stops.node)
	if err != nil {
		s.stops.keep(heard)
		return fmt.Errorf("noting refusals: %w", err)
	}
	return nil
}

// nodeSilence is how long a node may be silent before it counts as gone. Long before that its lease has lapsed and it refuses everything.
const nodeSilence = 8 * time.Second

// Refusal says how far the suspension or termination of a grant has come.
type Refusal struct {
	At        time.Time  // When the grant was stopped.
	RefusedAt *time.Time // Since when every node has refused it; nil while one of them has not said so, and where none ever did.
	Nodes     int        // Nodes that have said since when they refuse.
	Waiting   int        // Nodes that serve, are alive, and have not.
}

// GrantRefusal says since when the nodes have refused a grant that is suspended or terminated. Nodes that started later never served it.
func (s *Service) GrantRefusal(ctx context.Context, p authz.Principal, id uuid.UUID) (Refusal, error) {
	g, err := s.GetGrant(ctx, p, id)
	if err != nil {
		return Refusal{}, err
	}
	if g.State != GrantSuspended && g.State != GrantTerminated {
		return Refusal{}, notFound("refusal")
	}
	r := Refusal{At: g.UpdatedAt}
	var last *time.Time
	err = s.db.Pool.QueryRow(ctx, `
		WITH said AS (SELECT node, at FROM grant_refusal WHERE grant_id = $1 AND row_version = $2)
		SELECT (SELECT count(*) FROM said), (SELECT max(at) FROM said),
			(SELECT count(*) FROM node n WHERE n.role <> 'worker' AND n.started_at <= $3 AND n.seen_at > clock_timestamp() - $4::interval
				AND NOT EXISTS (SELECT FROM said WHERE said.node = n.incarnation))`,
		g.ID, g.RowVersion, g.UpdatedAt, nodeSilence).Scan(&r.Nodes, &last, &r.Waiting)
	if err != nil {
		return Refusal{}, fmt.Errorf("reading who refuses a grant: %w", err)
	}
	if r.Waiting == 0 {
		r.RefusedAt = inUTC(last)
	}
	return r, nil
}
