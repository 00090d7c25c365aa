package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// testChanges walks a change of an entry: it is recorded and gets more time, the draft is remarked on and gets its documents, the
// reviewer sees whom it touches, and the consumer takes note of it.
func testChanges(t *testing.T, h *hub) {
	g := h.granted(t, func(a *sharing.Application) {
		a.ResourceID, a.Items, a.RowFilter, a.Lookup, a.Unmask = h.things.ID, []string{"no", "title"}, nil, nil, nil
	})
	operator, admin, platform, consumer := h.as(t, "police_operator"), h.as(t, "police_admin"), h.as(t, "platform_operator"), h.as(t, "social_admin")
	desk := "/ui/compile/" + h.things.ID.String()
	expect := func(what string, status int, page string, want int, parts ...string) {
		t.Helper()
		if status != want {
			t.Errorf("%s: %d, want %d", what, status, want)
		}
		for _, part := range parts {
			if !strings.Contains(page, part) {
				t.Errorf("%s does not show %q", what, part)
			}
		}
	}
	status, page := operator.post(desk+"/changes", "cause", "duty", "detail", " ", "happened_on", "2026-01-05")
	expect("a change without words", status, page, http.StatusUnprocessableEntity, `role="alert"`, `value="2026-01-05"`)
	status, page = operator.post(desk+"/changes", "cause", "duty", "detail", "职责划转示例", "happened_on", "2026-01-05")
	expect("a change", status, page, http.StatusOK, "职责划转示例", "红牌", "2026-01-19")
	status, page = platform.get("/ui/changes?view=late")
	expect("what is late", status, page, http.StatusOK, "职责划转示例", "同意延长期限")
	found, _, err := h.catalog.ChangeEvents(h.ctx, h.people["police_operator"], catalog.ChangeFilter{}, db.Page{})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d changes, %v", len(found), err)
	}
	at := "/ui/changes/" + found[0].ID.String()
	status, page = platform.post(at+"/extend", "reason", "")
	expect("more time without a reason", status, page, http.StatusUnprocessableEntity, `role="alert"`)
	status, page = platform.post(at+"/extend", "reason", "联调需要时间")
	expect("more time", status, page, http.StatusOK, "联调需要时间")
	if status, _ = operator.post(at+"/extend", "reason", "x"); status != http.StatusForbidden {
		t.Errorf("the department extends: %d", status)
	}
	_, page = operator.get("/ui/todo?kind=change")
	expect("the list of what to update", 200, page, 200, "职责划转示例")
	if status, _ = consumer.get(desk + "/changes"); status != http.StatusNotFound {
		t.Errorf("a consumer at the changes of an entry: %d", status)
	}

	// The draft that follows.
	people := h.people
	if _, err := h.catalog.StartVersion(h.ctx, people["police_operator"], h.things.ID, 0); err != nil {
		t.Fatal(err)
	}
	m := h.things.Version.Metadata
	m.Items = append([]catalog.Item(nil), m.Items...)
	m.Items[2].Length = 50
	if _, err := h.catalog.EditDraft(h.ctx, people["police_operator"], h.things.ID, 0, m); err != nil {
		t.Fatal(err)
	}
	status, page, _ = operator.upload(desk+"/documents/secrecy", "评估.exe", "MZ")
	expect("a program", status, page, http.StatusUnprocessableEntity, "请上传 PDF")
	status, page, _ = operator.upload(desk+"/documents/secrecy", "评估.pdf", "%PDF-1.7 示例")
	expect("a document", status, page, http.StatusOK, "评估.pdf", "已上传")
	if status, _, _ = consumer.upload(desk+"/documents/secrecy", "评估.pdf", "%PDF-1.7"); status != http.StatusForbidden {
		t.Errorf("a consumer uploads: %d", status)
	}
	files, err := h.catalog.Assessments(h.ctx, people["police_operator"], h.things.ID)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d documents, %v", len(files), err)
	}
	answer, err := admin.http.Get(h.server.URL + desk + "/documents/" + files[0].SHA256)
	if status, page = admin.read(answer, err); page != "%PDF-1.7 示例" || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("the document is %d %q under %v", status, page, answer.Header)
	}
	_, page = operator.get(desk)
	expect("the form of the draft", 200, page, 200, `id="old_until"`, "名称：长度或精度变小")
	day := time.Now().AddDate(0, 1, 0).In(time.FixedZone("", 8*3600)).Format(time.DateOnly)
	status, page = operator.post(desk+"/submit", "old_until", "2020-01-01")
	expect("a day that has passed", status, page, http.StatusUnprocessableEntity, `value="2020-01-01"`, "须是今后的日期")
	status, page = operator.post(desk+"/submit", "old_until", day)
	expect("submitting with a day", status, page, http.StatusOK, `id="old-until"`, "旧版本（第 1 版）用到 "+day)
	status, page = admin.post(desk+"/comments", "field", "items.title", "said", "为什么缩短?")
	expect("a remark", status, page, http.StatusOK, "为什么缩短?", "信息项 名称", "待处理")
	status, page = admin.post(desk+"/comments", "field", "", "said", "")
	expect("no remark", status, page, http.StatusUnprocessableEntity, "请填写意见")
	said, _, err := h.catalog.Comments(h.ctx, people["police_admin"], h.things.ID, 0, db.Page{})
	if err != nil || len(said) != 1 {
		t.Fatalf("%d remarks, %v", len(said), err)
	}
	status, page = operator.post(desk+"/comments", "thread", said[0].ID.String(), "said", "数据最长 40 字")
	expect("an answer", status, page, http.StatusOK, "数据最长 40 字")
	status, page = admin.post(desk + "/comments/" + said[0].ID.String())
	expect("a remark that is settled", status, page, http.StatusOK, "已处理")

	status, page = admin.get(desk + "/impact")
	expect("whom it touches", status, page, http.StatusOK, "影响 1 个授权", "长度或精度变小", "发布后通知", g.ClientName)
	status, page = admin.get(desk)
	expect("the page of the reviewer", status, page, http.StatusOK, `id="impact-note"`, "旧版本（第 1 版）用到 "+day)
	_, err = h.catalog.Approve(h.ctx, people["police_admin"], h.things.ID, 0)
	if err == nil {
		_, page = platform.get("/ui/todo?kind=platform_review")
		expect("the authority's list", 200, page, 200, "审核期限", "还剩")
		_, page = platform.get(desk)
		expect("the page of the authority", 200, page, 200, `id="act-publish"`, "旧版本（第 1 版）用到 "+day)
		_, err = h.catalog.Publish(h.ctx, people["platform_operator"], h.things.ID, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, page = consumer.get("/ui/todo?kind=acknowledge")
	expect("what to take note of", 200, page, 200, g.ID.String())
	_, page = consumer.get("/ui/inbox")
	expect("the inbox", 200, page, 200, "请核对并确认知悉")
	_, page = consumer.get("/ui/grants/" + g.ID.String())
	expect("the grant", 200, page, 200, `id="acknowledge-2"`, "长度或精度变小", `id="old-version"`, "旧版本用到 "+day)
	_, page = operator.get("/ui/resources/" + h.things.ID.String() + "?tab=versions")
	expect("the versions", 200, page, 200, "旧版本用到 "+day)
	status, page = consumer.post("/ui/grants/"+g.ID.String()+"/changes/2", "note", "已调整示例系统")
	expect("taking note", status, page, http.StatusOK, "已确认", "已调整示例系统")
	if strings.Contains(page, `id="old-version"`) {
		t.Error("the grant is said to read the old version after its consumer took note")
	}
	status, page = admin.get(desk + "/impact")
	expect("who has taken note", status, page, http.StatusOK, "已调整示例系统")
	if _, page = admin.get(desk + "/impact?format=csv"); !strings.Contains(page, g.PurposeText+",") {
		t.Errorf("the table is %q", page)
	}
}
