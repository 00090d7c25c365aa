package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange"
)

type taskListInput struct {
	PageInput
	Resource   uuid.UUID `query:"resource_id"`
	Department uuid.UUID `query:"department_id" doc:"The provider."`
	State      string    `query:"state" enum:"draft,enabled,paused,disabled"`
}

type newTaskInput struct{ Body exchange.NewTask }

type taskChangeInput struct {
	MoveInput
	Body exchange.TaskInput
}

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
	handle(a, get("/tasks/{id}", "One task", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *IDInput) (exchange.Task, error) {
		return s.Task(ctx, p, in.ID)
	})
	handle(a, put("/tasks/{id}", "Change what a task reads and how urgent it is", authz.TaskWrite), func(ctx context.Context, p authz.Principal, in *taskChangeInput) (exchange.Task, error) {
		version, err := in.version()
		if err != nil {
			return exchange.Task{}, err
		}
		return s.EditTask(ctx, p, in.ID, version, in.Body)
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
	handle(a, r, func(ctx context.Context, p authz.Principal, in *IDInput) (exchange.Run, error) {
		return start(ctx, p, in.ID)
	})
}
