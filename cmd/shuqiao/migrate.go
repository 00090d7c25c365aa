package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/migrations"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply what is missing."`
	Down   migrateDown   `cmd:"" help:"Take back the newest migration, with the data it holds."`
	Status migrateStatus `cmd:"" help:"List migrations."`
}

type (
	migrateUp struct {
		settings
		GrantTo string `name:"grant-to" help:"Role of the hub's own sessions, to give the rights it needs; see deploy/roles.sql." placeholder:"ROLE"`
	}
	migrateDown   struct{ settings }
	migrateStatus struct{ settings }
)

func (c *migrateUp) Run(t *terminal) error {
	return onSchema(t, c.flags(), func(ctx context.Context, d *sql.DB) error {
		if err := migrations.Up(ctx, d); err != nil || c.GrantTo == "" {
			return err
		}
		return hub.Grant(ctx, d, c.GrantTo)
	})
}

func (c *migrateDown) Run(t *terminal) error { return onSchema(t, c.flags(), migrations.Down) }

func (c *migrateStatus) Run(t *terminal) error {
	return onSchema(t, c.flags(), func(ctx context.Context, d *sql.DB) error {
		all, err := migrations.Status(ctx, d)
		if err != nil {
			return err
		}
		for _, m := range all {
			state := "missing"
			if m.Applied {
				state = m.AppliedAt.UTC().Format("2006-01-02T15:04:05Z")
			}
			fmt.Fprintf(t.out, "%04d  %-22s %s\n", m.Version, state, m.Name)
		}
		return nil
	})
}

func onSchema(t *terminal, flags map[string]string, do func(ctx context.Context, d *sql.DB) error) error {
	cfg, log, err := t.load(flags)
	if err != nil {
		return err
	}
	d, closeAll, err := openDatabase(t, cfg, log)
	if err != nil {
		return err
	}
	defer closeAll()
	if err := do(t.ctx, d.SQL()); err != nil {
		if errors.Is(err, migrations.ErrNewerSchema) {
			return fault.New(fault.Unavailable, "schema_newer", "%s", err.Error()).Wrap(err)
		}
		return err
	}
	version, err := migrations.Version(t.ctx, d.SQL())
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "schema version %d\n", version)
	return nil
}
