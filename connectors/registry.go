package connectors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Registry is an immutable list of drivers by name.
type Registry struct {
	drivers map[string]Driver
}

// NewRegistry returns a registry of those drivers. It refuses two of one name and a driver whose Spec is not usable;
// both are mistakes in the program.
func NewRegistry(drivers ...Driver) (*Registry, error) {
	r := &Registry{drivers: make(map[string]Driver, len(drivers))}
	for _, d := range drivers {
		spec := d.Spec()
		if problem := spec.problem(); problem != "" {
			return nil, fmt.Errorf("registering connector %q: %s", spec.Name, problem)
		}
		if _, ok := r.drivers[spec.Name]; ok {
			return nil, fmt.Errorf("registering connector %q: the name is taken", spec.Name)
		}
		r.drivers[spec.Name] = d
	}
	return r, nil
}

// Driver returns the driver of that name, or an Invalid fault on the field "driver".
func (r *Registry) Driver(name string) (Driver, error) {
	d, ok := r.drivers[name]
	if !ok {
		return nil, fault.InvalidFields([]fault.Field{{
			Name: "driver", Code: "not_choice", Message: "must be one of " + strings.Join(r.names(), ", "),
		}})
	}
	return d, nil
}

// Specs returns the specifications of all drivers, sorted by name.
func (r *Registry) Specs() []Spec {
	specs := make([]Spec, 0, len(r.drivers))
	for _, name := range r.names() {
		specs = append(specs, r.drivers[name].Spec())
	}
	return specs
}

func (r *Registry) names() []string {
	names := make([]string, 0, len(r.drivers))
	for name := range r.drivers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
