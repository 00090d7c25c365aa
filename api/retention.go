package api

import (
	"context"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/retention"
)

func (a *API) retentionRoutes() {
	handle(a, get("/retention", "How long what is kept, and what was removed", authz.RetentionRead), func(ctx context.Context, p authz.Principal, _ *noInput) (list[retention.Line], error) {
		lines, err := a.opt.Retention.Report(ctx, p)
		return newList(lines, "", err)
	})
}
