package console

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
)

// reader says who is signed in. A department that cannot be read is left out: the header must not cost a page.
func (v *visit) reader() *reader {
	return &reader{ID: v.principal.ID, Name: v.principal.Name, Department: v.department(v.principal.Department), Roles: v.principal.Roles}
}

// department returns what a department is called in the reader's language, "" when there is none.
func (v *visit) department(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	d, err := v.Catalog.Department(v.r.Context(), v.principal, id)
	if err != nil {
		return ""
	}
	return v.departmentName(d)
}

func (v *visit) departmentName(d catalog.Department) string {
	return v.pick(d.Name, d.NameEN)
}

// names remembers what departments and resources are called while one page is drawn.
type names struct {
	v           *visit
	departments map[uuid.UUID]string
	resources   map[uuid.UUID]string
}

func (v *visit) names() *names {
	return &names{v: v, departments: map[uuid.UUID]string{}, resources: map[uuid.UUID]string{}}
}

func (n *names) department(id uuid.UUID) string {
	name, ok := n.departments[id]
	if !ok {
		name = n.v.department(id)
		n.departments[id] = name
	}
	return name
}

// resource returns a resource's name, or its id where the reader may not read it any more.
func (n *names) resource(ctx context.Context, id uuid.UUID) string {
	name, ok := n.resources[id]
	if !ok {
		name = id.String()
		if r, err := n.v.Catalog.Get(ctx, n.v.principal, id); err == nil {
			name = r.Name
		}
		n.resources[id] = name
	}
	return name
}

// own is a target of the reader's own department, for questions about menus.
func (v *visit) own(kind string) authz.Target {
	return authz.Target{Kind: kind, Department: v.principal.Department}
}
