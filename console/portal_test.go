package console_test

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

const secretDraft = "示例未发布事项"

// testForeignDrafts makes a draft of the police: no other department meets it anywhere, the authority where it asks for drafts.
func testForeignDrafts(t *testing.T, h *hub) {
	m := h.things.Version.Metadata
	m.Name, m.Themes = secretDraft, []string{"示例内部主题"}
	draft, err := h.catalog.CreateResource(h.ctx, h.people["police_operator"], m)
	if err != nil {
		t.Fatal(err)
	}
	path := "/ui/resources/" + draft.ID.String()
	for name := range h.people {
		b := h.as(t, name)
		may := strings.HasPrefix(name, "police_") || name == "platform_operator"
		for _, address := range []string{
			"/ui/home", "/ui/resources", "/ui/resources?view=table", "/ui/resources?q=" + secretDraft, "/ui/resources?theme=示例内部主题", "/ui/resources?state=draft",
			"/ui/resources?state=draft&format=csv", "/ui/resources?format=csv", "/ui/resources?sort=rows",
		} {
			status, page := b.get(address)
			if status != http.StatusOK {
				t.Errorf("%s opens %s: %d", name, address, status)
			}
			// What somebody typed is shown again to them: links to the entry and its row are what must not be there.
			found := strings.Contains(page, path) || strings.Contains(page, "\n"+secretDraft+",") || strings.Contains(page, `">示例内部主题`) || strings.Contains(page, "<span>示例内部主题")
			if want := may && strings.Contains(address, "state=draft"); found != want {
				t.Errorf("%s at %s: found %v, want %v", name, address, found, want)
			}
		}
		for _, tab := range []string{"", "?tab=items", "?tab=data", "?tab=sample", "?tab=lineage", "?tab=versions", "?tab=items&format=csv"} {
			status, page := b.get(path + tab)
			if may != (status == http.StatusOK) || !may && strings.Contains(page, secretDraft) {
				t.Errorf("%s opens %s%s: %d", name, path, tab, status)
			}
		}
	}
}

// tile is a figure of the front page and what it counts.
var tile = regexp.MustCompile(`<b>([\d,]+)</b><span>([^<]+)</span>`)

func testHome(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	status, page := b.get("/ui/")
	if status != http.StatusOK || !strings.Contains(page, `id="home-search"`) || !strings.Contains(page, `href="/ui/home" aria-current="page"`) {
		t.Fatalf("the front page: %d", status)
	}
	figures := map[string]string{}
	for _, f := range tile.FindAllStringSubmatch(page, -1) {
		if _, seen := figures[f[2]]; !seen {
			figures[f[2]] = f[1]
		}
	}
	want := map[string]string{"已发布的资源目录（条）": "3", "已有数据的目录（条）": "1", "平台现存数据（行）": "2", "已发布的信息项（个）": "34", "可向社会开放的目录（条）": "0"}
	if diff := cmp.Diff(want, figures); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if !regexp.MustCompile(`统计截至 20\d\d-\d\d-\d\d \d\d:\d\d`).MatchString(page) {
		t.Error("the figures do not say of when they are")
	}
	// Population is three clicks away: its tile, its entry, the request.
	tileLink := regexp.MustCompile(`href="(/ui/resources\?base=population)"`).FindStringSubmatch(page)
	if tileLink == nil {
		t.Fatal("there is no tile of population")
	}
	_, found := b.get(tileLink[1])
	if !strings.Contains(found, `class="entry" href="/ui/resources/`+h.population.ID.String()+`"`) || strings.Count(found, `class="entry"`) != 1 {
		t.Error("the tile does not lead to population")
	}
	if _, page := b.get("/ui/resources/" + h.population.ID.String()); !strings.Contains(page, `id="ask"`) {
		t.Error("population cannot be asked for")
	}
	for who, waits := range map[string]bool{"social_operator": true, "platform_operator": true, "auditor": false, "system_admin": false} {
		if _, page := h.as(t, who).get("/ui/home"); strings.Contains(page, `id="waiting"`) != (waits || strings.Contains(page, `href="/ui/todo"`)) {
			t.Errorf("%s: what waits is not as the menu has it", who)
		}
	}
	b.post("/ui/language", "language", "en", "back", "/ui/home")
	if _, page := b.get("/ui/home"); !strings.Contains(page, "published entries") || !strings.Contains(page, "Public Security Bureau of the Example City") {
		t.Error("the front page is not in English")
	}
}

var entryLink = regexp.MustCompile(`class="entry" href="/ui/resources/([0-9a-f-]{36})"`)

func testDirectory(t *testing.T, h *hub) {
	b := h.as(t, "social_operator")
	name := map[string]string{h.population.ID.String(): "population", h.things.ID.String(): "things", h.withheld.ID.String(): "withheld"}
	for _, c := range []struct {
		query string
		want  []string
		chips int
	}{
		{"", []string{"population", "things", "withheld"}, 0},
		{"base=population", []string{"population"}, 1},
		{"share=withheld", []string{"withheld"}, 1},
		{"share=conditional&data=true", []string{"things"}, 2},
		{"timeliness=never", []string{"population"}, 1},
		{"timeliness=on_time", []string{"things"}, 1},
		{"method=table", []string{"population"}, 1},
		{"grade=L4", []string{"population"}, 1},
		{"cycle=daily&department=" + h.police.ID.String(), []string{"population", "things", "withheld"}, 2},
		{"department=" + h.social.ID.String(), nil, 1},
		{"open=true", nil, 1},
		{"division=330000", []string{"population", "things", "withheld"}, 1},
		{"division=110000", nil, 1},
		{"q=区划&sort=rows", []string{"population", "things", "withheld"}, 0},
		{"q=nothing-like-it", nil, 0},
		{"department=nonsense&open=maybe&state=haunted&sort=odd", []string{"population", "things", "withheld"}, 0},
		{"state=superseded", []string{"population", "things", "withheld"}, 0},
		{"base=x'--&theme=%22%3E%3Cimg%3E", nil, 2},
	} {
		status, page := b.get("/ui/resources?" + c.query)
		var got []string
		for _, found := range entryLink.FindAllStringSubmatch(page, -1) {
			got = append(got, name[found[1]])
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); status != http.StatusOK || diff != "" {
			t.Errorf("%s: %d, want (-), got (+):\n%s", c.query, status, diff)
		}
		if chips := strings.Count(page, `class="chip"`); chips != c.chips || strings.Contains(page, "chip clear") != (c.chips > 0) {
			t.Errorf("%s: %d chips, want %d", c.query, chips, c.chips)
		}
		// The table and the file are the same entries.
		_, page = b.get("/ui/resources?view=table&" + c.query)
		if rows := strings.Count(page, `name-cell"><a href="/ui/resources/`); rows != len(c.want) {
			t.Errorf("%s: the table has %d rows, want %d", c.query, rows, len(c.want))
		}
		_, file := b.get("/ui/resources?format=csv&" + c.query)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file, "\uFEFF"))).ReadAll()
		if err != nil || len(rows) != len(c.want)+1 {
			t.Errorf("%s: the file has %d rows, want %d, %v", c.query, len(rows), len(c.want)+1, err)
		}
	}
	if _, page := b.get("/ui/resources?division=330600"); !strings.Contains(page, "行政区划：绍兴市") {
		t.Error("the division narrowed to is not called by its name")
	}
	// Filters, order and view travel with the search box and with each other.
	_, page := b.get("/ui/resources?base=population&view=table&sort=rows")
	for _, want := range []string{
		`name="base" value="population"`, `name="view" value="table"`, `name="sort" value="rows"`,
		`href="/ui/resources?base=population&amp;grade=L4&amp;sort=rows&amp;view=table"`, `class="chip clear" href="/ui/resources?sort=rows&amp;view=table"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	// While somebody types only the results are sent.
	request, err := http.NewRequestWithContext(h.ctx, http.MethodGet, h.server.URL+"/ui/resources?q=事项", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("HX-Request", "true")
	request.Header.Set("HX-Target", "results")
	if _, page := b.read(b.http.Do(request)); strings.Contains(page, "<html") || strings.Count(page, `class="entry"`) != 2 {
		t.Error("the results alone are not what was asked for")
	}
}

func testTabs(t *testing.T, h *hub) {
	all := []string{"items", "data", "sample", "api", "sharing", "lineage", "versions"}
	for _, c := range []struct {
		who  string
		r    catalog.Resource
		tabs []string
	}{
		{"social_operator", h.things, []string{"items", "data", "sample", "api", "sharing", "lineage"}},
		{"social_operator", h.withheld, []string{"items", "sharing"}},
		{"police_operator", h.things, []string{"items", "data", "sample", "sharing", "lineage", "versions"}},
		{"security_admin", h.things, []string{"items", "data", "sample", "lineage"}},
	} {
		b := h.as(t, c.who)
		path := "/ui/resources/" + c.r.ID.String()
		_, page := b.get(path)
		for _, tab := range all {
			want := slices.Contains(c.tabs, tab)
			if shown := strings.Contains(page, path+"?tab="+tab+`"`); shown != want {
				t.Errorf("%s at %s: tab %s shown %v, want %v", c.who, c.r.Name, tab, shown, want)
			}
			status, tabPage := b.get(path + "?tab=" + tab)
			if status != http.StatusOK || strings.Contains(tabPage, `?tab=`+tab+`" aria-current="page"`) != want {
				t.Errorf("%s opens tab %s of %s: %d", c.who, tab, c.r.Name, status)
			}
		}
	}
	police, social := h.as(t, "police_admin"), h.as(t, "social_operator")
	path := "/ui/resources/" + h.things.ID.String()
	for _, c := range []struct {
		name  string
		b     *browser
		path  string
		has   []string
		lacks []string
	}{
		{"items, narrowed", social, path + "?tab=items&q=区划", []string{">division<", "显示 1 项，共 4 项"}, []string{">born<"}},
		{"items that nobody can have say why", social, "/ui/resources/" + h.withheld.ID.String() + "?tab=items", []string{`id="withheld-items"`, "《示例法》第一条"}, nil},
		{"an entry that nobody can have says why", social, "/ui/resources/" + h.withheld.ID.String(), []string{`id="why-not"`, "《示例法》第一条", "示例政〔2026〕1号"}, []string{`id="ask"`}},
		{"arrivals for the provider", police, path + "?tab=data", []string{"data-chart=", "退回行数", `title="on_time"`}, nil},
		{"arrivals for others", social, path + "?tab=data", []string{"data-chart=", "变动行数"}, []string{"退回行数", "待更正"}},
		{"made-up rows", social, "/ui/resources/" + h.population.ID.String() + "?tab=sample", []string{`id="made-up"`, "330600********", `<td class="nowrap masked"`, `title="111"`}, []string{"A0001"}},
		{"no row of the source", social, path + "?tab=sample", []string{`id="made-up"`}, []string{"A0001", "A0002", ">甲<"}},
		{"where data come from, for the provider", police, path + "?tab=lineage", []string{"public.thing", "示例库", `id="lineage"`}, nil},
		{"where data come from, for others", social, path + "?tab=lineage", []string{"示例市公安局", `id="lineage"`}, []string{"public.thing", "示例库"}},
		{"nothing to call without a grant", social, path + "?tab=api", []string{"没有此资源的有效授权"}, []string{"curl"}},
	} {
		status, page := c.b.get(c.path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", c.name, status)
		}
		for _, want := range c.has {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q", c.name, want)
			}
		}
		for _, bad := range c.lacks {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page has %q", c.name, bad)
			}
		}
	}
	for address, rows := range map[string]int{path + "?tab=items&format=csv": 5, path + "?tab=data&format=csv": 31} {
		_, file := social.get(address)
		got, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file, "\uFEFF"))).ReadAll()
		if err != nil || len(got) != rows || strings.Contains(file, "退回行数") {
			t.Errorf("%s: %d rows, want %d, %v", address, len(got), rows, err)
		}
	}
}

// testPrograms brings the grant of the story back into force: who has it gets programs with its id, and never a secret.
func testPrograms(t *testing.T, h *hub) {
	all, _, err := h.sharing.ListGrants(h.ctx, h.people["platform_operator"], sharing.GrantFilter{ResourceID: h.population.ID}, db.Page{})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d grants, %v", len(all), err)
	}
	grant := all[0].ID.String()
	if status, _ := h.as(t, "platform_operator").post("/ui/grants/"+grant+"/resume", "reason", "核查完毕"); status != http.StatusOK {
		t.Fatalf("resuming: %d", status)
	}
	social := h.as(t, "social_operator")
	path := "/ui/resources/" + h.population.ID.String()
	_, page := social.get(path + "?tab=api")
	host := strings.TrimPrefix(h.server.URL, "http://")
	for _, want := range []string{
		grant, "pension-check", "http://" + host + "/api/v1/data/" + h.population.ID.String() + "/rows", "KEY_ID.SECRET", `id="code-curl"`, `id="code-python"`,
		`id="code-java"`, `id="code-go"`, `id="schema"`, ">citizen_id<",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, ">sex_code<") {
		t.Error("an item that is not granted is described")
	}
	if _, page := social.get(path + "?tab=sample&grant=" + grant); strings.Contains(page, "性别代码") || !strings.Contains(page, "公民身份号码") {
		t.Error("the sample is not that of the grant")
	}
	// A host that could do harm in a shell is not repeated.
	request, err := http.NewRequestWithContext(h.ctx, http.MethodGet, h.server.URL+path+"?tab=api", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "a';rm -rf /;'"
	if _, page := social.read(social.http.Do(request)); strings.Contains(page, "rm -rf") {
		t.Error("a hostile host stands in the programs")
	}
	address := path + "/openapi/" + grant
	for who, want := range map[string]int{"social_operator": http.StatusOK, "police_admin": http.StatusOK, "platform_operator": http.StatusOK, "security_admin": http.StatusNotFound} {
		if status, _ := h.as(t, who).get(address); status != want {
			t.Errorf("%s opens the description of the grant: %d, want %d", who, status, want)
		}
	}
	if status, _ := social.get("/ui/resources/" + h.things.ID.String() + "/openapi/" + grant); status != http.StatusNotFound {
		t.Errorf("the description under another entry: %d", status)
	}
	if _, page := h.as(t, "police_admin").get(path + "?tab=api"); strings.Contains(page, `id="code-curl"`) {
		t.Error("the provider is given programs for the consumer's grant")
	}
}

func testVersions(t *testing.T, h *hub) {
	operator := h.people["police_operator"]
	r, err := h.catalog.StartVersion(h.ctx, operator, h.things.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := r.Version.Metadata
	m.UsageTerms, m.UpdateCycle = `新的要求"><b>`, catalog.Weekly
	m.Items = slices.Clone(m.Items)
	m.Items[2].Length = 120
	m.Items[3] = catalog.Item{Name: "备注", Identifier: "remark", DataType: catalog.Memo, ShareType: catalog.Conditional, Grade: catalog.L2}
	if _, err := h.catalog.EditDraft(h.ctx, operator, h.things.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	path := "/ui/resources/" + h.things.ID.String() + "?tab=versions"
	_, page := h.as(t, "police_operator").get(path)
	for _, want := range []string{
		`id="difference"`, "仅用于申请时载明的用途", `新的要求&#34;&gt;&lt;b&gt;`, `<span class="removed">每日</span>`, `<span class="added">每周</span>`, `title="added"`, `title="removed"`,
		`title="changed"`, `<span class="removed">100</span>`, `<span class="added">120</span>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, page := h.as(t, "police_operator").get(path + "&from=1&to=1"); strings.Contains(page, `class="added"`) || !strings.Contains(page, "两个版本没有差异") {
		t.Error("a version differs from itself")
	}
	if status, _ := h.as(t, "police_operator").get(path + "&from=1&to=99"); status != http.StatusNotFound {
		t.Errorf("a version that does not exist: %d", status)
	}
	if _, page := h.as(t, "social_operator").get(path); strings.Contains(page, "新的要求") || strings.Contains(page, "版本差异") {
		t.Error("the consumer sees what is not published")
	}
	if err := h.catalog.DiscardDraft(h.ctx, operator, h.things.ID, 0); err != nil {
		t.Error(err)
	}
}
