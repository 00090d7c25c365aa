package console_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/db"
)

// TestExchangePages shares one hub over a source with two good rows and a wrong one: parts that change it come last.
func TestExchangePages(t *testing.T) {
	t.Parallel()
	h := setup(t)
	e := exchangeHub{hub: h}
	e.find(t)
	t.Run("what comes from a department is for its people and the authority", func(t *testing.T) { e.testSight(t) })
	t.Run("a source is registered, its secret never shown", func(t *testing.T) { e.testSource(t) })
	t.Run("tables and columns are shown, rows are not", func(t *testing.T) { e.testTables(t) })
	t.Run("items are matched with columns", func(t *testing.T) { e.testMount(t) })
	t.Run("a preview converts, masks and leaves evidence", func(t *testing.T) { e.testPreview(t) })
	t.Run("settings of a task", func(t *testing.T) { e.testTask(t) })
	t.Run("a schedule is made, said in words, paused and resumed", func(t *testing.T) { e.testSchedule(t) })
	h.work(t)
	t.Run("rejects by reason, opened and waived", func(t *testing.T) { e.testRejects(t) })
	t.Run("a failed run says what happened first", func(t *testing.T) { e.testFailure(t) })
	t.Run("every page in both languages", func(t *testing.T) { e.testLanguages(t) })
}

// exchangeHub is the hub with what its small entry is fed by.
type exchangeHub struct {
	*hub
	source catalog.Source
	mount  catalog.Mount
}

func (e *exchangeHub) find(t *testing.T) {
	t.Helper()
	sources, _, err := e.catalog.Sources(e.ctx, e.people["police_admin"], e.police.ID, db.Page{})
	if err == nil {
		e.source = sources[0]
		e.mount, err = e.catalog.ActiveMount(e.ctx, e.things.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// must opens a page that has to be there and to say all of that.
func must(t *testing.T, b *browser, path string, want ...string) string {
	t.Helper()
	status, page := b.get(path)
	if status != http.StatusOK {
		t.Fatalf("%s: got %d\n%s", path, status, page)
	}
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("%s lacks %q", path, text)
		}
	}
	return page
}

// sent sends a form and demands a status and what the page says then.
func sent(t *testing.T, b *browser, path string, want int, says []string, form ...string) string {
	t.Helper()
	status, page := b.post(path, form...)
	if status != want {
		t.Fatalf("%s: got %d, want %d\n%s", path, status, want, page)
	}
	for _, text := range says {
		if !strings.Contains(page, text) {
			t.Errorf("%s answers without %q", path, text)
		}
	}
	return page
}

func (e *exchangeHub) testSight(t *testing.T) {
	task, mount, source := "/ui/tasks/"+e.task.ID.String(), "/ui/mounts/"+e.mount.ID.String(), "/ui/sources/"+e.source.ID.String()
	for _, c := range []struct {
		who   string
		paths []string
		want  int
	}{
		{"social_operator", []string{source, source + "/edit", source + "/tables", mount, mount + "/edit", task, task + "/schedules", task + "/rejects", task + "/comparisons", task + "/settings", task + "/schedules/new", "/ui/runs?task=" + e.task.ID.String()}, http.StatusNotFound},
		{"auditor", []string{"/ui/sources", "/ui/mounts", "/ui/tasks", "/ui/runs", "/ui/sources/new", "/ui/mounts/new", "/ui/tasks/new"}, http.StatusForbidden},
		{"police_admin", []string{"/ui/sources/new", source + "/edit", "/ui/mounts/new"}, http.StatusForbidden},
		{"police_operator", []string{task + "/schedules/new"}, http.StatusForbidden},
		{"platform_operator", []string{task + "/rejects"}, http.StatusForbidden},
		{"police_operator", []string{mount + "/edit"}, http.StatusConflict},
	} {
		b := e.as(t, c.who)
		for _, path := range c.paths {
			status, page := b.get(path)
			if status != c.want && !(c.want == http.StatusNotFound && status == http.StatusForbidden) {
				t.Errorf("%s opens %s: got %d, want %d", c.who, path, status, c.want)
			}
			if c.want == http.StatusNotFound && strings.Contains(page, "示例库") {
				t.Errorf("%s learns from %s of the source", c.who, path)
			}
		}
	}
	other := e.as(t, "social_operator")
	for _, path := range []string{"/ui/sources", "/ui/mounts", "/ui/tasks", "/ui/runs"} {
		if page := must(t, other, path); strings.Contains(page, "示例库") || strings.Contains(page, "示例事项") {
			t.Errorf("another department sees entries in %s", path)
		}
		if _, sheet := other.get(path + "?format=csv"); strings.Contains(sheet, "示例") {
			t.Errorf("another department downloads entries of %s", path)
		}
	}
	for _, act := range []string{mount + "/preview", mount + "/suspend", source + "/probe", task + "/run", task + "/pause", task + "/settings"} {
		if status, page := other.post(act, "reason", "x"); status != http.StatusNotFound && status != http.StatusForbidden {
			t.Errorf("another department sends %s: got %d\n%s", act, status, page)
		}
	}
	authority := e.as(t, "platform_operator")
	must(t, authority, "/ui/sources", "示例库", "示例市公安局")
	must(t, authority, "/ui/mounts", "示例事项", "示例市公安局", "public.thing")
	if page := must(t, authority, source, "示例库"); strings.Contains(page, `href="`+source+`/edit"`) {
		t.Error("the authority is offered to change a department's source")
	}
	if page := must(t, e.as(t, "police_admin"), mount, `id="do-suspend"`); strings.Contains(page, `id="preview"`) {
		t.Error("who may not write mounts is offered the preview")
	}
}

func (e *exchangeHub) testSource(t *testing.T) {
	const secret = "Geheim-77-zq"
	b := e.as(t, "police_operator")
	page := sent(t, b, "/ui/sources", http.StatusUnprocessableEntity, []string{`value="db.example"`, "请填整数"},
		"driver", "postgres", "name", "", "settings.host", "db.example", "settings.port", "many", "settings.password", secret)
	if n := strings.Count(page, `class="wrong"`); n < 2 || strings.Contains(page, secret) {
		t.Errorf("%d fields are wrong, or the secret is sent back", n)
	}
	page = sent(t, b, "/ui/sources", http.StatusOK, []string{"业务库", "127.0.0.1", "保密，不显示", `title="never"`},
		"driver", "postgres", "name", "业务库", "settings.host", "127.0.0.1", "settings.port", "1", "settings.database", "x", "settings.user", "reader", "settings.password", secret)
	path := regexp.MustCompile(`/ui/sources/[0-9a-f-]{36}`).FindString(page)
	probed := sent(t, b, path+"/probe", http.StatusOK, []string{`title="failed"`, "来源库连接不上", "来源方", "请部门检查来源库是否运行", `<span class="bad">`})
	tables := must(t, b, path+"/tables", "来源库连接不上")
	edit := must(t, b, path+"/edit", "留空不变")
	version := regexp.MustCompile(`name="row_version" value="(\d+)"`).FindStringSubmatch(edit)[1]
	// Another server does not get the password that was meant for this one.
	moved := sent(t, b, path+"/edit", http.StatusUnprocessableEntity, []string{`value="127.0.0.2"`}, "row_version", version, "name", "业务库", "settings.host", "127.0.0.2", "settings.port", "1", "settings.database", "x", "settings.user", "reader")
	renamed := sent(t, b, path+"/edit", http.StatusOK, []string{"业务库二"}, "row_version", version, "name", "业务库二", "settings.host", "127.0.0.1", "settings.port", "1", "settings.database", "x", "settings.user", "reader")
	sent(t, b, path+"/edit", http.StatusPreconditionFailed, nil, "row_version", version, "name", "业务库三", "settings.host", "127.0.0.1", "settings.port", "1", "settings.database", "x", "settings.user", "reader")
	list := must(t, b, "/ui/sources", "业务库二", "连接失败", "127.0.0.1:1/x")
	_, sheet := b.get("/ui/sources?format=csv")
	if !strings.Contains(sheet, "业务库二,示例市公安局,PostgreSQL 数据库,127.0.0.1:1/x,连接失败") {
		t.Errorf("the table of sources: got %s", sheet)
	}
	for i, text := range []string{page, probed, tables, edit, moved, renamed, list, sheet, must(t, b, "/ui/sources/"+e.source.ID.String())} {
		if strings.Contains(text, secret) || strings.Contains(text, "postgres://"+"postgres") {
			t.Errorf("answer %d shows a secret", i)
		}
	}
	sent(t, b, "/ui/sources/"+e.source.ID.String()+"/probe", http.StatusOK, []string{`title="ok"`, "连接正常", "PostgreSQL"})
}

func (e *exchangeHub) testTables(t *testing.T) {
	b := e.as(t, "police_admin")
	path := "/ui/sources/" + e.source.ID.String() + "/tables"
	page := must(t, b, path+"?q=THING&object=public.thing", "public.thing", "division", "character varying(6)")
	if strings.Contains(page, "A0001") || strings.Contains(page, "330602") {
		t.Error("the browser of tables shows rows")
	}
	must(t, b, path+"?q=nothing-like-this", "没有可读取的表")
	must(t, b, path+"?object=public.absent", "来源表不存在")
	if _, sheet := b.get(path + "?object=public.thing&format=csv"); !strings.Contains(sheet, "born,character varying(20),是,否,") {
		t.Errorf("the table of columns: got %s", sheet)
	}
}

var mountPath = regexp.MustCompile(`action="(/ui/mounts/[0-9a-f-]{36})/`)

func (e *exchangeHub) testMount(t *testing.T) {
	b, admin := e.as(t, "police_operator"), e.as(t, "police_admin")
	must(t, b, "/ui/mounts/new", "示例事项", "示例库")
	new3 := "/ui/mounts/new?resource=" + e.things.ID.String() + "&source=" + e.source.ID.String()
	must(t, b, new3, "public.thing")
	form := must(t, b, new3+"&object=public.thing", `<option value="title" selected>`, "已按名称和说明推荐 4 项", "按名称推荐")
	if strings.Contains(form, `id="all-columns"`) {
		t.Error("a small table is not offered by selects")
	}
	fields := []string{"resource", e.things.ID.String(), "source", e.source.ID.String(), "object", "public.thing", "delete_rule", "missing"}
	// What the service refuses is said at the field, and what was chosen stays.
	sent(t, b, "/ui/mounts", http.StatusUnprocessableEntity, []string{`<option value="title" selected>`, `class="wrong"`},
		append(slices.Clone(fields[:6]), "delete_rule", "soft_delete", "column_3", "title")...)
	sent(t, b, "/ui/mounts", http.StatusUnprocessableEntity, []string{"条件无法识别"},
		append(slices.Clone(fields), "column_1", "no", "row_item", "no", "row_op", "quite", "row_value", "1")...)
	// A check says at the row what does not fit.
	page := sent(t, b, "/ui/mounts", http.StatusOK, []string{"处问题，改正并重新检查后才能启用", "主键和必填项须有来源列", "来源表中没有这一列", `title="draft"`, "330602"},
		append(slices.Clone(fields), "column_2", "division", "column_3", "absent", "column_4", "born", "row_item", "division", "row_op", "eq", "row_value", "330602", "then", "check")...)
	path := mountPath.FindStringSubmatch(page)[1]
	version := regexp.MustCompile(`name="row_version" value="(\d+)"`).FindStringSubmatch(must(t, b, path+"/edit", `<option value="absent" selected>`))[1]
	sent(t, b, path+"/edit", http.StatusOK, []string{`title="submitted"`, "检查通过"},
		append(slices.Clone(fields), "row_version", version, "column_1", "no", "column_2", "division", "column_3", "title", "reason_4", "来源未记录", "then", "check")...)
	must(t, b, path, "来源未记录")
	if page := must(t, b, path); strings.Contains(page, `id="do-activate"`) {
		t.Error("a clerk is offered to activate")
	}
	sent(t, admin, path+"/reject", http.StatusUnprocessableEntity, []string{`id="move-reject" open`, `class="wrong"`})
	sent(t, admin, path+"/activate", http.StatusOK, []string{`title="active"`})
	sent(t, admin, path+"/suspend", http.StatusUnprocessableEntity, []string{`id="move-suspend" open`, `class="wrong"`})
	sent(t, admin, path+"/suspend", http.StatusOK, []string{`title="suspended"`, "来源停机检修"}, "reason", "来源停机检修")
	sent(t, admin, path+"/remove", http.StatusOK, []string{"已移除"}, "reason", "另有对应")
	old := "/ui/mounts/" + e.mount.ID.String()
	must(t, admin, old, `title="suspended"`, "另一个字段对应已启用")
	sent(t, admin, old+"/resume", http.StatusOK, []string{`title="active"`})
	must(t, b, new3+"&object=public.thing&from="+e.mount.ID.String(), `<option value="born" selected>`)
	must(t, admin, "/ui/mounts?state=active", "示例事项")
	if _, sheet := admin.get("/ui/mounts?state=active&format=csv"); !strings.Contains(sheet, "示例事项,示例市公安局,示例库,public.thing,4,启用") {
		t.Errorf("the table of mounts: got %s", sheet)
	}
}

func (e *exchangeHub) testPreview(t *testing.T) {
	b := e.as(t, "police_operator")
	page := sent(t, b, "/ui/mounts/"+e.mount.ID.String()+"/preview", http.StatusOK, []string{`id="preview-rows"`, "甲", "2001-02-03", "日期不存在", "将退回"})
	if strings.Contains(page, "2001-02-30") {
		t.Error("a value that would be refused is shown")
	}
	// The items of population are of grade L3 and masked.
	columns := []catalog.MountColumn{}
	for _, i := range e.population.Version.Items {
		c := catalog.MountColumn{ItemNo: i.No, Reason: "来源未记录"}
		switch i.Identifier {
		case "name":
			c = catalog.MountColumn{ItemNo: i.No, Column: "title"}
		case "household_no", "residence_address", "former_name":
			c = catalog.MountColumn{ItemNo: i.No, Column: "no"}
		}
		if i.ShareType != catalog.Withheld {
			columns = append(columns, c)
		}
	}
	m, err := e.catalog.CreateMount(e.ctx, e.people["police_operator"], e.population.ID, catalog.MountInput{SourceID: e.source.ID, Object: "public.thing", Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	page = sent(t, b, "/ui/mounts/"+m.ID.String()+"/preview", http.StatusOK, []string{`id="preview-rows"`, "*"})
	for _, clear := range []string{"甲<", "乙<", "A0001", "A0002"} {
		if strings.Contains(page, clear) {
			t.Errorf("the preview of masked items shows %q", clear)
		}
	}
	if status, _ := e.as(t, "police_admin").post("/ui/mounts/" + m.ID.String() + "/preview"); status != http.StatusForbidden {
		t.Errorf("a preview without the right: got %d", status)
	}
	action := "mount.preview"
	events, _, err := audit.NewLog(e.db).Find(e.ctx, audit.Filter{Action: &action}, db.Page{})
	if err != nil || len(events) < 2 {
		t.Errorf("previews left %d entries in the log, %v", len(events), err)
	}
}

func (e *exchangeHub) testTask(t *testing.T) {
	b, admin := e.as(t, "police_operator"), e.as(t, "police_admin")
	path := "/ui/tasks/" + e.task.ID.String()
	page := must(t, b, path+"/settings", "未指定，只能全量归集", `<option value="full" selected>`)
	version := regexp.MustCompile(`name="row_version" value="(\d+)"`).FindStringSubmatch(page)[1]
	sent(t, b, path+"/settings", http.StatusUnprocessableEntity, []string{`value="often"`, "请填大于 0 的数"}, "row_version", version, "mode", "full", "priority", "often")
	sent(t, b, path+"/settings", http.StatusUnprocessableEntity, []string{"超出允许范围"}, "row_version", version, "mode", "full", "priority", "12")
	sent(t, b, path+"/settings", http.StatusConflict, []string{"没有指定更新时间列"}, "row_version", version, "mode", "incremental", "overlap", "30", "sweep", "never")
	sent(t, b, path+"/settings", http.StatusOK, []string{"已保存", `value="3"`}, "row_version", version, "mode", "full", "priority", "3")
	sent(t, admin, path+"/pause", http.StatusOK, []string{"任务已暂停"})
	must(t, admin, "/ui/tasks?state=paused", "示例事项")
	if page := must(t, admin, "/ui/tasks?state=disabled", "没有符合条件的记录"); strings.Contains(page, "示例事项") {
		t.Error("the filter of states does not narrow")
	}
	sent(t, admin, path+"/enable", http.StatusOK, []string{"任务已启用"})
	sent(t, admin, path+"/enable", http.StatusConflict, []string{"现在可以"})
	must(t, b, "/ui/tasks/new?resource="+e.things.ID.String(), `value="`+e.things.ID.String()+`" selected`)
	sent(t, b, "/ui/tasks", http.StatusConflict, []string{"该资源已有归集任务"}, "resource", e.things.ID.String(), "mode", "full")
	sent(t, b, "/ui/tasks", http.StatusUnprocessableEntity, []string{`class="wrong"`}, "resource", "", "mode", "full")
	if _, sheet := admin.get("/ui/tasks?format=csv"); !strings.Contains(sheet, "示例事项,示例市公安局,启用,全量：每次读取全部行,每天 03:00,") {
		t.Errorf("the table of tasks: got %s", sheet)
	}
}

func (e *exchangeHub) testSchedule(t *testing.T) {
	b := e.as(t, "police_admin")
	path := "/ui/tasks/" + e.task.ID.String() + "/schedules"
	must(t, b, path, "每天 03:00")
	must(t, b, path+"/new", "今后十次")
	part := sent(t, b, "/ui/schedules/preview", http.StatusOK, []string{"每周一、周三 06:30"}, "how", "weekly", "at", "06:30", "weekday", "1", "weekday", "3")
	if strings.Count(part, "<li>") != 10 || strings.Contains(part, "<html") {
		t.Errorf("the due times to come: got %s", part)
	}
	sent(t, b, "/ui/schedules/preview", http.StatusOK, []string{"格式不对"}, "how", "spec", "spec", "at night")
	sent(t, b, path, http.StatusUnprocessableEntity, []string{`value="at night"`, "格式不对"}, "how", "spec", "spec", "at night")
	sent(t, b, path, http.StatusUnprocessableEntity, []string{"请填时刻"}, "how", "daily", "at", "late")
	sent(t, b, path, http.StatusUnprocessableEntity, []string{"没有这个时区"}, "how", "daily", "at", "04:00", "time_zone", "Nowhere/City")
	page := sent(t, b, path, http.StatusOK, []string{"每月 15 日 04:05", "等上一次结束后立即开始", "平台停机期间错过的不再补"},
		"how", "monthly", "at", "04:05", "day", "15", "overlap", "queue", "missed", "skip")
	one := regexp.MustCompile(`/ui/schedules/[0-9a-f-]{36}`).FindString(page)
	must(t, b, one+"/edit", `<option value="monthly" selected>`, `value="04:05"`, `value="15"`)
	sent(t, b, one+"/edit", http.StatusOK, []string{"每小时第 20 分"}, "how", "hourly", "minute", "20", "overlap", "skip", "missed", "run_once")
	sent(t, b, one+"/pause", http.StatusOK, []string{`title="paused"`})
	sent(t, b, one+"/resume", http.StatusOK, []string{`title="enabled"`})
	if status, _ := e.as(t, "police_operator").post(one + "/pause"); status != http.StatusForbidden {
		t.Errorf("a clerk pauses a schedule: got %d", status)
	}
	// Due times that nobody was there for, and one that is late.
	at := time.Date(2026, 3, 1, 1, 20, 0, 0, time.UTC)
	id := strings.TrimPrefix(one, "/ui/schedules/")
	_, err := e.db.Pool.Exec(e.ctx, `INSERT INTO fire (schedule_id, due_from, due_to, due_count, outcome, reason, at) VALUES ($1, $2, $2::timestamptz + interval '2 hours', 3, 'missed', 'no scheduler was running', $2::timestamptz + interval '3 hours')`, id, at)
	if err == nil {
		_, err = e.db.Pool.Exec(e.ctx, "UPDATE schedule SET next_at = clock_timestamp() - interval '2 hours' WHERE id = $1", id)
	}
	if err != nil {
		t.Fatal(err)
	}
	must(t, b, one, "2026-03-01 09:20:00", "共 3 次", "当时平台未运行", "应触发而未触发")
	must(t, b, "/ui/tasks", "已晚 2 小时")
	if _, sheet := b.get(one + "?format=csv"); !strings.Contains(sheet, "2026-03-01 09:20:00,2026-03-01 11:20:00,3,") {
		t.Errorf("the ledger as a table: got %s", sheet)
	}
	sent(t, b, one+"/pause", http.StatusOK, nil)
}

// run asks for a run by a form, waits for its end and returns its address.
func (e *exchangeHub) run(t *testing.T, b *browser, form string) string {
	t.Helper()
	_, page := b.post(form)
	found := regexp.MustCompile(`(/ui/runs/[0-9a-f-]{36})(?:/progress|/confirm)?"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("%s leads to no run\n%s", form, page)
	}
	id := uuid.MustParse(strings.TrimPrefix(found[1], "/ui/runs/"))
	if !e.until(t, func() bool {
		r, err := e.exchange.Run(e.ctx, e.people["police_admin"], id)
		return err == nil && r.State.Final()
	}) {
		t.Fatal("the run did not end")
	}
	return found[1]
}

func (e *exchangeHub) testRejects(t *testing.T) {
	clerk, admin := e.as(t, "police_operator"), e.as(t, "police_admin")
	task := "/ui/tasks/" + e.task.ID.String()
	run := e.run(t, admin, task+"/run")
	must(t, admin, run, "A0003", `title="succeeded"`, "两端 2 行逐行一致")
	page := must(t, admin, task+"/rejects", "按原因查看", "日期", "日期不存在", "A0003")
	reason := regexp.MustCompile(`href="([^"]*reason=impossible_date[^"]*)"`).FindStringSubmatch(page)
	if reason == nil {
		t.Fatal("rejects are not counted by reason")
	}
	must(t, admin, strings.ReplaceAll(reason[1], "&amp;", "&"), "A0003")
	if page := must(t, admin, task+"/rejects?item=1&reason=too_long", "没有这样的退回行"); strings.Contains(page, "A0003") {
		t.Error("another reason shows the row")
	}
	_, sheet := admin.get(task + "/rejects?format=csv")
	if !strings.Contains(sheet, "A0003,3,日期: 日期不存在") || strings.Contains(sheet, "2001-02-30") {
		t.Errorf("the table of rejects: got %s", sheet)
	}
	one := regexp.MustCompile(`/ui/rejects/[0-9a-f-]{36}`).FindString(page)
	if page := must(t, clerk, one, "如何更正"); strings.Contains(page, "2001-02-30") || strings.Contains(page, `id="move-waive"`) {
		t.Error("the page shows the row unasked, or waiving to a clerk")
	}
	sent(t, clerk, one+"/open", http.StatusOK, []string{"2001-02-30", "born"})
	for _, who := range []string{"platform_operator", "social_admin"} {
		b := e.as(t, who)
		if status, page := b.get(one); status < 400 || strings.Contains(page, "A0003") {
			t.Errorf("%s opens a reject: got %d", who, status)
		}
		if status, page := b.post(one + "/open"); status < 400 || strings.Contains(page, "2001-02-30") {
			t.Errorf("%s opens the row: got %d", who, status)
		}
	}
	sent(t, admin, one+"/waive", http.StatusUnprocessableEntity, []string{`id="move-waive" open`, `class="wrong"`})
	sent(t, admin, one+"/waive", http.StatusOK, []string{`title="waived"`, "历史数据无法更正"}, "reason", "历史数据无法更正")
	must(t, admin, task+"/rejects?state=waived", "A0003")

	compared := e.run(t, admin, task+"/reconcile")
	must(t, admin, compared, "重新读取来源", "两端一致")
	must(t, admin, task+"/comparisons", "两端 2 行逐行一致")
	if _, sheet := admin.get(task + "/comparisons?format=csv"); strings.Count(sheet, "\n") != 3 {
		t.Errorf("the table of comparisons: got %s", sheet)
	}
	must(t, admin, "/ui/runs?kind=reconcile&state=succeeded", compared)
	today := time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)
	must(t, admin, "/ui/runs?day="+today, run)
	if page := must(t, admin, "/ui/runs?day=2001-01-01", "没有符合条件的记录"); strings.Contains(page, run) {
		t.Error("the filter of days does not narrow")
	}
	if _, sheet := admin.get("/ui/runs?task=" + e.task.ID.String() + "&format=csv"); !strings.Contains(sheet, ",示例事项,示例市公安局,归集,人工发起,成功,,3,2,0,0,0,1,0,") {
		t.Errorf("the table of runs: got %s", sheet)
	}
	if status, _ := e.as(t, "social_admin").post(run + "/retry"); status != http.StatusNotFound && status != http.StatusForbidden {
		t.Errorf("another department retries: got %d", status)
	}
}

func (e *exchangeHub) testFailure(t *testing.T) {
	admin := e.as(t, "police_admin")
	sent(t, admin, "/ui/mounts/"+e.mount.ID.String()+"/suspend", http.StatusOK, nil, "reason", "来源升级")
	run := e.run(t, admin, "/ui/tasks/"+e.task.ID.String()+"/run")
	page := must(t, admin, run, "资源没有启用的字段对应", "平台方", "请先为资源建立并启用字段对应", "技术细节", `id="retry"`, `title="failed"`)
	if strings.Index(page, "发生了什么") > strings.Index(page, `id="progress"`) {
		t.Error("what happened does not come first")
	}
	if !strings.Contains(page, `<details class="mt-3"><summary>`) {
		t.Error("the technical detail is not folded")
	}
	sent(t, admin, "/ui/mounts/"+e.mount.ID.String()+"/resume", http.StatusOK, nil)
	again := e.run(t, admin, run+"/retry")
	must(t, admin, again, `title="succeeded"`)
	must(t, admin, "/ui/tasks/"+e.task.ID.String(), "data-chart", "平台现有行数")

	// A run that would delete too much says how much, and wants that to be confirmed.
	id := uuid.New()
	_, err := e.db.Pool.Exec(e.ctx, `
		INSERT INTO run (id, task_id, resource_id, kind, trigger, requested_by, state, priority, not_before, queued_at, started_at, finished_at, attempt, stage, error)
		SELECT $1, id, resource_id, 'collect', 'request', 'x', 'failed', 5, now(), now() + interval '1 minute', now(), now(), 1, 'merge',
			'{"stage":"merge","side":"source","object":"public.thing","code":"delete_guard","message":"too much","advice":"look","detail":{"deletes":"1500"}}' FROM task WHERE id = $2`, id, e.task.ID)
	if err != nil {
		t.Fatal(err)
	}
	must(t, admin, "/ui/runs/"+id.String(), "将删除 1,500 行", `id="confirm-deletes"`, "将删除的行过多")
	if page := must(t, e.as(t, "police_operator"), "/ui/runs/"+id.String()); strings.Contains(page, `id="confirm-deletes"`) {
		t.Error("a clerk is offered to confirm deletes")
	}
}

// testLanguages draws every page of the exchange in both languages: no key is left without its sentence.
func (e *exchangeHub) testLanguages(t *testing.T) {
	schedules, _, err := e.exchange.Schedules(e.ctx, e.people["police_admin"], exchange.ScheduleFilter{TaskID: &e.task.ID}, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	rejects, _, err := e.exchange.Rejects(e.ctx, e.people["police_admin"], exchange.RejectFilter{ResourceID: e.things.ID}, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	task, source, mount := "/ui/tasks/"+e.task.ID.String(), "/ui/sources/"+e.source.ID.String(), "/ui/mounts/"+e.mount.ID.String()
	paths := []string{
		"/ui/sources", "/ui/mounts", "/ui/tasks", "/ui/runs", source, source + "/tables?object=public.thing", mount, task, task + "/schedules", task + "/rejects?state=all",
		task + "/comparisons", task + "/settings", "/ui/rejects/" + rejects[0].ID.String(), "/ui/schedules/" + schedules[0].ID.String(),
	}
	operator := []string{"/ui/sources/new", source + "/edit", "/ui/mounts/new", "/ui/mounts/new?resource=" + e.things.ID.String() + "&source=" + e.source.ID.String() + "&object=public.thing", "/ui/tasks/new"}
	admin := []string{task + "/schedules/new", "/ui/schedules/" + schedules[0].ID.String() + "/edit"}
	key := regexp.MustCompile(`>[^<]*\b(?:answer|column|compare|counts|cron|delete_rule|done|fault|filter|fire|lasting|mount|mounts|mount_[a-z]+|nav|probe|reject|rejects|run|runs|schedule|schedules|source|sources|tables|task|tasks)\.[a-z_0-9]+[^<]*<`)
	for who, more := range map[string][]string{"police_operator": operator, "police_admin": admin} {
		b := e.as(t, who)
		for n, language := range []string{"zh-CN", "en"} {
			b.post("/ui/language", "language", language, "back", "/ui/sources")
			for _, path := range append(slices.Clone(paths), more...) {
				page := must(t, b, path, `<html lang="`+language+`">`)
				if found := key.FindString(page); found != "" {
					t.Errorf("%s in %s shows a key: %s", path, language, found)
				}
				if n == 1 && strings.Contains(page, "ZgotmplZ") {
					t.Errorf("%s holds an unsafe value", path)
				}
				if ids := regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1); len(ids) > 0 {
					seen := map[string]int{}
					for _, id := range ids {
						if seen[id[1]]++; seen[id[1]] == 2 {
							t.Errorf("%s has the id %s twice", path, id[1])
						}
					}
				}
			}
		}
	}
}
