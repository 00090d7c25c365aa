package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/console"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/retention"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/edge"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/secret"
	"github.com/shuqiao/shuqiao/internal/systemd"
	"github.com/shuqiao/shuqiao/sharing"
)

// Options says how a node runs. Everything without a remark is required.
type Options struct {
	Config   config.Config
	Listener net.Listener      // nil listens on Config.Listen. Run closes it.
	Version  string            // Of the program, for people; "" means "dev".
	Log      *slog.Logger      // nil means slog.Default.
	Notify   *systemd.Notifier // Told when the node serves, stops and is alive; nil tells nobody.
	MaxConns int32             // Database connections for requests and runs; 0 means 24.

	Passwords *secret.Passwords // Hashes passwords; nil means the default costs.
}

// Parts are the services of a node, for those that stand beside the contract.
type Parts struct {
	DB       *db.DB
	Follower *authz.Follower
	Enforcer *authz.Enforcer
	Identity *identity.Service
	Catalog  *catalog.Service
	Sharing  *sharing.Service
	Exchange *exchange.Service
	Pull     *pull.Service
	Alarm    *alarm.Service
	Exports  *pull.Exports
	Log      *audit.Log

	Retention *retention.Service
}

// Program is one node of the hub.
type Program struct {
	Parts
	console http.Handler // Serves what is not the contract's.

	opt         Options
	log         *slog.Logger
	dir         string
	lock        *pglocal.DirLock
	cluster     *pglocal.Cluster
	url         string
	listener    net.Listener
	tls         *edge.Certificates // nil serves plain HTTP.
	api         *api.API
	registry    *prometheus.Registry
	recorder    *audit.Recorder
	store       *store.Store
	exportFiles *pull.Folder
	sealer      *audit.Sealer
	verifier    *audit.Verifier
	verifierKey string
	node        *exchange.Node
	scheduler   *exchange.Scheduler
	worker      *exchange.Worker
	ready       chan struct{}
	closeOnce   sync.Once
}

// Open prepares a node: it takes the data folder, starts the private PostgreSQL where no database is named, brings the
// schema up, and builds every part. Nothing runs yet. Close gives everything back, also after Run.
//
// Faults are of kind Unavailable for what is wrong with the machine (data_folder_in_use, no_postgresql, port_taken,
// schema_older, …) and Invalid for what is wrong with the settings.
func Open(ctx context.Context, opt Options) (_ *Program, err error) {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.MaxConns == 0 {
		opt.MaxConns = 24
	}
	if opt.Version == "" {
		opt.Version = "dev"
	}
	p := &Program{opt: opt, log: opt.Log, ready: make(chan struct{}), listener: opt.Listener}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if err := checkPeople(opt.Config); err != nil {
		return nil, err
	}
	if p.dir, err = DataDir(opt.Config); err != nil {
		return nil, err
	}
	if p.tls, err = certificates(opt.Config, p.log); err != nil {
		return nil, err
	}
	if p.lock, err = pglocal.Lock(p.dir); err != nil {
		return nil, privateFault(err)
	}
	if err := checkComplete(p.dir); err != nil {
		return nil, err
	}
	// The port first: nothing is started for a node that cannot be reached.
	if p.listener == nil {
		if p.listener, err = listen(ctx, opt.Config.Listen); err != nil {
			return nil, err
		}
	}
	private := opt.Config.DatabaseURL == ""
	if private {
		if p.cluster, _, err = startPrivate(ctx, p.dir, p.lock, p.log); err != nil {
			return nil, err
		}
		if p.url, err = arrange(ctx, p.cluster); err != nil {
			return nil, err
		}
	} else {
		p.url = opt.Config.DatabaseURL.Reveal()
	}
	incarnation := uuid.New()
	p.DB, err = db.Open(ctx, db.Options{URL: p.url, ApplicationName: exchange.ApplicationName(incarnation), MaxConns: opt.MaxConns})
	if err != nil {
		return nil, err
	}
	if !private {
		if err := p.checkDatabase(ctx); err != nil {
			return nil, err
		}
	}
	if err := noticeOrigin(ctx, p.DB, p.log); err != nil {
		return nil, err
	}
	if err := p.wire(ctx, incarnation); err != nil {
		return nil, err
	}
	return p, nil
}

// checkDatabase brings a database that was named up to date where the hub may do so, and looks at the rights it was given.
func (p *Program) checkDatabase(ctx context.Context) error {
	if err := Migrate(ctx, p.DB, false); err != nil {
		return err
	}
	may, err := mayAlterEvidence(ctx, p.DB)
	if err == nil && may {
		p.log.WarnContext(ctx, "the hub's database role could change evidence; give it fewer rights, see deploy/roles.sql")
	}
	return err
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "port_taken",
			"cannot listen on %s; another program may have the port: choose another with --listen", address).Wrap(err)
	}
	return l, nil
}

// wire builds the parts, each on those below it. Everything that follows the policy log is built before the follower runs.
func (p *Program) wire(ctx context.Context, incarnation uuid.UUID) error {
	cfg := p.opt.Config
	keyring, err := secret.OpenKeyring(p.dir)
	if err != nil {
		return environment("key_file", err)
	}
	signer, verifierKey, err := audit.LoadOrCreateSigner(p.dir)
	if err != nil {
		return err
	}
	p.verifierKey = verifierKey
	if err := audit.MakePartitions(ctx, p.DB); err != nil {
		return err
	}
	if err := exchange.MakeHistoryPartitions(ctx, p.DB); err != nil {
		return err
	}
	subjects, err := subjectKey(ctx, p.DB, keyring)
	if err != nil {
		return err
	}
	if p.Follower, err = authz.NewFollower(ctx, authz.FollowerOptions{DB: p.DB, Log: p.log}); err != nil {
		return err
	}
	if p.Enforcer, err = authz.NewEnforcer(ctx, authz.Options{DB: p.DB, Follower: p.Follower, Log: p.log}); err != nil {
		return err
	}
	p.Identity = identity.New(p.people(keyring))
	registry, err := all.Registry()
	if err != nil {
		return err
	}
	if p.Catalog, err = catalog.New(catalog.Options{
		DB: p.DB, Enforcer: p.Enforcer, Keyring: keyring, Connectors: registry, Log: p.log,
		Connect: connectors.Options{Dial: SourceDial(cfg.SourceNetworks)}, CheckHost: cfg.SourceNetworks.CheckHost,
	}); err != nil {
		return err
	}
	days, err := calendar.New()
	if err != nil {
		return err
	}
	p.Sharing = sharing.New(sharing.Options{DB: p.DB, Enforcer: p.Enforcer, Catalog: p.Catalog, Keyring: keyring, Calendar: days, Node: incarnation})
	p.Identity.OnLeave(p.Catalog.HandOverTx)
	p.Identity.OnLeave(p.Sharing.HandOverTx)
	p.store = store.New(p.DB)
	p.Exchange = exchange.New(exchange.Options{DB: p.DB, Enforcer: p.Enforcer, Keyring: keyring, Store: p.store, Catalog: p.Catalog, Log: p.log})
	p.Retention = retention.New(retention.Options{DB: p.DB, Enforcer: p.Enforcer, Store: p.store, Sharing: p.Sharing, Days: cfg.Retain, Log: p.log})
	p.recorder = audit.NewRecorder(p.DB)
	p.Pull, err = pull.New(pull.Options{
		Store: p.store, Sharing: p.Sharing, Recorder: p.recorder, Follower: p.Follower, Keyring: keyring, SubjectKey: subjects,
		Nodes: func() int { return p.node.Serving() },
	})
	if err != nil {
		return err
	}
	p.Parts.Log = audit.NewLog(p.DB)
	p.verifier = audit.NewVerifier(p.DB, audit.VerifyOptions{VerifierKeys: []string{verifierKey}}, p.log)
	p.sealer = audit.NewSealer(audit.Options{DB: p.DB, Signer: signer, Log: p.log})
	p.node, err = exchange.NewNode(exchange.NodeOptions{
		DB: p.DB, DataDir: p.dir, Incarnation: incarnation, Role: string(cfg.Role), Address: p.listener.Addr().String(),
		Build: p.opt.Version, Silence: cfg.NodeTakeover, PolicyN: p.Follower.Applied, Log: p.log,
	})
	if err != nil {
		return err
	}
	folder := cfg.ExportsDir
	if folder == "" {
		folder = filepath.Join(p.dir, "exports")
	}
	if p.exportFiles, err = pull.OpenFolder(folder); err != nil {
		return environment("exports_folder", err)
	}
	p.Exports = pull.NewExports(pull.ExportOptions{
		Pull: p.Pull, DB: p.DB, Files: p.exportFiles, NodeID: p.node.ID(), Keep: cfg.ExportKeep, Space: cfg.ExportSpace, Silence: cfg.NodeTakeover, Log: p.log,
	})
	p.scheduler = exchange.NewScheduler(p.DB, p.log)
	p.worker = exchange.NewWorker(exchange.WorkerOptions{
		DB: p.DB, Enforcer: p.Enforcer, Keyring: keyring, Catalog: p.Catalog, Store: p.store, Node: p.node, Slots: cfg.Workers, Log: p.log,
	})
	p.Alarm = alarm.New(alarm.Options{
		DB: p.DB, Enforcer: p.Enforcer, Keyring: keyring, Networks: cfg.NoticeNetworks, Zone: cfg.TimeZone, Version: p.opt.Version, Log: p.log,
		Node: alarm.Node{ID: p.node.ID(), Dir: p.dir, Lapses: p.Follower.Lapses},
	})
	p.registry = prometheus.NewRegistry()
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newFigures(p))
	p.console, err = console.New(console.Options{
		Enforcer: p.Enforcer, Identity: p.Identity, Catalog: p.Catalog, Sharing: p.Sharing, Exchange: p.Exchange, Alarm: p.Alarm, Log: p.Parts.Log, Retention: p.Retention,
		Verifier: p.verifier,
		Checks:   p.consoleChecks(), VerifierKey: verifierKey,
		Describe: p.Pull.Describe,
		OpenAPI:  func(d pull.Description) ([]byte, error) { return api.GrantOpenAPI(d, p.opt.Version) },
		Logger:   p.log,
	})
	if err != nil {
		return err
	}
	p.api, err = api.New(api.Options{
		DB: p.DB, Enforcer: p.Enforcer, Identity: p.Identity, Catalog: p.Catalog, Sharing: p.Sharing, Exchange: p.Exchange,
		Pull: p.Pull, Exports: p.Exports, Alarm: p.Alarm, Log: p.Parts.Log, Retention: p.Retention, Checks: p.checks(), Version: p.opt.Version, BodyLimit: cfg.BodyLimit, Logger: p.log,
		Metrics: p.registry, Console: p.console,
	})
	return err
}

// URL returns where the node serves, without a slash at the end.
func (p *Program) URL() string {
	addr := p.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if p.tls != nil {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// APIURL returns the base of the contract, ending in /api/v1.
func (p *Program) APIURL() string { return p.URL() + "/api/v1" }

// SetupLink returns the link by which an empty hub is set up, and voids the ones before it; "" for a hub that has users and on
// a node that answers no requests. Whoever has the link makes the administrators, so it goes to the operator only.
func (p *Program) SetupLink(ctx context.Context) (string, error) {
	if !p.opt.Config.Role.ServesAPI() {
		return "", nil
	}
	token, err := p.Identity.NewSetupToken(ctx)
	if err != nil || token == "" {
		return "", err
	}
	return p.URL() + "/setup?token=" + token, nil
}

// DatabaseURL returns the URL of the hub's database with its password, for psql and people.
func (p *Program) DatabaseURL() string {
	if p.cluster != nil {
		return p.cluster.URL(database)
	}
	return p.url
}

// Cluster returns the private PostgreSQL, or nil where a database was named.
func (p *Program) Cluster() *pglocal.Cluster { return p.cluster }

// Dir returns the data folder.
func (p *Program) Dir() string { return p.dir }

// VerifierKey returns the key that others need to check this hub's checkpoints.
func (p *Program) VerifierKey() string { return p.verifierKey }

// Ready is closed when the node serves.
func (p *Program) Ready() <-chan struct{} { return p.ready }

// API returns the contract, for its table of routes.
func (p *Program) API() *api.API { return p.api }

// Close gives back what Open took. It is safe to call twice. Run must have returned.
func (p *Program) Close() {
	p.closeOnce.Do(func() {
		if p.listener != nil {
			_ = p.listener.Close()
		}
		if p.recorder != nil {
			p.recorder.Close()
		}
		if p.exportFiles != nil {
			_ = p.exportFiles.Close()
		}
		if p.DB != nil {
			p.DB.Close()
		}
		if p.cluster != nil {
			if err := p.cluster.Close(); err != nil {
				p.log.Error("stopping the private PostgreSQL", "error", err)
			}
		}
		p.lock.Release()
	})
}

// errReplaced says that another process runs under this node's id.
var errReplaced = errors.New("another process has taken this node's id; this one ends")

// A node that is told to stop ends within ten seconds: first requests and runs, at the same time, then what they stand on.
const (
	drainLimit = 5 * time.Second // How long requests under way may go on.
	partLimit  = 6 * time.Second // How long runs and schedules may take to be given back.
	stopLimit  = time.Second     // How long each part behind them may take.
)
