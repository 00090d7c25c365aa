package console

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func (c *console) createMount(v *visit) error {
	f := mountForm{Action: prefix + "/mounts", Back: prefix + "/mounts", Object: v.field("object")}
	f.ResourceID, _ = uuid.Parse(v.field("resource"))
	f.SourceID, _ = uuid.Parse(v.field("source"))
	if f.ResourceID == uuid.Nil {
		return notFound()
	}
	if err := v.chosen(&f); err != nil {
		return err
	}
	in, err := v.typedMount(&f)
	if err == nil {
		var m catalog.Mount
		if m, err = v.Catalog.CreateMount(v.r.Context(), v.principal, f.ResourceID, in); err == nil {
			return v.afterMountForm(m.ID)
		}
	}
	return v.drawMountForm(f, err)
}

// afterMountForm checks a mount that was saved where that was asked for.
func (v *visit) afterMountForm(id uuid.UUID) error {
	to := prefix + "/mounts/" + id.String()
	if v.field("then") != "check" {
		return v.to(to, "mount_saved")
	}
	report, err := v.Catalog.CheckMount(v.r.Context(), v.principal, id, 0)
	if err != nil {
		page, reading := v.mount(id)
		if reading != nil {
			return reading
		}
		return v.again("mount", page.Resource.Name, page, err)
	}
	if len(report.Blocks) > 0 {
		return v.to(to, "") // What is wrong is said on the page.
	}
	return v.to(to, "mount_check")
}

func (c *console) showEditMount(v *visit) error {
	f, m, err := v.editMountForm()
	if err != nil {
		return err
	}
	f.of(v, m)
	return v.drawMountForm(f, nil)
}

// editMountForm reads what the form of a mount that exists is about. Another table may be named in the address.
func (v *visit) editMountForm() (mountForm, catalog.Mount, error) {
	id, err := v.id()
	if err != nil {
		return mountForm{}, catalog.Mount{}, err
	}
	m, err := v.Catalog.Mount(v.r.Context(), v.principal, id)
	if err != nil {
		return mountForm{}, m, err
	}
	back := prefix + "/mounts/" + id.String()
	f := mountForm{Editing: true, Action: back + "/edit", Back: back, RowVersion: m.RowVersion, ResourceID: m.ResourceID, SourceID: m.SourceID, Object: m.Object}
	if err := v.chosen(&f); err != nil {
		return f, m, err
	}
	if !v.may(authz.MountWrite, authz.Target{Kind: "mount", ID: id.String(), Department: f.Resource.ProviderDeptID, State: string(f.Resource.State)}) {
		return f, m, fault.New(fault.Forbidden, "forbidden", "you cannot change this mount")
	}
	if !slices.ContainsFunc(catalog.MountMoves(), func(o catalog.MountMove) bool { return o.From == m.State && o.Step == catalog.MountEdit }) {
		return f, m, fault.New(fault.Conflict, "mount_in_use", "a mount in use is not edited; make another one, which takes its place when it is activated")
	}
	if m.Version != f.Resource.Version.Number {
		// It may have been made for a version that nobody works with any more: then it is made anew for the visible one.
		if r, err := v.Catalog.GetVersion(v.r.Context(), v.principal, m.ResourceID, m.Version); err == nil && f.Resource.Published == 0 {
			f.Resource = r
		}
	}
	if !inLines(m.RowFilter, f.Resource.Version.Items) {
		f.KeepsRows, f.Words = true, v.rowsInWords(m.RowFilter, f.Resource.Version.Items)
	}
	f.Step = 3
	return f, m, nil
}

// of fills the form with what a mount states. A source that does not answer leaves the columns that were found before.
func (f *mountForm) of(v *visit, m catalog.Mount) {
	if f.Failure != nil {
		f.Columns = m.Schema.Columns
	}
	stated := map[int]catalog.MountColumn{}
	for _, c := range m.Columns {
		stated[c.ItemNo] = c
	}
	for _, item := range f.Resource.Version.Items {
		if item.ShareType != catalog.Withheld {
			c := stated[item.No]
			f.Items = append(f.Items, mountFormItem{Item: item, Column: c.Column, Reason: c.Reason})
		}
	}
	f.Order, f.Watermark, f.Rule, f.Conditions = m.OrderColumn, m.WatermarkColumn, m.DeleteRule, conditionsOf(m.RowFilter)
	if d := m.Deletes; d != nil {
		f.SoftColumn, f.SoftIs = d.Column, strings.Join(d.Values, v.say("list.comma"))
		f.TableObject, f.TableKeys, f.TableAge = d.Object, strings.Join(d.KeyColumns, v.say("list.comma")), d.WatermarkColumn
	}
}

func (c *console) editMount(v *visit) error {
	f, m, err := v.editMountForm()
	if err != nil {
		return err
	}
	in, err := v.typedMount(&f)
	f.RowVersion = v.rowVersion()
	if f.KeepsRows {
		in.RowFilter = m.RowFilter
	}
	if err == nil {
		if m, err = v.Catalog.EditMount(v.r.Context(), v.principal, m.ID, f.RowVersion, in); err == nil {
			return v.afterMountForm(m.ID)
		}
	}
	if f.Failure != nil {
		f.Columns = m.Schema.Columns
	}
	return v.drawMountForm(f, err)
}
