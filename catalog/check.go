package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Limits of texts in characters and of lists. The name's and the summary's are those of domain table 2.2; the others
// keep entries readable and rows of the hub's tables small.
const (
	maxName    = 100
	minSummary = 10
	maxSummary = 1000
	maxText    = 4000
	maxItems   = 1000
	maxList    = 50
)

// maxIndexed is the greatest length of a text item that is a key or filterable: four bytes for each character must fit
// into an index row of PostgreSQL, which holds 2,704 bytes.
const maxIndexed = 600

// Facts are what a check needs to know besides the metadata itself.
type Facts struct {
	Today           string              // YYYY-MM-DD in Asia/Shanghai: statements may not be dated later.
	ProviderCode    string              // The provider's unified social credit code.
	NameTaken       bool                // Another entry of the provider has this name.
	HasMounts       bool                // A mount of the entry is active.
	BaseDatabases   []string            // Codes of the base databases that exist.
	Systems         []uuid.UUID         // The provider's registered systems.
	Departments     map[uuid.UUID]bool  // Of the departments named, those that exist.
	Similar         []SimilarTo         // Entries of other departments that look like this one.
	Owned           []ItemSource        // Items that another department is registered as the source of.
	UnknownElements []int               // Indices of items that name a data element which the register does not know.
	KeyItems        map[string]string   // Base database code to the identifier of its registered key item.
	OwnCode         string              // The code of the entry, or "".
	Related         map[string]bool     // Of the codes named as related, those of entries that can be read.
	Coder           codes.CodeGenerator // Judges codes; nil means codes.NationalCoder.
	Codes           *CodeBook           // The code tables; nil judges by the lists of the program.
	Documents       map[string]bool     // Digests of the documents of assessments that are kept with the entry; nil: not looked up.
}

// checker collects findings in the order of the fields.
type checker struct {
	m        Metadata
	facts    Facts
	blocks   []fault.Field
	warnings []fault.Field
	past     []EndedValue
	needed   int // Statements that are demanded, and how many of them are there. What single items state is not counted.
	filled   int
}

func (c *checker) block(name, code, message string, args ...any) {
	c.blocks = append(c.blocks, fault.Field{Name: name, Code: code, Message: fmt.Sprintf(message, args...)})
}

func (c *checker) warn(name, code, message string, args ...any) {
	c.warnings = append(c.warnings, fault.Field{Name: name, Code: code, Message: fmt.Sprintf(message, args...)})
}

// required blocks when a text is blank.
func (c *checker) required(name, value, message string) bool {
	there := strings.TrimSpace(value) != ""
	if !there {
		c.block(name, "required", "%s", message)
	}
	if !strings.HasPrefix(name, "items[") {
		c.demand(there)
	}
	return there
}

// demand counts statements that the catalogue demands.
func (c *checker) demand(there ...bool) {
	for _, is := range there {
		c.needed++
		if is {
			c.filled++
		}
	}
}

// Check applies all rules of domain tables 2.2 and 2.4 and checks 2.6 to what is about to be submitted. Every missing or
// contradictory field is named at once: blocks refuse the submission, warnings are shown to the reviewer. Field names
// are JSON paths such as "items[2].mask_rule"; messages never repeat values.
func Check(m Metadata, facts Facts) (blocks, warnings []fault.Field) {
	c := checked(m, facts)
	return c.blocks, c.warnings
}

// checked applies every rule.
func checked(m Metadata, facts Facts) *checker {
	c := &checker{m: m, facts: facts}
	c.storable()
	c.identity()
	c.format()
	c.sharing()
	c.withholding()
	c.terms()
	c.statements()
	c.responsibility()
	c.items()
	c.oneSource()
	c.words()
	c.similarity()
	return c
}

// checkDraft applies only the rules without which a draft cannot be kept: it may be incomplete, but not of another shape,
// and what states a secrecy other than 非涉密 is refused rather than stored.
func checkDraft(m Metadata) []fault.Field {
	c := &checker{m: m}
	c.storable()
	return c.blocks
}

// storable checks shape, bounds and enumerations of what is given.
func (c *checker) storable() {
	m := c.m
	for _, path := range nulls(m) {
		c.block(path, "bad_character", "texts cannot hold the NUL character")
	}
	c.required("name", m.Name, "give the entry a name")
	for _, text := range []struct {
		name, value string
		most        int
	}{
		{"name", m.Name, maxName},
		{"provider_unit", m.ProviderUnit, maxName},
		{"summary", m.Summary, maxSummary},
		{"share_condition", m.ShareCondition, maxText},
		{"share_scope", m.ShareScope, maxText},
		{"share_purpose", m.SharePurpose, maxText},
		{"withhold_reason", m.WithholdReason, maxText},
		{"open_condition", m.OpenCondition, maxText},
		{"usage_terms", m.UsageTerms, maxText},
		{"collect_basis", m.CollectBasis, maxText},
		{"recollect_reason", m.RecollectReason, maxText},
		{"contact_name", m.ContactName, maxName},
		{"contact_phone", m.ContactPhone, maxName},
	} {
		if utf8.RuneCountInString(text.value) > text.most {
			c.block(text.name, "too_long", "shorten this to at most %d characters", text.most)
		}
	}
	for _, list := range []struct {
		name string
		n    int
		most int
	}{
		{"classifications", len(m.Classifications), maxList},
		{"formats", len(m.Formats), maxList},
		{"share_methods", len(m.ShareMethods), maxList},
		{"related_codes", len(m.RelatedCodes), maxList},
		{"themes", len(m.Themes), maxList},
		{"tags", len(m.Tags), maxList},
		{"items", len(m.Items), maxItems},
	} {
		if list.n > list.most {
			c.block(list.name, "too_many", "give at most %d", list.most)
		}
	}
	if m.Secrecy != "" && m.Secrecy != NotSecret {
		c.block("secrecy", "secret", "only data stated as %s may be catalogued; state secrets and work secrets are outside this hub (Order 809, Art 2 and 3)", NotSecret)
	}
	if m.DeclaredShare != "" && !validShareType(m.DeclaredShare) {
		c.block("declared_share_type", "not_choice", "state unconditional, conditional or withheld")
	}
	if m.UpdateCycle != "" && !slices.Contains(updateCycles, m.UpdateCycle) {
		c.block("update_cycle", "not_choice", "state realtime, daily, weekly, monthly, quarterly, yearly or irregular")
	}
	for i, method := range m.ShareMethods {
		name := fmt.Sprintf("share_methods[%d]", i)
		if method != ByTable && method != ByFile && method != ByAPI {
			c.block(name, "not_choice", "state table, file or api")
		} else if slices.Contains(m.ShareMethods[:i], method) {
			c.block(name, "duplicate", "name each method once")
		}
	}
	if m.Level != "" && !slices.Contains(levels, m.Level) {
		c.block("level", "not_choice", "state national, department, province, city, county or township")
	}
	c.itemShapes()
}

var updateCycles = []UpdateCycle{Realtime, Daily, Weekly, Monthly, Quarterly, Yearly, Irregular}

// levels are those of domain table 2.1 (catalogue level) with the levels of departments.
var levels = []string{"national", "department", "province", "city", "county", "township"}

// identity checks who provides what under which name and class.
func (c *checker) identity() {
	m := c.m
	if c.facts.NameTaken {
		c.block("name", "taken", "another entry of your department has this name")
	}
	if c.required("summary", m.Summary, "summarise what the data are, naming the key fields") {
		switch n := utf8.RuneCountInString(strings.TrimSpace(m.Summary)); {
		case n < minSummary:
			c.block("summary", "too_short", "describe the data in at least %d characters", minSummary)
		case !c.keysNamed():
			c.warn("summary", "key_not_named", "the summary names none of the key items")
		}
	}
	c.required("provider_unit", m.ProviderUnit, "name the unit of the department that provides the data (Art 13)")
	if f, wrong := codes.FirstError(codes.CheckUSCC(c.facts.ProviderCode)); wrong {
		c.block("provider_code", f.Code, "the department's unified social credit code is wrong: %s; have its registration corrected", f.Message)
	}
	c.classes()
	c.related()
	c.themes()
	c.division()
}

func (c *checker) keysNamed() bool {
	named, keys := false, false
	for _, item := range c.m.Items {
		if item.Key {
			keys = true
			named = named || strings.Contains(c.m.Summary, item.Name)
		}
	}
	return named || !keys
}

// format checks formats against their category (domain table 2.3) and methods against the category (check 2.6).
func (c *checker) format() {
	m := c.m
	if !c.required("format_category", m.FormatCategory, "state the format category, 1 to 7 (Art 13)") {
		return
	}
	category, ok := formatCategories[m.FormatCategory]
	if !ok {
		c.block("format_category", "not_choice", "state a format category from 1 to 7")
		return
	}
	c.demand(len(m.Formats) > 0)
	if len(m.Formats) == 0 {
		c.block("formats", "required", "state at least one format (Art 13)")
	}
	for i, format := range m.Formats {
		name := fmt.Sprintf("formats[%d]", i)
		if c.required(name, format, "name the format") {
			c.formatKnown(name, m.FormatCategory, format)
		}
	}
	for i, method := range m.ShareMethods {
		if category.methods != nil && !slices.Contains(category.methods, method) {
			c.block(fmt.Sprintf("share_methods[%d]", i), "contradicts_format", "data of category %s (%s) are shared by %s only", m.FormatCategory, category.title, joinMethods(category.methods))
		}
	}
}

func joinMethods(methods []ShareMethod) string {
	parts := make([]string, len(methods))
	for i, m := range methods {
		parts[i] = string(m)
	}
	return strings.Join(parts, " or ")
}

// formatCategory is one row of domain table 2.3. formats nil means that the provider names them.
type formatCategory struct {
	title   string
	formats []string
	methods []ShareMethod // nil means any.
}

var formatCategories = map[string]formatCategory{
	"1": {"电子文件", []string{"OFD", "wps", "xml", "txt", "doc", "docx", "html", "pdf", "ppt", "pptx", "csv", "json"}, []ShareMethod{ByFile}},
	"2": {"电子表格", []string{"et", "xls", "xlsx", "csv"}, []ShareMethod{ByFile}},
	"3": {"数据库", []string{
		"Dm", "KingbaseES", "access", "dbf", "dbase", "sybase", "oracle", "sql server", "db2",
		"MySQL", "PostgreSQL", "openGauss", "OceanBase", "GBase", "神通", "GaussDB", "MariaDB",
	}, []ShareMethod{ByTable, ByAPI}},
	"4": {"图形图像", []string{"jpg", "gif", "bmp", "png", "tiff"}, []ShareMethod{ByFile}},
	"5": {"流媒体", []string{"swf", "rm", "mpg", "mp4", "mp3"}, []ShareMethod{ByFile}},
	"6": {"自描述格式", nil, nil},
	"7": {"服务接口", []string{"http api", "api", "http"}, []ShareMethod{ByAPI}},
}

// terms checks how the data may be used, refreshed and opened.
func (c *checker) terms() {
	m := c.m
	c.required("update_cycle", string(m.UpdateCycle), "state how often the data are refreshed (Art 13)")
	c.required("usage_terms", m.UsageTerms, "state the conditions of use (Art 13)")
	if m.UpdateCycle == Realtime && !slices.Contains(m.ShareMethods, ByAPI) {
		c.warn("update_cycle", "realtime_without_api", "realtime data are usually shared by api")
	}
	if m.Open {
		c.required("open_condition", m.OpenCondition, "state under which condition the data are open to the public")
	}
	if !m.Open && strings.TrimSpace(m.OpenCondition) != "" {
		c.block("open_condition", "contradicts", "there is a condition for opening data that are not open")
	}
}

// statements checks the assessments and the sign-off that precede compiling (Art 13), and the secrecy.
func (c *checker) statements() {
	m := c.m
	c.required("secrecy", m.Secrecy, "state the secrecy; only "+NotSecret+" may be catalogued")
	c.assessment("secrecy_assessment", m.SecrecyAssess, "record the assessment of secrecy risks (Art 13)")
	c.assessment("pi_assessment", m.PIAssess, "record the assessment of the impact on personal information (Art 13)")
	if m.HeadSignoff == nil {
		c.demand(false, false, false)
		c.block("head_signoff", "required", "record the consent of the head of the department (Art 13)")
		return
	}
	c.required("head_signoff.name", m.HeadSignoff.Name, "name the head of the department")
	c.date("head_signoff.date", m.HeadSignoff.Date)
	c.required("head_signoff.document", m.HeadSignoff.Document, "give number or title of the signed document")
}

func (c *checker) assessment(name string, a *Assessment, message string) {
	if a == nil {
		c.demand(false, false, false, false)
		c.block(name, "required", "%s", message)
		return
	}
	c.required(name+".title", a.Title, "give the title of the assessment")
	c.date(name+".date", a.Date)
	c.required(name+".conclusion", a.Conclusion, "give the conclusion of the assessment")
	c.demand(isSHA256(a.SHA256))
	if !isSHA256(a.SHA256) {
		c.block(name+".sha256", "bad_form", "give the SHA-256 digest of the document as 64 hexadecimal digits")
	} else if c.facts.Documents != nil && !c.facts.Documents[strings.ToLower(a.SHA256)] {
		c.warn(name+".sha256", "not_attached", "the document itself is not here for the reviewers to read; attach it")
	}
}

func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

// date blocks unless s is a day of the calendar that is not after today.
func (c *checker) date(name, s string) {
	if !c.required(name, s, "give the date as YYYY-MM-DD") {
		return
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		c.block(name, "bad_date", "give a day of the calendar as YYYY-MM-DD")
	} else if c.facts.Today != "" && s > c.facts.Today {
		c.block(name, "future_date", "this date lies in the future")
	}
}

// responsibility checks whose data they are and whom to ask.
func (c *checker) responsibility() {
	m := c.m
	if m.SourceDeptID != uuid.Nil && !c.facts.Departments[m.SourceDeptID] {
		c.block("source_dept_id", "unknown", "there is no such department")
	}
	switch {
	case m.SystemID == uuid.Nil:
		c.warn("system_id", "required", "no source system is named")
	case !slices.Contains(c.facts.Systems, m.SystemID):
		c.block("system_id", "unknown", "this is not a registered system of your department")
	}
	if strings.TrimSpace(m.ContactName) == "" || strings.TrimSpace(m.ContactPhone) == "" {
		c.warn("contact_name", "required", "nobody is named whom consumers can ask")
	}
	if m.BaseDatabase == "" {
		return
	}
	if !slices.Contains(c.facts.BaseDatabases, m.BaseDatabase) {
		c.block("base_database", "unknown", "there is no such base database")
		return
	}
	if key := c.facts.KeyItems[m.BaseDatabase]; key != "" {
		if item, ok := m.Item(key); !ok || !item.Key {
			c.block("items", "base_key_missing", "the base database was registered with the key item %s, which is no key item here", key)
		}
	}
}
