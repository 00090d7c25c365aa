package api

import (
	"context"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

type newMountInput struct {
	IDInput
	Body catalog.MountInput
}

type mountChangeInput struct {
	MoveInput
	Body catalog.MountInput
}

func (a *API) mountRoutes() {
	s := a.opt.Catalog
	handle(a, get("/resources/{id}/mounts", "Mounts of an entry", authz.SourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (list[catalog.Mount], error) {
		mounts, err := s.Mounts(ctx, p, in.ID)
		return newList(mounts, "", err)
	})
	handle(a, create("/resources/{id}/mounts", "Bind the items to an object of a source", authz.MountWrite), func(ctx context.Context, p authz.Principal, in *newMountInput) (catalog.Mount, error) {
		return s.CreateMount(ctx, p, in.ID, in.Body)
	})
	handle(a, get("/mounts/{id}", "One mount", authz.SourceRead), func(ctx context.Context, p authz.Principal, in *IDInput) (catalog.Mount, error) {
		return s.Mount(ctx, p, in.ID)
	})
	handle(a, put("/mounts/{id}", "Change a mount that is not in use", authz.MountWrite), func(ctx context.Context, p authz.Principal, in *mountChangeInput) (catalog.Mount, error) {
		version, err := in.version()
		if err != nil {
			return catalog.Mount{}, err
		}
		return s.EditMount(ctx, p, in.ID, version, in.Body)
	})
	handleMove(a, post("/mounts/{id}/check", "Compare with the live schema; submits when nothing blocks", authz.MountWrite).atMost(atSources), s.CheckMount)
	handleMove(a, post("/mounts/{id}/activate", "Put in use", authz.MountActivate), s.ActivateMount)
	handleReason(a, post("/mounts/{id}/reject", "Send back", authz.MountActivate), s.RejectMount)
	handleReason(a, post("/mounts/{id}/suspend", "Stop feeding the entry", authz.MountActivate), s.SuspendMount)
	handleMove(a, post("/mounts/{id}/resume", "Put in use again", authz.MountActivate), s.ResumeMount)
	handleReason(a, post("/mounts/{id}/remove", "End for good", authz.MountActivate), s.RemoveMount)
}
