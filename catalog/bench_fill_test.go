package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/migrations"
)

// What entries of the benchmark are made of: what offices of each kind keep registers of. A word here is in about one of 150 entries.
var benchOffices = []struct{ name, topics string }{
	{"公安局", "户籍 居住证 出入境 驾驶证 机动车 身份证 治安 养犬"},
	{"人力资源和社会保障局", "参保 失业 就业 工伤 养老 职业资格 劳动合同"},
	{"市场监督管理局", "企业 食品 药品 特种设备 计量 商标 广告"},
	{"民政局", "婚姻 低保 养老机构 社会组织 殡葬 救助 收养"},
	{"卫生健康委员会", "医院 医师 疫苗 出生 传染病 护士 体检"},
	{"教育局", "学籍 学校 教师 学位 幼儿园 考试 资助"},
	{"住房和城乡建设局", "房屋 施工 燃气 物业 公租房 招标 监理"},
	{"自然资源和规划局", "不动产 土地 规划 测绘 矿产 林权 海域"},
	{"交通运输局", "公交 道路 货运 出租车 港口 桥梁 驾校"},
	{"税务局", "纳税 发票 税种 欠税 出口退税 社保费 减免"},
	{"生态环境局", "排污 水质 空气 噪声 固废 辐射 环评"},
	{"应急管理局", "预案 危化 救援 隐患 矿山 烟花 消防"},
	{"农业农村局", "农药 种子 承包 渔业 兽药 农机 宅基地"},
	{"水利局", "水库 取水 河道 灌区 堤防 水文 节水"},
	{"文化和旅游局", "景区 文物 旅行社 演出 图书馆 非遗 导游"},
	{"司法局", "律师 公证 调解 鉴定 仲裁 矫正 法援"},
	{"医疗保障局", "医保 定点 药店 报销 生育 大病 目录"},
	{"住房公积金中心", "公积金 贷款 缴存 提取 还款 单位 冲还"},
	{"财政局", "预算 采购 票据 国资 债券 专户 会计"},
	{"统计局", "普查 抽样 指标 名录 价格 产值 人口"},
}

const (
	benchKinds  = "登记 名单 许可 处罚 检查 备案 统计 证书 年报 变更 注销 评价"
	benchTail   = "信息 数据 明细 台账 汇总"
	benchAreas  = "越南区 柯东区 上虞南区 诸北市 嵊东市 新南县 镜湖区 滨江区 袍江区 兰亭区"
	benchThemes = "公共服务 市场监管 社会保障 生态环境 城乡建设 交通运输 教育科技 医疗卫生 公共安全 农业农村"
	benchItems  = 12
	benchDepts  = 2000
)

// benchColumns are the items that registers have: name, identifier and type.
var benchColumns = [][3]string{
	{"编号", "record_no", "C"},
	{"姓名", "person_name", "C"},
	{"证件类型", "cert_type", "C"},
	{"证件号码", "cert_no", "C"},
	{"单位名称", "org_name", "C"},
	{"统一社会信用代码", "uscc", "C"},
	{"行政区划", "division_code", "C"},
	{"地址", "address", "C"},
	{"登记日期", "register_date", "D"},
	{"有效期起", "valid_from", "D"},
	{"有效期止", "valid_to", "D"},
	{"状态", "status", "C"},
	{"金额", "amount", "Y"},
	{"联系电话", "phone", "C"},
	{"发证机关", "issuer", "C"},
	{"法定代表人", "legal_person", "C"},
	{"经营范围", "business_scope", "M"},
	{"更新时间", "updated_at", "T"},
	{"备注", "remark", "M"},
	{"数量", "quantity", "I"},
	{"类别", "category", "C"},
	{"级别", "level", "C"},
	{"负责人", "manager", "C"},
	{"面积", "area", "N"},
	{"性别", "sex", "C"},
	{"出生日期", "birth_date", "D"},
	{"民族", "ethnic", "C"},
	{"学历", "education", "C"},
	{"经度", "longitude", "B"},
	{"纬度", "latitude", "B"},
	{"结论", "conclusion", "C"},
	{"文号", "document_no", "C"},
}

// benchWords are texts of two characters that people would look for, rare ones and such as every second entry has.
func benchWords() []string {
	var out []string
	for _, office := range benchOffices {
		for _, topic := range strings.Fields(office.topics) {
			out = append(out, string([]rune(topic)[:2]))
		}
	}
	return append(out, "登记", "许可", "处罚", "名单", "姓名", "证件", "地址", "日期", "代码", "镜湖", "诸北", "经度", "文号")
}

// pick is the n-th of what a list of words holds, around and around.
func pick(list string, n int) string {
	words := strings.Fields(list)
	return words[n%len(words)]
}

// benchDocument makes up the n-th entry. The numbers are mixed so that what belongs to it has nothing to do with its place.
func benchDocument(n int, now time.Time) (d document, letters []string) {
	h := uint64(n)*0x9E3779B97F4A7C15 + 0x1234567
	mix := func(below int) int {
		h ^= h << 13
		h ^= h >> 7
		h ^= h << 17
		return int(h % uint64(below))
	}
	dept := mix(benchDepts)
	office := benchOffices[dept%len(benchOffices)]
	topic, kind := pick(office.topics, mix(1<<20)), pick(benchKinds, mix(1<<20))
	theme := pick(benchThemes, mix(1<<20))
	d = document{
		Resource: benchResource(n), Version: 1, State: Published, Department: benchDepartment(dept), Code: fmt.Sprintf("1%02d001001/%06d", 1+mix(90), n),
		Name:      pick(benchAreas, mix(1<<20)) + topic + kind + pick(benchTail, mix(1<<20)) + strconv.Itoa(n),
		Summary:   "由" + office.name + "在履行职责过程中形成的" + topic + kind + "情况,按批次归集,用于" + theme + "领域的核验与分析。",
		ShareType: string([]ShareType{Unconditional, Conditional, Conditional, Withheld}[mix(4)]), Grade: string([]Grade{L1, L2, L2, L3, L4}[mix(5)]),
		UpdateCycle: string([]UpdateCycle{Realtime, Daily, Daily, Weekly, Monthly, Quarterly, Yearly, Irregular}[mix(8)]), Open: mix(10) == 0,
	}
	if mix(10) < 2 {
		d.BaseDatabase = []string{"population", "legal_person", "geospatial", "credit", "certificate", "macro_economy"}[mix(6)]
	}
	at := now.Add(-time.Duration(mix(365*24*3600)) * time.Second)
	d.UpdatedAt, d.PublishedAt = at, &at
	d.metadata = Metadata{
		Name: d.Name, Summary: d.Summary, Themes: []string{theme}, Tags: []string{topic}, ShareMethods: []ShareMethod{[]ShareMethod{ByAPI, ByTable, ByFile}[mix(3)]},
		UpdateCycle: UpdateCycle(d.UpdateCycle), Formats: []string{"PostgreSQL"}, FormatCategory: "3", Secrecy: NotSecret, UsageTerms: "仅用于申请时载明的用途",
		ContactName: "值班室", ContactPhone: "0575-00000000", BaseDatabase: d.BaseDatabase, Open: d.Open,
	}
	start := mix(len(benchColumns))
	for i := range benchItems {
		column := benchColumns[(start+i*5)%len(benchColumns)]
		item := documentItem{Name: column[0], Identifier: column[1], Defined: i%2 == 0, Bound: i%3 == 0}
		if i == 0 {
			item.Name, item.Identifier = topic+"编号", "key_no"
		}
		d.items, letters = append(d.items, item), append(letters, column[2])
	}
	return d, letters
}

// makeDirectory makes the directory in an empty database: everything by COPY, and what is built from the whole (indexes, keys) afterwards.
func makeDirectory(ctx context.Context, url string, n int) (err error) {
	pool, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if err := migrations.Up(ctx, pool); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	again, err := withoutIndexes(ctx, conn, "item", "resource_version", "resource", "resource_search")
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	if err := fillDepartments(ctx, conn, now); err != nil {
		return err
	}
	for _, fillTable := range []func(context.Context, *pgx.Conn, int, time.Time) error{fillResources, fillVersions, fillItems, fillSearch, fillArrivals} {
		if err := fillTable(ctx, conn, n, now); err != nil {
			return err
		}
	}
	for _, statement := range append(again, "VACUUM ANALYZE") {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
	}
	return nil
}

// withoutIndexes drops triggers, keys and indexes of tables, and returns the statements that make keys and indexes again.
func withoutIndexes(ctx context.Context, conn *pgx.Conn, tables ...string) ([]string, error) {
	const keys = `SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
		WHERE conrelid = ANY($1::regclass[]) AND contype IN ('p', 'u', 'f') OR confrelid = ANY($1::regclass[]) AND contype = 'f'
		ORDER BY contype <> 'f', oid`
	const indexes = `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY($1::text[])`
	var drop, again []string
	rows, err := conn.Query(ctx, keys, tables)
	if err != nil {
		return nil, err
	}
	var table, name, definition string
	_, err = pgx.ForEachRow(rows, []any{&table, &name, &definition}, func() error {
		drop = append(drop, "ALTER TABLE "+table+" DROP CONSTRAINT "+name)
		again = append([]string{"ALTER TABLE " + table + " ADD CONSTRAINT " + name + " " + definition}, again...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, statement := range drop {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	if rows, err = conn.Query(ctx, indexes, tables); err != nil {
		return nil, err
	}
	drop = nil
	_, err = pgx.ForEachRow(rows, []any{&name, &definition}, func() error {
		drop, again = append(drop, "DROP INDEX "+name), append(again, definition)
		return nil
	})
	if err != nil {
		return nil, err
	}
	drop = append(drop, "ALTER TABLE resource DISABLE TRIGGER USER")
	for _, statement := range drop {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	return append(again, "ALTER TABLE resource ENABLE TRIGGER USER"), nil
}

// made copies one row, or some, for each of n entries.
func made(ctx context.Context, conn *pgx.Conn, table string, columns []string, n, each int, row func(n, i int) ([]any, error)) error {
	at := -1
	_, err := conn.CopyFrom(ctx, pgx.Identifier(strings.Split(table, ".")), columns, pgx.CopyFromFunc(func() ([]any, error) {
		if at++; at == n*each {
			return nil, nil
		}
		return row(at/each, at%each)
	}))
	if err != nil {
		return fmt.Errorf("filling %s: %w", table, err)
	}
	return nil
}

func fillDepartments(ctx context.Context, conn *pgx.Conn, now time.Time) error {
	return made(ctx, conn, "department", []string{"id", "uscc", "name", "name_en", "division_code", "level", "created_at", "updated_at"}, benchDepts, 1, func(n, _ int) ([]any, error) {
		division := fmt.Sprintf("33%02d%02d", 1+n%11, n/20%10)
		return []any{benchDepartment(n), fmt.Sprintf("11330600QQ%08d", n), "示例" + strconv.Itoa(n/len(benchOffices)) + pick(benchAreas, n/20) + benchOffices[n%len(benchOffices)].name, "", division, "county", now, now}, nil
	})
}

func fillResources(ctx context.Context, conn *pgx.Conn, n int, now time.Time) error {
	return made(ctx, conn, "resource", []string{"id", "code", "provider_dept_id", "name", "state", "newest", "published", "next_item_no", "created_by", "created_at", "updated_at"}, n, 1, func(n, _ int) ([]any, error) {
		d, _ := benchDocument(n, now)
		return []any{d.Resource, d.Code, d.Department, d.Name, "published", 1, 1, benchItems + 1, uuid.Nil, d.UpdatedAt, d.UpdatedAt}, nil
	})
}

func fillVersions(ctx context.Context, conn *pgx.Conn, n int, now time.Time) error {
	return made(ctx, conn, "resource_version", []string{
		"resource_id", "version", "state", "name", "summary", "class_code", "base_database", "share_type", "grade", "update_cycle", "open", "body", "made_by", "published_at", "created_at", "updated_at",
	}, n, 1, func(n, _ int) ([]any, error) {
		d, _ := benchDocument(n, now)
		body, err := json.Marshal(d.metadata)
		base := &d.BaseDatabase
		if *base == "" {
			base = nil
		}
		return []any{d.Resource, 1, "published", d.Name, d.Summary, d.Code[:9], base, d.ShareType, d.Grade, d.UpdateCycle, d.Open, body, uuid.Nil, d.PublishedAt, d.UpdatedAt, d.UpdatedAt}, err
	})
}

func fillItems(ctx context.Context, conn *pgx.Conn, n int, now time.Time) error {
	var d document
	var letters []string
	return made(ctx, conn, "item", []string{"resource_id", "version", "no", "id", "ordinal", "name", "identifier", "data_type", "length", "is_key", "share_type", "grade"}, n, benchItems, func(n, i int) ([]any, error) {
		if i == 0 {
			d, letters = benchDocument(n, now)
		}
		return []any{d.Resource, 1, i + 1, benchID(3, n*benchItems+i), i + 1, d.items[i].Name, d.items[i].Identifier, letters[i], 64, i == 0, d.ShareType, d.Grade}, nil
	})
}

// benchSignals gives the n-th entry its points: three of ten have data, most of those on time, few are used much.
func benchSignals(n int) (points int, arrived bool) {
	if n%10 >= 3 {
		return 0, false
	}
	points = dataPoints + latePoints
	if n%7 != 0 {
		points = dataPoints + freshPoints
	}
	return points + n/10%97*n/10%53*usePoints/(97*53), true
}

func benchRank(n int, d document) int {
	signals, _ := benchSignals(n)
	return min(d.complete()+signals, maxRank)
}

// benchTiers gives each of n entries its tier, and draws the borders.
func benchTiers(ctx context.Context, conn *pgx.Conn, n int, now time.Time) ([]int, error) {
	places := make([]struct{ at, rank int }, n)
	for at := range places {
		d, _ := benchDocument(at, now)
		places[at].at, places[at].rank = at, benchRank(at, d)
	}
	slices.SortFunc(places, func(a, b struct{ at, rank int }) int { return cmp.Or(b.rank-a.rank, b.at-a.at) }) // Ids ascend with at.
	out := make([]int, n)
	wanted := usualTiering().wanted(int64(n))
	for i, p := range places {
		out[p.at] = 1
		for tier := tiers; tier > 1; tier-- {
			if int64(i) < wanted[tier] {
				out[p.at] = tier
				break
			}
		}
	}
	for tier := tiers; tier > 1 && wanted[tier] > 0; tier-- {
		last := places[wanted[tier]-1]
		if _, err := conn.Exec(ctx, "INSERT INTO search_tier (tier, rank, resource_id) VALUES ($1, $2, $3)", tier, last.rank, benchResource(last.at)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func fillSearch(ctx context.Context, conn *pgx.Conn, n int, now time.Time) error {
	tier, err := benchTiers(ctx, conn, n, now)
	if err != nil {
		return err
	}
	reader := newCopyText(func(at int) (string, bool) {
		if at == n {
			return "", false
		}
		d, _ := benchDocument(at, now)
		name, body := d.texts()
		signals, _ := benchSignals(at)
		words := d.words(name, body)
		for i := range words {
			words[i] = quoted(words[i])
		}
		stamp := d.UpdatedAt.Format(time.RFC3339)
		return copyLine(d.Resource.String(), "1", "published", d.Department.String(), strconv.Itoa(benchRank(at, d)), strconv.Itoa(tier[at]), strconv.Itoa(d.complete()), strconv.Itoa(signals),
			d.BaseDatabase, d.ShareType, "{"+strings.Join(d.methods(), ",")+"}", d.UpdateCycle, d.Grade, strconv.FormatBool(d.Open),
			"{"+strings.Join(d.themes(), ",")+"}", strconv.Itoa(len(d.items)), stamp, stamp, name, body, strings.Join(words, " "), strconv.Itoa(builtBy)), true
	})
	_, err = conn.PgConn().CopyFrom(ctx, reader, `COPY resource_search (resource_id, version, state, department_id, rank, tier, complete, signals, base_database,
		share_type, share_methods, update_cycle, grade, open, themes, items, updated_at, published_at, name, body, words, built) FROM STDIN`)
	return err
}

func fillArrivals(ctx context.Context, conn *pgx.Conn, n int, now time.Time) error {
	at := -1
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"store", "store_head"}, []string{"resource", "incarnation", "layout", "rows", "seq", "changed_at"}, pgx.CopyFromFunc(func() ([]any, error) {
		for at++; at < n; at++ {
			if _, arrived := benchSignals(at); arrived {
				return []any{benchResource(at), uuid.Nil, 1, int64(at * 31 % 1_000_000), int64(1), now.Add(-time.Duration(at%72) * time.Hour)}, nil
			}
		}
		return nil, nil
	}))
	return err
}

// copyText reads lines that are made one by one.
type copyText struct {
	line func(at int) (string, bool)
	at   int
	rest string
}

func newCopyText(line func(at int) (string, bool)) *copyText { return &copyText{line: line} }

// Read implements io.Reader.
func (c *copyText) Read(p []byte) (int, error) {
	if c.rest == "" {
		line, ok := c.line(c.at)
		if !ok {
			return 0, io.EOF
		}
		c.rest = line
		c.at++
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// copyLine writes a line of COPY's text form.
func copyLine(fields ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`)
	for i := range fields {
		fields[i] = escape.Replace(fields[i])
	}
	return strings.Join(fields, "\t") + "\n"
}
