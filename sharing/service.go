package sharing

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Options says what a Service needs. Everything without a remark is required.
type Options struct {
	DB       *db.DB
	Enforcer *authz.Enforcer // Its follower must not run yet: the service subscribes to it.
	Catalog  *catalog.Service
	Keyring  *secret.Keyring // Seals the keys of _rid.
	Calendar *calendar.Held
	Node     uuid.UUID // The process, under which quotas are reserved; zero makes one up.
	Cache    int       // Pairs of client and resource remembered for decisions; 0 means 100,000.
}

// Service keeps requests and grants and decides calls. Its methods ask the enforcer first, do one transaction each and
// write their audit events in it. All times are the database's. Unless a method says otherwise it returns NotFound for what
// does not exist or the caller may not know of, Forbidden for what the caller may not do, Invalid with fields for wrong
// input, Conflict "illegal_move" with the moves allowed now, and Precondition "version_mismatch" when ifMatch is not 0 and
// not the row version in force.
type Service struct {
	db       *db.DB
	enforcer *authz.Enforcer
	catalog  *catalog.Service
	keyring  *secret.Keyring
	calendar *calendar.Held
	facts    *facts
	blocks   *blocks
	stops    *stops
}

// New returns a service over the database of opt. It must be called before the enforcer's follower runs.
func New(opt Options) *Service {
	if opt.Cache == 0 {
		opt.Cache = 100_000
	}
	s := &Service{
		db: opt.DB, enforcer: opt.Enforcer, catalog: opt.Catalog, keyring: opt.Keyring, calendar: opt.Calendar,
		blocks: newBlocks(opt.Node),
	}
	s.stops = &stops{node: s.blocks.node}
	s.facts = newFacts(opt.DB, opt.Enforcer.Follower(), opt.Keyring, opt.Cache)
	opt.Enforcer.Follower().Subscribe(func(entries []authz.Entry) error {
		s.stops.hear(entries, opt.Enforcer.Follower().Now()) // After the facts, which have dropped what they knew by now.
		return nil
	})
	return s
}

// record writes the audit event of a change.
func record(ctx context.Context, tx *db.Tx, p authz.Principal, action, kind string, id uuid.UUID, detail map[string]any) error {
	_, err := audit.WriteTx(ctx, tx, audit.Event{
		Actor: p.Actor(), Action: action, Object: audit.Object{Kind: kind, ID: id.String()}, Detail: detail,
	})
	return err
}
