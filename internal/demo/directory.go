package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/demo/city"
)

// entry is a directory entry of the story: what its department compiles, and where its rows come from.
type entry struct {
	base     string // Code of the base database, "" for none.
	template string // "" for the one entry that has no rows.
	key      string // Key of the department.
	keyItem  string // Registered key item of the base database.
	unit     string // 内部处室.
	share    string // Share type it must turn out to have.
	purpose  string
	themes   []string
	database city.Database
	table    city.Table

	resource client.Resource
	task     client.Task
	schedule client.Schedule
}

func (e *entry) operator() string { return e.key + "_operator" }
func (e *entry) admin() string    { return e.key + "_admin" }

// signedOn is when the heads of the departments signed.
const signedOn = "2026-01-05"

// entries are the six entries with rows, one per base database, in the order of the story.
func entries() []*entry {
	list := []*entry{
		{base: "population", keyItem: "citizen_id", unit: "人口管理支队", share: "conditional", purpose: "履行法定职责所需的人口信息核验", themes: []string{"公共服务", "社会保障"}},
		{base: "legal_person", keyItem: "uscc", unit: "登记注册处", share: "conditional", purpose: "市场主体身份与登记状态核验", themes: []string{"公共服务", "信用体系"}},
		{base: "geospatial", keyItem: "address_code", unit: "测绘地理信息处", share: "conditional", purpose: "标准地址匹配与空间定位", themes: []string{"城乡建设"}},
		{base: "credit", keyItem: "decision_no", unit: "信用建设处", share: "conditional", purpose: "信用核查与联合奖惩", themes: []string{"信用体系"}},
		{base: "certificate", keyItem: "cert_id", unit: "数据资源处", share: "conditional", purpose: "政务服务用证核验", themes: []string{"公共服务"}},
		{base: "macro_economy", keyItem: "indicator_code", unit: "综合统计处", share: "unconditional", purpose: "宏观经济分析", themes: []string{"公共服务"}},
	}
	for _, d := range city.Databases() {
		i := slices.IndexFunc(list, func(e *entry) bool { return e.base == d.BaseDatabase })
		e := list[i]
		e.database, e.table, e.template, e.key = d, d.Tables[0], d.Tables[0].Template, d.Department
	}
	return list
}

// withheld is the name of the entry that is never shared.
const withheld = "收养登记信息"

// compile registers the base databases and the departments' systems, gets one entry for each base database published, and one that is
// withheld, and has the sources of two data elements and a change put on record.
func (s *story) compile(ctx context.Context) error {
	s.tell.Step(1, "One directory: six base databases get a lead department, a key and an entry")
	for _, register := range []func(context.Context) error{s.registerBases, s.listSystems} {
		if err := register(ctx); err != nil {
			return err
		}
	}
	raw, err := all[client.Template](ctx, s.hub, "platform_operator", "/templates")
	if err != nil {
		return err
	}
	published := 0
	for _, e := range entries() {
		s.resources[e.template] = e
		t := slices.IndexFunc(raw, func(t client.Template) bool { return t.Name == e.template })
		if t < 0 {
			return untrue("the hub has no template %s", e.template)
		}
		made, err := s.publish(ctx, e, s.metadata(e, raw[t]), "?template="+e.template)
		if err != nil {
			return err
		}
		if e.resource.Version.ShareType != e.share {
			return untrue("%s is %s instead of %s", e.resource.Name, e.resource.Version.ShareType, e.share)
		}
		if made {
			published++
			s.tell.Done("%s publishes “%s” %s: %d items, %s", s.departments[e.key].Name, e.resource.Name, e.resource.Code,
				len(e.resource.Version.Items), inWords(e.share))
		}
	}
	if published == 0 {
		s.tell.Already("six entries are published, one for each base database")
	} else {
		s.tell.Note("Operators compile from templates, the head of the department has signed, its admin approves, the data bureau publishes.")
	}
	for _, next := range []func(context.Context) error{s.compileWithheld, s.declareSources, s.noteChange} {
		if err := next(ctx); err != nil {
			return err
		}
	}
	return nil
}

func inWords(share string) string {
	switch share {
	case "unconditional":
		return "shared without condition (无条件共享)"
	case "conditional":
		return "shared on conditions (有条件共享)"
	}
	return "withheld (不予共享)"
}

func (s *story) registerBases(ctx context.Context) error {
	bases, err := all[client.BaseDatabase](ctx, s.hub, "platform_operator", "/base-databases")
	if err != nil {
		return err
	}
	registered, names := 0, []string{}
	for _, e := range entries() {
		i := slices.IndexFunc(bases, func(b client.BaseDatabase) bool { return b.Code == e.base })
		if i < 0 {
			return untrue("the hub does not know the base database %s", e.base)
		}
		names = append(names, bases[i].Name)
		if bases[i].RegisteredAt != nil {
			continue
		}
		registration := client.Registration{LeadDeptID: s.departments[e.key].ID, KeyItem: e.keyItem}
		err := s.hub.put(ctx, "platform_operator", "/base-databases/"+e.base+"/registration", registration, nil)
		if err != nil {
			return fmt.Errorf("registering the base database %s: %w", e.base, err)
		}
		registered++
	}
	if registered == 0 {
		s.tell.Already("the data bureau has registered %s", strings.Join(names, ", "))
		return nil
	}
	s.tell.Done("The data bureau registers %s, each with its lead department and key item.", strings.Join(names, ", "))
	return nil
}

// metadata is what the department states beyond the template.
func (s *story) metadata(e *entry, t client.Template) client.Metadata {
	m := s.statements(e)
	if e.share == "conditional" {
		m.ShareCondition = "仅限依法履行职责使用，按申请用途、范围、期限调用"
		m.ShareScope = "绍兴市各级政务部门"
		m.SharePurpose = e.purpose
	}
	for i := range t.Items {
		item := &t.Items[i]
		// An item that the department's system does not hold cannot be a required one.
		if slices.Contains(e.table.Missing, item.Identifier) && item.Required {
			item.Required, m.Items = false, t.Items
		}
		// The figures are of countries, which GB/T 2260 does not number: the statistics bureau states its own codes.
		if e.base == "macro_economy" && item.Identifier == "division_code" {
			item.Validator, item.Definition, m.Items = "", "国家或地区三位字母代码加000", t.Items
		}
	}
	return m
}

// statements are those that every entry needs before its department may submit it (政务数据共享条例, Art 13).
func (s *story) statements(e *entry) client.Metadata {
	name := s.departments[e.key].Name
	assessment := func(title string) *client.Assessment {
		sum := sha256.Sum256([]byte(name + title))
		return &client.Assessment{Title: name + title, Date: signedOn, Conclusion: "可按所列共享属性共享", SHA256: hex.EncodeToString(sum[:])}
	}
	return client.Metadata{
		ProviderUnit: e.unit, UsageTerms: "不得超范围使用、不得提供给第三方，用后按要求处置", Secrecy: "非涉密",
		SecrecyAssess: assessment("数据保密风险评估"), PIAssess: assessment("个人信息保护影响评估"),
		HeadSignoff:  &client.Signoff{Name: "示例负责人", Date: signedOn, Document: "示例签批〔2026〕" + e.key + "号"},
		CollectBasis: "本部门法定职责", ContactName: "示例联系人", ContactPhone: "0575-00000000", Level: "city",
		DivisionCode: city.CityDivision, Themes: e.themes, SystemID: s.systems[e.key],
	}
}

// findEntry looks for an entry of a department by its name, in every state the operator may see.
func (s *story) findEntry(ctx context.Context, e *entry, name, base string) (client.Resource, bool, error) {
	for _, state := range []string{"published", "platform_review", "dept_review", "returned", "draft"} {
		found, err := all[client.Entry](ctx, s.hub, e.operator(), "/resources?state="+state+"&department_id="+s.departments[e.key].ID)
		if err != nil {
			return client.Resource{}, false, err
		}
		for _, f := range found {
			if (name == "" || f.Name == name) && f.BaseDatabase == base {
				r, err := s.entry(ctx, e.operator(), f.ID)
				return r, true, err
			}
		}
	}
	return client.Resource{}, false, nil
}

func (s *story) entry(ctx context.Context, username, id string) (r client.Resource, err error) {
	return r, s.hub.get(ctx, username, "/resources/"+id, &r)
}

// publish takes an entry through compiling, both reviews and publication, from wherever an earlier start left it. made
// says that it was not published before.
func (s *story) publish(ctx context.Context, e *entry, m client.Metadata, query string) (made bool, err error) {
	r, ok, err := s.findEntry(ctx, e, m.Name, e.base)
	if err != nil {
		return false, err
	}
	if !ok {
		if err := s.hub.post(ctx, e.operator(), "/resources"+query, m, &r); err != nil {
			return false, fmt.Errorf("compiling an entry of %s: %w", e.key, err)
		}
	}
	for steps := 0; ; steps++ {
		var who, step string
		switch r.Version.State {
		case "published":
			e.resource = r
			return made, nil
		case "draft", "returned":
			who, step = e.operator(), "submit"
		case "dept_review":
			who, step = e.admin(), "approve"
		case "platform_review":
			who, step = "platform_operator", "publish"
		default:
			return made, untrue("“%s” is in state %s", r.Name, r.Version.State)
		}
		if err := s.hub.post(ctx, who, "/resources/"+r.ID+"/"+step, nil, &r); err != nil {
			return made, fmt.Errorf("%s of “%s” as %s: %w", step, r.Name, who, err)
		}
		if made = true; steps > 4 {
			return made, untrue("“%s” does not get published", r.Name)
		}
	}
}

// compileWithheld shows that nothing can be withheld without a law and a government's decision behind it.
func (s *story) compileWithheld(ctx context.Context) error {
	e := &entry{key: "civil", unit: "儿童福利处", themes: []string{"社会保障"}}
	s.resources[withheld] = e
	if r, ok, err := s.findEntry(ctx, e, withheld, ""); err != nil {
		return err
	} else if ok && r.State == "published" {
		e.resource = r
		s.tell.Already("“%s” is published as withheld", withheld)
		return nil
	} else if ok {
		// An earlier start was stopped half-way; its draft may lack what the law demands.
		return s.finishWithheld(ctx, e, r)
	}
	m := s.withheldMetadata(e)
	var r client.Resource
	if err := s.hub.post(ctx, e.operator(), "/resources", m, &r); err != nil {
		return fmt.Errorf("compiling “%s”: %w", withheld, err)
	}
	err := s.hub.post(ctx, e.operator(), "/resources/"+r.ID+"/submit", nil, nil)
	problem, err := refused(err, "invalid")
	if err != nil {
		return err
	}
	for _, want := range []string{"withhold_basis", "withhold_decision"} {
		if !slices.Contains(fields(problem), want) {
			return untrue("the hub does not name the missing field %s: %w", want, problem)
		}
	}
	s.tell.Refused(problem.Code+", missing "+strings.Join(fields(problem), ", "), "Civil affairs submits “%s” as withheld, giving no law for it", withheld)
	return s.finishWithheld(ctx, e, r)
}

func (s *story) finishWithheld(ctx context.Context, e *entry, r client.Resource) error {
	m := s.withheldMetadata(e)
	m.WithholdReason = "收养人、送养人要求保守收养秘密的，其他人不得泄露"
	m.WithholdBasis = &client.WithholdBasis{Rank: "law", Title: "中华人民共和国民法典", Article: "第一千一百一十条"}
	m.WithholdRuling = &client.WithholdRuling{Body: "绍兴市人民政府", DocumentNo: "示例政函〔2026〕1号", Date: signedOn}
	if r.Version.State == "draft" || r.Version.State == "returned" {
		if err := s.hub.put(ctx, e.operator(), "/resources/"+r.ID+"/draft", m, &r); err != nil {
			return fmt.Errorf("completing “%s”: %w", withheld, err)
		}
	}
	if _, err := s.publish(ctx, e, m, ""); err != nil {
		return err
	}
	if e.resource.Version.ShareType != "withheld" {
		return untrue("“%s” is %s instead of withheld", withheld, e.resource.Version.ShareType)
	}
	s.tell.Done("With the article of the Civil Code and the number of the government's decision it is published as withheld: everybody sees that it exists.")
	return nil
}

func (s *story) withheldMetadata(e *entry) client.Metadata {
	field := func(name, identifier, kind string, length int, key bool) client.Item {
		return client.Item{
			Name: name, Identifier: identifier, DataType: kind, Length: length, Key: key, Required: key,
			ShareType: "withheld", Grade: "L4", SensitivePI: true,
		}
	}
	m := s.statements(e)
	m.Name = withheld
	m.Summary = "收养登记信息，以收养登记证字号为主键，含登记日期和登记机关，依法不予共享。"
	m.Classifications = []client.Classification{{Class1: "3", Class2: "07", Class3: "001", Primary: true}}
	m.FormatCategory, m.Formats = "3", []string{"PostgreSQL"}
	m.UpdateCycle, m.DeclaredShare = "irregular", "withheld"
	m.Items = []client.Item{
		field("收养登记证字号", "register_no", "C", 40, true),
		field("登记日期", "register_date", "D", 0, false),
		field("登记机关", "register_org", "C", 100, false),
	}
	return m
}
