package console

import (
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// resourcePage is one entry of the directory.
type resourcePage struct {
	Resource    catalog.Resource
	Provider    string
	Base        string
	CanRequest  bool
	WhyNot      string // Key of the sentence that says why it cannot be asked for, or "".
	Fresh       *freshness
	Task        string // Id of the collecting task, where the reader may see it.
	Access      string // Address of who can see it, for those who may ask.
	ShowSharing bool
	Requests    []requestRow
	Grants      []grantRow
}

// freshness is what is known about the data behind an entry.
type freshness struct {
	exchange.Freshness
	ShowRejects bool
}

func (c *console) showResource(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	r, err := v.Catalog.Get(ctx, v.principal, id)
	if err != nil {
		return err
	}
	page := resourcePage{
		Resource: r, Provider: v.department(r.ProviderDeptID), Base: v.bases()[r.Version.BaseDatabase],
		Fresh: v.freshness(r), ShowSharing: v.may(authz.RequestRead, v.own("request")),
	}
	page.CanRequest, page.WhyNot = v.canRequest(r)
	page.Access = v.accessLink(r)
	names := v.names()
	if page.ShowSharing {
		requests, _, err := v.Sharing.ListRequests(ctx, v.principal, sharing.RequestFilter{ResourceID: id}, db.Page{Limit: 10})
		if err != nil {
			return err
		}
		page.Requests = names.requests(requests)
		grants, _, err := v.Sharing.ListGrants(ctx, v.principal, sharing.GrantFilter{ResourceID: id}, db.Page{Limit: 10})
		if err != nil {
			return err
		}
		page.Grants = names.grants(grants)
	}
	if v.may(authz.TaskRead, authz.Target{Kind: "task", Department: r.ProviderDeptID}) {
		tasks, _, err := v.Exchange.Tasks(ctx, v.principal, exchange.TaskFilter{ResourceID: &id}, db.Page{Limit: 1})
		if err != nil {
			return err
		}
		if len(tasks) > 0 {
			page.Task = tasks[0].ID.String()
		}
	}
	return v.show("resource", r.Name, page)
}

// freshness says how current the data are, nil where none are expected: nothing collects withheld resources. Figures of
// refused rows are for the people of the provider.
func (v *visit) freshness(r catalog.Resource) *freshness {
	if r.Version.ShareType == catalog.Withheld {
		return nil
	}
	f, err := v.Exchange.Freshness(v.r.Context(), r.ID)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "reading how fresh a resource is", "error", err)
		return nil
	}
	return &freshness{Freshness: f, ShowRejects: v.may(authz.RejectRead, runTarget("resource", r))}
}

// canRequest says whether the reader can ask for a resource, or the key of the sentence that says why nobody can.
func (v *visit) canRequest(r catalog.Resource) (bool, string) {
	switch {
	case r.Version.ShareType == catalog.Withheld:
		return false, "resource.withheld"
	case r.State != catalog.Published:
		return false, "resource.not_published"
	case v.principal.Department == r.ProviderDeptID && v.principal.Department != uuid.Nil:
		return false, ""
	}
	return v.may(authz.RequestCreate, v.own("request")), ""
}
