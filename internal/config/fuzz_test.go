package config_test

import (
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/internal/config"
)

// Whatever a setting is given, loading ends with settings or an error, and the error does not repeat the value of a secret.
func FuzzSettings(f *testing.F) {
	for i, value := range []string{"", "-1", "99999999999999999999h", "10.0.0.0/8,::1", "postgres://u:p@h/d?\x00", "1MiB", "Local", "[::1]:99999"} {
		f.Add(uint(i), value)
	}
	options := config.Options()
	f.Fuzz(func(t *testing.T, which uint, value string) {
		o := options[which%uint(len(options))]
		_, err := config.Load(config.Sources{Flags: map[string]string{o.Key: value}})
		if err != nil && o.Secret && len(value) > 20 && strings.Contains(err.Error(), value) {
			t.Errorf("%s: the error repeats the value: %v", o.Key, err)
		}
	})
}
