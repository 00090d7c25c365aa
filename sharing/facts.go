package sharing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// facts remembers what decisions rest on, each kind under its own key, so that a change drops exactly what it is about.
// Every value is read together with the number of the policy head in one statement; see authz.Cache.
type facts struct {
	db      *db.DB
	keyring *secret.Keyring

	grants    *authz.Cache[pair, []held]
	resources *authz.Cache[uuid.UUID, *published]
	clients   *authz.Cache[uuid.UUID, clientFact]
	codes     *authz.Cache[string, uuid.UUID]
}

// pair is a client and a resource.
type pair struct{ client, resource uuid.UUID }

// held is a grant with its opened key, nil where that was erased, and what says which version it is served.
type held struct {
	grant    *Grant
	ridKey   []byte
	noted    []int    // The versions whose changes the consumer has taken note of.
	filtered []string // The items that its row filter asks for.
}

type clientFact struct {
	active     bool
	department uuid.UUID
}

// holds reports whether the client may hold rights at all, as the department it comes from.
func (c clientFact) holds(client authz.Principal) bool {
	return c.active && c.department == client.Department
}

func newFacts(d *db.DB, follower *authz.Follower, keyring *secret.Keyring, size int) *facts {
	f := &facts{
		db: d, keyring: keyring,
		grants:    authz.NewCache[pair, []held](follower, size),
		resources: authz.NewCache[uuid.UUID, *published](follower, size),
		clients:   authz.NewCache[uuid.UUID, clientFact](follower, size),
		codes:     authz.NewCache[string, uuid.UUID](follower, size),
	}
	follower.Subscribe(f.apply)
	return f
}

// logGrant notes that a grant changed: once by its id, for everyone, and once by its place, so that dropping it needs no
// question to the database. A subscriber that had to wait for a connection would let the lease lapse on a busy node.
func logGrant(tx *db.Tx, g Grant) error {
	if err := authz.LogTx(tx, authz.KindGrant, g.ID.String()); err != nil {
		return err
	}
	return authz.LogTx(tx, authz.KindGrant, g.ClientID.String()+"/"+g.ResourceID.String()+"/"+g.ID.String())
}

// place reads what logGrant wrote second; ok is false for an entry by id.
func place(id string) (p pair, grant uuid.UUID, ok bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 {
		return pair{}, uuid.Nil, false
	}
	var err error
	for i, out := range []*uuid.UUID{&p.client, &p.resource, &grant} {
		if *out, err = uuid.Parse(parts[i]); err != nil {
			return pair{}, uuid.Nil, false
		}
	}
	return p, grant, true
}

// apply drops what the entries are about, without asking the database.
func (f *facts) apply(entries []authz.Entry) error {
	changed := map[uuid.UUID]bool{} // Grants noted by id, and whether their place was noted, too.
	for _, e := range entries {
		id, _ := e.UUID()
		switch e.Kind {
		case authz.KindAll:
			f.grants.DropAll()
			f.resources.DropAll()
			f.clients.DropAll()
			f.codes.DropAll()
		case authz.KindGrant:
			if p, grant, ok := place(e.ID); ok {
				f.grants.Drop(p)
				changed[grant] = true
			} else if !changed[id] {
				changed[id] = false
			}
		case authz.KindResource:
			f.resources.Drop(id)
		case authz.KindClient:
			f.clients.Drop(id)
		}
	}
	for _, placed := range changed {
		if !placed {
			// Where it belongs is unknown, because something else wrote it or the batch ended between the two entries.
			f.grants.DropAll()
			break
		}
	}
	return nil
}

// held returns the grants of a client on a resource that are not over, the newest first; none is an empty list.
func (f *facts) held(ctx context.Context, p pair) ([]held, error) {
	return f.grants.Get(ctx, p, func(ctx context.Context) ([]held, int64, error) {
		// The head is joined from the left, so that it comes even where there is no grant.
		rows, err := f.db.Pool.Query(ctx, `
			SELECT h.n, to_jsonb(g), g.rid_key,
				(SELECT array_agg(a.version) FROM change_acknowledgement a WHERE a.grant_id = g.id)
			FROM policy_head h
			LEFT JOIN sharing_grant g ON g.client_id = $1 AND g.resource_id = $2 AND g.state IN ('active', 'suspended', 'expired')
			ORDER BY g.created_at DESC`, p.client, p.resource)
		if err != nil {
			return nil, 0, fmt.Errorf("reading grants: %w", err)
		}
		var n int64
		var raw, sealed []byte
		var noted []int
		out := []held{}
		_, err = pgx.ForEachRow(rows, []any{&n, &raw, &sealed, &noted}, func() error {
			if raw == nil {
				return nil
			}
			var row grantJSON
			if err := json.Unmarshal(raw, &row); err != nil {
				return err
			}
			g := row.grant()
			var key []byte
			if sealed != nil { // The key of a grant that is over may be erased; nothing is decided by it any more.
				if key, err = f.keyring.Open(ridPurpose, sealed, g.ID[:]); err != nil {
					return fmt.Errorf("opening the key of grant %s: %w", g.ID, err)
				}
			}
			out = append(out, held{&g, key, noted, filteredBy(g.RowFilter)})
			return nil
		})
		if err != nil {
			return nil, 0, fmt.Errorf("reading grants: %w", err)
		}
		return out, n, nil
	})
}

// grantJSON is a row of sharing_grant as to_jsonb writes it.
type grantJSON struct {
	Grant
	ValidFrom time.Time `json:"valid_from"`
	ValidTo   time.Time `json:"valid_to"`
	Quota     *int64    `json:"quota"`
}

func (j grantJSON) grant() Grant {
	g := j.Grant
	g.ValidFrom, g.ValidTo, g.Quota = j.ValidFrom.UTC(), j.ValidTo.UTC(), given(j.Quota)
	g.CreatedAt, g.UpdatedAt = g.CreatedAt.UTC(), g.UpdatedAt.UTC()
	if string(g.RowFilter) == "null" {
		g.RowFilter = nil
	}
	return g
}

// published returns an entry with its visible version and items, and the version beside it; Number is 0 where nothing was ever
// published.
func (f *facts) published(ctx context.Context, id uuid.UUID) (*published, error) {
	return f.resources.Get(ctx, id, func(ctx context.Context) (*published, int64, error) {
		var r catalog.Resource
		var items, old []byte
		var n int64
		err := f.db.Pool.QueryRow(ctx, `
			SELECT h.n, r.id, coalesce(r.code, ''), r.provider_dept_id, r.name, r.state, r.newest, coalesce(r.published, 0), r.live,
				r.row_version, r.created_by, r.created_at, r.updated_at, coalesce(v.version, 0), coalesce(v.state, ''),
				coalesce(v.share_type, ''), coalesce(v.grade, ''), coalesce(v.update_cycle, ''), v.published_at,
				(SELECT json_agg(i ORDER BY i.ordinal) FROM item i WHERE i.resource_id = r.id AND i.version = r.published),
				`+besideSQL("r.id", "r.published", "clock_timestamp()")+`
			FROM policy_head h JOIN resource r ON r.id = $1
			LEFT JOIN resource_version v ON v.resource_id = r.id AND v.version = r.published`, id).
			Scan(&n, &r.ID, &r.Code, &r.ProviderDeptID, &r.Name, &r.State, &r.Newest, &r.Published, &r.Live, &r.RowVersion,
				&r.CreatedBy, &r.CreatedAt, &r.UpdatedAt, &r.Version.Number, &r.Version.State, &r.Version.ShareType,
				&r.Version.Grade, &r.Version.UpdateCycle, &r.Version.PublishedAt, &items, &old)
		if err != nil {
			return nil, 0, fmt.Errorf("reading a resource: %w", err)
		}
		if items != nil {
			if err := json.Unmarshal(items, &r.Version.Items); err != nil {
				return nil, 0, fmt.Errorf("decoding items: %w", err)
			}
		}
		r.Version.Name = r.Name
		p, err := newPublished(&r, old)
		return p, n, err
	})
}

func (f *facts) client(ctx context.Context, id uuid.UUID) (clientFact, error) {
	return f.clients.Get(ctx, id, func(ctx context.Context) (clientFact, int64, error) {
		var c clientFact
		var n int64
		err := f.db.Pool.QueryRow(ctx, `
			SELECT h.n, c.state = 'active', c.department_id FROM policy_head h JOIN client c ON c.id = $1`, id).
			Scan(&n, &c.active, &c.department)
		if err != nil {
			return c, 0, fmt.Errorf("reading a client: %w", err)
		}
		return c, n, nil
	})
}

// codePattern is what a code can look like, in this country's scheme or a province's with a prefix.
var codePattern = regexp.MustCompile(`^[0-9A-Za-z-]{1,80}-[0-9]{1,18}$`)

// resourceID finds a resource by its id, or by its code with "/" written as "-"; zero where there is none. Codes are never
// given twice, so an answer stays right.
func (f *facts) resourceID(ctx context.Context, name string) (uuid.UUID, error) {
	if id, err := uuid.Parse(name); err == nil {
		return id, nil
	}
	at := strings.LastIndexByte(name, '-')
	if at < 0 || !codePattern.MatchString(name) {
		return uuid.Nil, nil
	}
	id, err := f.codes.Get(ctx, name, func(ctx context.Context) (uuid.UUID, int64, error) {
		var id uuid.UUID
		var n int64
		err := f.db.Pool.QueryRow(ctx, `
			SELECT h.n, r.id FROM policy_head h JOIN resource r ON r.code = $1`, name[:at]+"/"+name[at+1:]).Scan(&n, &id)
		if err != nil {
			return id, 0, fmt.Errorf("reading a resource's code: %w", err)
		}
		return id, n, nil
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil
	}
	return id, err
}

// unconfirmed says that what decisions rest on could not be read: the call is refused as under a stale policy.
func unconfirmed(err error) error {
	if _, ok := errors.AsType[*fault.Fault](err); ok {
		return err
	}
	return fault.New(fault.Unavailable, "policy_stale",
		"the hub cannot confirm right now what was granted, so it refuses; try again in a second").At("policy").Wrap(err)
}
