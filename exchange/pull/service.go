package pull

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/sharing"
)

// Options says what the service works with.
type Options struct {
	Store    *store.Store
	Sharing  *sharing.Service
	Recorder *audit.Recorder
	Follower *authz.Follower // Whose lease streams live by. It must not run yet: the service subscribes to it.
	Keyring  *secret.Keyring // Seals cursors.
	// SubjectKey makes the tokens by which evidence knows the keys that were asked for. It must be the same on all nodes
	// and outlive rotations of the key ring, so it is random bytes that are stored sealed. At least 16 bytes.
	SubjectKey []byte
	Nodes      func() int       // How many nodes share the grants' rates; nil means one.
	Clock      func() time.Time // nil means time.Now. Its times should carry a monotonic reading.
}

// Service answers the calls of consuming systems. It may be used by several goroutines.
type Service struct {
	store      *store.Store
	sharing    *sharing.Service
	recorder   *audit.Recorder
	follower   *authz.Follower
	keyring    *secret.Keyring
	subjectKey []byte
	clock      func() time.Time
	rates      *rates
	oracle     *oracle
	stopping   chan struct{} // Closed when no stream may go on.
	stopOnce   sync.Once

	mu       sync.Mutex
	compiled map[termsKey]*terms
}

// New makes a service.
func New(opt Options) (*Service, error) {
	if len(opt.SubjectKey) < 16 {
		return nil, fmt.Errorf("making the pull service: the subject key has %d bytes, at least 16 are needed", len(opt.SubjectKey))
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Nodes == nil {
		opt.Nodes = func() int { return 1 }
	}
	s := &Service{
		store: opt.Store, sharing: opt.Sharing, recorder: opt.Recorder, follower: opt.Follower, keyring: opt.Keyring,
		subjectKey: opt.SubjectKey, clock: opt.Clock, rates: newRates(opt.Nodes, opt.Clock), oracle: newOracle(opt.Clock),
		compiled: map[termsKey]*terms{}, stopping: make(chan struct{}),
	}
	s.follower.Subscribe(s.forget)
	return s, nil
}

// forget drops the compiled terms of grants that changed. Newer ones are compiled under another key all the same; what is dropped here
// is the grant's key of _rid, which must not outlive the grant in memory.
func (s *Service) forget(entries []authz.Entry) error {
	changed := map[uuid.UUID]bool{}
	all := false
	for _, e := range entries {
		if id, ok := e.UUID(); ok && e.Kind == authz.KindGrant {
			changed[id] = true
		}
		all = all || e.Kind == authz.KindAll
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.compiled, func(key termsKey, _ *terms) bool { return all || changed[key.grant] })
	return nil
}

// Stop ends streams, which may last for hours, because the node stops: those under way close with the error line
// hub_stopping as soon as their chunk is out, new ones are refused with that code. Other calls are answered as before. It
// is safe to call twice.
func (s *Service) Stop() { s.stopOnce.Do(func() { close(s.stopping) }) }

func hubStopping() *fault.Fault {
	return fault.New(fault.Unavailable, "hub_stopping", "this node of the hub is stopping; ask again in a minute")
}

// Call is what every call says about itself.
type Call struct {
	Resource   string    // Id of the resource, or its code with "/" written "-".
	GrantID    uuid.UUID // X-Grant, zero when not sent.
	Purpose    string    // X-Purpose, or "".
	CaseNumber string    // X-Case-Number, or "".
	RequestID  string    // X-Request-Id; goes into the evidence.
}

// Limits says what is left of a grant's rate on this node and of its quota, and of the time of an old version, for the response headers.
type Limits struct {
	Calls     int           // Calls per second the grant allows; 0 means that they are not limited.
	CallsLeft int           // Calls that may follow at once.
	Reset     time.Duration // Until the next call is allowed; 0 when CallsLeft > 0.
	Quota     bool          // Whether the grant has a quota.
	QuotaLeft int64         // Rows left in the quota's period.

	Beside *sharing.Beside // The answer is of an old version, which is served beside the published one; nil otherwise.
	Grant  uuid.UUID       // That is served it; zero otherwise.
}

// Page is an answer, ready to be written: its evidence is durable.
type Page struct {
	Body          []byte
	Format        Format // Of Body; "" is JSON.
	EvidenceID    uuid.UUID
	Digest        string    // Of Body, for X-Content-Digest: sha-256=:<base64>:
	Rows          int       // Rows, changes or claims answered.
	NextCursor    string    // "" after the last page of rows; never "" for changes.
	ChangesCursor string    // On the last page of rows.
	AsOf          time.Time // Database time of the rows; zero where the answer has none.
	Resync        string    // Where to read the rows anew, of an answer from a replaced layout; "" elsewhere.
	More          *bool     // Of changes: whether further ones are there already; nil elsewhere.
	Limits        Limits
}

// session is one call under its one deciding grant.
type session struct {
	service *Service
	client  authz.Principal
	call    Call
	permit  sharing.Permit
	terms   *terms
	limits  Limits
}

// begin finds the one grant that decides the call and takes a call from its rate.
func (s *Service) begin(ctx context.Context, client authz.Principal, call Call, action authz.Action) (*session, error) {
	permit, err := s.sharing.Decide(ctx, client, sharing.Ask{
		Resource: call.Resource, GrantID: call.GrantID, Purpose: call.Purpose, CaseNumber: call.CaseNumber, Action: action,
	})
	if err != nil {
		return nil, err
	}
	t, err := s.terms(permit)
	if err != nil {
		return nil, err
	}
	if t, err = s.settle(ctx, permit, t); err != nil {
		return nil, err
	}
	c := &session{service: s, client: client, call: call, permit: permit, terms: t}
	c.limits, err = s.rates.call(&t.grant)
	if permit.Beside != nil {
		c.limits.Grant, c.limits.Beside = t.grant.ID, permit.Beside
	}
	return c, err
}

// termsKey names what compiled terms depend on.
type termsKey struct {
	grant      uuid.UUID
	rowVersion int64
	terms      int64
	version    int
	demands    int
}

// maxCompiled bounds the compiled terms that are kept; beyond it all are forgotten and made again when needed.
const maxCompiled = 4096

func (s *Service) terms(p sharing.Permit) (*terms, error) {
	key := termsKey{p.Grant.ID, p.Grant.RowVersion, p.Grant.TermsVersion, p.Resource.Published, p.Demands()}
	s.mu.Lock()
	t, ok := s.compiled[key]
	s.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := compile(p)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.compiled) >= maxCompiled {
		clear(s.compiled)
	}
	s.compiled[key] = t
	return t, nil
}

// usage starts the record of a disclosure under this call.
func (c *session) usage(mode audit.Mode, columns []column, query json.RawMessage) audit.Usage {
	items := make([]int32, len(columns))
	for i := range columns {
		items[i] = int32(columns[i].item.No)
	}
	return audit.Usage{
		GrantID: c.terms.grant.ID, TermsVersion: c.terms.grant.TermsVersion, ClientID: c.client.ID, Department: c.client.Department,
		ResourceID: c.terms.grant.ResourceID, Mode: mode, Items: items, Purpose: c.call.Purpose, CaseNumber: c.call.CaseNumber,
		Query: query, PolicyN: c.permit.Decision.PolicyN(), RuleID: c.permit.Decision.RuleID(), RequestID: c.call.RequestID,
	}
}

// disclose makes a page of a body: it uses the quota for the rows, asks policy once more, and records the disclosure.
// Only what it returns may be written.
func (c *session) disclose(ctx context.Context, u audit.Usage, rows int, body []byte) (*Page, error) {
	if err := c.useQuota(ctx, rows); err != nil {
		return nil, err
	}
	c.service.rates.pay(&c.terms.grant, rows)
	if err := c.service.sharing.Recheck(ctx, c.permit); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	u.Rows, u.Digest = int64(rows), sum[:]
	id, err := c.service.recorder.Record(ctx, u)
	if err != nil {
		return nil, err
	}
	return &Page{Body: body, EvidenceID: id, Digest: contentDigest(sum[:]), Rows: rows, Limits: c.limits}, nil
}

// useQuota takes rows from the grant's quota and notes what is left.
func (c *session) useQuota(ctx context.Context, rows int) error {
	if c.terms.grant.Quota == 0 {
		return nil
	}
	if rows > 0 {
		if err := c.service.sharing.UseQuota(ctx, c.permit, int64(rows)); err != nil {
			return err
		}
	}
	left, err := c.service.sharing.QuotaLeft(ctx, c.permit)
	if err != nil {
		return err
	}
	c.limits.Quota, c.limits.QuotaLeft = true, left
	return nil
}

// contentDigest writes a SHA-256 as RFC 9530 does.
func contentDigest(sum []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

func (s *Service) subject(canonicalKey string) []byte {
	return audit.SubjectToken(s.subjectKey, canonicalKey)
}
