package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// envPrefix starts every variable of the hub; testPrefix those that only its tests read.
const (
	envPrefix  = "SHUQIAO_"
	testPrefix = "SHUQIAO_TEST_"
)

// maxFileBytes bounds a settings file and a secret's file.
const maxFileBytes = 64 << 10

// Sources are where settings come from. A later one wins: defaults, File, Environ, Flags.
type Sources struct {
	File    string            // Path of a settings file, or "" for none. It must exist when named.
	Environ []string          // "KEY=value" as os.Environ gives it; variables without the hub's prefix are ignored.
	Flags   map[string]string // By Option.Key; only the flags that were given.
}

// Load reads all sources and returns the settings in force, or an Invalid fault (config_invalid) that names every wrong
// one at once: by its variable, by "--flag", or by the settings file's line. Values are never repeated.
//
// The settings file has one KEY=value a line; blank lines and lines that begin with # are skipped, and quotes around a
// whole value are taken off. A secret may be given in a file of its own, whose path is the value of the variable with
// _FILE; line ends at its end are taken off. Giving both in one source is refused. An unknown variable with the hub's
// prefix only warns, since another version may know it; an unknown flag is refused.
func Load(sources Sources) (Config, error) {
	l := loader{options: Options(), given: map[string]setting{}}
	if sources.File != "" {
		l.file(sources.File)
	}
	l.variables("environment", l.environ(sources.Environ))
	l.flags(sources.Flags)

	var c Config
	for _, o := range l.options {
		s, ok := l.given[o.Env]
		if !ok {
			s = setting{option: o, value: o.Default, origin: "default"}
		}
		if err := o.Check(s.value); err != nil {
			l.wrong(s.name(), "bad_value", err.Error())
			continue
		}
		o.set(&c, s.value)
		c.inForce = append(c.inForce, s)
	}
	if len(l.fields) > 0 {
		names := make([]string, len(l.fields))
		for i, f := range l.fields {
			names[i] = f.Name + ": " + f.Message
		}
		f := fault.New(fault.Invalid, "config_invalid", "correct these settings: %s", strings.Join(names, "; "))
		f.Fields = l.fields
		return Config{}, f
	}
	c.Warnings = l.warnings
	return c, nil
}

// name is how the place that gave the value is called in faults.
func (s setting) name() string {
	if s.origin == "flag" {
		return "--" + s.option.Key
	}
	return s.option.Env
}

type loader struct {
	options  []Option
	given    map[string]setting // by Option.Env
	fields   []fault.Field
	warnings []string
}

func (l *loader) wrong(name, code, message string) {
	l.fields = append(l.fields, fault.Field{Name: name, Code: code, Message: message})
}

// variable is one KEY=value of the file or the environment.
type variable struct{ name, value string }

func (l *loader) environ(environ []string) []variable {
	var found []variable
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(name, testPrefix) {
			found = append(found, variable{name, value})
		}
	}
	return found
}

// variables takes the values of one source. Within it a secret and its file exclude each other.
func (l *loader) variables(origin string, found []variable) {
	direct := map[string]bool{}
	for _, v := range found {
		direct[v.name] = true
	}
	for _, v := range found {
		i := slices.IndexFunc(l.options, func(o Option) bool { return v.name == o.Env || v.name == o.FileEnv() })
		if i < 0 {
			l.warnings = append(l.warnings, "unknown setting "+v.name+" in the "+origin+" is ignored")
			continue
		}
		o := l.options[i]
		value := v.value
		if v.name != o.Env {
			if direct[o.Env] {
				l.wrong(v.name, "given_twice", "give either "+o.Env+" or "+v.name)
				continue
			}
			text, problem := readSmall(v.value)
			if problem != "" {
				l.wrong(v.name, "bad_file", problem)
				continue
			}
			value = strings.TrimRight(text, "\r\n")
		}
		l.given[o.Env] = setting{option: o, value: value, origin: origin}
	}
}

func (l *loader) flags(flags map[string]string) {
	known := map[string]bool{}
	for _, o := range l.options {
		known[o.Key] = true
		if value, ok := flags[o.Key]; ok {
			l.given[o.Env] = setting{option: o, value: value, origin: "flag"}
		}
	}
	var unknown []string
	for key := range flags {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		l.wrong("--"+key, "unknown", "there is no such option")
	}
}

// file reads the settings file as the first source.
func (l *loader) file(path string) {
	text, problem := readSmall(path)
	if problem != "" {
		l.wrong("settings file", "bad_file", problem)
		return
	}
	var found []variable
	first := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		at := "settings file line " + strconv.Itoa(i+1)
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		value, quotesMatch := unquote(strings.TrimSpace(value))
		switch {
		case !ok || !isVariableName(name) || !quotesMatch:
			l.wrong(at, "bad_line", "write KEY=value, the value plain or in one pair of quotes")
		case first[name] > 0:
			l.wrong(at, "given_twice", "line "+strconv.Itoa(first[name])+" gives this setting too")
		default:
			first[name] = i + 1
			found = append(found, variable{name, value})
		}
	}
	l.variables("file", found)
}

// unquote takes one pair of equal quotes off. It reports false for a quote without its partner.
func unquote(s string) (string, bool) {
	if s == "" || (s[0] != '"' && s[0] != '\'') {
		return s, true
	}
	if len(s) < 2 || s[len(s)-1] != s[0] {
		return "", false
	}
	return s[1 : len(s)-1], true
}

func isVariableName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// readSmall returns a file's text, or what is wrong with the file.
func readSmall(path string) (text, problem string) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "the file does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "", "the file may not be read by the user who runs the hub"
	case err != nil:
		return "", "the file cannot be opened"
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	switch {
	case err != nil:
		return "", "the file cannot be read"
	case len(data) > maxFileBytes:
		return "", "the file is larger than " + strconv.Itoa(maxFileBytes) + " bytes"
	case !utf8.Valid(data):
		return "", "the file is not UTF-8 text"
	}
	return string(data), ""
}
