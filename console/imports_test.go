package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A file is sent, its errors are shown by cell, a right one is written; others do not see it.
func testImports(t *testing.T, h *hub) {
	operator := h.as(t, "police_operator")
	_, page := operator.get("/ui/imports")
	for _, want := range []string{"批量导入导出", `href="/ui/imports/template"`, `name="file"`, `id="export"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if status, page, _ := operator.upload("/ui/imports", "", "", "mode", "all"); status != http.StatusUnprocessableEntity || !strings.Contains(page, `role="alert"`) {
		t.Errorf("without a file: %d", status)
	}
	settled := func(path string) string {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			_, page := operator.get(path)
			if !strings.Contains(page, "hx-trigger") {
				return page
			}
			if time.Now().After(deadline) {
				t.Fatalf("it is never done: %s", page)
			}
		}
	}
	_, _, wrong := operator.upload("/ui/imports", "示例.csv", "资源名称,共享类型\n导入的示例信息,随便\n", "mode", "all")
	page = settled(wrong)
	if !strings.Contains(page, ">B2<") || !strings.Contains(page, "不是可选的值") || strings.Contains(page, `id="apply"`) {
		t.Errorf("the wrong file: %s", page)
	}
	if status, body := operator.get(wrong + "?format=csv"); status != http.StatusOK || !strings.Contains(body, "B2") {
		t.Errorf("its errors as a table: %d %s", status, body)
	}
	if status, body := operator.get(wrong + "/result"); status != http.StatusOK || !strings.HasPrefix(body, "PK") {
		t.Errorf("its result: %d", status)
	}
	_, _, right := operator.upload("/ui/imports", "示例.csv", "资源名称,共享类型\n导入的示例信息,有条件共享\n", "mode", "all")
	if page = settled(right); !strings.Contains(page, `id="apply"`) || !strings.Contains(page, "新增 1 条") {
		t.Fatalf("the right file: %s", page)
	}
	if status, _ := operator.post(right + "/apply"); status != http.StatusOK {
		t.Errorf("applying: %d", status)
	}
	if page = settled(right); !strings.Contains(page, "已写入 1 条") {
		t.Errorf("after it was written: %s", page)
	}
	if _, page = operator.get("/ui/compile?state=draft"); !strings.Contains(page, "导入的示例信息") {
		t.Error("the draft is not there")
	}
	for _, name := range []string{"social_operator", "platform_operator", "police_admin"} {
		if status, _ := h.as(t, name).get(right); status != http.StatusNotFound && status != http.StatusForbidden {
			t.Errorf("%s sees the import: %d", name, status)
		}
	}
	if status, _ := operator.post(right + "/remove"); status != http.StatusOK {
		t.Errorf("removing: %d", status)
	}
	if status, _ := operator.get(right); status != http.StatusNotFound {
		t.Errorf("after it was removed: %d", status)
	}
}
