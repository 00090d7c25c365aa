package sharing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// NoQuota is what QuotaLeft returns for grants without a quota.
const NoQuota = int64(-1)

// A block is what a node reserves at once: a hundredth of the quota, so that blocks left behind by nodes that died cost little,
// and no more than a page of rows.
const (
	blockShare = 100
	maxBlock   = 1000
)

// reserveLimit bounds the asking for a block.
const reserveLimit = 5 * time.Second

// quotaFresh is how old a node's view of what the others have reserved may be when it says what is left.
const quotaFresh = time.Second

// blocks are the parts of quotas that this node has reserved and not yet booked.
type blocks struct {
	node uuid.UUID

	mu      sync.Mutex
	ledgers map[uuid.UUID]*ledger // By grant.
	closed  bool                  // The node is stopping: nothing is reserved ahead any more.
}

// ledger is one grant's block. Its mutex is held while the database is asked for more, so callers at the same time share
// what one of them reserves.
type ledger struct {
	mu      sync.Mutex
	gone    bool // Taken out of the map: look the grant up again.
	period  string
	quota   int64
	left    int64     // Reserved by this node and not booked.
	spent   int64     // Booked by this node in the period.
	used    int64     // Reserved by all nodes, as last read.
	read    time.Time // When that was.
	touched time.Time
}

func newBlocks(node uuid.UUID) *blocks {
	if node == uuid.Nil {
		node = uuid.New()
	}
	return &blocks{node: node, ledgers: map[uuid.UUID]*ledger{}}
}

// lock returns the ledger of a grant, locked, and whether blocks may be reserved ahead.
func (b *blocks) lock(grant uuid.UUID) (_ *ledger, ahead bool) {
	for {
		b.mu.Lock()
		l, ok := b.ledgers[grant]
		if !ok {
			l = &ledger{}
			b.ledgers[grant] = l
		}
		ahead = !b.closed
		b.mu.Unlock()
		l.mu.Lock()
		if !l.gone {
			return l, ahead
		}
		l.mu.Unlock()
	}
}

// period names the quota period that a moment falls into: days and months begin at midnight in Asia/Shanghai.
func (s *Service) period(g Grant, at time.Time) string {
	at = at.In(s.calendar.Now().Zone())
	switch g.QuotaPeriod {
	case "day":
		return at.Format(time.DateOnly)
	case "month":
		return at.Format("2006-01")
	}
	return "total"
}

// UseQuota books rows against the grant's quota before they leave. All of them are booked or none: when fewer are left it
// returns the Exhausted fault "quota_exhausted" whose detail "remaining" says how many this node can still book.
//
// A booking takes from the block that this node has reserved and asks the database only when the block is used up. What all
// nodes have reserved together never exceeds the quota, so neither does what is booked; what a node has reserved and not booked
// when it dies is not booked by others in that period.
func (s *Service) UseQuota(ctx context.Context, p Permit, rows int64) error {
	g := p.Grant
	if g.Quota == 0 || rows <= 0 {
		return nil
	}
	l, ahead := s.blocks.lock(g.ID)
	defer l.mu.Unlock()
	now := s.enforcer.Follower().Now()
	if err := s.turn(ctx, l, g, now); err != nil {
		return err
	}
	if rows > l.left {
		if err := s.reserve(ctx, l, g, rows-l.left, ahead); err != nil {
			return err
		}
	}
	l.left -= rows
	l.spent += rows
	return nil
}

// turn opens the ledger's page of the moment. What was reserved in a period that is over, or under a quota that was changed, is
// no longer booked.
func (s *Service) turn(ctx context.Context, l *ledger, g Grant, now time.Time) error {
	period := s.period(g, now)
	l.touched = now
	if l.period == period && l.quota == g.Quota {
		return nil
	}
	if l.period == period {
		if err := s.giveBack(ctx, l, g.ID); err != nil {
			return err
		}
		l.quota, l.read = g.Quota, time.Time{}
		return nil
	}
	l.period, l.quota, l.left, l.spent, l.read = period, g.Quota, 0, 0, time.Time{}
	return nil
}

// reserve adds a block to the ledger, at least need, or returns the fault "quota_exhausted". Where a whole block does not fit
// any more, just what is needed is reserved.
func (s *Service) reserve(ctx context.Context, l *ledger, g Grant, need int64, ahead bool) error {
	// A caller who goes away must not leave it open whether the block is ours.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reserveLimit)
	defer cancel()
	take := need
	if ahead {
		take = max(need, min(g.Quota/blockShare, maxBlock))
	}
	for {
		err := s.db.Pool.QueryRow(ctx, `
			WITH head AS (
				INSERT INTO quota_use AS q (grant_id, period, used) SELECT $1::uuid, $2::text, $3::bigint WHERE $3::bigint <= $4::bigint
				ON CONFLICT (grant_id, period) DO UPDATE SET used = q.used + excluded.used WHERE q.used + excluded.used <= $4::bigint
				RETURNING used)
			INSERT INTO quota_block AS b (grant_id, period, node, reserved, spent, updated_at)
			SELECT $1, $2, $5, $3, $6, clock_timestamp() FROM head
			ON CONFLICT (grant_id, period, node) DO UPDATE
				SET reserved = b.reserved + excluded.reserved, spent = excluded.spent, updated_at = excluded.updated_at
			RETURNING (SELECT used FROM head)`,
			g.ID, l.period, take, g.Quota, s.blocks.node, l.spent).Scan(&l.used)
		switch {
		case err == nil:
			l.left += take
			l.read = l.touched
			return nil
		case !errors.Is(err, pgx.ErrNoRows):
			return fmt.Errorf("reserving quota: %w", err)
		case take > need:
			take = need
			continue
		}
		if err := s.readUsed(ctx, l, g); err != nil {
			return err
		}
		return fault.New(fault.Exhausted, "quota_exhausted", "the quota of this grant has fewer rows left than this call needs").
			At("policy").With("remaining", strconv.FormatInt(l.remaining(), 10))
	}
}

// readUsed notes what all nodes have reserved.
func (s *Service) readUsed(ctx context.Context, l *ledger, g Grant) error {
	l.used = 0
	err := s.db.Pool.QueryRow(ctx, "SELECT used FROM quota_use WHERE grant_id = $1 AND period = $2", g.ID, l.period).Scan(&l.used)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("reading quota: %w", err)
	}
	l.read = l.touched
	return nil
}

// remaining is what this node can still book: its own block, and what nobody has reserved.
func (l *ledger) remaining() int64 { return max(0, l.quota-l.used) + l.left }

// QuotaLeft returns how many rows of the grant's quota this node can still book in the current period, NoQuota for grants
// without one. What other nodes have reserved counts as booked; it is at most a second old.
func (s *Service) QuotaLeft(ctx context.Context, p Permit) (int64, error) {
	if p.Grant.Quota == 0 {
		return NoQuota, nil
	}
	l, _ := s.blocks.lock(p.Grant.ID)
	defer l.mu.Unlock()
	if err := s.turn(ctx, l, p.Grant, s.enforcer.Follower().Now()); err != nil {
		return 0, err
	}
	if l.read.IsZero() || l.touched.Sub(l.read) > quotaFresh {
		if err := s.readUsed(ctx, l, p.Grant); err != nil {
			return 0, err
		}
	}
	return l.remaining(), nil
}

// giveBack returns what is left of a block. What is not known to be back is treated as booked: after an error the ledger has
// nothing left, whatever became of the statement.
func (s *Service) giveBack(ctx context.Context, l *ledger, grant uuid.UUID) error {
	left := l.left
	if l.left = 0; left == 0 {
		return nil
	}
	_, err := s.db.Pool.Exec(ctx, `
		WITH head AS (UPDATE quota_use SET used = used - $4 WHERE grant_id = $1 AND period = $2 RETURNING used)
		UPDATE quota_block SET reserved = reserved - $4, spent = $5, updated_at = clock_timestamp()
		WHERE grant_id = $1 AND period = $2 AND node = $3 AND EXISTS (SELECT FROM head)`,
		grant, l.period, s.blocks.node, left, l.spent)
	if err != nil {
		return fmt.Errorf("returning quota: %w", err)
	}
	return nil
}

// ReturnIdleQuota returns the blocks that this node has not used for a while, so that others can. Call it now and then.
func (s *Service) ReturnIdleQuota(ctx context.Context, idle time.Duration) error {
	now := s.enforcer.Follower().Now()
	s.blocks.mu.Lock()
	all := make(map[uuid.UUID]*ledger, len(s.blocks.ledgers))
	for grant, l := range s.blocks.ledgers {
		all[grant] = l
	}
	s.blocks.mu.Unlock()
	var failed error
	for grant, l := range all {
		l.mu.Lock()
		if idle > 0 && now.Sub(l.touched) < idle {
			l.mu.Unlock()
			continue
		}
		l.gone = true
		s.blocks.mu.Lock()
		delete(s.blocks.ledgers, grant)
		s.blocks.mu.Unlock()
		failed = errors.Join(failed, s.giveBack(ctx, l, grant))
		l.mu.Unlock()
	}
	return failed
}

// ReturnQuota returns all that this node has reserved and not booked, when it stops. Bookings after it reserve just what
// they need.
func (s *Service) ReturnQuota(ctx context.Context) error {
	s.blocks.mu.Lock()
	s.blocks.closed = true
	s.blocks.mu.Unlock()
	return s.ReturnIdleQuota(ctx, 0)
}

// keepBlocks is how long the rows of blocks are kept after their last change: longer than the longest period that ends.
const keepBlocks = 40 * 24 * time.Hour

// ForgetBlocks removes the rows of blocks that nobody has changed for long. quota_use keeps what was used. Call it now and
// then, on any node.
func (s *Service) ForgetBlocks(ctx context.Context) error {
	_, err := s.db.Pool.Exec(ctx, "DELETE FROM quota_block WHERE updated_at < clock_timestamp() - $1::interval", keepBlocks)
	if err != nil {
		return fmt.Errorf("removing old quota blocks: %w", err)
	}
	return nil
}
