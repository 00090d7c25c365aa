package demo

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
)

// within is how long after a suspension the last row may arrive and the next call be allowed.
const within = time.Second

// before is how long the stream runs before it is stopped.
const before = 3 * time.Second

// suspend stops a grant while a client reads a stream, and resumes it.
func (s *story) suspend(ctx context.Context) error {
	s.tell.Step(6, "Stopping: public security suspends the grant while it is being used")
	if s.kept.Suspended {
		s.tell.Already("the grant was suspended in the middle of a stream, and resumed")
		return nil
	}
	api, call := s.caller(s.social)
	var rows, last atomic.Int64
	ended := make(chan error, 1)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, err := api.Stream(reading, call, client.Query{}, func(client.Row) error {
			rows.Add(1)
			last.Store(s.Clock().UnixNano())
			return nil
		})
		ended <- err
	}()
	began := s.Clock()
	err := s.until(ctx, time.Minute, "the stream to run", func() (bool, error) {
		select {
		case err := <-ended:
			return false, untrue("the stream ended after %d rows before it was stopped: %w", rows.Load(), err)
		default:
		}
		s.tell.Passing("the client has read %s rows of its stream", thousands(rows.Load()))
		return rows.Load() > 0 && s.Clock().Sub(began) >= before, nil
	})
	if err != nil {
		return err
	}
	s.tell.Done("Social security's system reads all its rows as a stream, at the %s rows a second of its grant.", thousands(s.social.grant.RateRows))
	if err := s.hub.post(ctx, "police_admin", "/grants/"+s.social.grant.ID+"/suspend", reason("发现疑似超范围使用，先行暂停并核查"), nil); err != nil {
		return fmt.Errorf("suspending the grant: %w", err)
	}
	suspended := s.Clock()
	if err := s.stopped(ctx, ended, suspended, &rows, &last); err != nil {
		return err
	}
	if err := s.refusedSince(ctx, api, call, suspended); err != nil {
		return err
	}
	if err := s.hub.post(ctx, "police_admin", "/grants/"+s.social.grant.ID+"/resume", reason("核查无误，恢复使用"), &s.social.grant); err != nil {
		return fmt.Errorf("resuming the grant: %w", err)
	}
	if err := s.grantInForce(ctx, api, call); err != nil {
		return err
	}
	if _, err := api.Rows(ctx, call, client.Query{Limit: 1}); err != nil {
		return fmt.Errorf("pulling after the grant was resumed: %w", err)
	}
	s.tell.Done("Public security finds nothing wrong and resumes the grant: pulls are answered again.")
	s.kept.Suspended = true
	return s.kept.save()
}

// stopped checks that the stream ended by policy, and when its last row came.
func (s *story) stopped(ctx context.Context, ended <-chan error, suspended time.Time, rows, last *atomic.Int64) error {
	var err error
	select {
	case err = <-ended:
	case <-time.After(10 * within):
		return untrue("the stream still runs %v after the grant was suspended", 10*within)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	problem, isProblem := errors.AsType[*client.Problem](err)
	switch {
	case err == nil:
		return untrue("the stream came to its end as if nothing had happened")
	case isProblem && problem.Code != "grant_suspended":
		return untrue("the stream was stopped with %s instead of grant_suspended", problem.Code)
	case !isProblem && !errors.Is(err, client.ErrTruncated):
		return fmt.Errorf("reading the stream: %w", err)
	}
	late := time.Unix(0, last.Load()).Sub(suspended)
	if late > within {
		return untrue("the last row came %v after the suspension", late)
	}
	text := fmt.Sprintf("%d ms after", late.Milliseconds())
	if late <= 0 {
		text = fmt.Sprintf("%d ms before", -late.Milliseconds())
	}
	s.tell.Done("Public security suspends the grant: of %s rows the last arrived %s the hub's answer, then the stream was cut.", thousands(rows.Load()), text)
	return nil
}

// refusedSince checks that calls are refused, at the latest a second after the suspension.
func (s *story) refusedSince(ctx context.Context, api *client.Client, call client.Pull, suspended time.Time) error {
	for {
		asked := s.Clock()
		_, err := api.Rows(ctx, call, client.Query{Limit: 1})
		if err == nil && asked.Sub(suspended) <= within {
			continue
		}
		problem, err := refused(err, "grant_suspended")
		if err != nil {
			return err
		}
		s.tell.Refused(problem.Code, "The next pull, %d ms after the suspension", asked.Sub(suspended).Milliseconds())
		return nil
	}
}
