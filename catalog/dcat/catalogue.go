package dcat

import (
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
)

// Hub is where a hub answers: its public address without a slash at the end, from which all addresses are made.
type Hub string

// View is the part of the catalogue that a page holds, as addresses. Next is "" on the last page.
type View struct{ Page, First, Next string }

// Catalogue says what a page of the open directory holds: the catalogue itself, its entries, and where the next page is
// (Hydra's PartialCollectionView, which harvesters of DCAT follow).
func (h Hub) Catalogue(page catalog.OpenPage, view View) *Graph {
	g := newGraph()
	n, _ := g.node(h.catalogue(""), "dcat:Catalog", "hydra:Collection")
	n.add("dct:title", in("zh", page.Publisher.Name+"开放数据目录"), in("en", english(page.Publisher)+": directory of open data")).
		add("dct:description", in("zh", "经审核发布并标明向社会开放的数据资源目录。"), in("en", "Data resources that were reviewed, published and marked as open to the public.")).
		add("dct:publisher", h.agent(g, page.Publisher)).
		add("dct:language", chinese(g)).
		add("dct:spatial", h.division(g, page.Publisher.DivisionCode)).
		add("foaf:homepage", h.document(g, string(h)+"/ui/")).
		add("dcat:themeTaxonomy", h.themes(g), dataThemes(g)).
		add("dcat:service", h.service(g, page.Publisher)).
		add("hydra:view", iri(view.Page))
	part, _ := g.node(view.Page, "hydra:PartialCollectionView")
	part.add("hydra:first", iri(view.First)).add("hydra:next", iri(view.Next))
	entries := make([]value, len(page.Entries))
	for i, e := range page.Entries {
		entries[i] = h.dataset(g, e)
	}
	n.add("dcat:dataset", entries...)
	return g
}

// Entry says what one entry is. The page holds that entry alone.
func (h Hub) Entry(page catalog.OpenPage) *Graph {
	g := newGraph()
	h.service(g, page.Publisher)
	for _, e := range page.Entries {
		h.dataset(g, e)
	}
	return g
}

// catalogue is the address of the catalogue, or of something that its document explains.
func (h Hub) catalogue(fragment string) string {
	address := string(h) + "/id/catalogue"
	if fragment != "" {
		address += "#" + fragment
	}
	return address
}

// Resource is the stable address of an entry, by its code as addresses have it.
func (h Hub) Resource(code string) string {
	return string(h) + "/id/resource/" + segment(codes.ResourceCodePath(code))
}

// agent is a department.
func (h Hub) agent(g *Graph, d catalog.Department) value {
	id := h.catalogue("department-" + d.ID.String())
	if n, fresh := g.node(id, "foaf:Agent", "foaf:Organization"); fresh {
		n.add("foaf:name", in("zh", d.Name), in("en", d.NameEN)).add("dct:type", authorityKind(g, d.Level))
	}
	return iri(id)
}

func english(d catalog.Department) string {
	if d.NameEN != "" {
		return d.NameEN
	}
	return d.Name
}

// authorityKind is what kind of publisher a department is (ADMS publisher types, which DCAT-AP names for dct:type).
func authorityKind(g *Graph, level string) value {
	kind, label := "LocalAuthority", "Local authority"
	switch level {
	case "national":
		kind, label = "NationalAuthority", "National authority"
	case "province":
		kind, label = "RegionalAuthority", "Regional authority"
	}
	return concept(g, "http://purl.org/adms/publishertype/"+kind, "", in("en", label))
}

// service is the pull interface of the hub, by which entries are read under a grant.
func (h Hub) service(g *Graph, publisher catalog.Department) value {
	id := h.catalogue("data-service")
	n, fresh := g.node(id, "dcat:DataService")
	if !fresh {
		return iri(id)
	}
	n.add("dct:title", in("zh", "数据共享接口"), in("en", "Data interface")).
		add("dct:description", in("zh", "凭授权按信息项、行范围和用途读取数据。"), in("en", "Reads data under a grant, by its items, rows and purpose.")).
		add("dcat:endpointURL", iri(string(h)+"/api/v1/data")).
		add("dcat:endpointDescription", iri(string(h)+"/openapi.json")).
		add("dcat:landingPage", h.document(g, string(h)+"/docs")).
		add("dcat:keyword", in("zh", "数据共享"), in("en", "data sharing")).
		add("dcat:theme", dataTheme(g, "")).
		add("dct:accessRights", accessRight(g, true)).
		add("dct:publisher", h.agent(g, publisher)).
		add("dcat:contactPoint", contact(g, id+"-contact", publisher.Name, "", string(h)+"/ui/"))
	return iri(id)
}

// serves adds an entry to those that a service reads.
func (n *node) serves(entry string) {
	for i := range n.facts {
		if n.facts[i].property == "dcat:servesDataset" {
			n.facts[i].values = append(n.facts[i].values, iri(entry))
			return
		}
	}
	n.add("dcat:servesDataset", iri(entry))
}

// contact is an office. People's names and numbers are told to those who sign in, not to the public.
func contact(g *Graph, id, department, unit, page string) value {
	if n, fresh := g.node(id, "vcard:Kind", "vcard:Organization"); fresh {
		name := department
		if unit != "" {
			name += " " + unit
		}
		n.add("vcard:fn", plain(name)).add("vcard:hasURL", iri(page))
	}
	return iri(id)
}

// document is a page for people.
func (h Hub) document(g *Graph, address string) value {
	g.node(address, "foaf:Document")
	return iri(address)
}

// division is an administrative division by its code of GB/T 2260.
func (h Hub) division(g *Graph, code string) value {
	if code == "" {
		return value{}
	}
	id := h.catalogue("division-" + segment(code))
	if n, fresh := g.node(id, "dct:Location"); fresh {
		n.add("dct:identifier", plain(code))
		if d, ok := codes.LookupDivision(code); ok {
			n.add("skos:prefLabel", in("zh", d.Name))
		}
	}
	return iri(id)
}
