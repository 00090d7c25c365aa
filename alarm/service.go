package alarm

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/netguard"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Options says what a Service needs. Everything without a remark is required.
type Options struct {
	DB       *db.DB
	Enforcer *authz.Enforcer
	Keyring  *secret.Keyring // Seals the secrets of channels.
	Networks netguard.Policy // Where webhooks and mail servers may lie.
	Roots    *x509.CertPool  // Whom webhooks and mail servers are believed from; nil means the machine's.
	Zone     *time.Location  // Of times in messages; nil means UTC.
	Version  string          // Of the program, for receivers; "" means "dev".
	Log      *slog.Logger    // nil means slog.Default.
	Node     Node            // The node this process is; the zero Node reports nothing of itself.

	Every      time.Duration // Between two rounds of the rules; 0 means DefaultEvery.
	CloseAfter time.Duration // How long a thing must be well before its alarm closes; 0 means DefaultCloseAfter.
	SendLimit  time.Duration // How long one message may take; 0 means DefaultSendLimit.
	FirstRetry time.Duration // Pause after the first failure, doubled by each; 0 means DefaultFirstRetry.
}

// The times of a Service unless Options says otherwise.
const (
	DefaultEvery      = 15 * time.Second
	DefaultCloseAfter = 30 * time.Second
	DefaultSendLimit  = 20 * time.Second
	DefaultFirstRetry = 30 * time.Second
)

// Service judges the rules, sends messages, and is what people do with alarms. Methods that take a principal ask the enforcer
// first, do one transaction and write one audit event in it. They return NotFound for what does not exist or the caller may
// not know of, Forbidden for what the caller may not do, Invalid with fields for wrong input, and Precondition
// "version_mismatch" when ifMatch is not 0 and not the row version in force.
type Service struct {
	opt      Options
	db       *db.DB
	enforcer *authz.Enforcer
	log      *slog.Logger
}

// New returns a service over the database of opt.
func New(opt Options) *Service {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	if opt.Version == "" {
		opt.Version = "dev"
	}
	for value, standard := range map[*time.Duration]time.Duration{
		&opt.Every: DefaultEvery, &opt.CloseAfter: DefaultCloseAfter, &opt.SendLimit: DefaultSendLimit, &opt.FirstRetry: DefaultFirstRetry,
	} {
		if *value == 0 {
			*value = standard
		}
	}
	return &Service{opt: opt, db: opt.DB, enforcer: opt.Enforcer, log: opt.Log}
}

// target states whose an alarm or channel is.
func target(kind string, id uuid.UUID, department *uuid.UUID) authz.Target {
	t := authz.Target{Kind: kind}
	if id != uuid.Nil {
		t.ID = id.String()
	}
	if department != nil {
		t.Department = *department
	}
	return t
}

// sight returns whose things a list shows to p: all departments' when the pointer is nil. asked narrows it.
func (s *Service) sight(ctx context.Context, p authz.Principal, action authz.Action, kind string, asked *uuid.UUID) (*uuid.UUID, error) {
	if s.enforcer.Allowed(p, action, authz.Target{Kind: kind}) {
		return asked, nil
	}
	department := p.Department
	if asked != nil {
		department = *asked
	}
	if _, err := s.enforcer.Check(ctx, p, action, authz.Target{Kind: kind, Department: department}); err != nil {
		return nil, err
	}
	return &department, nil
}

// check asks whether p may do action to a thing. Who may not even see it is told that it does not exist.
func (s *Service) check(ctx context.Context, p authz.Principal, see, action authz.Action, t authz.Target) error {
	if !s.enforcer.Allowed(p, see, t) {
		// The refusal is noted, unless the node cannot decide at all.
		if _, err := s.enforcer.Check(ctx, p, see, t); !fault.Is(err, fault.Forbidden) && err != nil {
			return err
		}
		return notFound(t.Kind)
	}
	_, err := s.enforcer.Check(ctx, p, action, t)
	return err
}

func notFound(what string) error {
	return fault.New(fault.NotFound, "not_found", "there is no such %s, or it is not yours to see", what)
}

// record writes the audit event of a change.
func record(ctx context.Context, tx *db.Tx, p authz.Principal, action, kind, id string, detail map[string]any) error {
	_, err := audit.WriteTx(ctx, tx, audit.Event{Actor: p.Actor(), Action: action, Object: audit.Object{Kind: kind, ID: id}, Detail: detail})
	return err
}
