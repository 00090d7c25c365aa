package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// CodeInput is a base database by its code.
type CodeInput struct {
	Code string `path:"code" maxLength:"64"`
}

type registrationInput struct {
	CodeInput
	VersionInput
	Body catalog.Registration
}

type bindingInput struct {
	CodeInput
	VersionInput
	Body struct {
		ResourceID uuid.UUID `json:"resource_id"`
	}
}

type themeInput struct{ Body catalog.ThemeDatabase }

func (a *API) baseDatabaseRoutes() {
	s := a.opt.Catalog
	handle(a, get("/base-databases", "List base and theme databases", authz.BaseDatabaseRead), func(ctx context.Context, p authz.Principal, _ *noInput) (list[catalog.BaseDatabase], error) {
		all, err := s.BaseDatabases(ctx, p)
		return newList(all, "", err)
	})
	handle(a, create("/base-databases", "Add and register a theme database", authz.BaseDatabaseRegister), func(ctx context.Context, p authz.Principal, in *themeInput) (catalog.BaseDatabase, error) {
		return s.CreateThemeDatabase(ctx, p, in.Body)
	})
	handle(a, get("/base-databases/{code}", "One base database", authz.BaseDatabaseRead), func(ctx context.Context, p authz.Principal, in *CodeInput) (catalog.BaseDatabase, error) {
		return s.BaseDatabase(ctx, p, in.Code)
	})
	handle(a, put("/base-databases/{code}/registration", "Record lead department and key item", authz.BaseDatabaseRegister), func(ctx context.Context, p authz.Principal, in *registrationInput) (catalog.BaseDatabase, error) {
		version, err := in.version()
		if err != nil {
			return catalog.BaseDatabase{}, err
		}
		return s.RegisterBaseDatabase(ctx, p, in.Code, version, in.Body)
	})
	handle(a, put("/base-databases/{code}/resource", "Name the resource that serves it", authz.BaseDatabaseRegister), func(ctx context.Context, p authz.Principal, in *bindingInput) (catalog.BaseDatabase, error) {
		version, err := in.version()
		if err != nil {
			return catalog.BaseDatabase{}, err
		}
		return s.BindBaseDatabase(ctx, p, in.Code, version, in.Body.ResourceID)
	})
}
