package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/api/client/replica"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Pull keeps a copy of a grant.
type Pull struct {
	Copy    pullCopy    `cmd:"" default:"withargs" help:"Make the copy and bring it to the head of the hub."`
	Status  pullStatus  `cmd:"" help:"Say where the copy is."`
	Verify  pullVerify  `cmd:"" help:"Compare the copy with a fresh read of all rows."`
	Dispose pullDispose `cmd:"" help:"Remove the copy and write a record of it."`
}

// place is where a copy lies.
type place struct {
	Into     string `help:"Where the copy is: postgres://… or a folder; default SHUQIAO_COPY_INTO." placeholder:"URL|DIR"`
	Resource string `help:"The resource, by id or by its code with / written -." placeholder:"ID"`
	Table    string `help:"Table in PostgreSQL; default one named after --resource." placeholder:"NAME"`
	Format   string `help:"In a folder: ndjson, or csv for rows.csv beside it." enum:"ndjson,csv" default:"ndjson"`
}

// calling is how the hub is asked for a copy.
type calling struct {
	keyed
	PageRows int `name:"page-rows" help:"Rows per call, at most 5000." default:"5000"`
}

// keyed is how the hub is asked on behalf of a consuming system.
type keyed struct {
	Connection
	Grant      string `help:"The grant, where the client has several on the resource." placeholder:"ID"`
	Purpose    string `help:"The purpose code of the grant." placeholder:"CODE"`
	CaseNumber string `name:"case-number" help:"The case that the rows are read for, where the grant demands it." placeholder:"TEXT"`
	KeyFile    string `name:"key-file" help:"File with the client's key, <key id>.<secret>, readable by its owner only; default SHUQIAO_KEY_FILE." type:"path" placeholder:"FILE"`
}

// hub returns a client of the hub that signs its calls with the consuming system's key.
func (k keyed) hub(t *Terminal) (*client.Client, error) {
	key, err := readSecret(first(k.KeyFile, t.env("SHUQIAO_KEY_FILE")), "the client's key", "--key-file")
	if err != nil {
		return nil, err
	}
	return k.client(t, "", key)
}

func (p place) options(t *Terminal) (replica.Options, error) {
	into := first(p.Into, t.env("SHUQIAO_COPY_INTO"))
	if into == "" {
		return replica.Options{}, fault.New(fault.Invalid, "usage", "say where the copy is: --into postgres://… or --into FOLDER")
	}
	log := slog.New(slog.NewTextHandler(t.Err, nil))
	return replica.Options{Into: into, Table: p.Table, CSV: p.Format == "csv", Pull: client.Pull{Resource: p.Resource}, Log: log}, nil
}

// open opens the copy and signs its calls with the client's key.
func (c calling) open(t *Terminal, p place) (*replica.Copier, error) {
	opt, err := p.options(t)
	if err != nil {
		return nil, err
	}
	if opt.Pull.Resource == "" {
		return nil, fault.New(fault.Invalid, "usage", "name the resource with --resource")
	}
	if opt.Client, err = c.hub(t); err != nil {
		return nil, err
	}
	opt.Pull.Grant, opt.Pull.Purpose, opt.Pull.CaseNumber, opt.PageRows = c.Grant, c.Purpose, c.CaseNumber, c.PageRows
	return replica.Open(t.Ctx, opt)
}

// readSecret reads a secret from a file of which nobody else may read.
func readSecret(path, what, flag string) (string, error) {
	if path == "" {
		return "", fault.New(fault.Invalid, "usage", "name the file with %s with %s", what, flag)
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", fault.New(fault.Invalid, "secret_readable", "others may read the file with %s; close it with chmod 600", what)
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(path)
	}
	text := strings.TrimSpace(string(raw))
	if err != nil || text == "" || strings.ContainsAny(text, " \r\n\t") {
		return "", fault.New(fault.Invalid, "usage", "the file with %s cannot be read or is not one word", what).Wrap(err)
	}
	return text, nil
}

type pullCopy struct {
	place
	calling
	Every time.Duration `help:"Go on and ask for changes this often, such as 30s; without it, once." placeholder:"TIME"`
	Once  bool          `help:"Bring the copy to the head of the hub and end; the default." xor:"when"`
}

// Run brings the copy to the head of the hub, once or again and again.
func (c *pullCopy) Run(t *Terminal) error {
	if c.Every != 0 && (c.Once || c.Every < 10*time.Millisecond) {
		return fault.New(fault.Invalid, "usage", "give either --once or a time of at least 10ms with --every")
	}
	copier, err := c.open(t, c.place)
	if err != nil {
		return pullError(err)
	}
	defer copier.Close()
	if c.Every > 0 {
		return pullError(copier.Keep(t.Ctx, c.Every))
	}
	s, err := copier.Once(t.Ctx)
	if err != nil && t.Ctx.Err() != nil {
		return fault.New(fault.Conflict, "interrupted", "the copy is not at the head of the hub; repeat the command to go on where it was")
	}
	if err != nil {
		return pullError(err)
	}
	fmt.Fprintf(t.Out, "%d rows as of %s\n", s.Visible.Rows, s.Visible.AsOf.Format(time.RFC3339))
	return nil
}

// pullError turns what the copier refuses into a fault, and says what a grant that is over or suspended means for the copy.
func pullError(err error) error {
	var refusal *replica.Refusal
	switch {
	case err == nil:
		return nil
	case replica.Over(err):
		return fault.New(fault.Gone, "grant_over",
			"the grant is not in force: if there is a copy, it must be disposed of now (shuqiao pull dispose); otherwise check grant, resource and key").Wrap(err)
	case client.Code(err) == "grant_suspended":
		return fault.New(fault.Forbidden, "grant_suspended", "the grant is suspended: the copy stays as it is and is not brought up to date until the grant is resumed").Wrap(err)
	case errors.Is(err, replica.ErrBusy):
		return fault.New(fault.Conflict, "busy", "%s", err).Wrap(err)
	case errors.As(err, &refusal):
		kind := fault.Invalid
		switch refusal.Code {
		case "target_unreachable":
			kind = fault.Unavailable
		case "table_taken", "views_depend", "always_changing", "other_grant":
			kind = fault.Conflict
		case "no_copy":
			kind = fault.NotFound
		}
		return fault.New(kind, refusal.Code, "%s", refusal.Message).Wrap(err)
	}
	return err
}

type pullStatus struct{ place }

// Run prints the stored state without the cursors.
func (c *pullStatus) Run(t *Terminal) error {
	opt, err := c.options(t)
	if err != nil {
		return err
	}
	copier, err := replica.Open(t.Ctx, opt)
	if err != nil {
		return pullError(err)
	}
	defer copier.Close()
	s, err := copier.Status(t.Ctx)
	if err != nil {
		return pullError(err)
	}
	if s == nil {
		return fault.New(fault.NotFound, "no_copy", "there is no copy here")
	}
	out := map[string]any{
		"hub": s.Hub, "resource": s.Resource, "grant": s.Grant, "phase": s.Phase(), "notice": s.Notice, "checked_at": s.CheckedAt,
	}
	if v := s.Visible; v != nil {
		out["rows"], out["as_of"], out["terms"] = v.Rows, v.AsOf, v.Terms
	}
	if d := s.Side; d != nil {
		out["rows_beside"] = d.Rows
	}
	return printJSON(t.Out, out)
}

func printJSON(w interface{ Write([]byte) (int, error) }, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

type pullVerify struct {
	place
	calling
}

// Run compares and prints both ends. Ends that differ are an error.
func (c *pullVerify) Run(t *Terminal) error {
	copier, err := c.open(t, c.place)
	if err != nil {
		return pullError(err)
	}
	defer copier.Close()
	found, err := copier.Verify(t.Ctx)
	if err != nil {
		return pullError(err)
	}
	if err := printJSON(t.Out, found); err != nil {
		return err
	}
	if !found.Equal {
		return fault.New(fault.Conflict, "copy_differs", "the copy is not what the hub gives: somebody else writes the copy; remove it with dispose and copy again")
	}
	return nil
}

type pullDispose struct {
	place
	By    string `help:"Who disposes of it; default the account of this machine." placeholder:"NAME"`
	Proof string `help:"File for the record; default disposal-<resource>-<date>.json in this folder." type:"path" placeholder:"FILE"`
	Yes   bool   `help:"Remove it. Without this nothing is done."`
}

// Run removes the copy and writes the record.
func (c *pullDispose) Run(t *Terminal) error {
	if !c.Yes {
		return fault.New(fault.Invalid, "usage", "this removes the copy for good; repeat with --yes")
	}
	opt, err := c.options(t)
	if err != nil {
		return err
	}
	by := c.By
	if by == "" {
		account, err := user.Current()
		host, _ := os.Hostname()
		if err != nil {
			return fault.New(fault.Invalid, "usage", "say who disposes of the copy with --by").Wrap(err)
		}
		by = account.Username + "@" + host
	}
	copier, err := replica.Open(t.Ctx, opt)
	if err != nil {
		return pullError(err)
	}
	defer copier.Close()
	d, err := copier.Dispose(t.Ctx, by)
	if err != nil {
		return pullError(err)
	}
	raw, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	path := c.Proof
	if path == "" {
		path = "disposal-" + filepath.Base(d.Resource) + "-" + d.DisposedAt.Format("20060102T150405Z") + ".json"
	}
	if err := writeNew(path, append(raw, '\n')); err != nil {
		return fault.New(fault.Unavailable, "proof_not_written",
			"the copy is removed, but its record could not be written: %s; repeat with another --proof", err).Wrap(err)
	}
	fmt.Fprintf(t.Out, "%d rows removed; the record is in %s\n", d.Rows, path)
	return nil
}

// writeNew writes a file that must not be there yet. The same content may be.
func writeNew(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(0o600))
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}
