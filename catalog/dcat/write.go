package dcat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// The media types of the two texts.
const (
	Turtle = "text/turtle"
	JSONLD = "application/ld+json"
)

// WriteTurtle writes the graph as RDF 1.1 Turtle, in UTF-8.
func (g *Graph) WriteTurtle(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, p := range prefixes {
		fmt.Fprintf(out, "@prefix %s: <%s> .\n", p[0], p[1])
	}
	for _, n := range g.nodes {
		fmt.Fprintf(out, "\n<%s> a %s", reference(n.id), strings.Join(n.types, ", "))
		for _, f := range n.facts {
			fmt.Fprintf(out, " ;\n    %s ", f.property)
			for i, v := range f.values {
				if i > 0 {
					out.WriteString(", ")
				}
				out.WriteString(v.turtle())
			}
		}
		out.WriteString(" .\n")
	}
	return out.Flush()
}

func (v value) turtle() string {
	switch {
	case v.iri != "":
		return "<" + reference(v.iri) + ">"
	case v.language != "":
		return quoted(v.text) + "@" + v.language
	case v.datatype != "":
		return quoted(v.text) + "^^" + v.datatype
	}
	return quoted(v.text)
}

// quoted writes a text as a literal of one line (RDF 1.1 Turtle, 6.4 and rule 22).
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029':
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// reference writes an address so that nothing in it can end it (RDF 1.1 Turtle, rule 18): what may not stand in one is
// percent-encoded.
func reference(address string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(address, "\uFFFD") {
		if r <= ' ' || r == 0x7f || strings.ContainsRune("<>\"{}|^`\\", r) {
			fmt.Fprintf(&b, "%%%02X", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// WriteJSONLD writes the graph as JSON-LD 1.1 with its context in it, so that nobody has to fetch one to read it.
func (g *Graph) WriteJSONLD(w io.Writer) error {
	context := map[string]string{}
	for _, p := range prefixes {
		context[p[0]] = p[1]
	}
	nodes := make([]json.RawMessage, len(g.nodes))
	for i, n := range g.nodes {
		raw, err := n.json()
		if err != nil {
			return fmt.Errorf("encoding a node: %w", err)
		}
		nodes[i] = raw
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Context map[string]string `json:"@context"`
		Graph   []json.RawMessage `json:"@graph"`
	}{context, nodes})
}

// json writes a node with its properties in their order.
func (n *node) json() ([]byte, error) {
	var b bytes.Buffer
	member := func(name string, v any) error {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%q:%s", name, bytes.TrimSpace(text.Bytes()))
		return nil
	}
	if err := member("@id", reference(n.id)); err != nil {
		return nil, err
	}
	if err := member("@type", n.types); err != nil {
		return nil, err
	}
	for _, f := range n.facts {
		values := make([]map[string]string, len(f.values))
		for i, v := range f.values {
			values[i] = v.json()
		}
		if err := member(f.property, values); err != nil {
			return nil, err
		}
	}
	return append(append([]byte{'{'}, b.Bytes()...), '}'), nil
}

func (v value) json() map[string]string {
	if v.iri != "" {
		return map[string]string{"@id": reference(v.iri)}
	}
	out := map[string]string{"@value": strings.ToValidUTF8(v.text, "\uFFFD")}
	if v.language != "" {
		out["@language"] = v.language
	}
	if v.datatype != "" {
		out["@type"] = v.datatype
	}
	return out
}
