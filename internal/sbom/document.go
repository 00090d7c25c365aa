package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
)

// document is the part of CycloneDX 1.6 that is used here.
type document struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Hashes     []hash     `json:"hashes,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// newDocument lists the Go modules of a binary whose SHA-256 is sum, and the Go release with its standard library.
func newDocument(info *debug.BuildInfo, version, at, sum string) *document {
	main := component{
		Type: "application", Name: "shuqiao", Version: version, Hashes: []hash{{"SHA-256", sum}}, PURL: goURL(info.Main.Path, version),
	}
	main.Ref = main.PURL
	settings := []string{"GOOS", "GOARCH", "GOAMD64", "GOARM64", "CGO_ENABLED", "-trimpath"}
	for _, s := range info.Settings {
		if slices.Contains(settings, s.Key) {
			main.Properties = append(main.Properties, property{"shuqiao:build:" + s.Key, s.Value})
		}
	}
	d := &document{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: metadata{Timestamp: at, Component: main},
	}
	d.add(component{Type: "library", Name: "std", Version: info.GoVersion, PURL: goURL("std", strings.TrimPrefix(info.GoVersion, "go"))})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: goURL(m.Path, m.Version)}
		// The sum of go.sum is a SHA-256 over the module's files, in base64.
		if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(raw) == sha256.Size {
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
		}
		d.add(c)
	}
	return d
}

// addAssets lists the packages whose files are embedded in the binary.
func (d *document) addAssets(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the list of assets: %w", err)
	}
	var pinned struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(raw, &pinned); err != nil {
		return fmt.Errorf("reading the list of assets %q: %w", path, err)
	}
	for name, version := range pinned.Dependencies {
		if version == "" || version[0] < '0' || version[0] > '9' {
			return fmt.Errorf("reading the list of assets %q: %s is not pinned to one version", path, name)
		}
		// In a package URL the @ of a scope is escaped, its slash is not.
		d.add(component{Type: "library", Name: name, Version: version, PURL: "pkg:npm/" + strings.Replace(name, "@", "%40", 1) + "@" + version})
	}
	return nil
}

func (d *document) add(c component) {
	c.Ref = c.PURL
	d.Components = append(d.Components, c)
}

// finish puts everything in order and says that the hub depends on all of it.
func (d *document) finish() {
	slices.SortFunc(d.Components, func(a, b component) int { return cmp.Compare(a.Ref, b.Ref) })
	hub := dependency{Ref: d.Metadata.Component.Ref}
	d.Dependencies = nil
	for _, c := range d.Components {
		hub.On = append(hub.On, c.Ref)
		d.Dependencies = append(d.Dependencies, dependency{Ref: c.Ref})
	}
	d.Dependencies = append([]dependency{hub}, d.Dependencies...)
}

// goURL returns the package URL of a Go module.
func goURL(path, version string) string {
	return "pkg:golang/" + path + "@" + url.QueryEscape(version)
}

func digest(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the binary: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}
