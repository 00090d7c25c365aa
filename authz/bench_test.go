package authz_test

import (
	"testing"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
)

// BenchmarkCheck is a decision on a node whose policy is current; the aim is 2 µs.
func BenchmarkCheck(b *testing.B) {
	n := authztest.Start(b, authztest.Open(b))
	p := authztest.Client(db.NewID())
	for b.Loop() {
		if _, err := n.Enforcer.Check(b.Context(), p, authz.DataPull, granted); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecheck is what each chunk of a stream pays.
func BenchmarkRecheck(b *testing.B) {
	n := authztest.Start(b, authztest.Open(b))
	d, err := n.Enforcer.Check(b.Context(), authztest.Client(db.NewID()), authz.DataPull, granted)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := n.Enforcer.Recheck(d); err != nil {
			b.Fatal(err)
		}
	}
}
