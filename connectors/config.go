package connectors

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// DialFunc opens network connections, as (*net.Dialer).DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Config holds the checked settings of one source, made by Spec.Parse. It prints with its secrets as ***.
type Config struct {
	// Dial opens every network connection of the source; nil means a plain net.Dialer. A caller that must keep sources
	// away from some networks sets it; drivers resolve names first, so that it sees addresses.
	Dial DialFunc

	// ConnectTimeout bounds one attempt to connect, name resolution and sign-in included. 0 means DefaultConnectTimeout.
	ConnectTimeout time.Duration

	spec   Spec
	values map[string]string
}

// Has reports whether the setting was given or has a default.
func (c Config) Has(key string) bool { return c.values[key] != "" }

// String returns a string, enum or secret setting, "" when it is not set. Like the other getters it panics on a key that
// the Spec does not have or has with another kind: that is a mistake in a driver, not in the settings.
func (c Config) String(key string) string {
	return c.value(key, FieldString, FieldEnum, FieldSecret)
}

// Int returns a whole-number setting, 0 when it is not set.
func (c Config) Int(key string) int64 {
	n, _ := strconv.ParseInt(c.value(key, FieldInt), 10, 64)
	return n
}

// Bool returns a yes-or-no setting, false when it is not set.
func (c Config) Bool(key string) bool { return c.value(key, FieldBool) == "true" }

// Duration returns a duration setting, 0 when it is not set.
func (c Config) Duration(key string) time.Duration {
	d, _ := time.ParseDuration(c.value(key, FieldDuration))
	return d
}

func (c Config) value(key string, kinds ...FieldKind) string {
	f, ok := c.spec.Field(key)
	if !ok {
		panic(fmt.Sprintf("connectors: driver %s has no setting %q", c.spec.Name, key))
	}
	for _, kind := range kinds {
		if f.Kind == kind {
			return c.values[key]
		}
	}
	panic(fmt.Sprintf("connectors: setting %q of driver %s is a %s", key, c.spec.Name, f.Kind))
}

// Format prints the settings in field order with secrets as ***, whatever the verb.
func (c Config) Format(w fmt.State, _ rune) {
	parts := make([]string, 0, len(c.values))
	for _, f := range c.spec.Fields {
		if value := c.values[f.Key]; value != "" {
			if f.Kind == FieldSecret {
				value = "***"
			}
			parts = append(parts, f.Key+"="+value)
		}
	}
	_, _ = fmt.Fprintf(w, "%s{%s}", c.spec.Name, strings.Join(parts, " "))
}

// LogValue is what slog prints: the same as Format.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%v", c)) }

// MarshalJSON refuses by printing like Format, so that no secret reaches a document by accident.
func (c Config) MarshalJSON() ([]byte, error) {
	return []byte(strconv.Quote(fmt.Sprintf("%v", c))), nil
}
