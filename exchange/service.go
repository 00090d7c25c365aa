package exchange

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Options says what a Service needs. Everything without a remark is required.
type Options struct {
	DB       *db.DB
	Enforcer *authz.Enforcer
	Keyring  *secret.Keyring // Opens rejected rows for their provider.
	Store    *store.Store
	Catalog  *catalog.Service // Opens sources for previews; a service that is asked for none needs it not.
	Log      *slog.Logger     // nil means slog.Default.
}

// Service is what people do with tasks, schedules and runs. Its methods ask the enforcer first, do one transaction each and
// write one audit event in it. Unless a method says otherwise it returns NotFound for what does not exist or the caller may
// not know of, Forbidden for what the caller may not do, Invalid with fields for wrong input, Conflict "illegal_move" with
// the moves allowed now, and Precondition "version_mismatch" when ifMatch is not 0 and not the row version in force.
type Service struct {
	db       *db.DB
	enforcer *authz.Enforcer
	keyring  *secret.Keyring
	store    *store.Store
	catalog  *catalog.Service
	log      *slog.Logger
}

// New returns a service over the database of opt.
func New(opt Options) *Service {
	s := &Service{db: opt.DB, enforcer: opt.Enforcer, keyring: opt.Keyring, store: opt.Store, catalog: opt.Catalog, log: opt.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// facts are what policy asks about the resource of a task.
type facts struct {
	Resource  uuid.UUID
	Provider  uuid.UUID
	State     string
	ShareType string
	Grade     string
	Live      bool
}

// loadFacts reads the facts of a resource: those of the version that is collected, else of the one that is visible.
func loadFacts(ctx context.Context, q db.Querier, resource uuid.UUID) (facts, error) {
	f := facts{Resource: resource}
	err := q.QueryRow(ctx, `
		SELECT r.provider_dept_id, r.state, v.share_type, v.grade, r.live
		FROM resource r JOIN resource_version v ON v.resource_id = r.id AND v.version =
			coalesce((SELECT m.version FROM mount m WHERE m.resource_id = r.id AND m.state = 'active'), r.published, r.newest)
		WHERE r.id = $1`, resource).Scan(&f.Provider, &f.State, &f.ShareType, &f.Grade, &f.Live)
	if db.NoRows(err) {
		return facts{}, notFound("resource")
	}
	if err != nil {
		return facts{}, fmt.Errorf("reading the facts of resource %s: %w", resource, err)
	}
	return f, nil
}

// target states the facts for the enforcer.
func (f facts) target(kind string, id uuid.UUID) authz.Target {
	t := authz.Target{Kind: kind, Department: f.Provider, ShareType: f.ShareType, Grade: f.Grade, State: f.State}
	if id != uuid.Nil {
		t.ID = id.String()
	}
	return t
}

// check asks whether p may do action to an object of a resource. A caller who may not even know of the object is told that
// it does not exist.
func (s *Service) check(ctx context.Context, p authz.Principal, action authz.Action, resource uuid.UUID, kind string, id uuid.UUID) (facts, error) {
	f, err := loadFacts(ctx, s.db.Pool, resource)
	if err != nil {
		return facts{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, action, f.target(kind, id)); err != nil {
		if fault.Is(err, fault.Forbidden) && !s.enforcer.Allowed(p, authz.TaskRead, f.target("task", uuid.Nil)) {
			return facts{}, notFound(kind)
		}
		return facts{}, err
	}
	return f, nil
}

// sight returns whose resources a list shows to p: all departments' when the pointer is nil.
func (s *Service) sight(ctx context.Context, p authz.Principal, action authz.Action, kind string) (*uuid.UUID, error) {
	if s.enforcer.Allowed(p, action, authz.Target{Kind: kind}) {
		return nil, nil
	}
	if _, err := s.enforcer.Check(ctx, p, action, authz.Target{Kind: kind, Department: p.Department}); err != nil {
		return nil, err
	}
	return &p.Department, nil
}

// record writes the audit event of a change.
func record(ctx context.Context, tx *db.Tx, actor audit.Actor, action, kind, id string, detail map[string]any) error {
	_, err := audit.WriteTx(ctx, tx, audit.Event{Actor: actor, Action: action, Object: audit.Object{Kind: kind, ID: id}, Detail: detail})
	return err
}

// notFound says that something does not exist, or is not for the caller to know of.
func notFound(what string) error {
	return fault.New(fault.NotFound, "not_found", "there is no such %s, or it is not yours to see", what)
}
