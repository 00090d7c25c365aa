package catalog

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// templateFiles are the resource templates of domain rules 6.1 to 6.12, one file each. They are data: identifiers, types,
// lengths, keys, code lists, validators, share types, grades and masks are those of the tables.
//
//go:embed templates/*.json
var templateFiles embed.FS

// TemplateGroup is the kind of business that a template belongs to, "" for those of base databases.
type TemplateGroup string

// The groups of templates outside the base databases (domain rules 6.7 to 6.12).
const (
	ServiceTemplates    TemplateGroup = "service"    // 权力事项和办件
	HotlineTemplates    TemplateGroup = "hotline"    // 12345 热线
	TradeTemplates      TemplateGroup = "trade"      // 公共资源交易
	InvestmentTemplates TemplateGroup = "investment" // 投资项目
	PaymentTemplates    TemplateGroup = "payment"    // 统一支付
)

// TemplateGroups returns the groups outside the base databases in the order in which people are offered them.
func TemplateGroups() []TemplateGroup {
	return []TemplateGroup{ServiceTemplates, HotlineTemplates, TradeTemplates, InvestmentTemplates, PaymentTemplates}
}

// Template is a resource as a base database or a business system usually holds it, from which a department compiles its own.
type Template struct {
	Name            string           `json:"name"` // Stable name, snake_case, such as "base_population".
	Title           string           `json:"title"`
	TitleEN         string           `json:"title_en"`
	Group           TemplateGroup    `json:"group"`
	BaseDatabase    string           `json:"base_database"` // Code of the base database it belongs to; "" with a group.
	Provider        string           `json:"provider"`      // Which departments usually provide it, in Chinese.
	ResourceName    string           `json:"resource_name"`
	Summary         string           `json:"summary"`
	Notes           string           `json:"notes"` // What compilers should know; "" for nothing.
	Classifications []Classification `json:"classifications"`
	FormatCategory  string           `json:"format_category"`
	Formats         []string         `json:"formats"`
	ShareMethods    []ShareMethod    `json:"share_methods"`
	UpdateCycle     UpdateCycle      `json:"update_cycle"`
	Items           []Item           `json:"items"`
}

// Templates returns all templates, sorted by name. Callers may change what they get.
func Templates() ([]Template, error) {
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("listing templates: %w", err)
	}
	out := make([]Template, 0, len(entries))
	for _, entry := range entries {
		raw, err := templateFiles.ReadFile("templates/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("reading template %q: %w", entry.Name(), err)
		}
		var t Template
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&t); err != nil {
			return nil, fmt.Errorf("reading template %q: %w", entry.Name(), err)
		}
		out = append(out, t)
	}
	return out, nil
}

// FindTemplate returns the template of that name, or a NotFound fault "template_not_found".
func FindTemplate(name string) (Template, error) {
	all, err := Templates()
	if err != nil {
		return Template{}, err
	}
	i := slices.IndexFunc(all, func(t Template) bool { return t.Name == name })
	if i < 0 {
		return Template{}, fault.New(fault.NotFound, "template_not_found", "there is no template of this name; list the templates to see those there are")
	}
	return all[i], nil
}

// Metadata returns what the template states about a resource. The statements only the department can make (its unit,
// terms of use, conditions, assessments, sign-off, contact) are left for it to fill in.
func (t Template) Metadata() Metadata {
	m := Metadata{
		Classifications: slices.Clone(t.Classifications),
		Name:            t.ResourceName,
		Summary:         t.Summary,
		FormatCategory:  t.FormatCategory,
		Formats:         slices.Clone(t.Formats),
		ShareMethods:    slices.Clone(t.ShareMethods),
		UpdateCycle:     t.UpdateCycle,
		Secrecy:         NotSecret,
		BaseDatabase:    t.BaseDatabase,
		Template:        t.Name,
		Items:           slices.Clone(t.Items),
	}
	m.DeclaredShare = deriveShareType(m.Items)
	return m
}
