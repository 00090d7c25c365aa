package api

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
)

// plain registers a gin handler beside huma: in the same table of routes, behind no guard of its own. The description it
// returns may be completed.
func (a *API) plain(r Route, h gin.HandlerFunc) *huma.Operation {
	a.enter(&r)
	a.engine.Handle(r.Method, ginPath(r.Path), h)
	op := &huma.Operation{
		OperationID: r.OperationID(), Method: r.Method, Path: r.Path, Summary: r.Summary, Tags: []string{r.Tag},
		Security: security(r), Extensions: extensions(r),
		Responses: map[string]*huma.Response{"200": {Description: "OK"}, "default": a.problemResponse()},
	}
	a.huma.OpenAPI().AddOperation(op)
	return op
}
