package catalog

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Get returns an entry with its visible version, or for those who may read drafts with the newest while none is visible.
func (s *Service) Get(ctx context.Context, p authz.Principal, id uuid.UUID) (Resource, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	r.Version, err = loadVersion(ctx, s.db.Pool, id, shown(r))
	return r, err
}

// GetVersion returns an entry with one of its versions: the published one for everyone, others for those who may read
// drafts.
func (s *Service) GetVersion(ctx context.Context, p authz.Principal, id uuid.UUID, number int) (Resource, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	if (number != r.Published || r.State != Published) && !s.mayReadDrafts(p, r.ProviderDeptID) {
		return Resource{}, notFound("version")
	}
	r.Version, err = loadVersion(ctx, s.db.Pool, id, number)
	return r, err
}

// Versions lists the versions of an entry without their items, the newest first; only the published one for those who
// may not read drafts.
func (s *Service) Versions(ctx context.Context, p authz.Principal, id uuid.UUID) ([]Version, error) {
	r, err := s.readable(ctx, p, id)
	if err != nil {
		return nil, err
	}
	all, err := many(ctx, s.db.Pool, versionRow.version, `
		SELECT * FROM resource_version WHERE resource_id = $1 AND ($2 OR version = $3) ORDER BY version DESC`,
		id, s.mayReadDrafts(p, r.ProviderDeptID), r.Published)
	if err != nil {
		return nil, fmt.Errorf("listing versions: %w", err)
	}
	return all, nil
}

// History lists the review history of an entry, the oldest step first.
func (s *Service) History(ctx context.Context, p authz.Principal, id uuid.UUID) ([]HistoryEntry, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, resourceTarget(r)); err != nil {
		return nil, err
	}
	found, err := s.db.Pool.Query(ctx, `
		SELECT s.id, s.version, s.action AS step, s.from_state AS from, s.to_state AS to, s.actor_id, coalesce(u.display_name, '') AS actor_name,
			coalesce(d.name, '') AS department, s.reason, s.document, s.at
		FROM resource_step s LEFT JOIN hub_user u ON u.id = s.actor_id LEFT JOIN department d ON d.id = u.department_id
		WHERE s.resource_id = $1 ORDER BY s.at, s.id`, id)
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	out, err := pgx.CollectRows(found, pgx.RowToStructByName[HistoryEntry])
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	for i := range out {
		out[i].At = out[i].At.UTC()
	}
	return out, nil
}

// Review returns what a reviewer is shown beside a version: what blocks it now and what to look at.
func (s *Service) Review(ctx context.Context, p authz.Principal, id uuid.UUID) (blocks, warnings []fault.Field, err error) {
	f, err := s.Findings(ctx, p, id)
	return f.Blocks, f.Warnings, err
}

// readable returns an entry that p may read, without its version.
func (s *Service) readable(ctx context.Context, p authz.Principal, id uuid.UUID) (Resource, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	action := authz.ResourceRead
	if r.State != Published {
		action = authz.ResourceReadDraft
	}
	if _, err := s.enforcer.Check(ctx, p, action, resourceTarget(r)); err != nil {
		return Resource{}, err
	}
	return r, nil
}

// PublishedTx returns a published entry with its visible version and items, for other rooms that take part in the
// transaction. With lock the entry's row is held FOR SHARE, so that it cannot be changed before the commit. It is NotFound
// for entries that are not published.
func (s *Service) PublishedTx(ctx context.Context, tx *db.Tx, id uuid.UUID, lock bool) (Resource, error) {
	mode := ""
	if lock {
		mode = "FOR SHARE"
	}
	r, err := loadResource(ctx, tx, id, mode)
	if err != nil {
		return Resource{}, err
	}
	if r.State != Published {
		return Resource{}, notFound("published resource")
	}
	r.Version, err = loadVersion(ctx, tx, id, r.Published)
	return r, err
}

// LoadVersion returns one version with its items, whatever its state, for other rooms that have already decided. q is the
// pool or a transaction.
func (s *Service) LoadVersion(ctx context.Context, q Querier, id uuid.UUID, number int) (Version, error) {
	return loadVersion(ctx, q, id, number)
}
