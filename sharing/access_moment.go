package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// moment is when a question about access is answered for: now, by what decides now, or a past time, by its history.
type moment struct {
	service   *Service
	at        time.Time
	past      bool
	policy    authz.Policy
	resources map[uuid.UUID]*published
	noted     map[uuid.UUID]bool // The grants whose consumers had taken note of what their resource's published version changes.
}

// momentOf reads the moment of a query. Further pages stay at the moment of the first: an answer whose pages speak of
// different times would be true at none. Now is the database's time and no estimate of it: changes of a few milliseconds
// later must not belong to the same moment when it is asked for again.
func (s *Service) momentOf(ctx context.Context, q AccessQuery) (*moment, error) {
	m := &moment{service: s, at: q.At, resources: map[uuid.UUID]*published{}, noted: map[uuid.UUID]bool{}}
	if err := s.enforcer.Follower().Wait(ctx); err != nil {
		return nil, err
	}
	var after uuid.UUID
	if _, err := q.Page.After(&m.at, &after); err != nil {
		return nil, err
	}
	var now, since time.Time
	if err := s.db.Pool.QueryRow(ctx, "SELECT clock_timestamp(), since FROM access_history").Scan(&now, &since); err != nil {
		return nil, fmt.Errorf("reading when the history begins: %w", err)
	}
	if m.at.IsZero() {
		m.at, m.policy = now.UTC(), s.enforcer.Policy()
		return m, nil
	}
	m.at, m.past = m.at.UTC().Truncate(time.Microsecond), true // As exactly as the database keeps times.
	switch {
	case m.at.After(now):
		return nil, fault.InvalidFields([]fault.Field{{Name: "at", Code: "in_the_future", Message: "name a moment that has passed, or none for now"}})
	case m.at.Before(since):
		return nil, fault.New(fault.Gone, "before_history", "the hub knows who could see what since %s; name a later moment",
			since.UTC().Format(time.RFC3339)).With("since", since.UTC().Format(time.RFC3339Nano))
	}
	var err error
	m.policy, err = s.enforcer.PolicyAt(ctx, m.at, append(AccessWays(), authz.RejectRead)...)
	return m, err
}

func (m *moment) report(name string) AccessReport {
	return AccessReport{Name: name, At: m.at, Past: m.past, PolicyN: m.policy.Number(), Data: []Access{}, People: []Reader{}}
}

// accessSide is the column by which grants are looked up.
type accessSide string

const (
	ofResource accessSide = "resource_id"
	ofClient   accessSide = "client_id"
)

// The bounds of one page: how many grants are read at once and how often, before a page is given out short.
const (
	accessBatch  = 500
	accessRounds = 20
)

// list returns the lines of one page and the cursor of the next.
func (m *moment) list(ctx context.Context, side accessSide, id uuid.UUID, items []int, q AccessQuery) ([]Access, string, error) {
	var at time.Time
	var after uuid.UUID
	if _, err := q.Page.After(&at, &after); err != nil {
		return nil, "", err
	}
	out := []Access{}
	size := q.Page.Size()
	batch := min(accessBatch, size+1)
	for range accessRounds {
		found, err := m.candidates(ctx, side, id, after, items, q.Refused, batch)
		if err != nil {
			return nil, "", err
		}
		for i, c := range found {
			resource, err := m.resource(ctx, c.grant.ResourceID)
			if err != nil {
				return nil, "", err
			}
			after = c.grant.ID
			if resource == nil {
				continue
			}
			if a := m.explain(c, resource, items); a.Sees || q.Refused {
				out = append(out, a)
			}
			if len(out) == size && (i < len(found)-1 || len(found) == batch) {
				return out, db.Next(m.at, after), nil
			}
		}
		if len(found) < batch {
			return out, "", nil
		}
		batch = accessBatch
	}
	return out, db.Next(m.at, after), nil
}

// candidates reads grants after one, in the order of their ids.
func (m *moment) candidates(ctx context.Context, side accessSide, id, after uuid.UUID, items []int, refused bool, limit int) ([]candidate, error) {
	args := []any{id, after, limit, items}
	if m.past {
		args = append(args, m.at)
	}
	rows, err := m.service.db.Pool.Query(ctx, candidatesSQL(side, m.past, refused), args...)
	if err != nil {
		return nil, fmt.Errorf("reading who holds grants: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (candidate, error) {
		var c candidate
		var raw []byte
		if err := row.Scan(&raw, &c.name, &c.client.active, &c.client.department, &c.department); err != nil {
			return c, err
		}
		var g grantJSON
		if err := json.Unmarshal(raw, &g); err != nil {
			return c, err
		}
		c.grant = g.grant()
		return c, nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading who holds grants: %w", err)
	}
	return found, nil
}

// candidatesSQL reads a page of grants, with $1 the resource or client, $2 the grant before, $3 the limit, $4 the numbers of an item or
// NULL, and $5 the moment if it is past. inForce lets nothing be seen under a grant that is not active, and nothing of an
// item that is not granted can be; the database leaves those out because a resource may have many of them. Everything else
// is for explain to judge.
func candidatesSQL(side accessSide, past, refused bool) string {
	if !past {
		state := " AND state = 'active'"
		if refused {
			state = ""
		}
		return `
			SELECT to_jsonb(g) - 'rid_key', c.name, c.state = 'active', c.department_id, d.name
			FROM (SELECT * FROM sharing_grant
				WHERE ` + string(side) + ` = $1 AND id > $2 AND ($4::int[] IS NULL OR items && $4)` + state + `
				ORDER BY id LIMIT $3) g
			JOIN client c ON c.id = g.client_id JOIN department d ON d.id = c.department_id
			ORDER BY g.id`
	}
	state := " AND body->>'state' = 'active'"
	if refused {
		state = ""
	}
	return `
		SELECT g.body, c.name, c.state = 'active', c.department_id, d.name
		FROM (SELECT * FROM (SELECT DISTINCT ON (grant_id) grant_id, client_id, body FROM grant_history
				WHERE ` + string(side) + ` = $1 AND grant_id > $2 AND at <= $5 ORDER BY grant_id, at DESC, seq DESC) latest
			WHERE ($4::int[] IS NULL OR EXISTS (SELECT FROM unnest($4::int[]) AS no WHERE body->'items' @> to_jsonb(no)))` + state + `
			ORDER BY grant_id LIMIT $3) g
		JOIN LATERAL (SELECT name, state, department_id FROM client_history h
			WHERE h.client_id = g.client_id AND h.at <= $5 ORDER BY h.at DESC, h.seq DESC LIMIT 1) c ON true
		JOIN department d ON d.id = c.department_id
		ORDER BY g.grant_id`
}

// resourceAt returns a resource with the version that was visible at a past moment and its items, and the version beside it, as
// facts.published does for now; pgx.ErrNoRows where it did not exist. Its name is that of now.
func resourceAt(ctx context.Context, q rowQuerier, id uuid.UUID, at time.Time) (*published, error) {
	var r catalog.Resource
	var items, old []byte
	err := q.QueryRow(ctx, `
		SELECT r.id, coalesce(r.code, ''), r.provider_dept_id, r.name, h.state, coalesce(h.published, 0), coalesce(v.version, 0),
			coalesce(v.share_type, ''), coalesce(v.grade, ''),
			(SELECT json_agg(i ORDER BY i.ordinal) FROM item i WHERE i.resource_id = r.id AND i.version = h.published),
			`+besideSQL("r.id", "h.published", "$2")+`
		FROM resource r
		JOIN LATERAL (SELECT state, published FROM resource_history WHERE resource_id = r.id AND at <= $2
			ORDER BY at DESC, seq DESC LIMIT 1) h ON true
		LEFT JOIN resource_version v ON v.resource_id = r.id AND v.version = h.published
		WHERE r.id = $1`, id, at).
		Scan(&r.ID, &r.Code, &r.ProviderDeptID, &r.Name, &r.State, &r.Published, &r.Version.Number, &r.Version.ShareType,
			&r.Version.Grade, &items, &old)
	if err != nil {
		return nil, fmt.Errorf("reading a resource of a moment: %w", err)
	}
	if items != nil {
		if err := json.Unmarshal(items, &r.Version.Items); err != nil {
			return nil, fmt.Errorf("decoding items: %w", err)
		}
	}
	return newPublished(&r, old)
}

// rowQuerier is what reading one row needs.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
