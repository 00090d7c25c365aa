package hub

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// part is a loop that runs until its context ends.
type part struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

// start runs a loop in the background. An error that it returns before it was stopped is sent to failed.
func (p *Program) start(name string, run func(ctx context.Context) error, failed chan<- error) *part {
	ctx, cancel := context.WithCancel(context.Background())
	s := &part{name: name, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			select {
			case failed <- err:
			default:
			}
		}
	}()
	return s
}

// stop ends a loop and waits for it, within limit.
func (p *Program) stop(s *part, limit time.Duration) {
	if s == nil {
		return
	}
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(limit):
		p.log.Error("a part did not stop in time", "part", s.name)
	}
}

// Run serves until ctx ends or a part fails for good, then stops in order and returns nil or the failure. It is called once.
func (p *Program) Run(ctx context.Context) error {
	failed := make(chan error, 8)
	follower := p.start("policy follower", p.Follower.Run, failed)
	sealer := p.start("sealer", p.sealer.Run, failed)
	var scheduler, worker, alarms, chores, exports, verifier, sheets, days, files, watchdog *part
	var once sync.Once
	var server *http.Server
	stopAll := func() {
		once.Do(func() {
			p.tell("STOPPING=1")
			// Streams would last as long as they like; everything else is soon done.
			p.Pull.Stop()
			var ends sync.WaitGroup
			ends.Go(func() { p.drain(server) })
			for _, s := range []*part{files, watchdog, alarms, chores, exports, verifier, sheets, days, scheduler, worker} {
				ends.Go(func() { p.stop(s, partLimit) })
			}
			ends.Wait()
			nodeCtx, cancel := context.WithTimeout(context.Background(), stopLimit)
			p.node.Stop(nodeCtx)
			cancel()
			// What is left of reserved quotas goes back, what was disclosed becomes durable, then the last events are sealed, while policy is still followed.
			quotaCtx, cancel := context.WithTimeout(context.Background(), stopLimit)
			if err := p.Sharing.ReturnQuota(quotaCtx); err != nil {
				p.log.Warn("returning quota", "error", err)
			}
			cancel()
			p.recorder.Close()
			p.stop(sealer, stopLimit)
			p.stop(follower, stopLimit)
		})
	}
	defer stopAll()

	if err := p.waitForPolicy(ctx); err != nil {
		return err
	}
	if err := p.node.Start(ctx); err != nil {
		return err
	}
	if p.opt.Config.Role.RunsTasks() {
		scheduler = p.start("scheduler", p.scheduler.Run, failed)
		worker = p.start("worker", p.worker.Run, failed)
	}
	alarms = p.start("alarms", p.Alarm.Run, failed)
	chores = p.start("chores", p.chores, failed)
	exports = p.start("exports", p.Exports.Run, failed)
	sheets = p.start("imports", p.Sheets.Run, failed)
	verifier = p.start("verifier", p.verifier.Run, failed)
	days = p.start("working days", p.Catalog.FollowCalendar, failed)
	listener := p.listener
	if p.tls != nil {
		listener = p.tls.Listener(listener)
		files = p.start("certificate files", p.tls.Run, failed)
	}
	server = api.NewServer(p.origins().Handler(p.handler()), p.log)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	if every := p.opt.Notify.Watchdog(); every > 0 {
		watchdog = p.start("watchdog", func(ctx context.Context) error { return p.watch(ctx, every) }, failed)
	}
	close(p.ready)
	p.tell("READY=1")
	p.log.InfoContext(ctx, "serving", "url", p.URL(), "role", string(p.opt.Config.Role), "node", p.node.ID().String(),
		"verifier_key", p.verifierKey)

	var err error
	select {
	case <-ctx.Done():
		p.log.Info("stopping")
	case err = <-failed:
		p.log.Error("a part failed; stopping", "error", err)
	case <-p.node.Lost():
		err = fault.New(fault.Unavailable, "node_replaced", "%s", errReplaced.Error()).Wrap(errReplaced)
	}
	stopAll()
	return err
}

// handler serves the whole contract, or the probes only where this node answers no requests.
func (p *Program) handler() http.Handler {
	if p.opt.Config.Role.ServesAPI() {
		return p.api.Handler()
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		mux.Handle(path, p.api.Handler())
	}
	return mux
}

// drain lets requests under way end and cuts those that do not.
func (p *Program) drain(server *http.Server) {
	if server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		p.log.Warn("requests were cut because they did not end in time", "error", err)
		_ = server.Close()
	}
}

// waitForPolicy returns when the node may decide, so that no caller meets policy_stale because the hub has just started.
func (p *Program) waitForPolicy(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := p.Follower.Wait(deadline)
		if err == nil {
			return nil
		}
		if deadline.Err() != nil {
			return err
		}
	}
}

// The figures of the small chores every node does; each of them may run on several nodes at once.
const (
	expireEvery     = 10 * time.Second
	sweepEvery      = time.Minute
	streamIdle      = 5 * time.Minute // A stream that gave no sign of life for so long is dead.
	partitionsEvery = 6 * time.Hour
	forgetBlocksAll = time.Hour
	retentionEvery  = 10 * time.Minute // Looks for what is due; every kind has its turn once an hour.
	idleQuota       = time.Minute      // How long a node keeps a reserved block that nobody uses.
	noteKeysEvery   = time.Hour
	refusalsEvery   = 250 * time.Millisecond // Asks the database only after a grant changed.
	moveRunsEvery   = time.Hour
	truthEvery      = time.Minute // Looks whether the hour is over; one node does it then.
	volumesEvery    = time.Minute
	volumesFresh    = 15 * time.Minute // A resource is not counted again before.
	searchEvery     = 10 * time.Second // Asks whether an hour has gone by.
)

// chores does what has to be done now and then until ctx ends.
func (p *Program) chores(ctx context.Context) error {
	jobs := []struct {
		name  string
		every time.Duration
		run   func(ctx context.Context) error
	}{
		{"expiring grants", expireEvery, func(ctx context.Context) error { _, err := p.Sharing.ExpireDue(ctx); return err }},
		{"closing dead streams", sweepEvery, func(ctx context.Context) error {
			_, err := p.recorder.SweepInterrupted(ctx, streamIdle)
			return err
		}},
		{"making partitions", partitionsEvery, func(ctx context.Context) error {
			return errors.Join(audit.MakePartitions(ctx, p.DB), exchange.MakeHistoryPartitions(ctx, p.DB))
		}},
		{"moving finished runs", moveRunsEvery, func(ctx context.Context) error { _, err := exchange.MoveFinished(ctx, p.DB); return err }},
		{"ending grants of revoked resources", expireEvery, func(ctx context.Context) error { _, err := p.Sharing.EndRevoked(ctx); return err }},
		{"forgetting nonces", sweepEvery, p.Identity.ForgetNonces},
		{"noticing keys that end", noteKeysEvery, func(ctx context.Context) error { _, err := p.Identity.NoteExpiringKeys(ctx); return err }},
		{"noting refusals", refusalsEvery, p.Sharing.NoteRefusals},
		{"returning idle quota", sweepEvery, func(ctx context.Context) error { return p.Sharing.ReturnIdleQuota(ctx, idleQuota) }},
		{"forgetting quota blocks", forgetBlocksAll, p.Sharing.ForgetBlocks},
		{"refreshing what is true of data", truthEvery, func(ctx context.Context) error { _, err := p.Catalog.RefreshTruth(ctx); return err }},
		{"ranking the directory", searchEvery, func(ctx context.Context) error { _, err := p.Catalog.KeepSearch(ctx); return err }},
		{"removing what is due", retentionEvery, p.Retention.Round},
		{"counting volumes", volumesEvery, func(ctx context.Context) error { _, err := exchange.CountVolumes(ctx, p.DB, volumesFresh); return err }},
	}
	var wait sync.WaitGroup
	for _, job := range jobs {
		wait.Go(func() {
			ticker := time.NewTicker(job.every)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				if err := job.run(ctx); err != nil && ctx.Err() == nil {
					p.log.ErrorContext(ctx, "a chore failed", "chore", job.name, "error", err)
				}
			}
		})
	}
	wait.Wait()
	return nil
}
