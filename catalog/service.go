package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Options says what a Service needs. Everything without a remark is required.
type Options struct {
	DB         *db.DB
	Enforcer   *authz.Enforcer
	Keyring    *secret.Keyring                              // Seals the credentials of sources.
	Connectors *connectors.Registry                         // What sources can be.
	Connect    connectors.Options                           // Time limits of connections to sources; the zero value takes the defaults.
	CheckHost  func(ctx context.Context, host string) error // Whether a source may name this host; nil allows every one.
	Calendar   *calendar.Held                               // What the node holds of working days; nil makes one.
	Coder      codes.CodeGenerator                          // nil means codes.NationalCoder.
	Log        *slog.Logger                                 // nil means slog.Default.
	Clock      func() time.Time                             // nil means time.Now; judges only dates stated by people.
	CountedFor time.Duration                                // How long a count of the directory is shown; 0 means 15 seconds, less than that not at all.

	OpenToPublic bool // Anyone may read the entries that are open to the public, without signing in.
}

// Service is the directory. Its methods ask the enforcer first, do one transaction each and write one audit event in it.
// Unless a method says otherwise it returns NotFound for what does not exist or the caller may not know of, Forbidden for
// what the caller may not do, Invalid with fields for wrong input, Conflict "illegal_move" with the moves allowed now,
// and Precondition "version_mismatch" when ifMatch is not 0 and not the row version in force.
type Service struct {
	db         *db.DB
	enforcer   *authz.Enforcer
	keyring    *secret.Keyring
	connectors *connectors.Registry
	connect    connectors.Options
	checkHost  func(ctx context.Context, host string) error
	calendar   *calendar.Held
	countAgain []CountAgain
	coder      codes.CodeGenerator
	log        *slog.Logger
	clock      func() time.Time
	zone       *time.Location

	countedFor time.Duration

	openToPublic bool

	countMu sync.Mutex
	counted count // See Overview.
	usedMu  sync.Mutex
	used    ranking // Likewise.

	codes          codeCache // See codeBook.
	organisationMu sync.Mutex
	organised      *organisation
	tiering        tiering
	indexed        atomic.Bool // See KeepSearch.
}

// New returns a directory over the database of opt.
func New(opt Options) (*Service, error) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, fmt.Errorf("loading the time zone of dates: %w", err)
	}
	s := &Service{
		db: opt.DB, enforcer: opt.Enforcer, keyring: opt.Keyring, connectors: opt.Connectors, connect: opt.Connect,
		checkHost: opt.CheckHost, calendar: opt.Calendar, coder: opt.Coder, log: opt.Log, clock: opt.Clock, zone: zone, tiering: usualTiering(),
	}
	if s.calendar == nil {
		if s.calendar, err = calendar.NewHeld(); err != nil {
			return nil, err
		}
	}
	s.openToPublic = opt.OpenToPublic
	if s.coder == nil {
		s.coder = codes.NationalCoder{}
	}
	if s.countedFor = opt.CountedFor; s.countedFor == 0 {
		s.countedFor = 15 * time.Second
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// today is the calendar day in Asia/Shanghai, as people write it on documents.
func (s *Service) today() string { return s.clock().In(s.zone).Format(time.DateOnly) }

// mayReadDrafts reports whether p may see what departments have not published.
func (s *Service) mayReadDrafts(p authz.Principal, department uuid.UUID) bool {
	return s.enforcer.Allowed(p, authz.ResourceReadDraft, authz.Target{Kind: "resource", Department: department})
}

// resourceTarget states the facts of an entry for the enforcer.
func resourceTarget(r Resource) authz.Target {
	return authz.Target{Kind: "resource", ID: r.ID.String(), Department: r.ProviderDeptID, State: string(r.State)}
}

// record writes the audit event of a change.
func record(ctx context.Context, tx *db.Tx, p authz.Principal, action, kind, id string, detail map[string]any) error {
	_, err := audit.WriteTx(ctx, tx, audit.Event{
		Actor: p.Actor(), Action: action, Object: audit.Object{Kind: kind, ID: id}, Detail: detail,
	})
	return err
}

// notFound says that something does not exist, or is not for the caller to know of.
func notFound(what string) error {
	return fault.New(fault.NotFound, "not_found", "there is no such %s, or it is not yours to see", what)
}
