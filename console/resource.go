package console

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// resourcePage is one entry of the directory. Exactly one of its tabs is filled.
type resourcePage struct {
	Resource   catalog.Resource
	Provider   string
	Base       string
	CanRequest bool
	WhyNot     string // Key of the sentence that says why it cannot be asked for, or "".
	Law        string // The provision that forbids sharing, as the provider stated it, or "".
	Fresh      *freshness
	Truth      *catalog.Truth       // On the first tab.
	Unmet      []catalog.Point      // Of it: the rules of completeness that are not met whole.
	Sources    []catalog.ItemSource // Items that another department is the source of; on the first tab.
	Task       string               // Id of the collecting task, where the reader may see it.
	Volume     catalog.Volume
	Classes    []string
	Division   string            // With its name.
	Source     string            // The department that answers for the data, where it is not the provider.
	Named      []catalog.Related // Entries that this one names as related.
	Naming     []catalog.Related // Entries that name this one.
	Access     string            // Address of who can see it, for those who may ask.
	Tab        string
	Tabs       []tab

	Items    *itemsTab
	Data     *dataTab
	Sample   *sampleTab
	API      *apiTab
	Sharing  *sharingTab
	Lineage  *lineageTab
	Versions *versionsTab
}

// charts loads what draws charts where there is one.
func (p resourcePage) charts() bool { return p.Data != nil && p.Data.Chart != "" }

// freshness is what is known about the data behind an entry.
type freshness struct {
	exchange.Freshness
	ShowRejects bool
	Timeliness  catalog.Timeliness
}

// resourceTab is one tab: who sees it, and what fills it.
type resourceTab struct {
	key, icon string
	shown     func(*visit, catalog.Resource) bool // nil means everybody.
	fill      func(*visit, *resourcePage) error   // nil means that the page itself is enough.
	sheet     func(*visit, *resourcePage) error   // The tab as a table to download; nil where it has none.
}

func resourceTabs() []resourceTab {
	sharing := func(v *visit, _ catalog.Resource) bool { return v.mayOwn(authz.RequestRead) }
	kept := func(_ *visit, r catalog.Resource) bool { return r.Version.ShareType != catalog.Withheld }
	return []resourceTab{
		{key: "basics", icon: "info-circle"},
		{key: "items", icon: "list-details", fill: (*visit).fillItems, sheet: (*visit).itemsSheet},
		{key: "data", icon: "chart-bar", shown: kept, fill: (*visit).fillData, sheet: (*visit).dataSheet},
		{key: "sample", icon: "table", shown: kept, fill: (*visit).fillSample},
		{key: "api", icon: "code", shown: func(v *visit, r catalog.Resource) bool {
			return kept(v, r) && v.mayOwn(authz.GrantRead) && v.principal.Department != uuid.Nil && v.principal.Department != r.ProviderDeptID
		}, fill: (*visit).fillAPI},
		{key: "sharing", icon: "key", shown: sharing, fill: (*visit).fillSharing},
		{key: "lineage", icon: "sitemap", shown: kept, fill: (*visit).fillLineage},
		{key: "versions", icon: "versions", shown: func(v *visit, r catalog.Resource) bool {
			return v.may(authz.ResourceReadDraft, authz.Target{Kind: "resource", Department: r.ProviderDeptID})
		}, fill: (*visit).fillVersions},
	}
}

// showResource is the page of an entry with one of its tabs. A tab that the reader does not have shows the first.
func (c *console) showResource(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		// Stable addresses have the code.
		if id, err = v.Catalog.ByCode(ctx, v.principal, v.r.PathValue("id")); err != nil {
			return err
		}
		return v.to(prefix+"/resources/"+id.String(), "")
	}
	r, err := v.Catalog.Get(ctx, v.principal, id)
	if err != nil {
		return err
	}
	page := resourcePage{
		Resource: r, Provider: v.department(r.ProviderDeptID), Base: v.bases()[r.Version.BaseDatabase], Tab: "basics", Law: v.law(r.Version.Metadata),
	}
	page.CanRequest, page.WhyNot = v.canRequest(r)
	page.Access = v.accessLink(r)
	var chosen resourceTab
	for _, t := range resourceTabs() {
		if t.shown != nil && !t.shown(v, r) {
			continue
		}
		if t.key == "basics" || t.key == v.query("tab") {
			chosen, page.Tab = t, t.key
		}
		page.Tabs = append(page.Tabs, tab{Key: "resource_tab." + t.key, Icon: t.icon, Href: page.Address(t.key)})
	}
	for i := range page.Tabs {
		page.Tabs[i].Active = page.Tabs[i].Key == "resource_tab."+page.Tab
	}
	if chosen.sheet != nil && v.asSheet() {
		return chosen.sheet(v, &page)
	}
	if page.Tab == "basics" || page.Tab == "data" || page.Tab == "lineage" {
		page.Fresh = v.freshness(r)
		if page.Task, err = v.taskOf(r); err != nil {
			return err
		}
	}
	if page.Tab == "basics" {
		if err := v.fillTruth(&page); err != nil {
			return err
		}
		if err := v.fillBasics(&page); err != nil {
			return err
		}
	}
	if chosen.fill != nil {
		if err := chosen.fill(v, &page); err != nil {
			return err
		}
	}
	return v.show("resource", r.Name, page)
}

// fillTruth reads what there is behind an entry and who is the source of its items.
func (v *visit) fillTruth(page *resourcePage) error {
	truth, err := v.Catalog.Truth(v.r.Context(), v.principal, page.Resource.ID)
	if err != nil {
		return err
	}
	page.Truth, page.Unmet = &truth, unmet(truth.Points)
	page.Sources, err = v.Catalog.ItemSources(v.r.Context(), v.principal, page.Resource.ID)
	return err
}

// Percent is the share of rows that pass, of a hundred.
func (p resourcePage) Percent() string {
	if p.Truth == nil || p.Truth.Quality == nil {
		return ""
	}
	return strconv.FormatFloat(*p.Truth.Quality*100, 'f', -1, 64) + " %"
}

// fillBasics adds what is known about an entry besides what it states: how much there is, and which entries it has to do with.
func (v *visit) fillBasics(page *resourcePage) (err error) {
	if page.Volume, err = v.Catalog.Volume(v.r.Context(), v.principal, page.Resource.ID); err != nil {
		return err
	}
	book, today, err := v.Catalog.CodeChoices(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	version := page.Resource.Version
	for _, c := range version.Classifications {
		page.Classes = append(page.Classes, v.classWords(book, today, c))
	}
	if page.Division = version.DivisionCode; page.Division != "" {
		if d, ok := book.Division(page.Division, today); ok {
			page.Division += " " + d.Name
		}
	}
	if version.SourceDeptID != uuid.Nil && version.SourceDeptID != page.Resource.ProviderDeptID {
		page.Source = v.department(version.SourceDeptID)
	}
	related, err := v.Catalog.Related(v.r.Context(), v.principal, page.Resource.ID)
	for _, r := range related {
		if r.Named {
			page.Named = append(page.Named, r)
		} else {
			page.Naming = append(page.Naming, r)
		}
	}
	return err
}

// Size writes a volume with as many digits as it needs.
func (resourcePage) Size(gb float64) string { return strconv.FormatFloat(gb, 'g', 3, 64) }

// Address is this page with one of its tabs.
func (p resourcePage) Address(tab string) string {
	at := prefix + "/resources/" + p.Resource.ID.String()
	if tab == "basics" {
		return at
	}
	return at + "?tab=" + tab
}

// law writes the provision that forbids sharing as the provider stated it.
func (v *visit) law(m catalog.Metadata) string {
	if m.WithholdBasis == nil {
		return ""
	}
	return strings.TrimSpace(v.say("resource.law", "title", m.WithholdBasis.Title, "article", m.WithholdBasis.Article))
}

// taskOf returns the id of the task that collects a resource, "" where there is none or the reader may not see it.
func (v *visit) taskOf(r catalog.Resource) (string, error) {
	if !v.may(authz.TaskRead, authz.Target{Kind: "task", Department: r.ProviderDeptID}) {
		return "", nil
	}
	tasks, _, err := v.Exchange.Tasks(v.r.Context(), v.principal, exchange.TaskFilter{ResourceID: &r.ID}, db.Page{Limit: 1})
	if err != nil || len(tasks) == 0 {
		return "", err
	}
	return tasks[0].ID.String(), nil
}

// freshness says how current the data are, nil where none are expected: nothing collects withheld resources. Figures of
// refused rows are for the people of the provider.
func (v *visit) freshness(r catalog.Resource) *freshness {
	if r.Version.ShareType == catalog.Withheld {
		return nil
	}
	f, err := v.Exchange.Freshness(v.r.Context(), r.ID)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "reading how fresh a resource is", "error", err)
		return nil
	}
	// A run that found nothing new has read the source all the same.
	arrived := f.ArrivedAt
	if f.ReadAt != nil && (arrived == nil || f.ReadAt.After(*arrived)) {
		arrived = f.ReadAt
	}
	return &freshness{
		Freshness: f, ShowRejects: v.may(authz.RejectRead, runTarget("resource", r)),
		Timeliness: catalog.Punctuality(r.Version.UpdateCycle, arrived, v.Clock()),
	}
}

// canRequest says whether the reader can ask for a resource, or the key of the sentence that says why nobody can.
func (v *visit) canRequest(r catalog.Resource) (bool, string) {
	switch {
	case r.Version.ShareType == catalog.Withheld:
		return false, "resource.withheld"
	case r.State != catalog.Published:
		return false, "resource.not_published"
	case v.principal.Department == r.ProviderDeptID && v.principal.Department != uuid.Nil:
		return false, ""
	}
	return v.may(authz.RequestCreate, v.own("request")), ""
}

// sharingTab is who asked for a resource and who may use it, as far as the reader may know.
type sharingTab struct {
	Requests []requestRow
	Grants   []grantRow
}

func (v *visit) fillSharing(page *resourcePage) error {
	ctx, id := v.r.Context(), page.Resource.ID
	names := v.names()
	names.resources[id] = page.Resource.Name
	requests, _, err := v.Sharing.ListRequests(ctx, v.principal, sharing.RequestFilter{ResourceID: id}, db.Page{Limit: 20})
	if err != nil {
		return err
	}
	page.Sharing = &sharingTab{Requests: names.requests(requests)}
	if !v.mayOwn(authz.GrantRead) {
		return nil
	}
	grants, _, err := v.Sharing.ListGrants(ctx, v.principal, sharing.GrantFilter{ResourceID: id}, db.Page{Limit: 20})
	if err != nil {
		return err
	}
	page.Sharing.Grants = names.grants(grants)
	return nil
}

// usable returns the grants on a resource that the reader's department can use now, the newest first.
func (v *visit) usable(r catalog.Resource) ([]sharing.Grant, error) {
	if v.principal.Department == uuid.Nil || !v.mayOwn(authz.GrantRead) {
		return nil, nil
	}
	all, _, err := v.Sharing.ListGrants(v.r.Context(), v.principal, sharing.GrantFilter{
		ResourceID: r.ID, Side: sharing.ConsumerSide, State: sharing.GrantActive,
	}, db.Page{Limit: grantsOffered})
	if err != nil {
		return nil, err
	}
	var out []sharing.Grant
	for _, g := range all {
		if g.ConsumerDeptID == v.principal.Department && v.Clock().Before(g.ValidTo) {
			out = append(out, g)
		}
	}
	return out, nil
}

// grantsOffered bounds the grants one can choose from on the page of a resource.
const grantsOffered = 50

// grantChoice is a grant that can be chosen.
type grantChoice struct {
	ID     uuid.UUID
	Client string
	Text   string // Its purpose.
	Until  time.Time
	Chosen bool
}

// choices lists grants to choose from, and the one that the address names, else the first; nil when there is none.
func (v *visit) choices(grants []sharing.Grant) (out []grantChoice, chosen *sharing.Grant) {
	for i := range grants {
		if grants[i].ID.String() == v.query("grant") {
			chosen = &grants[i]
		}
	}
	if chosen == nil && len(grants) > 0 {
		chosen = &grants[0]
	}
	for _, g := range grants {
		out = append(out, grantChoice{
			ID: g.ID, Client: g.ClientName, Text: g.PurposeText, Until: g.ValidTo, Chosen: g.ID == chosen.ID,
		})
	}
	return out, chosen
}
