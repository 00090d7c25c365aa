// Package all lists the drivers that the hub ships with.
package all

import (
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/connectors/postgres"
)

// Registry returns a registry of every driver. The error is a mistake in the program, never in its settings.
func Registry() (*connectors.Registry, error) {
	return connectors.NewRegistry(postgres.Driver{})
}
