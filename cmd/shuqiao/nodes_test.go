package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// node is one hub of several on a database: its data folder outlives its processes.
type node struct {
	name    string
	dir     string
	process *hubtest.Process       // nil while it is dead.
	base    atomic.Pointer[string] // Of the contract; nil while it does not serve.
	starts  int
}

// nodes are the hubs of one database as processes of the real binary.
type nodes struct {
	binary string
	url    string // Of the database.
	all    []*node
}

// newNodes prepares n nodes after the data folder of the hub that set the database up: every node has its keys, and a node
// id of its own. None runs yet.
func newNodes(t *testing.T, binary, url, dir string, n int) *nodes {
	t.Helper()
	out := &nodes{binary: binary, url: url}
	for i := range n {
		folder := t.TempDir()
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatalf("reading the data folder: %v", err)
		}
		for _, f := range files {
			if !f.Type().IsRegular() || f.Name() == "node_id" {
				continue
			}
			raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, f.Name()), raw, 0o600)
			}
			if err != nil {
				t.Fatalf("copying the keys: %v", err)
			}
		}
		out.all = append(out.all, &node{name: string(rune('A' + i)), dir: folder})
	}
	return out
}

// start starts a node's process. It does not wait until it serves.
func (ns *nodes) start(t *testing.T, n *node) {
	t.Helper()
	n.process = hubtest.StartProcess(t, ns.binary, "serve", "--database-url", ns.url, "--data-dir", n.dir,
		"--listen", "127.0.0.1:0", "--node-takeover", "1s", "--log-level", "warn", "--second-factor", "off", "--sign-in-rate", "100000")
	n.starts++
}

// kill ends a node's process as a power failure would.
func (n *node) kill() {
	n.process.Kill()
	n.process = nil
	n.base.Store(nil)
}

// serving notes where a node serves once it does, and reports whether it does.
func (n *node) serving(t *testing.T) bool {
	t.Helper()
	if n.process == nil || n.base.Load() != nil {
		return n.process != nil
	}
	if n.process.Wait(0) != -1 {
		t.Fatalf("node %s ended by itself:\n%s", n.name, n.process.Errors())
	}
	_, rest, found := strings.Cut(n.process.Output(), "listening on ")
	url, _, whole := strings.Cut(rest, "\n")
	if !found || !whole {
		return false
	}
	base := url + "/api/v1"
	n.base.Store(&base)
	return true
}

// startAll starts every node and waits until all serve.
func (ns *nodes) startAll(t *testing.T) {
	t.Helper()
	for _, n := range ns.all {
		ns.start(t, n)
	}
	eventually(t, "every node to serve", 30*time.Second, func() bool {
		up := true
		for _, n := range ns.all {
			up = n.serving(t) && up
		}
		return up
	})
}

// id returns the node id, which the process writes at its first start.
func (n *node) id(t *testing.T) uuid.UUID {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.dir, "node_id"))
	if err != nil {
		t.Fatalf("reading the node id: %v", err)
	}
	id, err := uuid.Parse(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatalf("reading the node id: %v", err)
	}
	return id
}

// on returns a client of a node with the credentials of another.
func (n *node) on(c *client.Client) *client.Client {
	base := ""
	if b := n.base.Load(); b != nil {
		base = *b
	}
	return &client.Client{Base: base, Token: c.Token, HTTP: c.HTTP}
}

// errNobody says that no node serves right now.
var errNobody = errors.New("no node serves")

// any calls one node after the other until one answers, be it with a problem.
func (ns *nodes) any(c *client.Client, call func(c *client.Client) error) error {
	err := errNobody
	for _, n := range ns.all {
		if n.base.Load() == nil {
			continue
		}
		err = call(n.on(c))
		var problem *client.Problem
		if err == nil || errors.As(err, &problem) {
			return err
		}
	}
	return err
}

// verifyEvidence runs the verification of the evidence as an operator would, and fails the test when it does not pass.
func (ns *nodes) verifyEvidence(t *testing.T) {
	t.Helper()
	p := hubtest.StartProcess(t, ns.binary, "audit", "verify", "--database-url", ns.url)
	if code := p.Wait(time.Minute); code != 0 {
		t.Errorf("shuqiao audit verify ended with %d:\n%s%s", code, p.Output(), p.Errors())
		return
	}
	t.Logf("audit verify: %s", strings.TrimSpace(p.Output()))
}

// eventually polls until done says so, and fails the test when it does not within the limit.
func eventually(t *testing.T, what string, limit time.Duration, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %s in vain for %s", limit, what)
		case <-t.Context().Done():
			t.Fatal(fmt.Errorf("waiting for %s: %w", what, t.Context().Err()))
		}
	}
}
