package console

import (
	"errors"
	"maps"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// sourceForm is the form of a source: what its driver wants to know, with what was typed.
type sourceForm struct {
	Name, Driver string
	Drivers      []driverChoice
	Fields       []sourceField
	Editing      bool
	Action, Back string
	RowVersion   int64
}

type driverChoice struct{ Name, Text string }

// sourceField is one setting in the form. Values of secrets are never sent back, not even those just typed.
type sourceField struct {
	Key, Kind, Label, Help, Value, Default string
	Choices                                []string
	Required, Secret                       bool
	Kept                                   bool // A secret that is stored already: left empty it stays.
}

func (c *console) showNewSource(v *visit) error {
	if !v.may(authz.SourceWrite, v.own("source")) {
		return fault.New(fault.Forbidden, "forbidden", "you cannot register sources")
	}
	return v.drawSourceForm(v.newSourceForm(v.query("driver")), nil, nil)
}

func (v *visit) newSourceForm(driver string) sourceForm {
	f := sourceForm{Action: prefix + "/sources", Back: prefix + "/sources", Driver: driver}
	drivers := v.Catalog.Drivers()
	if _, ok := v.driver(driver); !ok && len(drivers) > 0 {
		f.Driver = drivers[0].Name
	}
	return f
}

// drawSourceForm fills in the fields of the driver with the values given.
func (v *visit) drawSourceForm(f sourceForm, values map[string]string, problem error) error {
	for _, d := range v.Catalog.Drivers() {
		f.Drivers = append(f.Drivers, driverChoice{d.Name, v.pick(d.SummaryZH, d.Summary)})
	}
	spec, _ := v.driver(f.Driver)
	for _, s := range spec.Fields {
		field := sourceField{
			Key: s.Key, Kind: string(s.Kind), Label: v.driverFieldLabel(s), Help: v.fieldHelp(s), Value: values[s.Key], Default: s.Default,
			Choices: s.Choices, Required: s.Required, Secret: string(s.Kind) == "secret",
		}
		if field.Secret {
			field.Value, field.Kept = "", f.Editing
		}
		f.Fields = append(f.Fields, field)
	}
	title := "source.new"
	if f.Editing {
		title = "source.edit"
	}
	if problem != nil {
		return v.again("source_form", title, f, problem)
	}
	return v.show("source_form", title, f)
}

// typedSource reads the form as it was sent. Fields that were left empty are not stated.
func (v *visit) typedSource(driver string) catalog.SourceInput {
	in := catalog.SourceInput{Name: v.field("name"), Driver: driver, Settings: map[string]string{}}
	spec, _ := v.driver(driver)
	for _, f := range spec.Fields {
		if value := v.field("settings." + f.Key); value != "" {
			in.Settings[f.Key] = value
		}
	}
	return in
}

func (c *console) createSource(v *visit) error {
	f := v.newSourceForm(v.field("driver"))
	in := v.typedSource(f.Driver)
	f.Name = in.Name
	s, err := v.Catalog.CreateSource(v.r.Context(), v.principal, in)
	if err != nil {
		return v.drawSourceForm(f, in.Settings, err)
	}
	return v.to(prefix+"/sources/"+s.ID.String(), "source_created")
}

func (c *console) showEditSource(v *visit) error {
	f, s, err := v.editSourceForm()
	if err != nil {
		return err
	}
	return v.drawSourceForm(f, s.Settings, nil)
}

func (v *visit) editSourceForm() (sourceForm, catalog.Source, error) {
	id, err := v.id()
	if err != nil {
		return sourceForm{}, catalog.Source{}, err
	}
	s, err := v.Catalog.Source(v.r.Context(), v.principal, id)
	if err != nil {
		return sourceForm{}, s, err
	}
	if !v.may(authz.SourceWrite, authz.Target{Kind: "source", ID: id.String(), Department: s.DepartmentID}) {
		return sourceForm{}, s, fault.New(fault.Forbidden, "forbidden", "you cannot change this source")
	}
	back := prefix + "/sources/" + id.String()
	return sourceForm{Name: s.Name, Driver: s.Driver, Editing: true, Action: back + "/edit", Back: back, RowVersion: s.RowVersion}, s, nil
}

func (c *console) editSource(v *visit) error {
	f, s, err := v.editSourceForm()
	if err != nil {
		return err
	}
	in := v.typedSource(s.Driver)
	f.Name, f.RowVersion = in.Name, v.rowVersion()
	if _, err := v.Catalog.UpdateSource(v.r.Context(), v.principal, s.ID, f.RowVersion, in); err != nil {
		shown := maps.Clone(in.Settings)
		return v.drawSourceForm(f, shown, err)
	}
	return v.to(f.Back, "source_saved")
}

// messageOf is the sentence of a fault for people, "" for what is none.
func messageOf(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Message
	}
	return ""
}
