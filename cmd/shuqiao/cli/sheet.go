package cli

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// SendImport sends a file of entries in and says what is wrong in it.
type SendImport struct {
	Connection
	File    string        `arg:"" help:"Workbook (xlsx), CSV, or CSV files in a zip file."`
	Profile string        `help:"The sign-in to use." default:"${default_profile}" placeholder:"NAME"`
	Mode    string        `help:"all: everything or nothing; good: entries in which something is wrong are left out." enum:"all,good" default:"all"`
	Apply   bool          `help:"Write the entries when the check lets them pass; without it, they are only checked."`
	Every   time.Duration `help:"How often to look how far it is." default:"1s"`
}

// shownErrors is how many mistakes of a file are printed; import errors lists all.
const shownErrors = 20

// Run waits for the check, and with --apply until the entries are written. A file in which something is wrong is an error, but with
// --mode good and --apply.
func (s *SendImport) Run(t *Terminal) error {
	hub, err := shared{Connection: s.Connection, Profile: s.Profile}.signedIn(t)
	if err != nil {
		return err
	}
	file, err := readFile(t, s.File, maxSheet)
	if err != nil {
		return err
	}
	j, err := hub.SendImport(t.Ctx, filepath.Base(s.File), s.Mode, file)
	if err == nil {
		j, err = s.until(t, hub, j, "checked")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "%s: %d entries: %d new, %d changed, %d as they are, %d with mistakes\n", j.ID, j.Entries, j.Added, j.Changed, j.Unchanged, j.Wrong)
	if err := printMistakes(t, hub, j); err != nil {
		return err
	}
	if !s.Apply || j.Wrong > 0 && s.Mode == "all" {
		return mistaken(j)
	}
	if j.Added+j.Changed == 0 {
		fmt.Fprintln(t.Out, "there is nothing to write")
		return nil
	}
	if j, err = hub.ApplyImport(t.Ctx, j.ID, client.IfMatch(j.RowVersion)); err == nil {
		j, err = s.until(t, hub, j, "done")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "%d entries are written\n", j.Applied)
	return nil
}

// until waits for a state.
func (s *SendImport) until(t *Terminal, hub *client.Client, j client.Import, state string) (client.Import, error) {
	ticker := time.NewTicker(max(s.Every, 100*time.Millisecond))
	defer ticker.Stop()
	for {
		switch j.State {
		case state:
			return j, nil
		case "failed":
			return j, fault.New(fault.Invalid, "import_failed", "%s: %s", clean(j.Reason), clean(j.Message))
		}
		select {
		case <-t.Ctx.Done():
			return j, t.Ctx.Err()
		case <-ticker.C:
		}
		var err error
		if j, err = hub.Import(t.Ctx, j.ID); err != nil {
			return j, err
		}
	}
}

func printMistakes(t *Terminal, hub *client.Client, j client.Import) error {
	n := 0
	for e, err := range hub.EachImportError(t.Ctx, j.ID) {
		if err != nil {
			return err
		}
		if n++; n > shownErrors {
			fmt.Fprintf(t.Out, "… all of them: shuqiao import errors %s --all\n", j.ID)
			return nil
		}
		fmt.Fprintln(t.Out, clean(fmt.Sprintf("%s!%s %s: %s %s", e.Sheet, e.Cell, e.Column, e.Code, e.Detail)))
	}
	return nil
}

func mistaken(j client.Import) error {
	if j.Wrong == 0 && j.Troubles == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "import_wrong", "entries with mistakes: %d; the file with what is wrong beside each: shuqiao import result %s -o FILE", j.Wrong, j.ID)
}

// fetched is what commands share that fetch a file.
type fetched struct {
	Connection
	Profile string `help:"The sign-in to use." default:"${default_profile}" placeholder:"NAME"`
	Output  string `short:"o" help:"The file to write; - is standard output." required:"" placeholder:"FILE"`
}

func (f fetched) write(t *Terminal, from func(*client.Client, io.Writer) error) error {
	hub, err := shared{Connection: f.Connection, Profile: f.Profile}.signedIn(t)
	if err != nil {
		return err
	}
	return writeTo(t, f.Output, func(w io.Writer) error { return from(hub, w) })
}

// ImportResult fetches the file of an import with what is wrong in it.
type ImportResult struct {
	fetched
	ID string `arg:"" help:"Id of the import."`
}

// Run writes the file.
func (r *ImportResult) Run(t *Terminal) error {
	return r.write(t, func(hub *client.Client, w io.Writer) error { return hub.ImportResult(t.Ctx, r.ID, w) })
}

// ImportTemplate fetches the workbook to fill in.
type ImportTemplate struct{ fetched }

// Run writes the workbook.
func (c *ImportTemplate) Run(t *Terminal) error {
	return c.write(t, func(hub *client.Client, w io.Writer) error { return hub.ImportTemplate(t.Ctx, w) })
}

// ExportDirectory writes entries in the form in which they can be imported.
type ExportDirectory struct {
	fetched
	Format       string `help:"xlsx, or csv for CSV files in a zip file." enum:"xlsx,csv" default:"xlsx"`
	Q            string `name:"q" help:"Only published entries that hold this text." placeholder:"TEXT"`
	Department   string `help:"Only of this department." placeholder:"ID"`
	BaseDatabase string `help:"Only published entries of this base database." placeholder:"CODE"`
	ShareType    string `help:"Only published entries that are shared so." placeholder:"TYPE"`
	UpdateCycle  string `help:"Only published entries with this cycle." placeholder:"CYCLE"`
}

// Run writes the file.
func (c *ExportDirectory) Run(t *Terminal) error {
	narrow := url.Values{"format": {c.Format}}
	for name, value := range map[string]string{
		"q": c.Q, "department_id": c.Department, "base_database": c.BaseDatabase, "share_type": c.ShareType, "update_cycle": c.UpdateCycle,
	} {
		if value != "" {
			narrow.Set(name, value)
		}
	}
	return c.write(t, func(hub *client.Client, w io.Writer) error { return hub.ExportDirectory(t.Ctx, narrow, w) })
}
