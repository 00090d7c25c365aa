package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// setupPath is the only part of the contract that an empty hub serves.
const setupPath = base + "/setup"

type setupInput struct {
	Body struct {
		Token            string           `json:"token" maxLength:"128" doc:"Of the setup link that the hub printed when it started."`
		Authority        setupAuthority   `json:"authority" doc:"The department that decides on sharing (数据主管部门)."`
		SystemAdmin      identity.Account `json:"system_admin"`
		SecurityAdmin    identity.Account `json:"security_admin"`
		Auditor          identity.Account `json:"auditor"`
		PlatformOperator identity.Account `json:"platform_operator" doc:"May be left out and be made later by the administrators."`
	}
}

// setupAuthority gives the schema a name that says what it is for.
type setupAuthority identity.Authority

func (a *API) setupRoutes() {
	r := Route{
		Method: http.MethodPost, Path: setupPath, Access: Public, Summary: "Set an empty hub up: the authority and the three administrators",
		Status: http.StatusCreated, Limit: signInLimit,
	}
	handle(a, r, func(ctx context.Context, _ authz.Principal, in *setupInput) (identity.SetupResult, error) {
		return a.opt.Identity.SetupByToken(ctx, in.Body.Token, identity.SetupRequest{
			Authority: identity.Authority(in.Body.Authority), SystemAdmin: in.Body.SystemAdmin, SecurityAdmin: in.Body.SecurityAdmin,
			Auditor: in.Body.Auditor, PlatformOperator: in.Body.PlatformOperator,
		})
	})
}

// settled refuses everything of the contract but its setup while the hub has no users. The console guards itself.
func (a *API) settled(c *gin.Context) {
	path := c.Request.URL.Path
	if !ours(path) || path == setupPath {
		c.Next()
		return
	}
	empty, err := a.opt.Identity.NeedsSetup(c.Request.Context())
	switch {
	case err != nil:
		a.log.ErrorContext(c.Request.Context(), "asking whether the hub is set up", "error", err)
		a.writeProblem(c, fault.New(fault.Unavailable, "unavailable", "the hub's database does not answer; try again in a second"))
	case empty:
		a.writeProblem(c, fault.New(fault.Unavailable, "setup_required",
			"this hub is not set up yet: open the setup link that it printed when it started, or run shuqiao setup on its machine"))
	default:
		c.Next()
	}
}
