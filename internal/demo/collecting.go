package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/demo/city"
)

// How often the hub collects by itself: so that somebody watching sees it during the story, and calmly afterwards.
const (
	duringStory = "@every 10s"
	afterwards  = "* * * * *"
)

// Limits of what the story waits for. They are generous: a slow machine is not an untrue story.
const (
	runLimit  = 10 * time.Minute
	fireLimit = time.Minute
)

// collect connects the sources and brings their rows to the hub, by schedule and once on request.
func (s *story) collect(ctx context.Context) error {
	s.tell.Step(2, "Rows arrive: sources are probed and mounted, and the hub collects by itself")
	fresh := false
	for _, e := range s.withRows() {
		made, err := s.connect(ctx, e)
		if err != nil {
			return err
		}
		fresh = fresh || made
	}
	if !fresh {
		s.tell.Already("six sources are mounted and collected on schedule")
		return s.catchUp(ctx)
	}
	s.tell.Done("The hub probed six sources with roles that may only read, and bound their columns to the items of the directory.")

	population := s.resources["base_population"]
	asked, err := s.runNow(ctx, population, "runs")
	if err != nil {
		return err
	}
	for i, e := range s.withRows() {
		if e == population {
			continue
		}
		fire, ran, err := s.nextFire(ctx, e, time.Time{})
		if err != nil {
			return err
		}
		if err := s.firstLoad(e, ran); err != nil {
			return err
		}
		if i == 1 {
			s.tell.Note("Each task runs %s: the one of “%s” was due at %s and started after %d ms.", duringStory, e.resource.Name,
				fire.DueTo.Local().Format("15:04:05"), max(0, fire.At.Sub(fire.DueTo).Milliseconds()))
		}
		s.tell.Done("On schedule: %s", s.arrived(e, ran))
		// Its part in the story is told; the population, which changes later on, stays busy.
		if err := s.calmDown(ctx, e); err != nil {
			return err
		}
	}
	ran, err := s.finished(ctx, population, asked.ID)
	if err != nil {
		return err
	}
	if err := s.firstLoad(population, ran); err != nil {
		return err
	}
	s.tell.Done("On request: %s", s.arrived(population, ran))
	s.tell.Note("Rows that break a rule wait as rejects, with reasons, for their department to correct them.")
	return nil
}

// withRows are the entries that sources feed, in the order of the story.
func (s *story) withRows() []*entry {
	var list []*entry
	for _, e := range entries() {
		list = append(list, s.resources[e.template])
	}
	return list
}

// connect sees to source, mount, task and schedule of an entry. made says that something was missing.
func (s *story) connect(ctx context.Context, e *entry) (made bool, err error) {
	s.tell.Passing("connecting %s", e.database.NameZH)
	src, madeSource, err := s.source(ctx, e)
	if err != nil {
		return false, err
	}
	madeMount, err := s.mount(ctx, e, src)
	if err != nil {
		return false, err
	}
	var base client.BaseDatabase
	if err := s.hub.get(ctx, "platform_operator", "/base-databases/"+e.base, &base); err != nil {
		return false, err
	}
	if base.ResourceID != e.resource.ID {
		binding := map[string]string{"resource_id": e.resource.ID}
		if err := s.hub.put(ctx, "platform_operator", "/base-databases/"+e.base+"/resource", binding, nil); err != nil {
			return false, fmt.Errorf("naming the entry of the base database %s: %w", e.base, err)
		}
	}
	madeTask, err := s.schedule(ctx, e)
	return madeSource || madeMount || madeTask, err
}

// source registers the department's database and probes it. One that does not answer, because the server has another port
// now, is told anew where it is.
func (s *story) source(ctx context.Context, e *entry) (src client.Source, made bool, err error) {
	settings, err := s.sources.settings(e.database)
	if err != nil {
		return src, false, err
	}
	known, err := all[client.Source](ctx, s.hub, e.operator(), "/sources")
	if err != nil {
		return src, false, err
	}
	input := client.SourceInput{Name: e.database.NameZH, Driver: "postgres", Settings: settings}
	if i := slices.IndexFunc(known, func(k client.Source) bool { return k.Name == input.Name }); i >= 0 {
		src = known[i]
	} else {
		if err := s.hub.post(ctx, e.operator(), "/sources", input, &src); err != nil {
			return src, false, fmt.Errorf("registering the source %s: %w", e.database.Name, err)
		}
		made = true
	}
	var answer client.ProbeResult
	probe := func() error { return s.hub.post(ctx, e.operator(), "/sources/"+src.ID+"/probe", nil, &answer) }
	if err := probe(); err != nil {
		return src, made, fmt.Errorf("probing the source %s: %w", e.database.Name, err)
	}
	if !answer.OK && !made {
		if err := s.hub.put(ctx, e.operator(), "/sources/"+src.ID, input, &src); err != nil {
			return src, made, fmt.Errorf("correcting the source %s: %w", e.database.Name, err)
		}
		if err := probe(); err != nil {
			return src, made, fmt.Errorf("probing the source %s: %w", e.database.Name, err)
		}
	}
	if !answer.OK {
		return src, made, untrue("the source %s does not answer: %s (%s)", e.database.Name, answer.Advice, answer.Code)
	}
	return src, made, nil
}

// mount binds the columns of the department's table to the items. The operator proposes, the admin puts it in use.
func (s *story) mount(ctx context.Context, e *entry, src client.Source) (made bool, err error) {
	known, err := all[client.Mount](ctx, s.hub, e.operator(), "/resources/"+e.resource.ID+"/mounts")
	if err != nil {
		return false, err
	}
	var m client.Mount
	if i := slices.IndexFunc(known, func(k client.Mount) bool { return k.SourceID == src.ID && k.State != "rejected" }); i >= 0 {
		m = known[i]
	} else {
		input := client.MountInput{SourceID: src.ID, Object: "public." + e.table.Name, DeleteRule: "missing"}
		columns := e.table.Mapping()
		for _, item := range e.resource.Version.Items {
			c := client.MountColumn{ItemNo: item.No, Column: columns[item.Identifier]}
			if c.Column == "" {
				c.Reason = "本系统未采集该信息项"
			}
			input.Columns = append(input.Columns, c)
		}
		if err := s.hub.post(ctx, e.operator(), "/resources/"+e.resource.ID+"/mounts", input, &m); err != nil {
			return false, fmt.Errorf("mounting %s: %w", e.database.Name, err)
		}
		made = true
	}
	for steps := 0; m.State != "active"; steps++ {
		switch m.State {
		case "draft", "checking":
			var report client.MountReport
			if err := s.hub.post(ctx, e.operator(), "/mounts/"+m.ID+"/check", nil, &report); err != nil {
				return made, fmt.Errorf("checking the mount of %s: %w", e.database.Name, err)
			}
			if len(report.Blocks) > 0 {
				return made, untrue("the mount of %s is blocked: %v", e.database.Name, report.Blocks)
			}
			m = report.Mount
		case "submitted":
			err = s.hub.post(ctx, e.admin(), "/mounts/"+m.ID+"/activate", nil, &m)
		case "suspended":
			err = s.hub.post(ctx, e.admin(), "/mounts/"+m.ID+"/resume", nil, &m)
		default:
			return made, untrue("the mount of %s is %s", e.database.Name, m.State)
		}
		if err != nil {
			return made, fmt.Errorf("putting the mount of %s in use: %w", e.database.Name, err)
		}
		if steps > 3 {
			return made, untrue("the mount of %s stays %s: %s", e.database.Name, m.State, m.Note)
		}
	}
	return made, nil
}

// schedule makes the task that collects an entry, and lets it run by itself.
func (s *story) schedule(ctx context.Context, e *entry) (made bool, err error) {
	tasks, err := all[client.Task](ctx, s.hub, e.admin(), "/tasks?resource_id="+e.resource.ID)
	if err != nil {
		return false, err
	}
	if len(tasks) > 0 {
		e.task = tasks[0]
	} else {
		task := client.NewTask{Kind: "collect", ResourceID: e.resource.ID}
		if err := s.hub.post(ctx, e.admin(), "/tasks", task, &e.task); err != nil {
			return false, fmt.Errorf("making the task of %s: %w", e.database.Name, err)
		}
	}
	schedules, err := all[client.Schedule](ctx, s.hub, e.admin(), "/schedules?task_id="+e.task.ID)
	if err != nil {
		return false, err
	}
	if len(schedules) > 0 {
		e.schedule = schedules[0]
		return false, nil
	}
	if err := s.hub.post(ctx, e.admin(), "/schedules", client.NewSchedule{TaskID: e.task.ID, Spec: duringStory}, &e.schedule); err != nil {
		return false, fmt.Errorf("scheduling the task of %s: %w", e.database.Name, err)
	}
	return true, nil
}

// runNow asks for a run: "runs" collects, "reconcile" compares. One that waits already does the same.
func (s *story) runNow(ctx context.Context, e *entry, what string) (r client.Run, err error) {
	err = s.hub.post(ctx, e.admin(), "/tasks/"+e.task.ID+"/"+what, nil, &r)
	if problem, ok := isProblem(err, "already_queued"); ok {
		r.ID, err = problem.Facts["run_id"], nil
	}
	if err != nil {
		return r, fmt.Errorf("asking for a run of “%s”: %w", e.resource.Name, err)
	}
	return r, nil
}

// finished waits until a run is over, and fails unless it succeeded.
func (s *story) finished(ctx context.Context, e *entry, id string) (r client.Run, err error) {
	err = s.until(ctx, runLimit, "a run of “"+e.resource.Name+"”", func() (bool, error) {
		r = client.Run{}
		if err := s.hub.get(ctx, e.admin(), "/runs/"+id, &r); err != nil {
			return false, err
		}
		s.tell.Passing("“%s”: %s", e.resource.Name, underWay(r))
		return over(r), nil
	})
	if err != nil {
		return r, err
	}
	if r.State != "succeeded" {
		if r.Error != nil {
			return r, untrue("the run of “%s” is %s: %s (%s, %s, %s): %s", e.resource.Name, r.State, r.Error.Message, r.Error.Code, r.Error.Stage,
				r.Error.Side, r.Error.Advice)
		}
		return r, untrue("the run of “%s” is %s", e.resource.Name, r.State)
	}
	if r.Kind == "collect" && !balanced(r.Counts) {
		return r, untrue("the counts of the run of “%s” do not balance: %+v", e.resource.Name, r.Counts)
	}
	return r, nil
}

// underWay says in words where a run is.
func underWay(r client.Run) string {
	var progress struct {
		Read int64 `json:"read"`
	}
	if json.Unmarshal(r.Progress, &progress) != nil || r.State == "queued" {
		return "waits for its turn"
	}
	switch r.Stage {
	case "stage":
		return fmt.Sprintf("%s rows read and checked, sorting out doubles", thousands(progress.Read))
	case "merge":
		return fmt.Sprintf("%s rows read and checked, bringing them in", thousands(progress.Read))
	case "reconcile":
		return "comparing both ends"
	}
	return fmt.Sprintf("%s rows read and checked", thousands(progress.Read))
}

func over(r client.Run) bool {
	return slices.Contains([]string{"succeeded", "partial", "failed", "cancelled"}, r.State)
}

func balanced(c client.Counts) bool {
	return c.Read == c.Inserted+c.Updated+c.Unchanged+c.Rejected+c.Superseded+c.Filtered
}

// nextFire waits for a scheduled run of an entry that began after a moment, and for its end.
func (s *story) nextFire(ctx context.Context, e *entry, after time.Time) (client.Fire, client.Run, error) {
	var found client.Fire
	err := s.until(ctx, fireLimit+runLimit, "the schedule of “"+e.resource.Name+"”", func() (bool, error) {
		fires, err := page[client.Fire](ctx, s.hub, e.admin(), "/schedules/"+e.schedule.ID+"/fires?limit=20")
		if err != nil {
			return false, err
		}
		s.tell.Passing("waiting until the task of “%s” is due (%s)", e.resource.Name, e.schedule.Spec)
		// The newest come first; the earliest that fits is wanted.
		for _, f := range slices.Backward(fires) {
			switch {
			case f.Outcome == "error":
				return false, untrue("the schedule of “%s” failed: %s", e.resource.Name, f.Reason)
			case f.RunID != nil && (f.Outcome == "started" || f.Outcome == "queued") && f.At.After(after):
				found = f
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return found, client.Run{}, err
	}
	ran, err := s.finished(ctx, e, *found.RunID)
	return found, ran, err
}

// firstLoad checks that every row of the source is accounted for: stored, or rejected because it is wrong.
func (s *story) firstLoad(e *entry, ran client.Run) error {
	rows := int64(e.table.RowsAt(s.Scale))
	rejected := int64(city.Rejected(s.noticed(e))[e.table.Name])
	if ran.Counts.Read != rows || ran.Counts.Rejected != rejected || ran.Counts.Inserted+ran.Counts.Updated+ran.Counts.Unchanged != rows-rejected {
		return untrue("“%s” has %d rows of which %d are wrong, but the run says %+v", e.resource.Name, rows, rejected, ran.Counts)
	}
	return nil
}

// noticed are the wrong rows of an entry's table that a rule of its entry catches. A code outside a list is noticed only
// where the directory knows the list: local lists of the city are not among the national ones.
func (s *story) noticed(e *entry) []city.Wrong {
	listed := map[string]bool{} // By column.
	columns := e.table.Mapping()
	for _, item := range e.resource.Version.Items {
		listed[columns[item.Identifier]] = item.CodeSet != ""
	}
	var out []city.Wrong
	for _, w := range s.wrong {
		if w.Table == e.table.Name && w.Database == e.database.Name && (w.Kind != city.UnknownCode || listed[w.Column]) {
			out = append(out, w)
		}
	}
	return out
}

// arrived says in words what a run did.
func (s *story) arrived(e *entry, ran client.Run) string {
	return fmt.Sprintf("“%s” read %s rows, %s are served, %s rejected", e.resource.Name, thousands(ran.Counts.Read),
		thousands(ran.Counts.Inserted+ran.Counts.Updated+ran.Counts.Unchanged), thousands(ran.Counts.Rejected))
}

// catchUp collects the population once when an earlier start ended before its changes were carried, so that nothing old
// is taken for what this start does.
func (s *story) catchUp(ctx context.Context) error {
	for _, e := range s.withRows() {
		if e.schedule.Spec == afterwards {
			continue
		}
		asked, err := s.runNow(ctx, e, "runs")
		if err != nil {
			return err
		}
		ran, err := s.finished(ctx, e, asked.ID)
		if err != nil {
			return err
		}
		s.tell.Done("Once more on request, since an earlier start was stopped: %s", s.arrived(e, ran))
	}
	return nil
}
