package reverse

import (
	"slices"
	"strings"
	"unicode"

	"github.com/shuqiao/shuqiao/catalog/codes"
)

// meaning is what the name or the comment of a column may speak of, and what then follows (domain rules 3, 4.1 and 4.2).
type meaning struct {
	name      string
	words     []string // In comments and Chinese names.
	parts     []string // Parts of column names, or whole names without their underscores; pinyin initials as systems use them.
	validator string
	list      string
	grade     string // "" means that nothing follows.
	sensitive bool
	mask      string
	money     bool
}

// meanings are looked through in order: the first that fits is the one. What is particular stands before what is general.
var meanings = []meaning{
	{name: "uscc", words: []string{"统一社会信用代码", "统一信用代码", "社会信用代码"}, parts: []string{"uscc", "tyshxydm", "shxydm", "creditcode"}, validator: "uscc"},
	{name: "biometric", words: []string{"指纹", "人脸", "虹膜", "声纹", "掌纹", "基因", "照片", "人像"}, parts: []string{"photo", "fingerprint", "face", "iris", "zhaopian"}, grade: "L4", sensitive: true, mask: "suppress"},
	{name: "medical", words: []string{"病历", "诊断", "病史", "疾病", "病情", "检验结果", "传染病"}, parts: []string{"diagnosis", "disease", "medical"}, grade: "L4", sensitive: true, mask: "full"},
	{name: "religion", words: []string{"宗教信仰"}, parts: []string{"religion", "zjxy"}, grade: "L4", sensitive: true, mask: "full"},
	{name: "bank_card", words: []string{"银行卡", "银行账号", "银行帐号", "开户账号", "收款账号"}, parts: []string{"bankcard", "bankaccount", "yhkh", "yhzh"}, grade: "L3", sensitive: true, mask: "bank_card"},
	{name: "id_type", words: []string{"证件类型", "证件种类"}, parts: []string{"idtype", "zjlx"}, list: codes.ListIDType},
	{name: "citizen_id", words: []string{"公民身份号码", "身份证号", "身份号码", "身份证件号"}, parts: []string{"citizenid", "idcard", "idcardno", "sfzh", "sfzhm", "sfzjh", "gmsfhm"}, validator: "citizen_id", grade: "L3", sensitive: true, mask: "id_card"},
	{name: "id_number", words: []string{"证件号码", "证件号", "护照号"}, parts: []string{"idno", "zjhm", "passport"}, grade: "L3", sensitive: true, mask: "mid"},
	{name: "org_code", words: []string{"组织机构代码"}, parts: []string{"orgcode", "zzjgdm"}, validator: "org_code"},
	{name: "cert_id", words: []string{"电子证照标识"}, parts: []string{"certid", "dzzzbs"}, validator: "cert_id"},
	{name: "project_code", words: []string{"投资项目代码", "项目代码"}, parts: []string{"projectcode", "xmdm"}, validator: "project_code"},
	{name: "mobile", words: []string{"手机", "移动电话"}, parts: []string{"mobile", "cellphone", "sjh", "sjhm"}, validator: "mobile", grade: "L3", mask: "mobile"},
	{name: "phone", words: []string{"电话", "联系方式", "传真"}, parts: []string{"phone", "tel", "telephone", "lxdh", "lxfs"}, grade: "L3", mask: "phone"},
	{name: "email", words: []string{"邮箱", "电子邮件"}, parts: []string{"email", "mail", "dzyx"}, grade: "L3", mask: "email"},
	{name: "division", words: []string{"行政区划", "区划代码"}, parts: []string{"division", "divisioncode", "xzqh", "xzqhdm"}, validator: "division"},
	{name: "address", words: []string{"地址", "住址", "住所", "居住地", "门牌"}, parts: []string{"address", "addr", "dz", "zz", "jtzz"}, grade: "L3", mask: "address"},
	{name: "person_name", words: []string{"姓名", "曾用名", "联系人", "法定代表人", "负责人", "经办人"}, parts: []string{"xm", "personname", "fullname", "contactname", "fddbr"}, grade: "L3", mask: "name"},
	{name: "birth_date", words: []string{"出生日期", "出生年月", "生日"}, parts: []string{"birth", "birthdate", "birthday", "csrq"}, grade: "L3", mask: "date_year"},
	{name: "income", words: []string{"工资", "薪酬", "个人收入", "家庭收入"}, parts: []string{"salary", "income", "wage"}, grade: "L3", mask: "amount_round"},
	{name: "track", words: []string{"行踪", "轨迹"}, parts: []string{"track", "trajectory"}, grade: "L3", sensitive: true, mask: "full"},
	{name: "sex", words: []string{"性别"}, parts: []string{"sex", "gender", "xb", "xbdm"}, list: codes.ListSex},
	{name: "ethnic", words: []string{"民族"}, parts: []string{"ethnic", "nation", "mz", "mzdm"}, list: codes.ListEthnic},
	{name: "marital", words: []string{"婚姻"}, parts: []string{"marital", "hyzk"}, list: codes.ListMarital},
	{name: "education", words: []string{"学历", "文化程度"}, parts: []string{"education", "xl", "whcd"}, list: codes.ListEducation},
	{name: "relation", words: []string{"与户主关系"}, parts: []string{"yhzgx"}, list: codes.ListRelation},
	{name: "province", words: []string{"省级区划", "省份"}, parts: []string{"province", "provincecode"}, list: codes.ListProvince},
	{name: "cert_status", words: []string{"证照状态"}, parts: []string{"certstatus"}, list: codes.ListCertStatus},
	{name: "money", words: []string{"金额", "价款", "价格", "费用", "税额", "注册资本", "罚款"}, parts: []string{"amount", "price", "fee", "tax", "capital", "je"}, money: true},
}

// Meanings returns the names of all meanings, for tables of words that must be complete.
func Meanings() []string {
	out := make([]string, 0, len(meanings))
	for _, m := range meanings {
		out = append(out, m.name)
	}
	return out
}

// meaningOf returns what a column speaks of; ok is false when it says nothing that is known.
func meaningOf(column, comment string) (m meaning, ok bool) {
	parts := partsOf(column)
	for _, m := range meanings {
		says := func(word string) bool { return strings.Contains(comment, word) || strings.Contains(column, word) }
		if slices.ContainsFunc(m.words, says) || slices.ContainsFunc(m.parts, func(p string) bool { return slices.Contains(parts, p) }) {
			return m, true
		}
	}
	return meaning{}, false
}

// partsOf returns the parts of a column's name in lower case (home_addr, HomeAddr: home, addr), every two and three neighbours
// joined, and the whole without its separators.
func partsOf(column string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	lower := false
	for _, r := range column {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			end()
		}
		lower = unicode.IsLower(r)
		word.WriteRune(unicode.ToLower(r))
	}
	end()
	out := slices.Clone(words)
	for n := 2; n <= 3; n++ {
		for i := 0; i+n <= len(words); i++ {
			out = append(out, strings.Join(words[i:i+n], ""))
		}
	}
	return append(out, strings.Join(words, ""))
}
