package exchange

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// TaskSummary is a task in a list, with what a reader of lists asks about it.
type TaskSummary struct {
	Task
	Resource    string
	ProviderID  uuid.UUID
	Schedules   []Schedule // Oldest first.
	Last        *Run       // The run queued last, over or not; nil when it never ran.
	RejectsOpen int64
}

// ResourceName is what a resource is called and whose it is.
type ResourceName struct {
	Name       string
	ProviderID uuid.UUID
}

// TaskList is Tasks with a summary of each. It takes the same few queries however many tasks there are.
func (s *Service) TaskList(ctx context.Context, p authz.Principal, f TaskFilter, page db.Page) ([]TaskSummary, string, error) {
	tasks, next, err := s.Tasks(ctx, p, f, page)
	if err != nil || len(tasks) == 0 {
		return nil, next, err
	}
	out := make([]TaskSummary, len(tasks))
	at := make(map[uuid.UUID]*TaskSummary, len(tasks))
	resources, ids := make([]uuid.UUID, len(tasks)), make([]uuid.UUID, len(tasks))
	for i, t := range tasks {
		out[i].Task, at[t.ID] = t, &out[i]
		resources[i], ids[i] = t.ResourceID, t.ID
	}
	names, err := s.resourceNames(ctx, resources)
	if err != nil {
		return nil, "", err
	}
	schedules, err := db.Collect(ctx, s.db.Pool, scanSchedule, "SELECT "+scheduleColumns+" FROM schedule s WHERE s.task_id = ANY ($1) ORDER BY s.created_at, s.id", ids)
	if err != nil {
		return nil, "", err
	}
	for _, sc := range schedules {
		at[sc.TaskID].Schedules = append(at[sc.TaskID].Schedules, sc)
	}
	// Of every task the run that finished last is in this table, whatever the history holds.
	runs, err := db.Collect(ctx, s.db.Pool, scanRun, "SELECT DISTINCT ON (r.task_id) "+runColumns+" FROM run r WHERE r.task_id = ANY ($1) ORDER BY r.task_id, r.queued_at DESC, r.id DESC", ids)
	if err != nil {
		return nil, "", err
	}
	for _, r := range runs {
		at[r.TaskID].Last = &r
	}
	type openRejects struct {
		resource uuid.UUID
		rows     int64
	}
	open, err := db.Collect(ctx, s.db.Pool, func(row pgx.Row) (o openRejects, err error) { return o, row.Scan(&o.resource, &o.rows) },
		"SELECT resource_id, count(*) FROM reject WHERE state = 'open' AND resource_id = ANY ($1) GROUP BY resource_id", resources)
	if err != nil {
		return nil, "", err
	}
	rejects := make(map[uuid.UUID]int64, len(open))
	for _, o := range open {
		rejects[o.resource] = o.rows
	}
	for i := range out {
		out[i].Resource, out[i].ProviderID = names[out[i].ResourceID].Name, names[out[i].ResourceID].ProviderID
		out[i].RejectsOpen = rejects[out[i].ResourceID]
	}
	return out, next, nil
}

// ResourceNames says what resources are called, for lists of their runs: those that p may not see the tasks of are left out.
func (s *Service) ResourceNames(ctx context.Context, p authz.Principal, ids []uuid.UUID) (map[uuid.UUID]ResourceName, error) {
	own, err := s.sight(ctx, p, authz.TaskRead, "task")
	if err != nil {
		return nil, err
	}
	names, err := s.resourceNames(ctx, ids)
	for id, n := range names {
		if own != nil && n.ProviderID != *own {
			delete(names, id)
		}
	}
	return names, err
}

func (s *Service) resourceNames(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]ResourceName, error) {
	type named struct {
		id uuid.UUID
		ResourceName
	}
	found, err := db.Collect(ctx, s.db.Pool, func(row pgx.Row) (n named, err error) { return n, row.Scan(&n.id, &n.Name, &n.ProviderID) },
		"SELECT id, name, provider_dept_id FROM resource WHERE id = ANY ($1)", ids)
	out := make(map[uuid.UUID]ResourceName, len(found))
	for _, n := range found {
		out[n.id] = n.ResourceName
	}
	return out, err
}

// Late reports how long a schedule has been due without being fired, 0 while it is not late. A second or two are normal.
func (s Schedule) Late(now time.Time) time.Duration {
	if s.State != ScheduleEnabled || s.NextAt == nil || now.Sub(*s.NextAt) < lateAfter {
		return 0
	}
	return now.Sub(*s.NextAt)
}

// lateAfter is how long after its due time a schedule that has not fired is late.
const lateAfter = 10 * time.Second

// NextDue returns the first n due times of a schedule's text after now, in UTC. Its faults are those of ParseSpec.
func NextDue(spec, zone string, now time.Time, n int) ([]time.Time, error) {
	due, err := ParseSpec(spec, zone, now)
	if err != nil {
		return nil, err
	}
	out := make([]time.Time, 0, n)
	for at := now; len(out) < n; {
		if at = due.Next(at); at.IsZero() {
			break
		}
		out = append(out, at)
	}
	return out, nil
}
