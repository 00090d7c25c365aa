package dcat

import "github.com/shuqiao/shuqiao/catalog"

// authority is where the European Union's controlled vocabularies lie, of which DCAT-AP takes its values.
const authority = "http://publications.europa.eu/resource/authority/"

// frequencies are the update cycles in the vocabulary of frequencies.
var frequencies = map[catalog.UpdateCycle]string{
	catalog.Realtime: "UPDATE_CONT", catalog.Daily: "DAILY", catalog.Weekly: "WEEKLY", catalog.Monthly: "MONTHLY",
	catalog.Quarterly: "QUARTERLY", catalog.Yearly: "ANNUAL", catalog.Irregular: "IRREG",
}

func frequency(g *Graph, cycle catalog.UpdateCycle) value {
	code, ok := frequencies[cycle]
	if !ok {
		return value{}
	}
	g.node(authority+"frequency/"+code, "dct:Frequency")
	return iri(authority + "frequency/" + code)
}

// chinese is the language of what the directory holds.
func chinese(g *Graph) value {
	g.node(authority+"language/ZHO", "dct:LinguisticSystem")
	return iri(authority + "language/ZHO")
}

// accessRight says whether anyone may have the data, or only who fulfils conditions.
func accessRight(g *Graph, conditions bool) value {
	id := authority + "access-right/PUBLIC"
	if conditions {
		id = authority + "access-right/RESTRICTED"
	}
	g.node(id, "dct:RightsStatement")
	return iri(id)
}

// availability says that data have arrived and are there to stay. Of an entry without data nothing is promised.
func availability(g *Graph, arrived bool) value {
	if !arrived {
		return value{}
	}
	return concept(g, authority+"planned-availability/AVAILABLE", authority+"planned-availability", in("en", "available"))
}

// concept is an entry of a vocabulary with its name.
func concept(g *Graph, id, scheme string, label ...value) value {
	if n, fresh := g.node(id, "skos:Concept"); fresh {
		n.add("skos:prefLabel", label...).add("skos:inScheme", iri(scheme))
	}
	return iri(id)
}

// dataThemes is the vocabulary of themes that DCAT-AP asks catalogues to use.
func dataThemes(g *Graph) value {
	if n, fresh := g.node(authority+"data-theme", "skos:ConceptScheme"); fresh {
		n.add("dct:title", in("en", "Data theme"))
	}
	return iri(authority + "data-theme")
}

// dataTheme is the theme of that vocabulary under which a base database falls.
func dataTheme(g *Graph, baseDatabase string) value {
	code, label := "GOVE", "Government and public sector"
	switch baseDatabase {
	case "population":
		code, label = "SOCI", "Population and society"
	case "legal_person", "credit", "macro_economy":
		code, label = "ECON", "Economy and finance"
	case "geospatial":
		code, label = "REGI", "Regions and cities"
	}
	scheme := dataThemes(g)
	return concept(g, authority+"data-theme/"+code, scheme.iri, in("en", label))
}

// themes is the hub's own vocabulary: base databases, and the themes that departments name.
func (h Hub) themes(g *Graph) value {
	id := h.catalogue("themes")
	if n, fresh := g.node(id, "skos:ConceptScheme"); fresh {
		n.add("dct:title", in("zh", "基础库与主题"), in("en", "Base databases and themes"))
	}
	return iri(id)
}

func (h Hub) theme(g *Graph, key string, label ...value) value {
	return concept(g, h.catalogue("theme-"+segment(key)), h.themes(g).iri, label...)
}

// media is a form of data: its IANA media type, and its code in the vocabulary of file types.
type media struct{ kind, fileType string }

// forms are what the ways of sharing answer with; a table is written into a database and has none.
var forms = map[catalog.ShareMethod]media{
	catalog.ByAPI:  {"application/json", "JSON"},
	catalog.ByFile: {"text/csv", "CSV"},
}

func (m media) mediaType(g *Graph) value {
	if m.kind == "" {
		return value{}
	}
	g.node("http://www.iana.org/assignments/media-types/"+m.kind, "dct:MediaType")
	return iri("http://www.iana.org/assignments/media-types/" + m.kind)
}

func (m media) format(g *Graph) value {
	if m.fileType == "" {
		return value{}
	}
	g.node(authority+"file-type/"+m.fileType, "dct:MediaTypeOrExtent")
	return iri(authority + "file-type/" + m.fileType)
}
