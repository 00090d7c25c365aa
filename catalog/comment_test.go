package catalog_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Makers and reviewers talk at the fields of a version: a thread keeps its field, is settled once, and is over with the review.
func TestComments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ok(b.service.CreateResource(b.ctx, b.operator, small("意见")))
	if _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	first := ok(b.service.AddComment(b.ctx, b.admin, r.ID, catalog.NewComment{Field: "items.remark", Said: " 备注列含个人信息吗? "}))
	if first.Said != "备注列含个人信息吗?" || first.Thread != first.ID || first.Round != 1 || first.Department != b.police.Name {
		t.Errorf("the remark is %+v", first)
	}
	answer := ok(b.service.AddComment(b.ctx, b.operator, r.ID, catalog.NewComment{Field: "summary", Thread: first.ID, Said: "不含"}))
	again := ok(b.service.AddComment(b.ctx, b.platform, r.ID, catalog.NewComment{Thread: answer.ID, Said: "收到"}))
	if answer.Field != first.Field || answer.Thread != first.ID || again.Thread != first.ID {
		t.Errorf("the answers are %+v and %+v", answer, again)
	}
	settled := ok(b.service.ResolveComment(b.ctx, b.admin, r.ID, answer.ID))
	if settled.ID != first.ID || settled.ResolvedBy == nil || *settled.ResolvedBy != b.admin.ID {
		t.Errorf("settled is %+v", settled)
	}
	_, err := b.service.ResolveComment(b.ctx, b.operator, r.ID, first.ID)
	wantCode(t, err, fault.Conflict, "already_resolved")
	var said []string
	page := db.Page{Limit: 2}
	for {
		some, next, err := b.service.Comments(b.ctx, b.operator, r.ID, 0, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range some {
			said = append(said, c.Said)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"备注列含个人信息吗?", "不含", "收到"}, said); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct {
		n    catalog.NewComment
		want string
	}{
		"nothing said":        {catalog.NewComment{Said: "\t"}, "said required"},
		"too much said":       {catalog.NewComment{Said: strings.Repeat("字", 2001)}, "said too_long"},
		"an unknown item":     {catalog.NewComment{Field: "items.none", Said: "x"}, "field unknown"},
		"an unknown field":    {catalog.NewComment{Field: "state", Said: "x"}, "field unknown"},
		"an unknown remark":   {catalog.NewComment{Thread: uuid.New(), Said: "x"}, "thread unknown"},
		"what no text can be": {catalog.NewComment{Said: "a\x00"}, "said bad_character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.service.AddComment(b.ctx, b.admin, r.ID, tt.n)
			wantFields(t, err, tt.want)
		})
	}
	_, err = b.service.AddComment(b.ctx, b.marketAdm, r.ID, catalog.NewComment{Said: "x"})
	wantCode(t, err, fault.NotFound, "not_found")
	_, err = b.service.AddComment(b.ctx, b.system, r.ID, catalog.NewComment{Said: "x"})
	wantCode(t, err, fault.NotFound, "not_found")
	other := ok(b.service.CreateResource(b.ctx, b.operator, small("别的")))
	_, err = b.service.ResolveComment(b.ctx, b.admin, other.ID, first.ID)
	wantCode(t, err, fault.NotFound, "not_found")

	for _, move := range []func() (catalog.Resource, error){
		func() (catalog.Resource, error) { return b.service.Approve(b.ctx, b.admin, r.ID, 0) },
		func() (catalog.Resource, error) { return b.service.Publish(b.ctx, b.platform, r.ID, 0) },
	} {
		if _, err := move(); err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.service.AddComment(b.ctx, b.admin, r.ID, catalog.NewComment{Said: "x"})
	wantCode(t, err, fault.Conflict, "illegal_move")
	// What was said about a draft goes with it.
	if _, err := b.service.AddComment(b.ctx, b.operator, other.ID, catalog.NewComment{Field: "name", Said: "名称待定"}); err != nil {
		t.Fatal(err)
	}
	if err := b.service.DiscardDraft(b.ctx, b.operator, other.ID, 0); err != nil {
		t.Error(err)
	}
}

// Reasons for sending back are those of the list, each once, and words besides.
func TestReturnCodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ok(b.service.CreateResource(b.ctx, b.operator, small("退回")))
	if _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err := b.service.ReturnDept(b.ctx, b.admin, r.ID, 0, "请补充", "items", "x", "items")
	wantFields(t, err, "codes[1] not_choice", "codes[2] not_choice")
	_, err = b.service.ReturnDept(b.ctx, b.admin, r.ID, 0, strings.Repeat("字", 4001), "items")
	wantFields(t, err, "reason too_long")
	back, err := b.service.ReturnDept(b.ctx, b.admin, r.ID, 0, "请补充", catalog.ReturnCodes()...)
	if err != nil || back.Version.State != catalog.Returned || back.Version.Round != 2 {
		t.Errorf("got %s in round %d, %v", back.Version.State, back.Version.Round, err)
	}
}
