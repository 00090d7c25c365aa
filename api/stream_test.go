package api_test

import (
	"errors"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// A stream that is being read stops within a second of the suspension, says why in its last line, and does not end as if it
// were whole.
func TestSuspensionStopsStream(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 6000)
	terms := s.Terms()
	terms.RateRows = 200
	grant := s.Grant(t, terms)
	pull := client.Pull{Resource: s.Resource.ID, Purpose: "benefit-check"}
	waitUntil(t, func() bool { _, err := s.Client.Schema(t.Context(), pull); return err == nil })

	begun := make(chan struct{})
	type outcome struct {
		rows int
		last time.Time
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		_, o.err = s.Client.Stream(t.Context(), pull, client.Query{}, func(client.Row) error {
			if o.rows++; o.rows == 100 {
				close(begun)
			}
			o.last = time.Now()
			return nil
		})
		done <- o
	}()
	<-begun
	if _, err := s.Provider.Admin.Suspend(t.Context(), grant.ID, "示例原因"); err != nil {
		t.Fatal(err)
	}
	suspended := time.Now()
	o := <-done
	if late := o.last.Sub(suspended); late > time.Second {
		t.Errorf("a row came %s after the suspension", late)
	}
	var p *client.Problem
	if !errors.As(o.err, &p) && !errors.Is(o.err, client.ErrTruncated) {
		t.Errorf("the stream ended with %v", o.err)
	}
	if p != nil && p.Code != "grant_suspended" {
		t.Errorf("last line: got %s", p.Code)
	}
	if o.rows >= 4000 {
		t.Errorf("all %d rows came", o.rows)
	}
	_, err := s.Client.Rows(t.Context(), pull, client.Query{})
	wantCode(t, "the next pull", err, 403, "grant_suspended")
}

// What is suspended on one node is refused by another within a second of the commit.
func TestSuspensionReachesOtherNode(t *testing.T) {
	t.Parallel()
	first := hubtest.Start(t, hubtest.Options{})
	s := first.Sample(t, 30)
	second := hubtest.Start(t, hubtest.Options{Beside: first})
	grant := s.Grant(t, s.Terms())
	elsewhere := second.Anonymous.As(s.Key.Token())
	pull := client.Pull{Resource: s.Resource.ID, Purpose: "benefit-check"}
	var err error
	waitUntil(t, func() bool { _, err = elsewhere.Rows(t.Context(), pull, client.Query{}); return err == nil })
	if _, err := s.Provider.Admin.Suspend(t.Context(), grant.ID, "示例原因"); err != nil {
		t.Fatal(err)
	}
	suspended := time.Now()
	waitUntil(t, func() bool { _, err = elsewhere.Rows(t.Context(), pull, client.Query{}); return err != nil })
	if took := time.Since(suspended); took > time.Second {
		t.Errorf("refused %s after the suspension", took)
	}
	wantCode(t, "on the other node", err, 403, "grant_suspended")
}
