package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Dump writes the directory out.
type Dump struct {
	Connection
	Profile string `help:"The sign-in to use." default:"${default_profile}" placeholder:"NAME"`
	Output  string `short:"o" help:"The file to write; standard output when not given." placeholder:"FILE"`
}

// Run writes one entry a line. A file appears under its name only when it is whole.
func (d *Dump) Run(t *Terminal) error {
	hub, err := shared{Connection: d.Connection, Profile: d.Profile}.signedIn(t)
	if err != nil {
		return err
	}
	return writeTo(t, d.Output, func(w io.Writer) error { return hub.Dump(t.Ctx, w) })
}

// writeTo has something written to standard output, or to a file that appears under its name when it is whole.
func writeTo(t *Terminal, name string, write func(io.Writer) error) error {
	if name == "" || name == "-" {
		return write(t.Out)
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".shuqiao-*")
	if err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	defer os.Remove(file.Name()) // Gone when it was renamed.
	if err := errors.Join(write(file), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), name); err != nil {
		return fmt.Errorf("naming the file: %w", err)
	}
	return nil
}
