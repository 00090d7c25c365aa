package demo

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/demo/city"
)

// What public security changes in its own database: small numbers that people can count, and that the smallest city has.
const (
	updated = 6
	moved   = 4
	deleted = 3
	spoilt  = 2
)

// change alters rows at the source and follows them to the consumer.
func (s *story) change(ctx context.Context) error {
	s.tell.Step(5, "Life goes on: rows change, move away and disappear at the source")
	e := s.resources["base_population"]
	if e.schedule.Spec == afterwards {
		s.tell.Already("changes were carried and compared; the hub collects every minute now")
		return nil
	}
	dsn := s.sources.owner(e.database.Name)
	began := s.Clock()
	done, err := city.Change(ctx, dsn, city.ChangePlan{From: countyAsked, To: countyMoved, Update: updated, Move: moved, Delete: deleted, Spoil: spoilt})
	if err != nil {
		return err
	}
	changed := s.Clock()
	s.wrong = append(s.wrong, done.Spoilt...)
	s.tell.Done("In its own database public security corrects %d people, moves %d to Shangyu 上虞, strikes %d off, and mistypes %d.", updated, moved, deleted, spoilt)

	fire, ran, err := s.nextFire(ctx, e, changed)
	if err != nil {
		return err
	}
	if err := s.carried(ctx, e, began, ran); err != nil {
		return err
	}
	s.tell.Done("The task was due at %s and its run carried it: %d changed, %d deleted, %d held.", fire.DueTo.Local().Format("15:04:05"),
		updated+moved, deleted, ran.Counts.Held)
	if err := s.followed(ctx, done); err != nil {
		return err
	}
	if err := s.rejects(ctx, e, ran); err != nil {
		return err
	}
	if err := s.correct(ctx, e, ran, done); err != nil {
		return err
	}
	if err := s.compare(ctx, e); err != nil {
		return err
	}
	return s.calm(ctx)
}

// carried checks that the runs since a moment did what was changed at the source, no more and no less. Several may have
// run: one that began before the change may have read a part of the story's world after it.
func (s *story) carried(ctx context.Context, e *entry, since time.Time, last client.Run) error {
	runs, err := page[client.Run](ctx, s.hub, e.admin(), "/runs?task_id="+e.task.ID+"&limit=20")
	if err != nil {
		return err
	}
	var sum client.Counts
	for _, r := range runs {
		if r.FinishedAt == nil || r.FinishedAt.Before(since) || r.QueuedAt.After(last.QueuedAt) {
			continue
		}
		sum.Inserted += r.Counts.Inserted
		sum.Updated += r.Counts.Updated
		sum.Deleted += r.Counts.Deleted
	}
	if sum.Inserted != 0 || sum.Updated != updated+moved || sum.Deleted != deleted || last.Counts.Held < spoilt {
		return untrue("%d rows changed and %d vanished, but the runs say %+v, held %d", updated+moved, deleted, sum, last.Counts.Held)
	}
	return nil
}

// followed checks what the consumer learns from its cursor.
func (s *story) followed(ctx context.Context, done city.Changed) error {
	api, call := s.caller(s.social)
	upserts, deletes := 0, 0
	for more := true; more; {
		since, err := api.Changes(ctx, call, client.Query{Cursor: s.population.cursor, Limit: 1000})
		if err != nil {
			return fmt.Errorf("asking for changes: %w", err)
		}
		for _, c := range since.Changes {
			if c.Op == "delete" && c.RID == "" || c.Key != "" {
				return untrue("a delete tells the ID number, or nothing at all")
			}
			if c.Op == "delete" {
				deletes++
			} else {
				upserts++
			}
		}
		s.population.cursor, more = since.NextCursor, len(since.Changes) > 0
	}
	if upserts != updated || deletes != deleted+moved {
		return untrue("the consumer sees %d upserts and %d deletes instead of %d and %d", upserts, deletes, updated, deleted+moved)
	}
	for _, gone := range []string{done.Moved[0], done.Deleted[0]} {
		if _, err := s.absent(ctx, api, call, gone); err != nil {
			return err
		}
	}
	if _, err := api.Row(ctx, call, done.Spoilt[0].Key); err != nil {
		return fmt.Errorf("looking up a mistyped person, whose last good row is held: %w", err)
	}
	s.tell.Done("Changes since the kept cursor: %d upserts and %d deletes: the %d struck off, and the %d who left the county and with it the grant.",
		upserts, deletes, deleted, moved)
	s.tell.Note("Whoever was mistyped is still served with the last good row, marked as held.")
	return nil
}

// rejects shows why rows were refused.
func (s *story) rejects(ctx context.Context, e *entry, ran client.Run) error {
	list, err := page[client.Reject](ctx, s.hub, e.operator(), "/runs/"+ran.ID+"/rejects?state=open&limit=500")
	if err != nil {
		return err
	}
	reasons := map[string]int{}
	held := 0
	for _, r := range list {
		if len(r.Reasons) == 0 {
			return untrue("a row was rejected without a reason")
		}
		reasons[r.Reasons[0].Code]++
		if r.Held {
			held++
		}
	}
	if len(list) == 0 || held < spoilt {
		return untrue("%d rows are rejected, %d of them held", len(list), held)
	}
	var words []string
	for code, n := range reasons {
		words = append(words, fmt.Sprintf("%s %d", code, n))
	}
	sort.Strings(words)
	s.tell.Done("%s wrong rows wait for public security, each with its reason: %s.", thousands(ran.Counts.Rejected), strings.Join(words, ", "))
	return nil
}

// correct sets two wrong rows right at the source: one that was wrong from the start, and one mistyped just now.
func (s *story) correct(ctx context.Context, e *entry, before client.Run, done city.Changed) error {
	old, ok := s.firstWrong(e)
	if !ok {
		return untrue("no wrong row with a key is left to correct")
	}
	if err := city.Correct(ctx, s.sources.owner(e.database.Name), old, done.Spoilt[0]); err != nil {
		return err
	}
	asked, err := s.runNow(ctx, e, "runs")
	if err != nil {
		return err
	}
	ran, err := s.finished(ctx, e, asked.ID)
	if err != nil {
		return err
	}
	if ran.StartedAt == nil || ran.Counts.Rejected != before.Counts.Rejected-2 {
		return untrue("after two corrections %d rows are rejected, before it was %d", ran.Counts.Rejected, before.Counts.Rejected)
	}
	closed, err := page[client.Reject](ctx, s.hub, e.operator(), "/resources/"+e.resource.ID+"/rejects?state=corrected&limit=500")
	if err != nil {
		return err
	}
	for _, want := range []string{old.Key, done.Spoilt[0].Key} {
		found := false
		for _, r := range closed {
			found = found || r.Key != nil && *r.Key == want
		}
		if !found {
			return untrue("a corrected row is still not cleared")
		}
	}
	s.tell.Done("Two are corrected at the source; the next run clears them: %s rejected before, %s now.", thousands(before.Counts.Rejected), thousands(ran.Counts.Rejected))
	return nil
}

// firstWrong is a row of the entry that was wrong from the start and is known by a key of its own.
func (s *story) firstWrong(e *entry) (city.Wrong, bool) {
	for _, w := range s.noticed(e) {
		if w.Kind == city.UnknownCode || w.Kind == city.ImpossibleDate || w.Kind == city.TooLong {
			return w, true
		}
	}
	return city.Wrong{}, false
}

// compare has the hub read the source once more and compare every row.
func (s *story) compare(ctx context.Context, e *entry) error {
	asked, err := s.runNow(ctx, e, "reconcile")
	if err != nil {
		return err
	}
	if _, err := s.finished(ctx, e, asked.ID); err != nil {
		return err
	}
	list, err := page[client.Reconciliation](ctx, s.hub, e.admin(), "/runs/"+asked.ID+"/reconciliation?limit=1")
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return untrue("the comparison left no result")
	}
	c := list[0]
	if !c.Fresh || !c.Equal || c.SourceRows != c.StoreRows || c.SourceHash != c.StoreHash || c.Missing+c.Extra+c.Changed != 0 {
		return untrue("the hub and the source differ: %+v", c)
	}
	s.tell.Done("A fresh read of the source, compared row by row: %s rows on both ends, content sums %s… and %s…: equal.", thousands(c.StoreRows),
		c.SourceHash[:12], c.StoreHash[:12])
	s.tell.Note("Listed apart: %s rejected and %s held.", thousands(c.Rejected), thousands(c.Held))
	return nil
}

// calm lets all tasks run every minute from now on.
func (s *story) calm(ctx context.Context) error {
	// The population comes last: its schedule says whether this step has been told.
	list := s.withRows()
	for _, e := range append(list[1:], list[0]) {
		if err := s.calmDown(ctx, e); err != nil {
			return err
		}
	}
	s.tell.Note("From now on the hub collects every minute.")
	return nil
}

// calmDown lets the task of one entry run every minute.
func (s *story) calmDown(ctx context.Context, e *entry) error {
	if e.schedule.Spec == afterwards {
		return nil
	}
	err := s.hub.put(ctx, e.admin(), "/schedules/"+e.schedule.ID, client.NewSchedule{Spec: afterwards}, &e.schedule)
	if err != nil {
		return fmt.Errorf("changing the schedule of “%s”: %w", e.resource.Name, err)
	}
	return nil
}
