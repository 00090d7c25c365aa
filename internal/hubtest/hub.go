package hubtest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Password is the password of every account that this package makes.
const Password = "Demo-Passw0rd"

// FirstPassword is the one that an administrator gives; the person changes it to Password.
const FirstPassword = "First-Passw0rd"

// Division is the division of every department that this package makes: Shaoxing.
const Division = "330600"

// LocalNetworks lets a hub reach this machine, too.
const LocalNetworks = "default,127.0.0.0/8,::1,unix"

// Hub is a running node.
type Hub struct {
	*hub.Program
	Anonymous *client.Client // Of the contract, without credentials.

	log  *lockedBuffer
	stop func() error
}

// Options changes how a hub starts. The zero value is a hub of its own on a fresh database.
type Options struct {
	DatabaseURL string // "" means a fresh database.
	Role        config.Role
	Takeover    time.Duration     // 0 means 1 s.
	Beside      *Hub              // A further node on the database of this hub, with its keys; nil for none.
	Keys        *Hub              // Takes the keys of this hub, and another database; nil for none.
	Flags       map[string]string // Further settings, by flag.
	Listener    net.Listener      // nil listens on a free port.
}

// Start runs a hub until the test ends. It fails the test when the hub does not serve within 30 seconds.
func Start(t testing.TB, opt Options) *Hub {
	t.Helper()
	if opt.Beside != nil {
		opt.DatabaseURL = opt.Beside.DatabaseURL()
	}
	if opt.DatabaseURL == "" {
		opt.DatabaseURL = pgtest.URL(t)
	}
	if opt.Takeover == 0 {
		opt.Takeover = time.Second
	}
	if opt.Role == "" {
		opt.Role = config.RoleAll
	}
	log := &lockedBuffer{}
	cfg := Config(t, opt)
	if opt.Beside != nil {
		CopyKey(t, opt.Beside.Dir(), cfg.DataDir)
	}
	if opt.Keys != nil {
		CopyKey(t, opt.Keys.Dir(), cfg.DataDir)
	}
	listener := opt.Listener
	if listener == nil {
		listener = Listen(t)
	}
	p, err := hub.Open(t.Context(), hub.Options{
		Config: cfg, Listener: listener, Version: "test", MaxConns: 12,
		Log:       slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Passwords: secret.NewPasswords(secret.PasswordParams{MemoryKiB: 64, Time: 1, Parallelism: 1}),
	})
	if err != nil {
		t.Fatalf("opening the hub: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	var outcome error
	h := &Hub{Program: p, log: log, Anonymous: client.New(p.APIURL(), "")}
	h.stop = func() error {
		once.Do(func() {
			cancel()
			outcome = <-done
			p.Close()
		})
		return outcome
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Errorf("stopping the hub: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the hub:\n%s", log.tail(200))
		}
	})
	select {
	case <-p.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("the hub ended instead of serving: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the hub does not serve")
	}
	return h
}

// Listen takes a free port of this machine.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	return l
}

// Config returns the settings of a hub on a data folder of the test.
func Config(t testing.TB, opt Options) config.Config {
	t.Helper()
	flags := map[string]string{
		"database-url": opt.DatabaseURL, "data-dir": t.TempDir(), "listen": "127.0.0.1:0", "node-takeover": opt.Takeover.String(),
		"role": string(opt.Role), "second-factor": "off", "sign-in-rate": "100000",
		// Sources and receivers of tests lie on this machine.
		"source-networks": LocalNetworks, "notice-networks": LocalNetworks,
	}
	maps.Copy(flags, opt.Flags)
	cfg, err := config.Load(config.Sources{Flags: flags})
	if err != nil {
		t.Fatalf("making settings: %v", err)
	}
	return cfg
}

// CopyKey copies the key file that all nodes of one database share from one data folder to another.
func CopyKey(t testing.TB, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(from, secret.KeyFileName))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, secret.KeyFileName), raw, 0o600)
	}
	if err != nil {
		t.Fatalf("copying the key file: %v", err)
	}
}

// Stop ends the hub as a signal would and returns what Run returned.
func (h *Hub) Stop() error { return h.stop() }

// Logs returns what the hub has logged.
func (h *Hub) Logs() string { return h.log.String() }

// Staff are the first accounts of a hub, signed in.
type Staff struct {
	AuthorityID                                   string
	SystemAdmin, SecurityAdmin, Auditor, Operator *client.Client
}

// Bureau is a department with its two people, signed in.
type Bureau struct {
	ID              string
	Name            string
	Admin, Operator *client.Client
}

// SetUp creates the authority and the first accounts, and signs them in.
func (h *Hub) SetUp(t testing.TB) Staff {
	t.Helper()
	account := func(name string) identity.Account {
		return identity.Account{Username: name, DisplayName: name, Password: Password}
	}
	result, err := h.Identity.Setup(t.Context(), identity.SetupRequest{
		Authority:   identity.Authority{USCC: USCC(0), Name: "示例市数据局", NameEN: "Sample Data Bureau", DivisionCode: Division, Level: "city"},
		SystemAdmin: account("system_admin"), SecurityAdmin: account("security_admin"), Auditor: account("auditor"),
		PlatformOperator: account("platform_operator"),
	})
	if err != nil {
		t.Fatalf("setting the hub up: %v", err)
	}
	return Staff{
		AuthorityID: result.Authority.String(),
		SystemAdmin: h.SignIn(t, "system_admin"), SecurityAdmin: h.SignIn(t, "security_admin"), Auditor: h.SignIn(t, "auditor"),
		Operator: h.SignIn(t, "platform_operator"),
	}
}

// SignIn signs an account of this package in.
func (h *Hub) SignIn(t testing.TB, username string) *client.Client {
	t.Helper()
	c, err := h.Anonymous.SignIn(t.Context(), username, Password)
	if err != nil {
		t.Fatalf("signing %s in: %v", username, err)
	}
	return c
}

// FirstSignIn signs somebody in whose account was made with FirstPassword, and changes that to Password.
func (h *Hub) FirstSignIn(t testing.TB, username string) *client.Client {
	t.Helper()
	c, err := h.Anonymous.SignIn(t.Context(), username, FirstPassword)
	if err != nil {
		t.Fatalf("signing %s in for the first time: %v", username, err)
	}
	if err := c.ChangePassword(t.Context(), FirstPassword, Password); err != nil {
		t.Fatalf("changing the first password of %s: %v", username, err)
	}
	return c
}

// Bureau creates a department with an admin and an operator through the contract. number makes its credit code; prefix
// begins the user names.
func (h *Hub) Bureau(t testing.TB, staff Staff, number int, name, prefix string) Bureau {
	t.Helper()
	ctx := t.Context()
	d, err := staff.SystemAdmin.CreateDepartment(ctx, client.Department{
		USCC: USCC(number), Name: name, DivisionCode: Division, Level: "city", ParentID: staff.AuthorityID,
	})
	if err != nil {
		t.Fatalf("creating department %s: %v", name, err)
	}
	for suffix, role := range map[string]string{"_admin": "dept_admin", "_operator": "dept_operator"} {
		u, err := staff.SystemAdmin.CreateUser(ctx, client.NewUser{
			Username: prefix + suffix, DisplayName: prefix + suffix, Password: FirstPassword, DepartmentID: d.ID,
		})
		if err != nil {
			t.Fatalf("creating account: %v", err)
		}
		if _, err := staff.SecurityAdmin.SetRoles(ctx, u.ID, []string{role}); err != nil {
			t.Fatalf("giving role %s: %v", role, err)
		}
	}
	return Bureau{ID: d.ID, Name: name, Admin: h.FirstSignIn(t, prefix+"_admin"), Operator: h.FirstSignIn(t, prefix+"_operator")}
}

// USCC returns a well-formed credit code whose organisation part starts QQ, which no organisation has.
func USCC(number int) string {
	organisation := fmt.Sprintf("QQ%06d", number)
	check, ok := codes.OrgCodeCheckChar(organisation)
	if !ok {
		panic("hubtest: the organisation code has a wrong form")
	}
	body := "11" + Division + organisation + string(check)
	last, ok := codes.USCCCheckChar(body)
	if !ok {
		panic("hubtest: the credit code has a wrong form")
	}
	return body + string(last)
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) tail(lines int) string {
	all := bytes.Split([]byte(l.String()), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
