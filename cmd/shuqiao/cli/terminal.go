package cli

import (
	"context"
	"io"
	"strings"
)

// Terminal is what commands work with besides their own flags.
type Terminal struct {
	Ctx     context.Context
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Environ []string // As os.Environ.
}

// env returns a variable, "" when it is not set.
func (t *Terminal) env(name string) string {
	for _, entry := range t.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
