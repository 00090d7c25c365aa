package api

import (
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange/pull"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// schemas are the bodies of a grant's calls.
func (d *grantDocument) schemas() huma.Registry {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	all := registry.Map()
	for name, schema := range map[string]*huma.Schema{
		"Row":      d.row(),
		"Rows":     d.envelope("rows", list1(refTo("Row")), "next_cursor", "changes_cursor"),
		"OneRow":   d.envelope("row", refTo("Row")),
		"Changes":  d.changes(),
		"Query":    d.query(),
		"Claims":   d.claims(),
		"Verdicts": object("results", list1(object("key", text(""), "items", open()))),
		"Schema":   object("items", list1(object("identifier", text(""), "data_type", text("")))),
		"Export":   object("id", &huma.Schema{Type: huma.TypeString, Format: "uuid"}, "state", enum("queued", "running", "ready", "failed", "gone"), "rows", whole(), "total", nullable(whole())),
		"NewExport": optional(object("format", enum("csv", "ndjson", "parquet"), "compression", enum("none", "gzip", "zstd"),
			"items", d.items().Schema, "filter", open()), "format"),
		"Problem": object("code", text("Stable, for programs."), "title", text(""), "status", whole()),
	} {
		all[name] = schema
	}
	if !d.ByKey {
		delete(all, "OneRow")
		delete(all, "Claims")
		delete(all, "Verdicts")
	}
	return registry
}

func list1(of *huma.Schema) *huma.Schema { return &huma.Schema{Type: huma.TypeArray, Items: of} }

func whole() *huma.Schema { return &huma.Schema{Type: huma.TypeInteger, Format: "int64"} }

func open() *huma.Schema { return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true} }

func nullable(s *huma.Schema) *huma.Schema { s.Nullable = true; return s }

func enum(values ...string) *huma.Schema {
	s := text("")
	for _, v := range values {
		s.Enum = append(s.Enum, v)
	}
	return s
}

// object makes a schema of alternating names and schemas, all of which an answer has.
func object(members ...any) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, AdditionalProperties: true}
	for i := 0; i < len(members); i += 2 {
		name := members[i].(string)
		s.Properties[name] = members[i+1].(*huma.Schema)
		s.Required = append(s.Required, name)
	}
	s.PrecomputeMessages()
	return s
}

// optional leaves only these members required, and allows no others.
func optional(s *huma.Schema, required ...string) *huma.Schema {
	s.Required, s.AdditionalProperties = required, false
	s.PrecomputeMessages()
	return s
}

// envelope is what stands around rows.
func (d *grantDocument) envelope(name string, rows *huma.Schema, cursors ...string) *huma.Schema {
	s := object("resource", text(""), "version", whole(), "items", list1(text("")), name, rows, "as_of", &huma.Schema{Type: huma.TypeString, Format: "date-time"})
	for _, cursor := range cursors {
		s.Properties[cursor] = nullable(text(""))
	}
	if len(cursors) > 0 {
		s.Properties["resync"] = text("Only in answers to cursors of a shape that was replaced: where to read the rows as they are now.")
	}
	return s
}

// row is one row: every granted item, as it is answered. Items may be left out by the call.
func (d *grantDocument) row() *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, AdditionalProperties: false}
	if d.RowID {
		s.Properties["_rid"] = &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9a-f]{32}$", Description: "Identity of the row under this grant."}
		s.Required = []string{"_rid"}
	}
	for _, item := range d.Items {
		s.Properties[item.Identifier] = itemSchema(item)
	}
	s.PrecomputeMessages()
	return s
}

// itemSchema is the type of an item's values as they are answered. A masked value may be hidden as a whole.
func itemSchema(item pull.SchemaItem) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Nullable: !item.Required || item.Masked, Title: item.Name, Description: item.Definition}
	note := func(text string) {
		if s.Description != "" {
			s.Description += " "
		}
		s.Description += text
	}
	if item.Unit != "" {
		note("Unit: " + item.Unit + ".")
	}
	switch item.Answered {
	case catalog.Number, catalog.Currency:
		s.Pattern = `^-?[0-9]+(\.[0-9]+)?$`
		note("A decimal number of at most " + strconv.Itoa(item.Length) + " digits, " + strconv.Itoa(item.Scale) + " of them behind the point.")
	case catalog.Date:
		s.Format = "date"
	case catalog.Timestamp:
		s.Format = "date-time"
	case catalog.Logical:
		s.Type = huma.TypeBoolean
	case catalog.Integer:
		s.Type, s.Format = huma.TypeInteger, "int64"
	case catalog.Double, catalog.Float:
		s.Type, s.Format = huma.TypeNumber, "double"
	case catalog.General:
		s.Type, s.AdditionalProperties = huma.TypeObject, true
		if item.Format == transform.FormatGeometry {
			note("GeoJSON.")
		} else {
			note("The SHA-256 of the content in hexadecimal.")
		}
	default:
		if length := item.Length; length > 0 && !item.Masked {
			s.MaxLength = &length
		}
	}
	s.Extensions = map[string]any{"x-filterable": item.Filterable}
	if item.Masked {
		note("Masked: " + item.Mask + ".")
		s.Extensions["x-mask"] = item.Mask
		s.Extensions["x-lookup"] = item.Lookup
	}
	if item.CodeSet != "" {
		s.Extensions["x-code-set"] = item.CodeSet
	}
	if item.Key {
		s.Extensions["x-key"] = true
	}
	s.PrecomputeMessages()
	return s
}

func (d *grantDocument) changes() *huma.Schema {
	entry := object("op", enum("upsert", "delete"), "seq", whole())
	entry.Properties["row"] = refTo("Row")
	name := "key"
	if d.RowID {
		name = "_rid"
	}
	entry.Properties[name] = text("Of a delete: the row's identity.")
	s := d.envelope("changes", list1(entry), "next_cursor")
	s.Properties["more"] = &huma.Schema{Type: huma.TypeBoolean, Description: "Whether further changes are there already."}
	return s
}

func (d *grantDocument) query() *huma.Schema {
	most, least, page := pull.MaxKeys, 1.0, float64(pull.MaxLimit)
	members := []any{
		"filter", open(), "items", d.items().Schema, "limit", &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &page}, "cursor", text(""),
	}
	if d.ByKey {
		members = append(members, "keys", &huma.Schema{Type: huma.TypeArray, Items: text(""), MaxItems: &most})
	}
	return optional(object(members...))
}

func (d *grantDocument) claims() *huma.Schema {
	most := audit.MaxSubjects
	claims := list1(object("key", text(""), "items", open()))
	claims.MaxItems = &most
	return optional(object("claims", claims), "claims")
}
