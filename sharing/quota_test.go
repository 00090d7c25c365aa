package sharing_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// reserved returns what all nodes have reserved of a grant's quota, by the head and by the nodes' own rows.
func (c *town) reserved(t testing.TB, g sharing.Grant, period string) (head, blocks int64) {
	t.Helper()
	head = c.count(t, "SELECT coalesce(sum(used), 0) FROM quota_use WHERE grant_id = $1 AND period = $2", g.ID, period)
	return head, c.count(t, "SELECT coalesce(sum(reserved), 0) FROM quota_block WHERE grant_id = $1 AND period = $2", g.ID, period)
}

// A node books from the block it has reserved: the database is asked once per block, what is left is known exactly, the last
// rows can be booked one by one, and a booking that does not fit takes nothing.
func TestQuota(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t) // 1,000 rows in all: blocks of 10.
	permit := must[sharing.Permit](t, "deciding")(c.decide(t))
	use := func(rows int64) error { return c.svc.UseQuota(t.Context(), permit, rows) }
	left := func() int64 { return must[int64](t, "reading what is left")(c.svc.QuotaLeft(t.Context(), permit)) }

	wantCode(t, "more than the quota at once", use(1001), fault.Exhausted, "quota_exhausted")
	for range 10 {
		if err := use(1); err != nil {
			t.Fatal(err)
		}
	}
	if head, blocks := c.reserved(t, g, "total"); head != 10 || blocks != 10 || left() != 990 {
		t.Errorf("after ten rows: %d and %d reserved, %d left, want 10, 10, 990", head, blocks, left())
	}
	if err := use(985); err != nil { // More than a block: what is needed, which is more.
		t.Fatal(err)
	}
	if head, _ := c.reserved(t, g, "total"); head != 995 || left() != 5 {
		t.Errorf("near the end: %d reserved, %d left, want 995 and 5", head, left())
	}
	err := use(6)
	wantCode(t, "more than is left", err, fault.Exhausted, "quota_exhausted")
	if f := err.(*fault.Fault); f.Detail["remaining"] != "5" { // A block would not fit any more, five single rows do.
		t.Errorf("remaining %q, want 5", f.Detail["remaining"])
	}
	for range 5 {
		if err := use(1); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "one more", use(1), fault.Exhausted, "quota_exhausted")

	daily := permit
	daily.Grant.QuotaPeriod = "day"
	if err := c.svc.UseQuota(t.Context(), daily, 1000); err != nil {
		t.Errorf("another period: %v", err)
	}
	free := permit
	free.Grant.Quota = 0
	if left, err := c.svc.QuotaLeft(t.Context(), free); left != sharing.NoQuota || err != nil || c.svc.UseQuota(t.Context(), free, 1<<40) != nil {
		t.Errorf("without a quota: got %d left, %v", left, err)
	}
}

// Three nodes that book at the same time, two of them replaced again and again without a word by new processes, never book
// more than the quota together; what a process that died had reserved stays unused. What living nodes return can be booked
// to the last row.
func TestQuotaOfManyNodes(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	permit := must[sharing.Permit](t, "deciding")(c.decide(t))
	var booked, died atomic.Int64
	last := make([]*sharing.Service, 3)
	d := open(t, db.Options{URL: c.url})
	var wg sync.WaitGroup
	for i := range last {
		n := startNode(t, d, c.keyring)
		wg.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			for range 60 {
				var calls sync.WaitGroup
				for range 3 {
					rows := random.Int64N(6) + 1
					calls.Go(func() {
						switch err := n.svc.UseQuota(t.Context(), permit, rows); {
						case err == nil:
							booked.Add(rows)
						case fault.CodeOf(err) != "quota_exhausted":
							t.Errorf("booking: %v", err)
						}
					})
				}
				calls.Wait()
				if i > 0 && random.IntN(20) == 0 {
					n.svc.Crash()
					died.Add(1)
				}
			}
			last[i] = n.svc
		})
	}
	wg.Wait()
	head, blocks := c.reserved(t, g, "total")
	if booked.Load() > 1000 || head > 1000 || head != blocks || booked.Load() > head {
		t.Errorf("%d booked, %d reserved by the head, %d by the nodes, of 1000", booked.Load(), head, blocks)
	}
	if most := 1000 - 10*(died.Load()+3) - 6; booked.Load() < most {
		t.Errorf("%d booked after %d deaths, want at least %d", booked.Load(), died.Load(), most)
	}
	for _, svc := range last {
		if err := svc.ReturnQuota(t.Context()); err != nil {
			t.Error(err)
		}
	}
	head, blocks = c.reserved(t, g, "total")
	if head != blocks || head < booked.Load() || head > booked.Load()+10*died.Load() {
		t.Errorf("after the return: %d reserved, %d by the nodes, %d booked, %d deaths", head, blocks, booked.Load(), died.Load())
	}
	// A node that is stopping books exactly, to the last row.
	for left := 1000 - head; left > 0; left-- {
		if err := last[0].UseQuota(t.Context(), permit, 1); err != nil {
			t.Fatalf("with %d left: %v", left, err)
		}
	}
	wantCode(t, "one more", last[0].UseQuota(t.Context(), permit, 1), fault.Exhausted, "quota_exhausted")
}

// A block that nobody uses goes back, so that another node can book it, and a quota that was lowered binds at once.
func TestQuotaGoesBack(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	g := c.granted(t)
	permit := must[sharing.Permit](t, "deciding")(c.decide(t))
	if err := c.svc.UseQuota(t.Context(), permit, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.svc.ReturnIdleQuota(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if head, blocks := c.reserved(t, g, "total"); head != 3 || blocks != 3 {
		t.Errorf("%d and %d reserved after the return, want 3", head, blocks)
	}
	if err := c.svc.UseQuota(t.Context(), permit, 1); err != nil {
		t.Fatal(err)
	}
	lower := permit
	lower.Grant.Quota = 5
	if err := c.svc.UseQuota(t.Context(), lower, 1); err != nil {
		t.Errorf("the fifth of five rows: %v", err)
	}
	wantCode(t, "the sixth", c.svc.UseQuota(t.Context(), lower, 1), fault.Exhausted, "quota_exhausted")
	if head, _ := c.reserved(t, g, "total"); head != 5 {
		t.Errorf("%d reserved, want 5", head)
	}
	c.exec(t, c.db, "UPDATE quota_block SET updated_at = now() - interval '41 days'")
	if err := c.svc.ForgetBlocks(t.Context()); err != nil || c.count(t, "SELECT count(*) FROM quota_block") != 0 {
		t.Errorf("old rows of blocks stay: %v", err)
	}
}
