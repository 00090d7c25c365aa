package pull

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// CodeRateLimited is the problem code of calls above a grant's rate, and of too many wrong claims.
const CodeRateLimited = "rate_limited"

// idleBucket is how long an unused bucket is kept: long after it is full again.
const idleBucket = 10 * time.Minute

// rates are the grants' token buckets on this node: each node allows its share of a grant's rate.
type rates struct {
	nodes func() int
	clock func() time.Time

	mu      sync.Mutex
	calls   map[uuid.UUID]*bucket
	rows    map[uuid.UUID]*bucket
	streams map[uuid.UUID]*bucket
	swept   time.Time
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

func newRates(nodes func() int, clock func() time.Time) *rates {
	return &rates{nodes: nodes, clock: clock, calls: map[uuid.UUID]*bucket{}, rows: map[uuid.UUID]*bucket{}, streams: map[uuid.UUID]*bucket{}, swept: clock()}
}

// share is this node's part of a rate per second.
func (r *rates) share(perSecond int) float64 { return float64(perSecond) / float64(max(1, r.nodes())) }

// limiter returns a grant's bucket with the rate of now, making it full where there is none.
func (r *rates) limiter(buckets map[uuid.UUID]*bucket, grant uuid.UUID, perSecond float64, burst int) *rate.Limiter {
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.swept) > idleBucket {
		r.sweep(now)
	}
	b, ok := buckets[grant]
	if !ok {
		b = &bucket{limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
		buckets[grant] = b
	}
	b.used = now
	if b.limiter.Limit() != rate.Limit(perSecond) || b.limiter.Burst() != burst {
		b.limiter.SetLimitAt(now, rate.Limit(perSecond))
		b.limiter.SetBurstAt(now, burst)
	}
	return b.limiter
}

func (r *rates) sweep(now time.Time) {
	r.swept = now
	for _, buckets := range []map[uuid.UUID]*bucket{r.calls, r.rows, r.streams} {
		for grant, b := range buckets {
			if now.Sub(b.used) > idleBucket {
				delete(buckets, grant)
			}
		}
	}
}

// call takes one call from a grant's rate, or returns an Exhausted fault rate_limited. A call is refused, too, while the
// rows before it have used up the rows per second.
func (r *rates) call(g *sharing.Grant) (Limits, error) {
	if err := r.rowsPaid(g); err != nil {
		return Limits{Calls: g.RateCalls}, err
	}
	if g.RateCalls <= 0 {
		return Limits{}, nil
	}
	perSecond := r.share(g.RateCalls)
	limiter := r.limiter(r.calls, g.ID, perSecond, max(1, int(math.Ceil(perSecond))))
	now := r.clock()
	allowed := limiter.AllowN(now, 1)
	tokens := limiter.TokensAt(now)
	limits := Limits{Calls: g.RateCalls, CallsLeft: max(0, int(tokens))}
	if tokens < 1 {
		limits.Reset = time.Duration((1 - tokens) / perSecond * float64(time.Second))
	}
	if !allowed {
		return limits, fault.New(fault.Exhausted, CodeRateLimited, "the grant allows %d calls per second; wait and try again", g.RateCalls).
			At("policy").With("retry_after", wholeSeconds(limits.Reset)).With("limit", strconv.Itoa(g.RateCalls))
	}
	return limits, nil
}

// wholeSeconds writes a duration in seconds for Retry-After, rounded up, at least 1.
func wholeSeconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }

// rowsPaid returns an Exhausted fault rate_limited while the grant's rows per second are used up.
func (r *rates) rowsPaid(g *sharing.Grant) error {
	limiter := r.page(g)
	if limiter == nil {
		return nil
	}
	tokens := limiter.TokensAt(r.clock())
	if tokens > 0 {
		return nil
	}
	wait := time.Duration((1 - tokens) / float64(limiter.Limit()) * float64(time.Second))
	return fault.New(fault.Exhausted, CodeRateLimited, "the grant allows %d rows per second; wait and try again, or ask for fewer rows", g.RateRows).
		At("policy").With("retry_after", wholeSeconds(wait))
}

// pay takes rows that leave from the grant's rows per second. They may overdraw it, since the rows of a page are known only
// when they have been read: the calls that follow wait until that is made good. Streams, which are paced apart, pay as well: while
// one uses the whole rate, pages find what was saved up before and no more.
func (r *rates) pay(g *sharing.Grant, rows int) {
	limiter := r.page(g)
	if limiter == nil {
		return
	}
	now := r.clock()
	for burst := limiter.Burst(); rows > 0; rows -= burst {
		limiter.ReserveN(now, min(rows, burst))
	}
}

// savedSeconds is how many seconds' worth of rows a quiet consumer saves up for its next pages.
const savedSeconds = 10

// page returns the bucket of a grant's rows per second, nil when they are not limited. It holds savedSeconds' worth, at least a
// page of the usual size.
func (r *rates) page(g *sharing.Grant) *rate.Limiter {
	if g.RateRows <= 0 {
		return nil
	}
	share := r.share(g.RateRows)
	return r.limiter(r.rows, g.ID, share, max(DefaultLimit, int(savedSeconds*share)))
}

// pace holds the bytes of a file back to the rate of its rows: each byte stands for the same part of a row, whatever the format
// and whichever part is fetched. A file that is fetched twice is paid for twice.
type pace struct {
	rates   *rates
	grant   *sharing.Grant
	limiter *rate.Limiter // Shared with the grant's streams, so that all of them progress alike; nil where nothing is limited.
	perByte float64       // Rows that a byte stands for.
	owed    float64       // Rows of bytes that have left, less than one.
	piece   int           // Most bytes that are written at once.
}

// pace prepares the sending of a file of so many rows and bytes.
func (r *rates) pace(g *sharing.Grant, rows, size int64) *pace {
	p := &pace{rates: r, grant: g, limiter: r.stream(g), piece: chunkBytes}
	if p.limiter != nil && rows > 0 && size > 0 {
		p.perByte = float64(rows) / float64(size)
		p.piece = max(1, int(min(chunkBytes, float64(r.batch(g))/p.perByte)))
	}
	return p
}

// wait returns when so many bytes may leave.
func (p *pace) wait(ctx context.Context, size int) error {
	p.owed += float64(size) * p.perByte
	rows := int(p.owed)
	p.owed -= float64(rows)
	for left := rows; left > 0; {
		n := min(left, p.limiter.Burst())
		if err := p.limiter.WaitN(ctx, n); err != nil {
			return err
		}
		left -= n
	}
	p.rates.pay(p.grant, rows)
	return nil
}

// batch is how many rows of a stream make up a tenth of a second, so that pacing is smooth; at most a chunk.
func (r *rates) batch(g *sharing.Grant) int {
	if g.RateRows <= 0 {
		return chunkRows
	}
	return min(chunkRows, max(1, int(r.share(g.RateRows)/10)))
}

// stream returns the bucket that all streams of a grant on this node share, nil when their rate is not limited.
func (r *rates) stream(g *sharing.Grant) *rate.Limiter {
	if g.RateRows <= 0 {
		return nil
	}
	return r.limiter(r.streams, g.ID, r.share(g.RateRows), r.batch(g))
}
