package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Export orders and fetches files of rows.
type Export struct {
	Order  exportOrder  `cmd:"" help:"Order a file."`
	List   exportList   `cmd:"" help:"List what this consuming system ordered, newest first."`
	Show   exportShow   `cmd:"" help:"Say how far a file is."`
	Fetch  exportFetch  `cmd:"" help:"Wait for a file, fetch it and check its digest."`
	Delete exportDelete `cmd:"" help:"End an order and destroy its file."`
}

// pull is what calls about exports say about themselves.
func (k keyed) pull(resource string) client.Pull {
	return client.Pull{Resource: resource, Grant: k.Grant, Purpose: k.Purpose, CaseNumber: k.CaseNumber}
}

func printExport(t *Terminal, e client.Export) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return printObject(t.Out, "json", raw)
}

type exportOrder struct {
	keyed
	Resource    string   `help:"The resource, by id or by its code with / written -." required:"" placeholder:"ID"`
	Format      string   `help:"csv, ndjson or parquet." enum:"csv,ndjson,parquet" default:"csv"`
	Compression string   `help:"Of csv and ndjson: none, gzip or zstd." enum:"none,gzip,zstd" default:"none"`
	Items       []string `help:"Identifiers of granted items, separated by commas; all when not given." placeholder:"ITEM"`
	Filter      string   `help:"A row filter, as JSON." placeholder:"JSON"`
	Key         string   `name:"idempotency-key" help:"The same key never orders twice." placeholder:"KEY"`
}

// Run orders the file and prints the order.
func (c *exportOrder) Run(t *Terminal) error {
	hub, err := c.hub(t)
	if err != nil {
		return err
	}
	order := client.NewExport{Format: c.Format, Compression: c.Compression, Items: c.Items}
	if c.Filter != "" {
		if order.Filter = json.RawMessage(c.Filter); !json.Valid(order.Filter) {
			return fault.New(fault.Invalid, "usage", "the filter is no JSON")
		}
	}
	key := c.Key
	if key == "" {
		key = client.NewKey()
	}
	e, err := hub.OrderExport(t.Ctx, c.pull(c.Resource), order, client.Once(key))
	if err != nil {
		return err
	}
	return printExport(t, e)
}

type exportList struct {
	keyed
	State  string `help:"Only those in this state: queued, running, ready, failed or gone." placeholder:"STATE"`
	Output string `short:"o" help:"table for people; json or csv for programs." enum:"table,json,csv" default:"table"`
	All    bool   `help:"All pages."`
	Limit  int    `help:"The most entries of a page." placeholder:"N"`
	Cursor string `help:"Go on behind the page that gave this cursor." placeholder:"CURSOR"`
}

// exportColumns are what people see of a list of exports.
var exportColumns = []string{"id", "state", "reason", "format", "compression", "rows", "size", "resource", "created_at", "expires_at"}

// Run prints one page, or all of them.
func (c *exportList) Run(t *Terminal) error {
	hub, err := c.hub(t)
	if err != nil {
		return err
	}
	q := url.Values{}
	for name, value := range map[string]string{"state": c.State, "cursor": c.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Limit > 0 {
		q.Set("limit", strconv.Itoa(c.Limit))
	}
	out := newListPrinter(t.Out, c.Output, exportColumns)
	for {
		var page client.List[json.RawMessage]
		if err := hub.Call(t.Ctx, get, "/exports?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		if err := out.page(page.Data); err != nil {
			return err
		}
		if page.NextCursor == "" || !c.All {
			return out.end(page.NextCursor, t.Err)
		}
		q.Set("cursor", page.NextCursor)
	}
}

type exportShow struct {
	keyed
	ID string `arg:"" help:"Its id."`
}

// Run prints the order.
func (c *exportShow) Run(t *Terminal) error {
	hub, err := c.hub(t)
	if err != nil {
		return err
	}
	e, err := hub.Export(t.Ctx, c.pull(""), url.PathEscape(c.ID))
	if err != nil {
		return err
	}
	return printExport(t, e)
}

type exportFetch struct {
	keyed
	ID string `arg:"" help:"Its id."`
	To string `help:"File to write; default the name that the hub gives it, in this folder. - is standard output." placeholder:"FILE"`
}

// Run writes the file under another name until it is whole and its digest is right.
func (c *exportFetch) Run(t *Terminal) error {
	hub, err := c.hub(t)
	if err != nil {
		return err
	}
	e, err := hub.WaitExport(t.Ctx, c.pull(""), url.PathEscape(c.ID), nil)
	var over *client.ExportOverError
	if errors.As(err, &over) {
		return fault.New(fault.Gone, "export_over", "there is no file: %s", over).Wrap(err)
	}
	if err != nil {
		return err
	}
	if c.To == "-" {
		return hub.Download(t.Ctx, c.pull(""), e, t.Out)
	}
	path := c.To
	if path == "" {
		path = filepath.Base(e.FileName())
	}
	if err := writeWhole(path, func(w io.Writer) error { return hub.Download(t.Ctx, c.pull(""), e, w) }); err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "%d rows, %d bytes in %s\n", e.Rows, e.Size, path)
	return nil
}

// writeWhole fills a file that has its name only when it is whole and on the disk. Its owner alone may read it.
func writeWhole(path string, fill func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return fault.New(fault.Invalid, "usage", "the file cannot be written: %s", err).Wrap(err)
	}
	err = fill(file)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

type exportDelete struct {
	keyed
	ID string `arg:"" help:"Its id."`
}

// Run ends the order.
func (c *exportDelete) Run(t *Terminal) error {
	hub, err := c.hub(t)
	if err != nil {
		return err
	}
	return hub.DeleteExport(t.Ctx, c.pull(""), url.PathEscape(c.ID))
}
