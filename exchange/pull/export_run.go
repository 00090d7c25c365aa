package pull

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const (
	// exportPoll is how often a node looks for exports to write and for rights that have ended.
	exportPoll = 400 * time.Millisecond
	// exportBeat is how often an attempt says that it lives.
	exportBeat = time.Second
	// exportAttempts is how often writing is begun before an error that may pass counts as one that does not.
	exportAttempts = 5
	// exportTidy is how often files are removed that nobody can fetch.
	exportTidy = time.Minute
	// orphanAge is how long ago a file was last written that no export knows and that may be removed.
	orphanAge = time.Hour
)

// actorExports is the part of the hub that writes exports.
var actorExports = audit.Actor{Kind: audit.ActorSystem, ID: "exports"}

// nudge tells the loop that there is something to write.
func (x *Exports) nudge() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Run writes exports, destroys the keys of files to which the right has ended, and removes files, until ctx ends. What is
// being written then goes back into the queue. Errors are logged and tried again.
func (x *Exports) Run(ctx context.Context) error {
	if err := x.releaseOwn(ctx); err != nil {
		return err
	}
	var writing sync.WaitGroup
	defer writing.Wait()
	slots := make(chan struct{}, x.opt.Slots)
	ticker := time.NewTicker(exportPoll)
	defer ticker.Stop()
	var tidied time.Time
	for {
		if err := x.Destroy(ctx); err != nil && ctx.Err() == nil {
			x.opt.Log.ErrorContext(ctx, "destroying keys of exports", "error", err)
		}
		if now := x.opt.Clock(); now.Sub(tidied) >= exportTidy {
			tidied = now
			if err := x.Tidy(ctx); err != nil && ctx.Err() == nil {
				x.opt.Log.ErrorContext(ctx, "removing files of exports", "error", err)
			}
		}
		x.start(ctx, slots, &writing)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-x.wake:
		}
	}
}

// start claims exports while there are free slots, and writes each in the background.
func (x *Exports) start(ctx context.Context, slots chan struct{}, writing *sync.WaitGroup) {
	for {
		select {
		case slots <- struct{}{}:
		default:
			return
		}
		e, err := x.claim(ctx)
		if err != nil && ctx.Err() == nil {
			x.opt.Log.ErrorContext(ctx, "looking for exports", "error", err)
		}
		if err != nil || e == nil {
			<-slots
			return
		}
		writing.Go(func() {
			x.attempt(ctx, e)
			<-slots
			x.nudge()
		})
	}
}

// errTaken says that the export was deleted, or taken over by another attempt.
var errTaken = errors.New("the export is not this attempt's any more")

// attempt writes one export and says what came of it.
func (x *Exports) attempt(ctx context.Context, e *Export) {
	err := x.write(ctx, e)
	if err == nil {
		return
	}
	if removeErr := x.opt.Files.Remove(fileName(e.ID, e.attempt)); removeErr != nil {
		x.opt.Log.ErrorContext(ctx, "removing an export's file", "export", e.ID, "error", removeErr)
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	switch kind := fault.KindOf(err); {
	case errors.Is(err, errTaken):
		return
	case ctx.Err() != nil, (kind == fault.Internal || kind == fault.Unavailable) && e.attempt < exportAttempts:
		if ctx.Err() == nil {
			x.opt.Log.WarnContext(ctx, "an export is begun again", "export", e.ID, "attempt", e.attempt, "error", err)
		}
		err = x.release(closing, e)
	default:
		if kind == fault.Internal {
			x.opt.Log.ErrorContext(ctx, "an export failed", "export", e.ID, "error", err)
		}
		err = x.fail(closing, e, fault.CodeOf(err))
	}
	if err != nil {
		x.opt.Log.ErrorContext(ctx, "ending an export", "export", e.ID, "error", err)
	}
}

// progress is what an attempt has done, read by its heartbeat.
type progress struct {
	rows  atomic.Int64
	total atomic.Int64
}

// write writes the file of one attempt and makes the export ready.
func (x *Exports) write(ctx context.Context, e *Export) error {
	client := authz.Principal{Kind: audit.ActorClient, ID: e.client, Department: e.department, Roles: []authz.Role{authz.ClientRole}}
	permit, err := x.pull.sharing.Decide(ctx, client, e.ask())
	if err != nil {
		return err
	}
	t, err := x.pull.terms(permit)
	if err != nil {
		return err
	}
	if t, err = x.pull.settle(ctx, permit, t); err != nil {
		return err
	}
	c := &session{service: x.pull, client: client, permit: permit, terms: t}
	if !c.fits(e) {
		return fault.New(fault.Conflict, CodeTermsChanged, "the terms of the grant changed since; order another export").At("policy")
	}
	v, err := newView(t, e.Items, e.Filter)
	if err != nil {
		return err
	}
	key := make([]byte, fileKey)
	_, _ = rand.Read(key) // It never fails.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var p progress
	p.total.Store(-1)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		x.beatOn(ctx, e, &p, cancel)
	}()
	f, snap, err := x.fill(ctx, c, v, e, key, &p)
	if cause := context.Cause(ctx); err != nil && (errors.Is(cause, errTaken) || fault.CodeOf(cause) == codeExportsFull) {
		err = cause
	}
	cancel(nil)
	<-beating
	if err != nil {
		return err
	}
	err = x.finish(context.WithoutCancel(ctx), c, e, f, snap, key)
	if err == nil || errors.Is(err, errTaken) {
		return err
	}
	// The commit may have arrived although its answer did not: the row says.
	looking, stop := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer stop()
	if now, findErr := x.find(looking, e.ID); findErr == nil && now.State == ExportReady && now.attempt == e.attempt {
		return nil
	}
	return err
}

func (x *Exports) beatOn(ctx context.Context, e *Export, p *progress, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(exportBeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ok, err := x.beat(ctx, e, p.rows.Load(), p.total.Load())
		switch {
		case err != nil && ctx.Err() == nil:
			x.opt.Log.WarnContext(ctx, "an export's sign of life", "export", e.ID, "error", err)
		case err == nil && !ok:
			cancel(errTaken)
			return
		}
		if full := x.overfull(); full != nil {
			cancel(full)
			return
		}
	}
}

// fill reads all rows in one snapshot into the file. Policy is asked every chunkRows rows.
func (x *Exports) fill(ctx context.Context, c *session, v *view, e *Export, key []byte, p *progress) (*exportFile, store.Snapshot, error) {
	w, err := x.opt.Files.Create(fileName(e.ID, e.attempt))
	if err != nil {
		return nil, store.Snapshot{}, err
	}
	f, err := newExportFile(v, e, key, w)
	if err != nil {
		return nil, store.Snapshot{}, errors.Join(err, w.Close())
	}
	counted := func(rows int64) error {
		p.total.Store(rows)
		if c.terms.grant.Quota == 0 {
			return nil
		}
		left, err := x.pull.sharing.QuotaLeft(ctx, c.permit)
		if err == nil && left < rows {
			err = fault.New(fault.Exhausted, "quota_exhausted", "the quota of this grant has fewer rows left than this export has").At("policy")
		}
		return err
	}
	snap, err := x.pull.store.Scan(ctx, c.permit.Decision, v.query, counted, func(rec store.Record) error {
		if f.rows%chunkRows == 0 {
			if err := c.mayGoOn(ctx); err != nil {
				return err
			}
			p.rows.Store(f.rows)
		}
		return f.row(rec)
	})
	if err == nil {
		err = f.close()
	}
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	return f, snap, err
}

// finish takes the rows from the quota and makes the file fetchable, if the right still holds.
func (x *Exports) finish(ctx context.Context, c *session, e *Export, f *exportFile, snap store.Snapshot, key []byte) error {
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	if err := c.useQuota(ctx, int(f.rows)); err != nil {
		return err
	}
	if err := c.mayGoOn(ctx); err != nil {
		return err
	}
	sealed, err := x.pull.keyring.Seal(exportKeyPurpose, key, e.ID[:])
	if err != nil {
		return fmt.Errorf("sealing the key of export %s: %w", e.ID, err)
	}
	sum := f.sum.Sum(nil)
	return x.db.InTx(ctx, func(tx *db.Tx) error {
		evidence, err := audit.WriteTx(ctx, tx, e.event(actorExports, "export.ready", audit.OK,
			map[string]any{"rows": f.rows, "size": f.size, "sha256": fmt.Sprintf("%x", sum), "seq": snap.Head.Seq}))
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE export SET state = 'ready', rows = $3, total = $3, size = $4, digest = $5, file = $6, sealed_key = $7, seq = $8, as_of = $9,
				evidence = $10, finished_at = clock_timestamp(), expires_at = clock_timestamp() + $11::interval
			WHERE id = $1 AND attempt = $2 AND state = 'running'`,
			e.ID, e.attempt, f.rows, f.size, sum, fileName(e.ID, e.attempt), sealed, snap.Head.Seq, snap.At, evidence, x.opt.Keep)
		if err != nil {
			return fmt.Errorf("making export %s ready: %w", e.ID, err)
		}
		if tag.RowsAffected() != 1 {
			return errTaken
		}
		return nil
	})
}

// fail ends an attempt's export for good.
func (x *Exports) fail(ctx context.Context, e *Export, code string) error {
	err := x.db.InTx(ctx, func(tx *db.Tx) error {
		evidence, err := audit.WriteTx(ctx, tx, e.event(actorExports, "export.fail", audit.Failed, map[string]any{"reason": code}))
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE export SET state = 'failed', reason = $3, sealed_filter = NULL, evidence = $4, finished_at = clock_timestamp()
			WHERE id = $1 AND attempt = $2 AND state = 'running'`, e.ID, e.attempt, code, evidence)
		if err == nil && tag.RowsAffected() != 1 {
			err = errTaken
		}
		return err
	})
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

// ended is a right to a file that has ended, and why.
type ended struct {
	ID     uuid.UUID
	Reason string
}

// Destroy destroys the keys of files that nobody may fetch any more: their time is over, their grant has ended, or its terms
// are others. A suspended grant keeps its files sealed and refuses them. It is called several times a second on each node.
func (x *Exports) Destroy(ctx context.Context) error {
	rows, err := x.db.Pool.Query(ctx, `
		SELECT e.id, CASE
			WHEN e.expires_at <= clock_timestamp() THEN $1
			WHEN g.state IN ('terminated', 'expired', 'disposing', 'closed') OR g.valid_to <= clock_timestamp() THEN $2
			ELSE $3 END
		FROM export e JOIN sharing_grant g ON g.id = e.grant_id
		WHERE e.state IN ('queued', 'running', 'ready') AND (e.expires_at <= clock_timestamp() OR g.state IN ('terminated', 'expired', 'disposing', 'closed')
			OR g.valid_to <= clock_timestamp() OR g.terms_version <> e.terms_version)
		LIMIT 100`, goneExpired, goneGrant, goneTerms)
	if err != nil {
		return fmt.Errorf("looking for files without a right: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ended])
	if err != nil {
		return fmt.Errorf("looking for files without a right: %w", err)
	}
	for _, one := range found {
		e, err := x.find(ctx, one.ID)
		if err != nil {
			return err
		}
		err = x.db.InTx(ctx, func(tx *db.Tx) error {
			evidence, err := audit.WriteTx(ctx, tx, e.event(actorExports, "export.destroy", audit.OK, map[string]any{"reason": one.Reason}))
			if err != nil {
				return err
			}
			changed, err := destroyTx(ctx, tx, one.ID, one.Reason, evidence)
			if err == nil && !changed {
				return errNothingToDo // Another node was first.
			}
			return err
		})
		if err != nil && !errors.Is(err, errNothingToDo) {
			return err
		}
	}
	return nil
}

// Tidy removes the files of exports that are gone, and files that no export knows: those of attempts that died.
func (x *Exports) Tidy(ctx context.Context) error {
	rows, err := x.db.Pool.Query(ctx, "SELECT id, file FROM export WHERE state = 'gone' AND file <> '' LIMIT 1000")
	if err != nil {
		return fmt.Errorf("looking for files to remove: %w", err)
	}
	type left struct {
		ID   uuid.UUID
		File string
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[left])
	if err != nil {
		return fmt.Errorf("looking for files to remove: %w", err)
	}
	for _, one := range found {
		if err := x.opt.Files.Remove(one.File); err != nil {
			return err
		}
		if _, err := x.db.Pool.Exec(ctx, "UPDATE export SET file = '' WHERE id = $1", one.ID); err != nil {
			return fmt.Errorf("noting that a file is removed: %w", err)
		}
	}
	names, err := x.opt.Files.List(x.opt.Clock().Add(-orphanAge))
	if err != nil || len(names) == 0 {
		return err
	}
	var orphans []string
	err = x.db.Pool.QueryRow(ctx, `
		SELECT coalesce(array_agg(name), '{}') FROM unnest($1::text[]) AS name
		WHERE NOT EXISTS (SELECT 1 FROM export e WHERE e.id::text = split_part(name, '.', 1)
			AND (e.file = name OR e.state = 'running' AND e.attempt::text = split_part(name, '.', 2)))`, names).Scan(&orphans)
	if err != nil {
		return fmt.Errorf("looking for files that no export knows: %w", err)
	}
	for _, name := range orphans {
		if err := x.opt.Files.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
