package dcat_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/dcat"
)

var update = flag.Bool("update", false, "write testdata anew")

const hub = dcat.Hub("https://hub.example.org")

func department(n int, name, english string) catalog.Department {
	return catalog.Department{
		ID: uuid.MustParse(fmt.Sprintf("01a201f9-0000-7000-8000-%012d", n)), Name: name, NameEN: english, DivisionCode: "330600", Level: "city",
	}
}

func at(day int) *time.Time {
	t := time.Date(2026, 11, day, 8, 30, 0, 0, time.FixedZone("", 8*3600))
	return &t
}

// maximal states everything that an open entry can state.
func maximal() catalog.OpenEntry {
	return catalog.OpenEntry{
		ID: uuid.MustParse("01a201f9-0000-7000-8000-000000000101"), Code: "307010101/000001", Version: 3,
		Metadata: catalog.Metadata{
			Name: "示例公共停车场信息", ProviderUnit: "信息处", Summary: "公共停车场的名称、位置和泊位数，以停车场编号为主键。",
			ShareMethods: []catalog.ShareMethod{catalog.ByTable, catalog.ByFile, catalog.ByAPI}, Open: true, OpenCondition: "注明来源",
			UpdateCycle: catalog.Daily, RelatedCodes: []string{"307010101/000002", "307010101/000003"}, UsageTerms: "可自由使用，须注明来源",
			CollectBasis: "示例市停车场管理办法第八条", Themes: []string{"城乡建设", "parking & \"charging\""}, Tags: []string{"停车", "parking"},
			DivisionCode: "330602", BaseDatabase: "geospatial",
		},
		Provider: department(2, "示例市住房和城乡建设局", "Example Bureau of Housing"),
		Base:     catalog.BaseDatabase{Code: "geospatial", Name: "自然资源和空间地理基础库", NameEN: "Natural resources and geospatial"},
		// Of the related entries one is open.
		RelatedOpen:      []string{"307010101/000002"},
		FirstPublishedAt: at(2), PublishedAt: at(10), ArrivedAt: at(20),
	}
}

// minimal states what every published entry states, and nothing more.
func minimal() catalog.OpenEntry {
	return catalog.OpenEntry{
		ID: uuid.MustParse("01a201f9-0000-7000-8000-000000000102"), Code: "307010101/000002", Version: 1,
		Metadata: catalog.Metadata{
			Name: "示例公园名录", Summary: "公园的名称和地址。", ShareMethods: []catalog.ShareMethod{catalog.ByAPI}, Open: true,
			UpdateCycle: catalog.Irregular, UsageTerms: "无条件",
		},
		Provider: department(1, "示例市数据局", ""), FirstPublishedAt: at(3), PublishedAt: at(3),
	}
}

// hostile holds what could break out of a text or an address.
func hostile() catalog.OpenEntry {
	e := minimal()
	e.Code = "307<>\"{}|^`\\ \x00é/1"
	e.Metadata.Name = "\"\"\" . <x:y> a <x:z> . \\\" \\u0022 \n\r\t\u0001\u007f\u0085\u2028\U0001F697 </script> \xff"
	e.Metadata.Summary = "@en ^^xsd:dateTime # not a comment"
	e.Metadata.Themes = []string{"> a <x:y> .", "a\nb", "%3E"}
	e.Metadata.Tags = []string{"'", "\\", " "}
	e.Metadata.UsageTerms = strings.Repeat("\\", 3) + "\""
	e.Provider.Name = "示例\"局\\"
	return e
}

// What is written of a maximal, a minimal and a hostile entry, and of pages of the catalogue, is what testdata holds. That it
// fits the shapes of DCAT-AP, and that both texts say the same, is checked of testdata by test/shapes.
func TestTextsAreThoseOfTestdata(t *testing.T) {
	t.Parallel()
	publisher := department(1, "示例市数据局", "Example Data Bureau")
	entries := []catalog.OpenEntry{maximal(), minimal()}
	page := func(next string, entries ...catalog.OpenEntry) *dcat.Graph {
		view := dcat.View{Page: string(hub) + "/api/v1/dcat?format=turtle", First: string(hub) + "/api/v1/dcat?format=turtle", Next: next}
		return hub.Catalogue(catalog.OpenPage{Publisher: publisher, Entries: entries}, view)
	}
	entry := func(e catalog.OpenEntry) *dcat.Graph {
		return hub.Entry(catalog.OpenPage{Publisher: publisher, Entries: []catalog.OpenEntry{e}})
	}
	for name, g := range map[string]*dcat.Graph{
		"page": page(string(hub)+"/api/v1/dcat?format=turtle&cursor=WyJhIl0", entries...), "empty": page(""),
		"maximal": entry(maximal()), "minimal": entry(minimal()), "hostile": entry(hostile()),
	} {
		for ending, write := range map[string]func(*bytes.Buffer) error{
			"ttl": func(b *bytes.Buffer) error { return g.WriteTurtle(b) }, "jsonld": func(b *bytes.Buffer) error { return g.WriteJSONLD(b) },
		} {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+"."+ending)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

// Nothing that is for people who sign in, or that names what is not open, is in what the public reads.
func TestNothingElseIsSaid(t *testing.T) {
	t.Parallel()
	e := maximal()
	e.Metadata.ContactName, e.Metadata.ContactPhone = "张示例", "0575-00000001"
	e.Metadata.HeadSignoff = &catalog.Signoff{Name: "李示例"}
	e.Metadata.Items = []catalog.Item{{Name: "不外传的信息项"}}
	var b bytes.Buffer
	if err := hub.Entry(catalog.OpenPage{Publisher: department(1, "示例市数据局", ""), Entries: []catalog.OpenEntry{e}}).WriteTurtle(&b); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"张示例", "0575-", "李示例", "不外传", "000003"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("it says %q", secret)
		}
	}
	if !strings.Contains(b.String(), "/id/resource/307010101-000002>") {
		t.Error("the related entry that is open is not named")
	}
}

// Every update cycle has its frequency.
func TestEveryCycleHasAFrequency(t *testing.T) {
	t.Parallel()
	for cycle, want := range map[catalog.UpdateCycle]string{
		catalog.Realtime: "UPDATE_CONT", catalog.Daily: "DAILY", catalog.Weekly: "WEEKLY", catalog.Monthly: "MONTHLY",
		catalog.Quarterly: "QUARTERLY", catalog.Yearly: "ANNUAL", catalog.Irregular: "IRREG",
	} {
		e := minimal()
		e.Metadata.UpdateCycle = cycle
		var b bytes.Buffer
		if err := hub.Entry(catalog.OpenPage{Entries: []catalog.OpenEntry{e}}).WriteTurtle(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/"+want+">") {
			t.Errorf("%s: no %s", cycle, want)
		}
	}
}
