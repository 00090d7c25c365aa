package console

import (
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// lineageTab is the way of the data: from a table of the provider through the hub to those who may use them.
type lineageTab struct {
	Department string // Of the source.
	Source     string // What the provider calls the connection, "" for readers who may not know.
	Object     string // Its table, "" likewise.
	System     string // The information system it belongs to, or "".
	Mounted    bool
	Grants     []lineageGrant
	More       bool // There are more grants than are drawn.
	ShowGrants bool
	Drift      *driftCard
}

type lineageGrant struct {
	ID                 uuid.UUID
	State              sharing.GrantState
	Consumer, Client   string
	Items              int
	ToClient, Purposes string
}

// lineageGrants bounds the grants that are drawn.
const lineageGrants = 20

func (v *visit) fillLineage(page *resourcePage) error {
	ctx, r := v.r.Context(), page.Resource
	names := v.names()
	t := &lineageTab{Department: page.Provider}
	page.Lineage = t
	if id := r.Version.SystemID; id != uuid.Nil {
		if s, err := v.Catalog.System(ctx, v.principal, id); err == nil {
			t.System = s.Name
		}
	}
	if v.may(authz.SourceRead, authz.Target{Kind: "mount", Department: r.ProviderDeptID}) {
		mounts, err := v.Catalog.Mounts(ctx, v.principal, r.ID)
		if err != nil {
			return err
		}
		for _, m := range mounts {
			if m.State != catalog.MountActive {
				continue
			}
			t.Mounted, t.Object = true, m.Object
			source, err := v.Catalog.Source(ctx, v.principal, m.SourceID)
			if err != nil {
				return err
			}
			t.Source, t.Department = source.Name, names.department(source.DepartmentID)
		}
		if t.Drift, err = v.drift(catalog.DriftFilter{ResourceID: r.ID}, r.ProviderDeptID); err != nil {
			return err
		}
	}
	if t.ShowGrants = v.mayOwn(authz.GrantRead); !t.ShowGrants {
		return nil
	}
	grants, next, err := v.Sharing.ListGrants(ctx, v.principal, sharing.GrantFilter{ResourceID: r.ID}, db.Page{Limit: lineageGrants})
	if err != nil {
		return err
	}
	t.More = next != ""
	for _, g := range grants {
		row := names.grant(g)
		switch row.State {
		case sharing.GrantActive, sharing.GrantSuspended, sharing.GrantPendingDelivery:
			t.Grants = append(t.Grants, lineageGrant{
				ID: g.ID, State: row.State, Consumer: row.Consumer, Client: row.Client, Items: row.Items, ToClient: v.clientAccessLink(g.ClientID, g.ConsumerDeptID), Purposes: g.PurposeText,
			})
		}
	}
	return nil
}
