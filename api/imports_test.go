package api_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hubtest"
)

// A department sends a file in, reads what is wrong by cell, mends it and has it written; files come out as they went in.
func TestImports(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	staff := h.SetUp(t)
	bureau := h.Bureau(t, staff, 51, "示例市教育局", "education")
	wait := func(j client.Import) client.Import {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); j.State == "received" || j.State == "checking" || j.State == "applying"; {
			if time.Now().After(deadline) {
				t.Fatalf("it is %s for too long", j.State)
			}
			time.Sleep(50 * time.Millisecond)
			var err error
			if j, err = bureau.Operator.Import(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
		}
		return j
	}
	send := func(text string) client.Import {
		t.Helper()
		j, err := bureau.Operator.SendImport(t.Context(), "示例.csv", "all", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return wait(j)
	}
	wrong := send("资源名称,共享类型\n示例学校信息,随便\n")
	if wrong.State != "checked" || wrong.Troubles != 1 {
		t.Fatalf("got %+v", wrong)
	}
	for e, err := range bureau.Operator.EachImportError(t.Context(), wrong.ID) {
		if err != nil || e.Sheet != "资源" || e.Cell != "B2" || e.Column != "declared_share_type" || e.Code != "not_choice" {
			t.Errorf("got %+v, %v", e, err)
		}
	}
	if _, err := bureau.Operator.ApplyImport(t.Context(), wrong.ID); problemCode(err) != "import_wrong" {
		t.Errorf("applying it: %v", err)
	}
	right := send("资源名称,共享类型\n示例学校信息,有条件共享\n")
	applying, err := bureau.Operator.ApplyImport(t.Context(), right.ID)
	if err != nil {
		t.Fatal(err)
	}
	if right = wait(applying); right.State != "done" || right.Applied != 1 {
		t.Errorf("got %+v", right)
	}
	for path, start := range map[string]string{
		"/directory/template": "PK", "/directory/export": "PK", "/directory/export?format=csv": "PK", "/imports/" + right.ID + "/result": "PK",
		"/directory/export?format=pdf": `{"`, "/imports/00000000-0000-0000-0000-000000000000/result": `{"`,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, bureau.Operator.Base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+bureau.Operator.Token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || !bytes.HasPrefix(raw, []byte(start)) || (start == "PK") != (answer.StatusCode == http.StatusOK) {
			t.Errorf("%s: %d %.60q, %v", path, answer.StatusCode, raw, err)
		}
		if name := answer.Header.Get("Content-Disposition"); start == "PK" && !strings.HasPrefix(name, "attachment; filename") {
			t.Errorf("%s is called %q", path, name)
		}
	}
	if _, err := staff.Operator.SendImport(t.Context(), "a.csv", "all", []byte("资源名称\n甲\n")); problemCode(err) != "forbidden" {
		t.Errorf("the authority imports: %v", err)
	}
}

// problemCode is the code of a problem, "" for anything else.
func problemCode(err error) string {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Code
	}
	return ""
}
