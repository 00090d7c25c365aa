package dcat

import (
	"net/url"
	"strings"
	"time"
)

// prefixes are the vocabularies in use, by the names under which both texts have them.
var prefixes = [][2]string{
	{"dcat", "http://www.w3.org/ns/dcat#"},
	{"dcatap", "http://data.europa.eu/r5r/"},
	{"dct", "http://purl.org/dc/terms/"},
	{"foaf", "http://xmlns.com/foaf/0.1/"},
	{"hydra", "http://www.w3.org/ns/hydra/core#"},
	{"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
	{"skos", "http://www.w3.org/2004/02/skos/core#"},
	{"vcard", "http://www.w3.org/2006/vcard/ns#"},
	{"xsd", "http://www.w3.org/2001/XMLSchema#"},
}

// Graph is what is said about some nodes, in the order in which it is written.
type Graph struct {
	nodes []*node
	byID  map[string]*node
}

func newGraph() *Graph { return &Graph{byID: map[string]*node{}} }

// node is a thing with an address, and what is said about it.
type node struct {
	id    string
	types []string // Prefixed names.
	facts []fact
}

// fact is one property with its values.
type fact struct {
	property string // A prefixed name.
	values   []value
}

// value is another node, or a text with a language or a datatype.
type value struct {
	iri      string
	text     string
	language string
	datatype string // A prefixed name.
}

// node returns the node of an address. A node that is there already is returned as it is: what is said of a department is the
// same in every entry. fresh says that it was not there.
func (g *Graph) node(id string, types ...string) (n *node, fresh bool) {
	if n, ok := g.byID[id]; ok {
		return n, false
	}
	n = &node{id: id, types: types}
	g.nodes, g.byID[id] = append(g.nodes, n), n
	return n, true
}

// add says something of a node. Values that say nothing are left out, and a property without any is not said.
func (n *node) add(property string, values ...value) *node {
	var said []value
	for _, v := range values {
		if v.iri != "" || strings.TrimSpace(v.text) != "" {
			said = append(said, v)
		}
	}
	if len(said) > 0 {
		n.facts = append(n.facts, fact{property, said})
	}
	return n
}

func iri(address string) value { return value{iri: address} }

func plain(text string) value { return value{text: text} }

// in is a text in the language it is known to be in.
func in(language, text string) value { return value{text: text, language: language} }

// words is a text of the directory: Chinese, unless it has no Chinese character at all.
func words(text string) value {
	for _, r := range text {
		if r >= 0x2e80 && r <= 0x9fff || r >= 0xf900 && r <= 0xfaff || r >= 0x20000 && r <= 0x323af {
			return in("zh", text)
		}
	}
	return in("en", text)
}

// moment is a time with its zone, to the second.
func moment(t *time.Time) value {
	if t == nil || t.IsZero() {
		return value{}
	}
	return value{text: t.UTC().Format(time.RFC3339), datatype: "xsd:dateTime"}
}

// segment makes any text a part of an address.
func segment(text string) string {
	return strings.ReplaceAll(url.QueryEscape(strings.ToValidUTF8(text, "\uFFFD")), "+", "%20")
}
