package exchange

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/shuqiao/shuqiao/internal/db"
)

// DefaultSilence is how long a node may be silent before others take its runs. A run is then queued again within another
// two heartbeats and the two seconds that ending the sessions may take, well inside 15 s.
const DefaultSilence = 8 * time.Second

// ApplicationName is what every database session of a process must be called: a takeover ends the sessions of a dead
// incarnation by it. It stays below the 63 bytes that PostgreSQL keeps.
func ApplicationName(incarnation uuid.UUID) string { return "shuqiao " + incarnation.String() }

// NodeOptions says what a Node is. Everything without a remark is required.
type NodeOptions struct {
	DB          *db.DB           // Its sessions bear ApplicationName(Incarnation).
	DataDir     string           // Holds the node's id, in the file node_id.
	Incarnation uuid.UUID        // New at every start of the process.
	Role        string           // What the process does: all, api or worker.
	Address     string           // Where it listens, for people; may be "".
	Build       string           // Its version, for people; may be "".
	Silence     time.Duration    // 0 means DefaultSilence. Every node of a hub has the same.
	PolicyN     func() int64     // The newest policy change the node has applied; nil means none.
	Clock       func() time.Time // nil means time.Now. Its times should carry a monotonic reading.
	Log         *slog.Logger     // nil means slog.Default.
}

// Node says that this process lives, and takes over the runs of processes that do not.
type Node struct {
	opt  NodeOptions
	id   uuid.UUID
	pool *pgxpool.Pool // Its own small pool: heartbeats never wait for a connection that a run holds.
	log  *slog.Logger

	last   atomic.Pointer[time.Time] // When the newest successful heartbeat was sent.
	steady atomic.Pointer[time.Time] // Since when they have succeeded without a pause.
	lost   chan struct{}
	once   sync.Once
	peers  atomic.Int64 // Nodes that serve the contract, as of the newest heartbeat.

	mu      sync.Mutex
	cancel  context.CancelFunc
	stopped atomic.Bool
	done    sync.WaitGroup
}

// NewNode reads the node's id, making it where there is none.
func NewNode(opt NodeOptions) (*Node, error) {
	if opt.Silence == 0 {
		opt.Silence = DefaultSilence
	}
	if opt.PolicyN == nil {
		opt.PolicyN = func() int64 { return 0 }
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	id, err := nodeID(filepath.Join(opt.DataDir, "node_id"))
	if err != nil {
		return nil, err
	}
	return &Node{opt: opt, id: id, log: opt.Log, lost: make(chan struct{})}, nil
}

// nodeID reads the id from its file. Two processes that make it at once agree on one.
func nodeID(path string) (uuid.UUID, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		temporary, tempErr := os.CreateTemp(filepath.Dir(path), ".node_id-*")
		if tempErr != nil {
			return uuid.Nil, fmt.Errorf("making the node id: %w", tempErr)
		}
		defer os.Remove(temporary.Name())
		_, err = temporary.WriteString(uuid.NewString() + "\n")
		if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
			return uuid.Nil, fmt.Errorf("making the node id: %w", err)
		}
		if err := os.Link(temporary.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
			return uuid.Nil, fmt.Errorf("making the node id: %w", err)
		}
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("reading the node id: %w", err)
	}
	id, err := uuid.Parse(strings.TrimSpace(string(raw)))
	if err != nil {
		return uuid.Nil, fmt.Errorf("reading the node id from %s: %w", path, err)
	}
	return id, nil
}

// ID returns the node's id, which outlives the process.
func (n *Node) ID() uuid.UUID { return n.id }

// Incarnation returns the id of this process.
func (n *Node) Incarnation() uuid.UUID { return n.opt.Incarnation }

// Start ends what an earlier process of the same node left open, takes its runs back, and keeps beating until Stop. The
// earlier process is dead, or it would hold the data folder; should it live after all, its sessions end and it finds itself
// replaced.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cancel != nil {
		return errors.New("starting a node: it was started before")
	}
	cfg := n.opt.DB.Pool.Config()
	cfg.MaxConns, cfg.MinConns = 2, 0
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("making the node's pool: %w", err)
	}
	n.pool = pool
	if err := n.register(ctx); err != nil {
		pool.Close()
		return fmt.Errorf("starting node %s: %w", n.id, err)
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.done.Go(func() { n.every(background, n.beatEvery(), n.beat) })
	n.done.Go(func() { n.every(background, n.beatEvery(), n.watch) })
	return nil
}

func (n *Node) register(ctx context.Context) error {
	var old *uuid.UUID
	err := n.pool.QueryRow(ctx, "SELECT incarnation FROM node WHERE node_id = $1", n.id).Scan(&old)
	if err != nil && !db.NoRows(err) {
		return fmt.Errorf("looking for an earlier incarnation: %w", err)
	}
	if old != nil && *old != n.opt.Incarnation {
		if err := endSessions(ctx, n.pool, *old); err != nil {
			return err
		}
	}
	sent := n.opt.Clock()
	_, err = n.pool.Exec(ctx, `
		INSERT INTO node (node_id, incarnation, role, address, build, started_at, seen_at, policy_n)
		VALUES ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp(), $6)
		ON CONFLICT (node_id) DO UPDATE SET incarnation = excluded.incarnation, role = excluded.role, address = excluded.address,
			build = excluded.build, started_at = excluded.started_at, seen_at = excluded.seen_at, policy_n = excluded.policy_n`,
		n.id, n.opt.Incarnation, n.opt.Role, n.opt.Address, n.opt.Build, n.opt.PolicyN())
	if err != nil {
		return fmt.Errorf("entering the list of nodes: %w", err)
	}
	n.last.Store(&sent)
	n.steady.Store(&sent)
	if old != nil && *old != n.opt.Incarnation {
		if _, err := reclaim(ctx, n.opt.DB, *old); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the heartbeat and leaves the list of nodes. It is safe to call twice, and before Start. Whatever carries runs
// must be stopped before.
func (n *Node) Stop(ctx context.Context) {
	if !n.halt() {
		return
	}
	defer n.pool.Close()
	if _, err := n.pool.Exec(ctx, "DELETE FROM node WHERE node_id = $1 AND incarnation = $2", n.id, n.opt.Incarnation); err != nil {
		n.log.WarnContext(ctx, "leaving the list of nodes", "error", err)
	}
}

// halt ends the heartbeat; it reports false when there was none or it was ended before.
func (n *Node) halt() bool {
	n.mu.Lock()
	cancel := n.cancel
	n.mu.Unlock()
	if cancel == nil || n.stopped.Swap(true) {
		return false
	}
	cancel()
	n.done.Wait()
	return true
}

// Lost is closed when another process has taken this node's id: this one must end.
func (n *Node) Lost() <-chan struct{} { return n.lost }

// Fresh reports whether others still count this node among the living. A node that is not fresh stops its runs, before
// others take them. A machine that was suspended shows in the wall clock, which the monotonic clock does not.
func (n *Node) Fresh() bool {
	last := n.last.Load()
	if last == nil {
		return false
	}
	select {
	case <-n.lost:
		return false
	default:
	}
	now := n.opt.Clock()
	limit := n.opt.Silence * 5 / 8
	return now.Sub(*last) <= limit && now.Round(0).Sub(last.Round(0)) <= limit
}

// Serving returns how many nodes serve the contract, this one among them where it does; at least 1. Rates are shared out by it.
func (n *Node) Serving() int { return int(max(1, n.peers.Load())) }

func (n *Node) beatEvery() time.Duration { return min(time.Second, n.opt.Silence/8) }

// every calls do at once and then at each interval until ctx ends.
func (n *Node) every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// beat tells the others that this process lives.
func (n *Node) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.opt.Silence/2)
	defer cancel()
	sent := n.opt.Clock()
	var mine, peers int64
	err := n.pool.QueryRow(ctx, `
		WITH mine AS (UPDATE node SET seen_at = clock_timestamp(), policy_n = $3 WHERE node_id = $1 AND incarnation = $2 RETURNING 1)
		SELECT (SELECT count(*) FROM mine),
			(SELECT count(*) FROM node WHERE role <> 'worker' AND seen_at > clock_timestamp() - make_interval(secs => $4))`,
		n.id, n.opt.Incarnation, n.opt.PolicyN(), n.opt.Silence.Seconds()).Scan(&mine, &peers)
	if err != nil {
		if ctx.Err() == nil || !errors.Is(ctx.Err(), context.Canceled) {
			n.log.WarnContext(ctx, "the heartbeat failed", "node", n.id, "error", err)
		}
		return
	}
	n.peers.Store(peers)
	if mine == 0 {
		n.once.Do(func() {
			n.log.ErrorContext(ctx, "another process has taken this node's id; this one stops working", "node", n.id)
			close(n.lost)
		})
		return
	}
	if last := n.last.Load(); last == nil || sent.Sub(*last) > n.opt.Silence/2 {
		n.steady.Store(&sent)
	}
	n.last.Store(&sent)
}

// watch takes over from nodes that fell silent. A node that has just seen the database come back waits: the others need a
// moment to beat again, too.
func (n *Node) watch(ctx context.Context) {
	steady := n.steady.Load()
	if !n.Fresh() || n.opt.Clock().Sub(*steady) < n.opt.Silence/2 {
		return
	}
	taken, err := n.takeOver(ctx)
	if err != nil && ctx.Err() == nil {
		n.log.ErrorContext(ctx, "taking over from silent nodes", "error", err)
	}
	if taken > 0 {
		n.log.WarnContext(ctx, "took runs back from silent nodes", "runs", taken)
	}
}
