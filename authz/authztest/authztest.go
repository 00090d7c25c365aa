// Package authztest gives tests of other packages a running enforcer and principals to ask it about.
package authztest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// Open returns a handle on a fresh, migrated database that is dropped after the test.
func Open(t testing.TB) *db.DB {
	t.Helper()
	return OpenURL(t, pgtest.URL(t))
}

// OpenURL returns a further handle on the same database, as another node has it.
func OpenURL(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{URL: url, ApplicationName: "test", MaxConns: 6})
	if err != nil {
		t.Fatalf("opening the test database: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

// Node is what one node of the hub decides with.
type Node struct {
	DB       *db.DB
	Follower *authz.Follower
	Enforcer *authz.Enforcer
	stop     func()
}

// Start runs a follower and an enforcer over d until the test ends, and returns when they may decide. Each subscribe is
// called before the follower runs, to register caches with it.
func Start(t testing.TB, d *db.DB, subscribe ...func(*authz.Follower)) *Node {
	t.Helper()
	f, err := authz.NewFollower(t.Context(), authz.FollowerOptions{DB: d})
	if err != nil {
		t.Fatalf("making the follower: %v", err)
	}
	e, err := authz.NewEnforcer(t.Context(), authz.Options{DB: d, Follower: f})
	if err != nil {
		t.Fatalf("making the enforcer: %v", err)
	}
	for _, s := range subscribe {
		s(f)
	}
	return Run(t, d, f, e)
}

// Run runs a follower that everybody has subscribed to until the test ends, and returns when the node may decide.
func Run(t testing.TB, d *db.DB, f *authz.Follower, e *authz.Enforcer) *Node {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f.Run(ctx)
	}()
	n := &Node{DB: d, Follower: f, Enforcer: e, stop: func() { cancel(); <-done }}
	t.Cleanup(n.stop)
	deadline, cancelWait := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancelWait()
	for f.Wait(deadline) != nil {
		if deadline.Err() != nil {
			t.Fatal("the node never became able to decide")
		}
	}
	return n
}

// Stop ends the follower: the node's lease lapses at once. It is safe to call twice.
func (n *Node) Stop() { n.stop() }

// Person returns a signed-in person of a department.
func Person(department uuid.UUID, roles ...authz.Role) authz.Principal {
	return authz.Principal{Kind: audit.ActorUser, ID: db.NewID(), Name: "test", Department: department, Roles: roles, Session: db.NewID()}
}

// Client returns a consuming system of a department.
func Client(department uuid.UUID) authz.Principal {
	return authz.Principal{
		Kind: audit.ActorClient, ID: db.NewID(), Name: "test client", Department: department,
		Roles: []authz.Role{authz.ClientRole}, Key: "sqk_test",
	}
}

// Sync returns when everything committed before the call is applied on the node of f. Follower.Sync gives up after a
// second, as a node must; a test on a busy machine asks again for a while.
func Sync(ctx context.Context, f *authz.Follower) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := f.Sync(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}
