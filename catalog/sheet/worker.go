package sheet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const (
	// poll is how often a node looks for imports.
	poll = time.Second
	// attempts is how often a step is begun before an error that may pass counts as one that does not.
	attempts = 5
	// keep is how long an import that has come to its end is kept, with its rows.
	keep = 30 * 24 * time.Hour
	// tidyEvery is how often old imports are removed.
	tidyEvery = time.Hour
)

// errTaken says that the import was taken over by another node.
var errTaken = errors.New("the import is not this attempt's any more")

// Run reads, checks and applies imports until ctx ends; what is worked on then waits for the next node. Errors are logged and tried
// again.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var tidied time.Time
	for {
		if time.Since(tidied) > tidyEvery {
			tidied = time.Now()
			if err := s.tidy(ctx); err != nil && ctx.Err() == nil {
				s.opt.Log.ErrorContext(ctx, "removing old imports", "error", err)
			}
		}
		for {
			worked, err := s.work(ctx)
			if err != nil && ctx.Err() == nil {
				s.opt.Log.ErrorContext(ctx, "looking for imports", "error", err)
			}
			if !worked {
				break
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.wake:
		}
	}
}

func (s *Service) tidy(ctx context.Context) error {
	_, err := s.opt.DB.Pool.Exec(ctx, "DELETE FROM import_job WHERE state IN ('checked', 'done', 'failed') AND updated_at < clock_timestamp() - $1::interval", keep)
	return err
}

// work claims one import and takes the step it waits for.
func (s *Service) work(ctx context.Context) (bool, error) {
	j, err := scanJob(s.opt.DB.Pool.QueryRow(ctx, `
		UPDATE import_job SET state = CASE state WHEN 'received' THEN 'checking' ELSE state END, attempt = attempt + 1, seen_at = clock_timestamp()
		WHERE id = (
			SELECT id FROM import_job WHERE state = 'received' OR state IN ('checking', 'applying')
				AND (seen_at IS NULL OR seen_at < clock_timestamp() - $1::interval)
			ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING `+jobColumns, s.opt.Silence))
	if db.NoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claiming an import: %w", err)
	}
	s.attempt(ctx, j)
	return ctx.Err() == nil, nil
}

// attempt takes one step of an import and says what came of it.
func (s *Service) attempt(ctx context.Context, j Job) {
	working, cancel := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		s.beat(working, j, cancel)
	}()
	step := s.check
	if j.State == Applying {
		step = s.apply
	}
	err := step(working, j)
	if cause := context.Cause(working); err != nil && errors.Is(cause, errTaken) {
		err = cause
	}
	cancel(nil)
	<-beating
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	switch kind := fault.KindOf(err); {
	case err == nil, errors.Is(err, errTaken):
		return
	case ctx.Err() != nil:
		// The hub stops: another node, or this one after its start, goes on at once.
		err = s.mark(closing, j, "seen_at = NULL")
	case (kind == fault.Internal || kind == fault.Unavailable || fault.CodeOf(err) == "try_again") && j.attempt < attempts:
		s.opt.Log.WarnContext(ctx, "an import is begun again", "import", j.ID, "attempt", j.attempt, "error", err)
		err = s.mark(closing, j, "seen_at = NULL")
	default:
		code, message := fault.CodeOf(err), "the hub failed; its log says why"
		if kind == fault.Internal {
			s.opt.Log.ErrorContext(ctx, "an import failed", "import", j.ID, "error", err)
		} else if f, ok := errors.AsType[*fault.Fault](err); ok {
			message = f.Message
		}
		err = s.fail(closing, j, code, message)
	}
	if err != nil && !errors.Is(err, errTaken) {
		s.opt.Log.ErrorContext(ctx, "ending an import", "import", j.ID, "error", err)
	}
}

// mark writes into the row of an import as long as it is this attempt's.
func (s *Service) mark(ctx context.Context, j Job, set string, args ...any) error {
	tag, err := s.opt.DB.Pool.Exec(ctx, "UPDATE import_job SET "+set+" WHERE id = $1 AND attempt = $2 AND state = $3", append([]any{j.ID, j.attempt, string(j.State)}, args...)...)
	if err != nil {
		return fmt.Errorf("marking an import: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errTaken
	}
	return nil
}

func (s *Service) fail(ctx context.Context, j Job, code, message string) error {
	to, err := moved(j.State, StepFail)
	if err != nil {
		return err
	}
	return s.mark(ctx, j, `state = $4, reason = $5, message = $6, seen_at = NULL, row_version = row_version + 1, updated_at = clock_timestamp(), finished_at = clock_timestamp(),
		troubles = (SELECT count(*) FROM import_trouble WHERE job_id = $1)`, string(to), code, message)
}

// beat says that the attempt lives.
func (s *Service) beat(ctx context.Context, j Job, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(s.opt.Silence / 5)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.mark(ctx, j, "seen_at = clock_timestamp()"); errors.Is(err, errTaken) {
				cancel(errTaken)
				return
			}
		}
	}
}
