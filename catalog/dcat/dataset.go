package dcat

import (
	"strconv"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
)

// dataset says what an entry is, and by which ways it is shared.
func (h Hub) dataset(g *Graph, e catalog.OpenEntry) value {
	id := h.Resource(e.Code)
	n, fresh := g.node(id, "dcat:Dataset")
	if !fresh {
		return iri(id)
	}
	m := e.Metadata
	page := string(h) + "/ui/resources/" + e.ID.String()
	n.add("dct:title", words(m.Name)).
		add("dct:description", words(m.Summary)).
		add("dct:identifier", plain(e.Code)).
		add("dcat:version", plain(strconv.Itoa(e.Version))).
		add("dct:publisher", h.agent(g, e.Provider)).
		add("dcat:contactPoint", contact(g, id+"#contact", e.Provider.Name, m.ProviderUnit, page)).
		add("dcat:theme", h.themesOf(g, e)...).
		add("dcat:keyword", keywords(e)...).
		add("dct:accrualPeriodicity", frequency(g, m.UpdateCycle)).
		add("dct:spatial", h.division(g, divisionOf(e))).
		add("dct:language", chinese(g)).
		add("dct:issued", moment(e.FirstPublishedAt)).
		add("dct:modified", moment(latest(e.PublishedAt, e.ArrivedAt))).
		add("dct:accessRights", accessRight(g, m.OpenCondition != "")).
		add("dct:provenance", provenance(g, id, m.CollectBasis)).
		add("dcat:landingPage", h.document(g, page))
	related := make([]value, len(e.RelatedOpen))
	for i, code := range e.RelatedOpen {
		related[i] = iri(h.Resource(code))
	}
	n.add("dct:relation", related...)
	ways := make([]value, len(m.ShareMethods))
	for i, method := range m.ShareMethods {
		ways[i] = h.distribution(g, id, e, method)
	}
	n.add("dcat:distribution", ways...)
	return iri(id)
}

// distribution is one way in which an entry is shared.
func (h Hub) distribution(g *Graph, entry string, e catalog.OpenEntry, method catalog.ShareMethod) value {
	id := entry + "#" + segment(string(method))
	n, fresh := g.node(id, "dcat:Distribution")
	if !fresh {
		return iri(id)
	}
	titles := map[catalog.ShareMethod][2]value{
		catalog.ByTable: {in("zh", "库表交换"), in("en", "Table")},
		catalog.ByFile:  {in("zh", "文件"), in("en", "File")},
		catalog.ByAPI:   {in("zh", "接口"), in("en", "API")},
	}
	title := titles[method]
	n.add("dct:title", title[0], title[1]).
		add("dct:description", in("zh", "按平台的授权条件提供。"), in("en", "Provided on the terms of a grant.")).
		add("dcat:accessURL", iri(entry)).
		add("dcatap:availability", availability(g, e.ArrivedAt != nil)).
		add("dct:format", forms[method].format(g)).
		add("dcat:mediaType", forms[method].mediaType(g)).
		add("dct:language", chinese(g)).
		add("dct:license", statement(g, entry+"#terms", "dct:LicenseDocument", e.Metadata.UsageTerms)).
		add("dct:rights", statement(g, entry+"#open-condition", "dct:RightsStatement", e.Metadata.OpenCondition)).
		add("dct:issued", moment(e.FirstPublishedAt)).
		add("dct:modified", moment(latest(e.PublishedAt, e.ArrivedAt)))
	if method == catalog.ByAPI {
		service := h.catalogue("data-service")
		n.add("dcat:accessService", iri(service))
		g.byID[service].serves(entry)
	}
	return iri(id)
}

// statement is a text of law or licence that has no address elsewhere.
func statement(g *Graph, id, kind, text string) value {
	if text == "" {
		return value{}
	}
	if n, fresh := g.node(id, kind); fresh {
		n.add("rdfs:label", words(text))
	}
	return iri(id)
}

func provenance(g *Graph, entry, basis string) value {
	return statement(g, entry+"#provenance", "dct:ProvenanceStatement", basis)
}

// themesOf are the theme that DCAT-AP knows, the base database, and what the department names.
func (h Hub) themesOf(g *Graph, e catalog.OpenEntry) []value {
	out := []value{dataTheme(g, e.Metadata.BaseDatabase)}
	if base := e.Base; base.Code != "" {
		out = append(out, h.theme(g, base.Code, in("zh", base.Name), in("en", base.NameEN)))
	}
	for _, theme := range e.Metadata.Themes {
		if theme != "" && theme != e.Base.Code {
			out = append(out, h.theme(g, theme, words(theme)))
		}
	}
	return out
}

func keywords(e catalog.OpenEntry) []value {
	out := make([]value, 0, len(e.Metadata.Tags)+len(e.Metadata.Themes))
	for _, tag := range append(append([]string(nil), e.Metadata.Tags...), e.Metadata.Themes...) {
		out = append(out, words(tag))
	}
	return out
}

// divisionOf is where the data are about: what the entry says, else where its department is.
func divisionOf(e catalog.OpenEntry) string {
	if e.Metadata.DivisionCode != "" {
		return e.Metadata.DivisionCode
	}
	return e.Provider.DivisionCode
}

func latest(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}
