package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Impact is what a version of an entry takes from those who use the one published before: who is touched, and by what.
type Impact struct {
	ResourceID  uuid.UUID     `json:"resource_id"`
	Version     int           `json:"version"`  // The version that is about to be published, or was.
	Previous    int           `json:"previous"` // The one that is in use; 0 where nothing is published.
	Breaks      []ImpactBreak `json:"breaks"`
	Grants      int64         `json:"grants"`      // In force, suspended or about to be delivered, that use what is touched.
	Clients     int64         `json:"clients"`     // Their consuming systems,
	Departments int64         `json:"departments"` // and those systems' departments.
	Tasks       int64         `json:"tasks"`       // Exchange tasks: those that deliver under the grants, and the one that collects the entry.
}

// ImpactBreak is one break with how many grants and delivering tasks it touches.
type ImpactBreak struct {
	catalog.Break
	Grants int64 `json:"grants"`
	Tasks  int64 `json:"tasks"`
}

// ImpactUse is one grant that a version touches, and whether its consumer has taken note.
type ImpactUse struct {
	GrantID        uuid.UUID  `json:"grant_id"`
	ClientID       uuid.UUID  `json:"client_id"`
	Client         string     `json:"client"`
	DepartmentID   uuid.UUID  `json:"department_id"` // The consumer.
	Department     string     `json:"department"`
	Purpose        string     `json:"purpose"` // In words.
	Items          []string   `json:"items"`   // Names of the items it uses that are touched; empty where only the entry as a whole is.
	Tasks          int64      `json:"tasks"`   // That deliver under it.
	ValidTo        time.Time  `json:"valid_to"`
	AcknowledgedAt *time.Time `json:"acknowledged_at,omitempty"`
	AcknowledgedBy string     `json:"acknowledged_by"`
	Note           string     `json:"note"`
}

// usesSQL is a condition on sharing_grant g: it is alive and uses one of the items with these numbers or identifiers, by what it
// reads or by its row filter; every grant does where whole holds.
func usesSQL(items, identifiers, whole string) string {
	return `g.state IN ('pending_delivery', 'active', 'suspended') AND (` + whole + ` OR g.items && ` + items + `
		OR coalesce(jsonb_path_query_array(g.row_filter, '$.**.item') ?| ` + identifiers + `, false))`
}

// Impact says whom the newest version of an entry touches beside the one that is published, or whom an earlier publication
// touched: version is 0 or the newest for the first, and the number of a published version for the second. It is for those who may read
// the entry's drafts.
func (s *Service) Impact(ctx context.Context, p authz.Principal, resource uuid.UUID, version int) (Impact, error) {
	out, breaks, err := s.breaks(ctx, p, resource, version)
	if err != nil || len(breaks) == 0 {
		return out, err
	}
	items, identifiers, whole := catalog.Touched(breaks)
	err = s.db.Pool.QueryRow(ctx, `
		SELECT count(DISTINCT g.id), count(DISTINCT g.client_id), count(DISTINCT g.consumer_dept_id), count(DISTINCT t.id)
			+ (SELECT count(*) FROM task c WHERE c.resource_id = $1 AND c.kind = 'collect' AND c.state <> 'disabled' AND cardinality($2::int[]) > 0)
		FROM sharing_grant g LEFT JOIN task t ON t.grant_id = g.id AND t.state <> 'disabled'
		WHERE g.resource_id = $1 AND g.valid_to > clock_timestamp() AND `+usesSQL("$2::int[]", "$3::text[]", "$4"),
		resource, items, identifiers, whole).Scan(&out.Grants, &out.Clients, &out.Departments, &out.Tasks)
	if err != nil {
		return Impact{}, fmt.Errorf("counting whom a version touches: %w", err)
	}
	counts, err := s.countUses(ctx, resource, items, identifiers)
	if err != nil {
		return Impact{}, err
	}
	for _, b := range breaks {
		n := counts[b.No]
		out.Breaks = append(out.Breaks, ImpactBreak{Break: b, Grants: n.grants, Tasks: n.tasks})
	}
	return out, nil
}

type uses struct{ grants, tasks int64 }

// countUses counts the grants and delivering tasks that use each item; number 0 stands for all of them.
func (s *Service) countUses(ctx context.Context, resource uuid.UUID, items []int, identifiers []string) (map[int]uses, error) {
	found, err := s.db.Pool.Query(ctx, `
		WITH touched AS (SELECT * FROM unnest($2::int[], $3::text[]) AS i (no, identifier) UNION ALL SELECT 0, '')
		SELECT i.no, count(DISTINCT g.id), count(DISTINCT t.id)
		FROM touched i JOIN sharing_grant g ON g.resource_id = $1 AND g.valid_to > clock_timestamp()
			AND `+usesSQL("ARRAY[i.no]", "ARRAY[i.identifier]", "i.no = 0")+`
		LEFT JOIN task t ON t.grant_id = g.id AND t.state <> 'disabled' GROUP BY i.no`, resource, items, identifiers)
	if err != nil {
		return nil, fmt.Errorf("counting what uses each item: %w", err)
	}
	out := map[int]uses{}
	var no int
	var u uses
	_, err = pgx.ForEachRow(found, []any{&no, &u.grants, &u.tasks}, func() error {
		out[no] = u
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting what uses each item: %w", err)
	}
	return out, nil
}

// ImpactUses lists the grants that a version touches, those whose consumers have not taken note first: version is as for Impact.
func (s *Service) ImpactUses(ctx context.Context, p authz.Principal, resource uuid.UUID, version int, page db.Page) ([]ImpactUse, string, error) {
	about, breaks, err := s.breaks(ctx, p, resource, version)
	if err != nil || len(breaks) == 0 {
		return nil, "", err
	}
	items, identifiers, whole := catalog.Touched(breaks)
	names := make([]string, len(items))
	for i, no := range items {
		for _, b := range breaks {
			if b.No == no {
				names[i] = b.Name
			}
		}
	}
	var noted bool
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&noted, &at, &id)
	if err != nil {
		return nil, "", err
	}
	type line struct {
		ImpactUse
		CreatedAt time.Time
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT g.id AS grant_id, g.client_id, c.name AS client, g.consumer_dept_id AS department_id, d.name AS department,
			g.purpose_text AS purpose, coalesce((SELECT array_agg(i.name ORDER BY i.ordinal) FROM unnest($3::int[], $4::text[], $5::text[]) WITH ORDINALITY
				AS i (no, identifier, name, ordinal) WHERE i.no = ANY(g.items) OR coalesce(jsonb_path_query_array(g.row_filter, '$.**.item') ? i.identifier, false)), '{}') AS items,
			(SELECT count(*) FROM task t WHERE t.grant_id = g.id AND t.state <> 'disabled') AS tasks, g.valid_to, a.at AS acknowledged_at,
			coalesce((SELECT u.display_name FROM hub_user u WHERE u.id = a.by), '') AS acknowledged_by, coalesce(a.note, '') AS note, g.created_at
		FROM sharing_grant g JOIN client c ON c.id = g.client_id JOIN department d ON d.id = g.consumer_dept_id
			LEFT JOIN change_acknowledgement a ON a.resource_id = g.resource_id AND a.version = $2 AND a.grant_id = g.id
		WHERE g.resource_id = $1 AND g.valid_to > clock_timestamp() AND g.resource_version < $2 AND `+usesSQL("$3::int[]", "$4::text[]", "$6")+`
			AND (NOT $7 OR (a.at IS NOT NULL, g.created_at, g.id) > ($8, $9, $10))
		ORDER BY a.at IS NOT NULL, g.created_at, g.id LIMIT $11`,
		resource, about.Version, items, identifiers, names, whole, more, noted, at, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing whom a version touches: %w", err)
	}
	lines, err := pgx.CollectRows(found, pgx.RowToStructByName[line])
	if err != nil {
		return nil, "", fmt.Errorf("listing whom a version touches: %w", err)
	}
	lines, next := db.Cut(lines, page, func(l line) string { return db.Next(l.AcknowledgedAt != nil, l.CreatedAt.UTC(), l.GrantID) })
	out := make([]ImpactUse, len(lines))
	for i, l := range lines {
		out[i] = l.ImpactUse
		out[i].ValidTo, out[i].AcknowledgedAt = l.ValidTo.UTC(), db.UTC(l.AcknowledgedAt)
	}
	return out, next, nil
}

// breaks returns what a version takes away: what was noted when it was published, or what it would take now.
func (s *Service) breaks(ctx context.Context, p authz.Principal, resource uuid.UUID, version int) (Impact, []catalog.Break, error) {
	r, err := s.catalog.Get(ctx, p, resource)
	if err != nil {
		return Impact{}, nil, err
	}
	target := authz.Target{Kind: "resource", ID: resource.String(), Department: r.ProviderDeptID, State: string(r.State)}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, target); err != nil {
		return Impact{}, nil, err
	}
	if version == 0 {
		version = r.Newest
	}
	out := Impact{ResourceID: resource, Version: version, Previous: r.Published, Breaks: []ImpactBreak{}}
	if version > r.Newest || version < 1 {
		return Impact{}, nil, notFound("version")
	}
	if version <= r.Published {
		var breaks []catalog.Break
		err := s.db.Pool.QueryRow(ctx, "SELECT previous, breaks FROM version_change WHERE resource_id = $1 AND version = $2", resource, version).
			Scan(&out.Previous, &breaks)
		if db.NoRows(err) {
			out.Previous, err = version-1, nil
		}
		if err != nil {
			return Impact{}, nil, fmt.Errorf("reading what a version changed: %w", err)
		}
		return out, breaks, nil
	}
	if r.Published == 0 {
		return out, nil, nil
	}
	before, err := s.catalog.LoadVersion(ctx, s.db.Pool, resource, r.Published)
	if err != nil {
		return Impact{}, nil, err
	}
	after, err := s.catalog.LoadVersion(ctx, s.db.Pool, resource, version)
	if err != nil {
		return Impact{}, nil, err
	}
	return out, catalog.Breaking(before, after), nil
}
