package sheet

import (
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
)

// The values of closed lists as people read them in cells. They follow domain tables 2.1 to 2.4.
var (
	shareTypes   = []choice{{"unconditional", "无条件共享"}, {"conditional", "有条件共享"}, {"withheld", "不予共享"}}
	shareMethods = []choice{{"table", "库表"}, {"file", "文件"}, {"api", "接口"}}
	updateCycles = []choice{
		{"realtime", "实时"}, {"daily", "每日"}, {"weekly", "每周"}, {"monthly", "每月"}, {"quarterly", "每季度"}, {"yearly", "每年"}, {"irregular", "不定期"},
	}
	grades     = []choice{{"L1", "L1"}, {"L2", "L2"}, {"L3", "L3"}, {"L4", "L4"}}
	categories = []choice{
		{"1", "1 电子文件"}, {"2", "2 电子表格"}, {"3", "3 数据库"}, {"4", "4 图形图像"}, {"5", "5 流媒体"}, {"6", "6 自描述格式"}, {"7", "7 服务接口"},
	}
	ranks     = []choice{{"law", "法律"}, {"regulation", "行政法规"}, {"state_council_decision", "国务院决定"}}
	levels    = []choice{{"national", "国家目录"}, {"department", "部门目录"}, {"province", "省级"}, {"city", "市级"}, {"county", "县级"}, {"township", "乡级"}}
	secrecies = []choice{{catalog.NotSecret, catalog.NotSecret}}
	dataTypes = []choice{
		{"C", "C 字符"},
		{"N", "N 数值"},
		{"Y", "Y 货币"},
		{"D", "D 日期"},
		{"T", "T 日期时间"},
		{"L", "L 逻辑"},
		{"M", "M 备注"},
		{"G", "G 通用"},
		{"B", "B 双精度"},
		{"I", "I 整型"},
		{"F", "F 浮点"},
	}
	formats = []choice{{"geometry", "geometry"}}
)

const severalNote = "多个值之间用分号(;)分开。"

// entryColumns are the columns of the sheet of entries. Whoever adds a statement to the metadata of entries adds its column
// here; template, export, import and documentation follow.
var entryColumns = []column[entry]{
	word(Column{ID: "key", Title: "行标识", Note: "把信息项与资源连起来的标识,同一文件内不重复;不填时取资源代码,没有代码时取资源名称。", Example: ExampleKey, Width: 16}, func(e *entry) *string { return &e.Key }),
	word(Column{ID: "code", Title: "资源代码", Note: "已有资源按代码更新;新资源不填,发布时由平台生成。从其他平台迁来的资源可以保留原代码。", Width: 20}, func(e *entry) *string { return &e.Code }),
	word(Column{ID: "provider_code", Title: "提供方代码", Note: "本部门的统一社会信用代码,可以不填;填写其他部门的代码会被拒绝。", Width: 22}, func(e *entry) *string { return &e.Provider }),
	word(Column{ID: "name", Title: "资源名称", Note: "不超过100字,本部门内不重复。", Required: true, Example: "不动产登记信息(示例)", Width: 30}, func(e *entry) *string { return &e.Name }),
	text(Column{ID: "provider_unit", Title: "提供单位", Note: "部门内提供数据的处室或者单位。", Required: true, Example: "信息处", Width: 16}, func(e *entry) *string { return &e.ProviderUnit }),
	text(Column{ID: "summary", Title: "资源摘要", Note: "10至1000字,写明关键信息项。", Required: true, Example: "以业务编号为主键,含编号、名称和登记日期。", Width: 40}, func(e *entry) *string { return &e.Summary }),
	classes(Column{ID: "classifications", Title: "资源分类", Note: "类-项-目-细目,如 1-01-001;多个分类用分号分开,主分类后面加星号。", Required: true, Example: "1-01-001*", Width: 20}),
	oneOf(Column{ID: "format_category", Title: "格式分类", Required: true, Example: "3 数据库", Width: 14}, categories, func(e *entry) *string { return &e.FormatCategory }),
	list[entry, string](Column{ID: "formats", Title: "格式", Note: severalNote, Required: true, Example: "PostgreSQL", Width: 16}, nil, func(e *entry) *[]string { return &e.Formats }),
	oneOf(Column{ID: "declared_share_type", Title: "共享类型", Note: "应与信息项中最严的(不予共享的除外)一致。", Required: true, Example: "有条件共享", Width: 14}, shareTypes, func(e *entry) *catalog.ShareType { return &e.DeclaredShare }),
	text(Column{ID: "share_condition", Title: "共享条件", Note: "有条件共享时填写。", Example: "经提供方审核", Width: 24}, func(e *entry) *string { return &e.ShareCondition }),
	text(Column{ID: "share_scope", Title: "共享范围", Note: "有条件共享时填写。", Example: "本市各部门", Width: 18}, func(e *entry) *string { return &e.ShareScope }),
	text(Column{ID: "share_purpose", Title: "使用用途", Note: "有条件共享时填写。", Example: "办理政务服务事项", Width: 20}, func(e *entry) *string { return &e.SharePurpose }),
	list(Column{ID: "share_methods", Title: "共享方式", Note: "库表、文件、接口。" + severalNote, Example: "库表;接口", Width: 14}, shareMethods, func(e *entry) *[]catalog.ShareMethod { return &e.ShareMethods }),
	text(Column{ID: "withhold_reason", Title: "不予共享理由", Note: "有不予共享的信息项时填写。", Width: 24}, func(e *entry) *string { return &e.WithholdReason }),
	within(oneOf(Column{ID: "withhold_basis.rank", Title: "不予共享依据层级", Width: 18}, ranks, func(b *catalog.WithholdBasis) *string { return &b.Rank }), basisOf),
	within(text(Column{ID: "withhold_basis.title", Title: "不予共享依据名称", Width: 24}, func(b *catalog.WithholdBasis) *string { return &b.Title }), basisOf),
	within(text(Column{ID: "withhold_basis.article", Title: "不予共享依据条款", Width: 18}, func(b *catalog.WithholdBasis) *string { return &b.Article }), basisOf),
	within(text(Column{ID: "withhold_decision.body", Title: "不予共享决定机关", Width: 20}, func(r *catalog.WithholdRuling) *string { return &r.Body }), rulingOf),
	within(text(Column{ID: "withhold_decision.document_no", Title: "不予共享决定文号", Width: 20}, func(r *catalog.WithholdRuling) *string { return &r.DocumentNo }), rulingOf),
	within(onDay(Column{ID: "withhold_decision.date", Title: "不予共享决定日期", Note: dayNote, Width: 16}, func(r *catalog.WithholdRuling) *string { return &r.Date }), rulingOf),
	flag(Column{ID: "open", Title: "是否开放", Example: "否", Width: 10}, func(e *entry) *bool { return &e.Open }),
	text(Column{ID: "open_condition", Title: "开放条件", Note: "开放时填写。", Width: 20}, func(e *entry) *string { return &e.OpenCondition }),
	oneOf(Column{ID: "update_cycle", Title: "更新周期", Required: true, Example: "每日", Width: 10}, updateCycles, func(e *entry) *catalog.UpdateCycle { return &e.UpdateCycle }),
	list[entry, string](Column{ID: "related_codes", Title: "关联资源代码", Note: severalNote, Width: 20}, nil, func(e *entry) *[]string { return &e.RelatedCodes }),
	text(Column{ID: "usage_terms", Title: "使用条件", Required: true, Example: "仅用于申请时载明的用途", Width: 24}, func(e *entry) *string { return &e.UsageTerms }),
	oneOf(Column{ID: "secrecy", Title: "涉密情况", Note: "只编目非涉密数据。", Required: true, Example: catalog.NotSecret, Width: 10}, secrecies, func(e *entry) *string { return &e.Secrecy }),
	within(text(Column{ID: "secrecy_assessment.title", Title: "保密评估名称", Required: true, Width: 20}, titleOf), secrecyOf),
	within(onDay(Column{ID: "secrecy_assessment.date", Title: "保密评估日期", Note: dayNote, Required: true, Width: 14}, dateOf), secrecyOf),
	within(text(Column{ID: "secrecy_assessment.conclusion", Title: "保密评估结论", Required: true, Width: 20}, conclusionOf), secrecyOf),
	within(word(Column{ID: "secrecy_assessment.sha256", Title: "保密评估文件摘要", Note: digestNote, Required: true, Width: 20}, digestOf), secrecyOf),
	within(text(Column{ID: "pi_assessment.title", Title: "个人信息影响评估名称", Required: true, Width: 20}, titleOf), piOf),
	within(onDay(Column{ID: "pi_assessment.date", Title: "个人信息影响评估日期", Note: dayNote, Required: true, Width: 14}, dateOf), piOf),
	within(text(Column{ID: "pi_assessment.conclusion", Title: "个人信息影响评估结论", Required: true, Width: 20}, conclusionOf), piOf),
	within(word(Column{ID: "pi_assessment.sha256", Title: "个人信息影响评估文件摘要", Note: digestNote, Required: true, Width: 20}, digestOf), piOf),
	within(text(Column{ID: "head_signoff.name", Title: "负责人", Note: "签批的部门负责人。", Required: true, Width: 12}, func(s *catalog.Signoff) *string { return &s.Name }), signoffOf),
	within(onDay(Column{ID: "head_signoff.date", Title: "签批日期", Note: dayNote, Required: true, Width: 14}, func(s *catalog.Signoff) *string { return &s.Date }), signoffOf),
	within(text(Column{ID: "head_signoff.document", Title: "签批文件", Required: true, Width: 20}, func(s *catalog.Signoff) *string { return &s.Document }), signoffOf),
	department(Column{ID: "source_dept_id", Title: "数源部门代码", Note: "数源部门的统一社会信用代码;不填即提供方。", Width: 22}, func(e *entry) *uuid.UUID { return &e.SourceDeptID }),
	text(Column{ID: "recollect_reason", Title: "重复采集理由", Note: "信息项已有其他数源部门提供、仍需自行采集时填写。", Width: 30}, func(e *entry) *string { return &e.RecollectReason }),
	system(Column{ID: "system_id", Title: "所属信息系统", Note: "已登记的本部门信息系统名称。", Width: 20}),
	text(Column{ID: "collect_basis", Title: "采集依据", Width: 24}, func(e *entry) *string { return &e.CollectBasis }),
	list[entry, string](Column{ID: "themes", Title: "主题", Note: severalNote, Width: 16}, nil, func(e *entry) *[]string { return &e.Themes }),
	list[entry, string](Column{ID: "tags", Title: "标签", Note: severalNote, Width: 16}, nil, func(e *entry) *[]string { return &e.Tags }),
	text(Column{ID: "contact_name", Title: "联系人", Example: "值班室", Width: 12}, func(e *entry) *string { return &e.ContactName }),
	word(Column{ID: "contact_phone", Title: "联系电话", Example: "0575-00000000", Width: 16}, func(e *entry) *string { return &e.ContactPhone }),
	oneOf(Column{ID: "level", Title: "目录层级", Width: 12}, levels, func(e *entry) *string { return &e.Level }),
	word(Column{ID: "division_code", Title: "行政区划代码", Width: 14}, func(e *entry) *string { return &e.DivisionCode }),
	base(Column{ID: "base_database", Title: "基础库", Note: "人口、法人等基础库或者主题库的名称或代码。", Width: 14}),
	word(Column{ID: "template", Title: "模板", Width: 14}, func(e *entry) *string { return &e.Template }),
}

const (
	dayNote    = "年-月-日,如 2026-01-31。"
	digestNote = "文件的SHA-256摘要,64位十六进制。"
)

func basisOf(m *catalog.Metadata) **catalog.WithholdBasis   { return &m.WithholdBasis }
func rulingOf(m *catalog.Metadata) **catalog.WithholdRuling { return &m.WithholdRuling }
func secrecyOf(m *catalog.Metadata) **catalog.Assessment    { return &m.SecrecyAssess }
func piOf(m *catalog.Metadata) **catalog.Assessment         { return &m.PIAssess }
func signoffOf(m *catalog.Metadata) **catalog.Signoff       { return &m.HeadSignoff }
func titleOf(a *catalog.Assessment) *string                 { return &a.Title }
func dateOf(a *catalog.Assessment) *string                  { return &a.Date }
func conclusionOf(a *catalog.Assessment) *string            { return &a.Conclusion }
func digestOf(a *catalog.Assessment) *string                { return &a.SHA256 }

// itemColumns are the columns of the sheet of items. The number of an item is the hub's.
var itemColumns = []column[itemLine]{
	word(Column{ID: "key", Title: "行标识", Note: "所属资源的行标识(或者资源代码、资源名称)。", Required: true, Example: ExampleKey, Width: 16}, func(i *itemLine) *string { return &i.Of }),
	word(Column{ID: "name", Title: "信息项名称", Note: "不超过100字,同一资源内不重复。", Required: true, Example: "业务编号", Width: 20}, func(i *itemLine) *string { return &i.Name }),
	word(Column{ID: "identifier", Title: "英文标识", Note: "小写字母开头,由小写字母、数字和下划线组成,同一资源内不重复。", Required: true, Example: "case_no", Width: 18}, func(i *itemLine) *string { return &i.Identifier }),
	oneOf(Column{ID: "data_type", Title: "数据类型", Required: true, Example: "C 字符", Width: 12}, dataTypes, func(i *itemLine) *catalog.DataType { return &i.DataType }),
	number(Column{ID: "length", Title: "长度", Note: "字符数;数值和货币为总位数。", Example: "20", Width: 8}, func(i *itemLine) *int { return &i.Length }),
	number(Column{ID: "scale", Title: "小数位", Note: "只用于数值和货币。", Width: 8}, func(i *itemLine) *int { return &i.Scale }),
	oneOf(Column{ID: "format", Title: "格式", Note: "只用于空间数据。", Width: 10}, formats, func(i *itemLine) *string { return &i.Format }),
	flag(Column{ID: "is_key", Title: "主键", Example: "是", Width: 8}, func(i *itemLine) *bool { return &i.Key }),
	flag(Column{ID: "required", Title: "必填", Example: "是", Width: 8}, func(i *itemLine) *bool { return &i.Required }),
	flag(Column{ID: "filterable", Title: "可筛选", Note: "授权时可以按它限定行;每个资源最多8个。", Example: "否", Width: 8}, func(i *itemLine) *bool { return &i.Filterable }),
	text(Column{ID: "definition", Title: "定义", Width: 30}, func(i *itemLine) *string { return &i.Definition }),
	text(Column{ID: "unit", Title: "计量单位", Width: 10}, func(i *itemLine) *string { return &i.Unit }),
	known(Column{ID: "code_set", Title: "代码集", Width: 16}, listNames(), isList, func(i *itemLine) *string { return &i.CodeSet }),
	word(Column{ID: "data_element", Title: "数据元", Width: 16}, func(i *itemLine) *string { return &i.DataElement }),
	word(Column{ID: "validator", Title: "校验规则", Width: 16}, func(i *itemLine) *string { return &i.Validator }),
	oneOf(Column{ID: "share_type", Title: "共享类型", Required: true, Example: "有条件共享", Width: 14}, shareTypes, func(i *itemLine) *catalog.ShareType { return &i.ShareType }),
	text(Column{ID: "share_condition", Title: "共享条件", Width: 20}, func(i *itemLine) *string { return &i.ShareCondition }),
	flag(Column{ID: "open", Title: "是否开放", Example: "否", Width: 10}, func(i *itemLine) *bool { return &i.Open }),
	oneOf(Column{ID: "grade", Title: "数据分级", Required: true, Example: "L2", Width: 10}, grades, func(i *itemLine) *catalog.Grade { return &i.Grade }),
	flag(Column{ID: "sensitive_pi", Title: "敏感个人信息", Example: "否", Width: 14}, func(i *itemLine) *bool { return &i.SensitivePI }),
	known(Column{ID: "mask_rule", Title: "脱敏规则", Note: "L3、L4应填写;L3不需要脱敏时填 none 并说明理由。", Width: 16}, maskNames(), isMask, func(i *itemLine) *string { return &i.MaskRule }),
	text(Column{ID: "mask_reason", Title: "不脱敏理由", Width: 20}, func(i *itemLine) *string { return &i.MaskReason }),
	department(Column{ID: "source_dept_id", Title: "数源部门代码", Note: "数源部门的统一社会信用代码;不填即提供方。", Width: 22}, func(i *itemLine) *uuid.UUID { return &i.SourceDeptID }),
}
