package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what every secret prints.
const hidden = "***"

// Secret is text that prints, encodes and logs as ***, whatever the verb (%p, which fmt never lets a type answer, is
// refused by go vet). Reveal returns it. JSON and text decoding into a Secret take the
// text as it is.
type Secret string

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// Format writes *** for every verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, hidden) }

// String returns ***.
func (s Secret) String() string { return hidden }

// GoString returns ***.
func (s Secret) GoString() string { return hidden }

// MarshalText returns ***; JSON, XML and map keys go through it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// LogValue returns ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

var (
	_ fmt.Formatter  = Secret("")
	_ slog.LogValuer = Secret("")
)
