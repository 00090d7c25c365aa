package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange"
)

type scheduleListInput struct {
	PageInput
	Task  uuid.UUID `query:"task_id"`
	State string    `query:"state" enum:"enabled,paused,parked"`
}

type newScheduleInput struct{ Body exchange.NewSchedule }

type scheduleChangeInput struct {
	MoveInput
	Body exchange.NewSchedule
}

type fireListInput struct {
	IDInput
	PageInput
}

func (a *API) scheduleRoutes() {
	s := a.opt.Exchange
	handle(a, get("/schedules", "List schedules", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *scheduleListInput) (list[exchange.Schedule], error) {
		return newList(s.Schedules(ctx, p, exchange.ScheduleFilter{TaskID: given(in.Task), State: given(exchange.ScheduleState(in.State))}, in.page()))
	})
	handle(a, create("/schedules", "Let a task run by itself", authz.ScheduleWrite), func(ctx context.Context, p authz.Principal, in *newScheduleInput) (exchange.Schedule, error) {
		return s.CreateSchedule(ctx, p, in.Body)
	})
	handle(a, get("/schedules/{id}", "One schedule", authz.TaskRead), func(ctx context.Context, p authz.Principal, in *IDInput) (exchange.Schedule, error) {
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
