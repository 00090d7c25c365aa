package identity

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Options says what the service needs. Zero durations and counts mean the values of domain table 4.3.
type Options struct {
	DB        *db.DB
	Enforcer  *authz.Enforcer   // Its follower must not be running yet: the service subscribes to it.
	Passwords *secret.Passwords // nil means the default costs.
	Keyring   *secret.Keyring   // Seals second factors and the secrets of signing keys; nil where there are none to set up or use.
	Log       *slog.Logger      // nil means slog.Default.

	Idle        time.Duration // A session unused for so long has ended; 30 minutes.
	Absolute    time.Duration // A session older than this has ended; 8 hours.
	MaxFailures int           // Wrong answers in a row until an account is locked; 5.
	LockFor     time.Duration // How long it stays locked; 30 minutes.
	SignInRate  int           // Sign-ins per minute and address on this node; 0 means 20, a negative one no limit.

	Policy       PasswordPolicy
	SecondFactor SecondFactorRule // "" means SecondFactorAdmins.
	CodeTime     func() time.Time // By which codes of second factors are judged; nil means the follower's.
	OpenID       OpenIDOptions    // Without an Issuer, people sign in by password only.
	NoPasswords  bool             // Only system_admin signs in by password; everybody else by OpenID.

	// CheckAuthority normalises the sharing authority of a setup and says what is wrong with it, by the JSON names of its
	// fields. nil demands only that nothing is missing.
	CheckAuthority func(a *Authority) []fault.Field
}

// cacheSize bounds the users, sessions, clients and keys remembered, each.
const cacheSize = 20_000

// Service keeps users, sessions, clients and keys.
type Service struct {
	db        *db.DB
	enforcer  *authz.Enforcer
	follower  *authz.Follower
	passwords *secret.Passwords
	log       *slog.Logger
	opt       Options
	addresses *edge.Allowance
	openID    *openID
	leaving   []Successor
	settled   atomic.Bool // The hub has been seen to have users.

	users    *authz.Cache[uuid.UUID, knownUser]
	sessions *authz.Cache[uuid.UUID, *knownSession]
	clients  *authz.Cache[uuid.UUID, knownClient]
	keys     *authz.Cache[string, *knownKey]
}

// New makes the service and subscribes its caches to the enforcer's follower.
func New(opt Options) *Service {
	if opt.Passwords == nil {
		opt.Passwords = secret.NewPasswords(secret.PasswordParams{})
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Idle <= 0 {
		opt.Idle = 30 * time.Minute
	}
	if opt.Absolute <= 0 {
		opt.Absolute = 8 * time.Hour
	}
	if opt.MaxFailures <= 0 {
		opt.MaxFailures = 5
	}
	if opt.LockFor <= 0 {
		opt.LockFor = 30 * time.Minute
	}
	if opt.SignInRate == 0 {
		opt.SignInRate = 20
	}
	if opt.SecondFactor == "" {
		opt.SecondFactor = SecondFactorAdmins
	}
	f := opt.Enforcer.Follower()
	if opt.CodeTime == nil {
		opt.CodeTime = f.Now
	}
	s := &Service{
		db: opt.DB, enforcer: opt.Enforcer, follower: f, passwords: opt.Passwords, log: opt.Log, opt: opt,
		users:    authz.NewCache[uuid.UUID, knownUser](f, cacheSize),
		sessions: authz.NewCache[uuid.UUID, *knownSession](f, cacheSize),
		clients:  authz.NewCache[uuid.UUID, knownClient](f, cacheSize),
		keys:     authz.NewCache[string, *knownKey](f, cacheSize),
	}
	s.addresses = edge.NewAllowance(opt.SignInRate)
	s.openID = newOpenID(opt.OpenID, opt.Keyring, f.Now)
	f.Subscribe(s.apply)
	return s
}

// apply drops what the policy log says has changed.
func (s *Service) apply(entries []authz.Entry) error {
	for _, e := range entries {
		id, isUUID := e.UUID()
		switch {
		case e.Kind == authz.KindAll:
			s.users.DropAll()
			s.sessions.DropAll()
			s.clients.DropAll()
			s.keys.DropAll()
		case e.Kind == authz.KindKey:
			s.keys.Drop(e.ID)
		case !isUUID:
		case e.Kind == authz.KindUser:
			s.users.Drop(id)
		case e.Kind == authz.KindSession:
			s.sessions.Drop(id)
		case e.Kind == authz.KindClient:
			s.clients.Drop(id)
		}
	}
	return nil
}

// narrow checks the right to list and returns the department the list must be held to: the one asked for, or none for those
// whose right is not bound to a department, else the principal's own.
func (s *Service) narrow(ctx context.Context, p authz.Principal, a authz.Action, kind string, asked *uuid.UUID) (*uuid.UUID, error) {
	// Allowed says no while the policy is stale, which must not pass for a narrower right.
	if err := s.follower.Wait(ctx); err != nil {
		return nil, err
	}
	if asked == nil && s.enforcer.Allowed(p, a, authz.Target{Kind: kind}) {
		return nil, nil
	}
	if asked == nil {
		asked = &p.Department
	}
	_, err := s.enforcer.Check(ctx, p, a, authz.Target{Kind: kind, Department: *asked})
	return asked, err
}

func unknown(kind string) *fault.Fault {
	return fault.New(fault.NotFound, string(fault.NotFound), "there is no such %s", kind)
}
