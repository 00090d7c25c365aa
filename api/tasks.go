package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange"
)

type taskListInput struct {
	pageInput
	Resource   uuid.UUID `query:"resource_id"`
	Department uuid.UUID `query:"department_id" doc:"The provider."`
	State      string    `query:"state" maxLength:"16"`
}

type newTaskInput struct{ Body exchange.NewTask }

func (a *API) taskRoutes() {
	s := a.opt.Exchange
	handle(a, get("/tasks", "List tasks", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *taskListInput) (list[exchange.Task], error) {
		return newList(s.Tasks(ctx, p, exchange.TaskFilter{
			ResourceID: given(in.Resource), DepartmentID: given(in.Department), State: given(exchange.TaskState(in.State)),
		}, in.page()))
	})
	handle(a, create("/tasks", "Make a task", authz.TaskWrite), func(ctx context.Context, p authz.Principal, in *newTaskInput) (exchange.Task, error) {
		return s.CreateTask(ctx, p, in.Body)
	})
	handle(a, get("/tasks/{id}", "One task", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *idInput) (exchange.Task, error) {
		return s.Task(ctx, p, in.ID)
	})
	for _, step := range []exchange.TaskStep{exchange.TaskEnable, exchange.TaskPause, exchange.TaskDisable} {
		handleMove(a, post("/tasks/{id}/"+string(step), "Move the task: "+string(step), authz.TaskWrite),
			func(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (exchange.Task, error) {
				return s.MoveTask(ctx, p, id, ifMatch, step)
			})
	}
	a.startRoute(create("/tasks/{id}/runs", "Run now", authz.TaskRun), s.RunNow)
	a.startRoute(create("/tasks/{id}/reconcile", "Compare the store with a fresh read of the source", authz.TaskRun), s.Reconcile)
	a.startRoute(create("/tasks/{id}/repair", "Mend the differences a comparison found", authz.TaskRun), s.RepairRun)
}

// startRoute registers a route that queues a run and does not wait for it.
func (a *API) startRoute(r Route, start func(ctx context.Context, p authz.Principal, id uuid.UUID) (exchange.Run, error)) {
	r.Status = http.StatusAccepted
	handle(a, r, func(ctx context.Context, p authz.Principal, in *idInput) (exchange.Run, error) {
		return start(ctx, p, in.ID)
	})
}

type runListInput struct {
	pageInput
	Task     uuid.UUID `query:"task_id"`
	Resource uuid.UUID `query:"resource_id"`
	State    string    `query:"state" maxLength:"16"`
	Kind     string    `query:"kind" maxLength:"16"`
}

func (a *API) runRoutes() {
	s := a.opt.Exchange
	handle(a, get("/runs", "List runs", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *runListInput) (list[exchange.Run], error) {
		return newList(s.Runs(ctx, p, exchange.RunFilter{
			TaskID: given(in.Task), ResourceID: given(in.Resource), State: given(exchange.RunState(in.State)),
			Kind: given(exchange.RunKind(in.Kind)),
		}, in.page()))
	})
	handle(a, get("/runs/{id}", "One run", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *idInput) (exchange.Run, error) {
		return s.Run(ctx, p, in.ID)
	})
	handle(a, post("/runs/{id}/cancel", "Stop a run before its merge", authz.RunCancel), func(ctx context.Context, p authz.Principal, in *idInput) (exchange.Run, error) {
		return s.Cancel(ctx, p, in.ID)
	})
	a.startRoute(create("/runs/{id}/confirm", "Run again and delete what this run was refused to", authz.RunConfirm), s.ConfirmDeletes)
}

type scheduleListInput struct {
	pageInput
	Task  uuid.UUID `query:"task_id"`
	State string    `query:"state" maxLength:"16"`
}

type newScheduleInput struct{ Body exchange.NewSchedule }

type scheduleChangeInput struct {
	moveInput
	Body exchange.NewSchedule
}

type fireListInput struct {
	idInput
	pageInput
}

func (a *API) scheduleRoutes() {
	s := a.opt.Exchange
	handle(a, get("/schedules", "List schedules", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *scheduleListInput) (list[exchange.Schedule], error) {
		return newList(s.Schedules(ctx, p, exchange.ScheduleFilter{TaskID: given(in.Task), State: given(exchange.ScheduleState(in.State))}, in.page()))
	})
	handle(a, create("/schedules", "Let a task run by itself", authz.ScheduleWrite), func(ctx context.Context, p authz.Principal, in *newScheduleInput) (exchange.Schedule, error) {
		return s.CreateSchedule(ctx, p, in.Body)
	})
	handle(a, get("/schedules/{id}", "One schedule", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *idInput) (exchange.Schedule, error) {
		return s.Schedule(ctx, p, in.ID)
	})
	handle(a, put("/schedules/{id}", "Change text, zone or policies", authz.ScheduleWrite), func(ctx context.Context, p authz.Principal, in *scheduleChangeInput) (exchange.Schedule, error) {
		version, err := in.version()
		if err != nil {
			return exchange.Schedule{}, err
		}
		return s.EditSchedule(ctx, p, in.ID, version, in.Body)
	})
	handleMove(a, post("/schedules/{id}/pause", "Pause", authz.ScheduleWrite), s.PauseSchedule)
	handleMove(a, post("/schedules/{id}/resume", "Resume, also a parked one", authz.ScheduleWrite), s.ResumeSchedule)
	handle(a, get("/schedules/{id}/fires", "What became of its due times", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *fireListInput) (list[exchange.Fire], error) {
		return newList(s.Fires(ctx, p, in.ID, in.page()))
	})
}
