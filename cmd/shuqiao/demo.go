package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/demo"
	"github.com/shuqiao/shuqiao/internal/demo/city"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/hub"
)

type demoCommand struct {
	settings
	Listen string  `help:"Address of the API and the console, as host:port; the next free port when it is taken." placeholder:"HOST:PORT"`
	Scale  float64 `default:"1" help:"Size of the made-up city: 0.01 to 10; 1 is 365,000 rows."`
	Exit   bool    `help:"Stop after the story instead of going on serving."`
}

// errStopped is a story that somebody stopped before its end.
var errStopped = errors.New("stopped before the story ended; the next start goes on from here")

// Run starts the hub, tells the story on it and goes on serving.
func (c *demoCommand) Run(t *terminal) error {
	if !(c.Scale >= city.MinScale && c.Scale <= city.MaxScale) { // Written so that NaN fails too.
		return fault.New(fault.Invalid, "scale", "--scale must lie between %v and %v", city.MinScale, city.MaxScale)
	}
	flags := c.flags()
	if c.Listen != "" {
		flags["listen"] = c.Listen
	}
	if flags["log-level"] == "" && !isSet(t.environ, "SHUQIAO_LOG_LEVEL") {
		flags["log-level"] = "error" // The story is what people came to read.
	}
	if !isSet(t.environ, "SHUQIAO_SOURCE_NETWORKS") {
		flags["source-networks"] = "default,127.0.0.0/8,::1,unix" // The departments' databases lie on this machine.
	}
	// The story signs everybody in, many times from one address, and has no app for codes at hand.
	flags["second-factor"], flags["sign-in-rate"] = "off", "100000"
	cfg, log, err := t.load(flags)
	if err != nil {
		return err
	}
	tell := demo.NewTeller(t.out, isTerminal(t.out), time.Now)
	tell.Text("Shuqiao 数桥: a made-up city shares its data. Every line with ✓ was checked; the first that is not true ends the story.")
	listener, err := listenNear(t.ctx, cfg.Listen)
	if err != nil {
		return err
	}
	p, err := hub.Open(t.ctx, hub.Options{Config: cfg, Listener: listener, Version: version, Log: log})
	if err != nil {
		_ = listener.Close()
		return err
	}
	defer p.Close()
	serving, stop := context.WithCancel(t.ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- p.Run(serving) }()
	select {
	case <-p.Ready():
	case err := <-served:
		return err
	}
	describe(tell, p, cfg)

	token, err := p.Identity.NewSetupToken(t.ctx)
	if err == nil {
		_, err = demo.Tell(serving, c.options(t, p, token), tell)
	}
	switch {
	case t.ctx.Err() != nil:
		stop()
		<-served
		return errStopped
	case err != nil:
		stop()
		return errors.Join(err, <-served)
	case c.Exit:
		stop()
		tell.Text("The hub stops, as --exit asks for. Its data stay in " + p.Dir() + ".")
		return <-served
	}
	tell.Text("Press Ctrl-C to stop the hub. Its data stay in " + p.Dir() + ".")
	return <-served
}

// describe says what was started.
func describe(tell *demo.Teller, p *hub.Program, cfg config.Config) {
	database := "the database that was named"
	if cluster := p.Cluster(); cluster != nil {
		database = fmt.Sprintf("a private PostgreSQL on port %d", cluster.Port())
	}
	tell.Done("The hub serves at %s, on %s, data in %s.", p.URL(), database, p.Dir())
	if _, port, _ := net.SplitHostPort(cfg.Listen); !strings.HasSuffix(p.URL(), ":"+port) && port != "0" {
		tell.Note("Port %s is taken by another program, so the next free one was used.", port)
	}
}

// options hands the running hub to the story.
func (c *demoCommand) options(t *terminal, p *hub.Program, token string) demo.Options {
	return demo.Options{
		DataDir: p.Dir(), Scale: c.Scale, APIURL: p.APIURL(), ConsoleURL: p.URL() + "/ui/", HubDatabase: p.DatabaseURL(),
		Server: func(database string) string {
			if cluster := p.Cluster(); cluster != nil {
				return cluster.URL(database)
			}
			return withDatabase(p.DatabaseURL(), database)
		},
		SetupToken: token,
		VerifyAudit: func(ctx context.Context) (string, bool, error) {
			return verifyAudit(ctx, t.environ, p.DatabaseURL())
		},
	}
}

// withDatabase is a connection URL with another database.
func withDatabase(address, database string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // It was checked when the settings were read.
	}
	u.Path = "/" + database
	return u.String()
}

// verifyAudit runs this program's own "audit verify", as anybody would. The address goes by the environment, since other
// users of the machine can read command lines.
func verifyAudit(ctx context.Context, environ []string, database string) (output string, passed bool, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", false, fmt.Errorf("finding this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, "audit", "verify")
	cmd.Env = append(environ, "SHUQIAO_DATABASE_URL="+database)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return out.String(), true, nil
	case exited && exit.ExitCode() == exitRuntime && strings.Contains(out.String(), "PROBLEM:"):
		return out.String(), false, nil
	}
	return "", false, fmt.Errorf("running audit verify: %w: %s", err, strings.TrimSpace(problems.String()))
}

// portsTried is how many ports above the wanted one are tried.
const portsTried = 100

// listenNear listens on an address, or on the next port that is free.
func listenNear(ctx context.Context, address string) (net.Listener, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fault.New(fault.Invalid, "listen", "--listen takes host:port").Wrap(err)
	}
	first, err := strconv.Atoi(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "listen", "--listen takes a port number").Wrap(err)
	}
	for port := first; port <= min(first+portsTried, 65535); port++ {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fault.New(fault.Unavailable, "cannot_listen", "cannot listen on %s: choose another address with --listen", address).Wrap(err)
		}
	}
	return nil, fault.New(fault.Unavailable, "port_taken", "no port from %d to %d is free: choose another with --listen", first, first+portsTried)
}

// isTerminal reports whether w is a terminal, where lines can be overwritten.
func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func isSet(environ []string, name string) bool {
	for _, e := range environ {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}
