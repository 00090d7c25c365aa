package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/exchange/transform"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing/filter"
)

// prepare finds mount, items and source and builds the collect. The caller closes the connection.
func (a *attempt) prepare(ctx context.Context) (*engine.Collect, *connectors.Connection, error) {
	mount, err := a.opt.Catalog.ActiveMount(ctx, a.run.ResourceID)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Conflict, "not_mounted", "no active mount says where the rows of this resource come from")
	}
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, "", err)
	}
	version, err := a.opt.Catalog.LoadVersion(ctx, a.opt.DB.Pool, a.run.ResourceID, mount.Version)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	if err := a.opt.Catalog.Feedable(ctx, a.opt.DB.Pool, mount, version); err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	items, err := mapped(version.Items, mount.Columns)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	keep, err := keeper(mount.RowFilter, version.Items, items)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	task, err := loadTask(ctx, a.opt.DB.Pool, a.run.TaskID, "")
	if err == nil && task.Mode == ModeIncremental && mount.WatermarkColumn == "" && a.run.Kind == RunCollect {
		err = noWatermark()
	}
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	zone, err := time.LoadLocation(DefaultTimeZone)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideHub, mount.Object, err)
	}
	connection, err := a.opt.Catalog.OpenSource(ctx, a.decision, mount.SourceID)
	if err != nil {
		return nil, nil, engine.NewFailure(engine.StageRead, engine.SideSource, mount.Object, err)
	}
	if err := a.asMounted(ctx, mount, connection); err != nil {
		connection.Close()
		return nil, nil, err
	}
	job := a.job()
	job.Version = version.Number
	aad := []byte(a.run.ResourceID.String())
	c := &engine.Collect{
		Store: a.opt.Store, Source: connection, Job: job, Object: mount.Object, Items: items, OrderColumn: mount.OrderColumn, Keep: keep, Filter: mount.RowFilter,
		CarryDeletes: mount.DeleteRule != catalog.DeleteNone, Resume: a.run.resume,
		// All rows of a run are judged by one day, that of its start, whichever attempt reads them.
		AsOf:     a.run.StartedAt.In(zone),
		Seal:     func(row []byte) ([]byte, error) { return a.opt.Keyring.Seal(sealReject, row, aad) },
		Continue: a.proceed, Observe: a.observe, BeforeFence: a.merging, AfterFence: a.evidence,
	}
	changes(c, mount, task, a.run.Run, zone)
	if a.run.ConfirmDeletes != nil {
		c.MayDelete = *a.run.ConfirmDeletes
	}
	return c, connection, nil
}

// asMounted fails when the source no longer has the shape that the mount was checked against. The last good data stay served; the
// next run looks again, and goes on when the source is as it was.
func (a *attempt) asMounted(ctx context.Context, mount catalog.Mount, connection *connectors.Connection) error {
	broken, err := a.opt.Catalog.LookAtMount(ctx, a.hub, mount, connection)
	side := engine.SideHub
	if err != nil && strings.HasPrefix(fault.CodeOf(err), "source_") {
		side = engine.SideSource
	}
	if err != nil || len(broken) == 0 {
		return engine.NewFailure(engine.StageRead, side, mount.Object, err)
	}
	d := broken[0]
	fed := strings.Join(d.Items, ", ")
	code, message := "schema_changed", fmt.Sprintf("column %q, which feeds %s, was %s and is now %s", d.Column, fed, d.Was, d.Now)
	switch d.Kind {
	case catalog.DriftGone:
		code, message = connectors.CodeObjectMissing, "the source has no object "+mount.Object+" any more, or does not show it to the hub's account"
	case catalog.DriftDropped:
		code, message = connectors.CodeColumnMissing, fmt.Sprintf("column %q, which feeds %s, is gone from %s", d.Column, fed, mount.Object)
	case catalog.DriftRenamed:
		code, message = connectors.CodeColumnMissing, fmt.Sprintf("column %q, which feeds %s, is gone from %s; %q may be what has become of it", d.Column, fed, mount.Object, d.Now)
	}
	changed := fault.New(fault.Conflict, code, "%s", message).With("changes", strconv.Itoa(len(broken)))
	return engine.NewFailure(engine.StageRead, engine.SideSource, mount.Object, changed)
}

// changes says how deletes arrive and, of an incremental task, how to read only what changed. A repair reads every row, because
// whatever differs did so unnoticed.
func changes(c *engine.Collect, mount catalog.Mount, task Task, run Run, zone *time.Location) {
	if mount.DeleteRule == catalog.DeleteSoft {
		c.SoftDelete = &engine.SoftDelete{Column: mount.Deletes.Column, Values: mount.Deletes.Values}
	}
	if task.Mode != ModeIncremental || run.Kind != RunCollect {
		return
	}
	c.Incremental = &engine.Incremental{Column: mount.WatermarkColumn, Overlap: task.Settings.overlap(), Zone: zone, Full: run.Trigger == ByRepair}
	switch mount.DeleteRule {
	case catalog.DeleteMissing:
		c.Incremental.SweepEvery = task.Settings.sweep()
	case catalog.DeleteTable:
		c.Incremental.DeleteTable = &engine.DeleteTable{Object: mount.Deletes.Object, Columns: mount.Deletes.KeyColumns, Column: mount.Deletes.WatermarkColumn}
	}
}

// mapped pairs the items that are collected with the columns that feed them. Withheld items stay at the source.
func mapped(items []catalog.Item, columns []catalog.MountColumn) ([]engine.Mapped, error) {
	feeds := make(map[int]catalog.MountColumn, len(columns))
	for _, c := range columns {
		feeds[c.ItemNo] = c
	}
	var out []engine.Mapped
	for _, item := range items {
		if item.ShareType == catalog.Withheld {
			continue
		}
		m := engine.Mapped{
			Filterable: item.Filterable, Column: feeds[item.No].Column, Kind: transform.Kind(feeds[item.No].Kind),
			Item: transform.Item{
				No: item.No, Identifier: item.Identifier, Name: item.Name, Letter: item.DataType[0], Length: item.Length, Scale: item.Scale,
				Key: item.Key, Required: item.Required, Format: item.Format, Validator: item.Validator,
			},
		}
		if item.CodeSet != "" {
			list, ok := codes.List(item.CodeSet)
			if !ok {
				return nil, fault.New(fault.Conflict, "unknown_code_set", "the code list of item %q is not known to this hub", item.Identifier)
			}
			m.Item.Codes = list.Codes()
		}
		out = append(out, m)
	}
	return out, nil
}

// keeper returns the mount's filter over converted rows, nil when there is none.
func keeper(raw json.RawMessage, items []catalog.Item, collected []engine.Mapped) (func(*transform.Row) bool, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	node, err := filter.Parse(raw)
	if err != nil {
		return nil, err
	}
	schema := filter.Schema{}
	for _, item := range items {
		schema[item.Identifier] = filter.Column{Letter: item.DataType[0], Ops: filter.LetterOps(item.DataType[0]).Without(filter.OpBBox)}
	}
	bound, err := filter.Bind(node, schema)
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	for _, m := range collected {
		if m.Column != "" {
			index[m.Item.Identifier] = len(index)
		}
	}
	return func(row *transform.Row) bool {
		return bound.Eval(func(identifier string) ([]byte, bool) {
			i, ok := index[identifier]
			if !ok {
				return nil, true
			}
			return row.Values[i], row.Values[i] == nil
		}) == filter.True
	}, nil
}
