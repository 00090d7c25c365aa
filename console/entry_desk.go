package console

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// maxDocument bounds the form that brings the document of an assessment.
const maxDocument = catalog.MaxAssessment + 64<<10

// entryHead is what the pages about compiling one entry have in common.
type entryHead struct {
	Resource catalog.Resource
	Provider string
	Tabs     []tab
}

// entryHead reads an entry for those who have a part in compiling it; everybody else has no such page.
func (v *visit) entryHead(id uuid.UUID, active string) (entryHead, error) {
	e, err := v.entry(id)
	if err != nil {
		return entryHead{}, err
	}
	if len(e.History) == 0 {
		return entryHead{}, notFound()
	}
	return entryHead{Resource: e.Resource, Provider: v.department(e.ProviderDeptID), Tabs: v.entryTabs(e.Resource, active)}, nil
}

// entryTabs are the parts of the desk of one entry.
func (v *visit) entryTabs(r catalog.Resource, active string) []tab {
	at := compilePath + "/" + r.ID.String()
	tabs := []tab{
		{Key: "entry_tab.content", Icon: "file-text", Href: at, Active: active == "content"},
		{Key: "entry_tab.comments", Icon: "message", Href: at + "/comments", Active: active == "comments"},
		{Key: "entry_tab.documents", Icon: "shield-check", Href: at + "/documents", Active: active == "documents"},
	}
	if r.Published != 0 {
		tabs = append(tabs,
			tab{Key: "entry_tab.impact", Icon: "sitemap", Href: at + "/impact", Active: active == "impact"},
			tab{Key: "entry_tab.changes", Icon: "clock", Href: at + "/changes", Active: active == "changes"})
	}
	return tabs
}

// commentsPage is what makers and reviewers said about a version.
type commentsPage struct {
	Entry    entryHead
	Threads  []thread
	CanSpeak bool
	Fields   []option
	More     string
	Said     string
	Answers  string // Id of the remark that is being answered, "" for a new one.
}

// thread is a remark with its answers.
type thread struct {
	catalog.Comment
	Where   string
	Answers []catalog.Comment
}

func (c *console) showComments(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawComments(id, nil)
}

func (v *visit) drawComments(id uuid.UUID, problem error) error {
	head, err := v.entryHead(id, "comments")
	if err != nil {
		return err
	}
	r := head.Resource
	page := commentsPage{Entry: head, Said: v.field("said"), Answers: v.field("thread")}
	said, next, err := v.Catalog.Comments(v.r.Context(), v.principal, id, r.Version.Number, db.Page{Limit: db.MaxPage, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	page.More = v.after(next)
	at := map[uuid.UUID]int{}
	for _, c := range said {
		if i, known := at[c.Thread]; known {
			page.Threads[i].Answers = append(page.Threads[i].Answers, c)
			continue
		}
		at[c.Thread] = len(page.Threads)
		page.Threads = append(page.Threads, thread{Comment: c, Where: v.whereSaid(c.Field, r.Version.Metadata)})
	}
	switch r.Version.State {
	case catalog.Draft, catalog.Returned, catalog.DeptReview, catalog.PlatformReview:
		page.CanSpeak = v.may(authz.ResourceComment, entryTarget(r))
	}
	page.Fields = append(page.Fields, option{Value: "", Text: v.say("comments.whole")})
	for _, s := range sections {
		for _, field := range s.fields {
			page.Fields = append(page.Fields, option{Value: field, Text: v.fieldLabel(field, nil)})
		}
	}
	for _, i := range r.Version.Items {
		page.Fields = append(page.Fields, option{Value: "items." + i.Identifier, Text: v.whereSaid("items."+i.Identifier, r.Version.Metadata)})
	}
	chosenField := v.field("field")
	if chosenField == "" {
		chosenField = v.query("field")
	}
	page.Fields = chosen(page.Fields, chosenField)
	if problem != nil {
		return v.again("entry_comments", r.Version.Name, page, problem)
	}
	return v.show("entry_comments", r.Version.Name, page)
}

// whereSaid says what a remark is about.
func (v *visit) whereSaid(field string, m catalog.Metadata) string {
	if field == "" {
		return v.say("comments.whole")
	}
	identifier, isItem := strings.CutPrefix(field, "items.")
	if !isItem {
		return v.fieldLabel(field, nil)
	}
	if i, ok := m.Item(identifier); ok {
		return v.say("comments.item", "name", i.Name)
	}
	return v.say("comments.item", "name", identifier)
}

func (c *console) addComment(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	n := catalog.NewComment{Field: v.field("field"), Said: v.field("said")}
	if v.field("thread") != "" {
		if n.Thread, err = uuid.Parse(v.field("thread")); err != nil {
			return notFound()
		}
	}
	_, err = v.Catalog.AddComment(v.r.Context(), v.principal, id, n)
	return v.commentDone(id, "comment_added", err)
}

func (c *console) resolveComment(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	comment, err := uuid.Parse(v.r.PathValue("comment"))
	if err != nil {
		return notFound()
	}
	_, err = v.Catalog.ResolveComment(v.r.Context(), v.principal, id, comment)
	return v.commentDone(id, "comment_resolved", err)
}

func (v *visit) commentDone(id uuid.UUID, done string, err error) error {
	switch {
	case fault.Is(err, fault.Forbidden):
		return err
	case err != nil:
		return v.drawComments(id, err)
	}
	return v.to(compilePath+"/"+id.String()+"/comments", done)
}

// documentsPage is the documents of the assessments of a version.
type documentsPage struct {
	Entry     entryHead
	Documents []documentRow
	CanAttach bool
	Most      int // MiB.
}

type documentRow struct {
	Kind   catalog.AssessmentKind
	Stated *catalog.Assessment
	File   *catalog.AssessmentFile // nil where only a digest is stated.
	Failed bool
}

func (c *console) showDocuments(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawDocuments(id, "", nil)
}

func (v *visit) drawDocuments(id uuid.UUID, failed string, problem error) error {
	head, err := v.entryHead(id, "documents")
	if err != nil {
		return err
	}
	files, err := v.Catalog.Assessments(v.r.Context(), v.principal, id)
	if err != nil {
		return err
	}
	r := head.Resource
	page := documentsPage{Entry: head, Most: catalog.MaxAssessment >> 20}
	page.CanAttach = (r.Version.State == catalog.Draft || r.Version.State == catalog.Returned) && v.may(authz.ResourceCompile, entryTarget(r))
	for _, row := range []documentRow{
		{Kind: catalog.SecrecyAssessment, Stated: r.Version.SecrecyAssess}, {Kind: catalog.PIAssessment, Stated: r.Version.PIAssess},
	} {
		for i := range files {
			if row.Stated != nil && strings.EqualFold(row.Stated.SHA256, files[i].SHA256) {
				row.File = &files[i]
			}
		}
		row.Failed = failed == string(row.Kind)
		page.Documents = append(page.Documents, row)
	}
	if problem != nil {
		return v.again("entry_documents", r.Version.Name, page, problem)
	}
	return v.show("entry_documents", r.Version.Name, page)
}

// attachDocument takes the document of an assessment from a form. The form is read as it comes: nothing of it is kept on disk.
func (c *console) attachDocument(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	kind := v.r.PathValue("kind")
	err = v.readDocument(id, catalog.AssessmentKind(kind))
	switch {
	case fault.Is(err, fault.Forbidden):
		return err
	case err != nil:
		return v.drawDocuments(id, kind, err)
	}
	return v.to(compilePath+"/"+id.String()+"/documents", "document_attached")
}

func (v *visit) readDocument(id uuid.UUID, kind catalog.AssessmentKind) error {
	parts, err := v.r.MultipartReader()
	if err != nil {
		return oneField("file", "required")
	}
	version := int64(0)
	for {
		part, err := parts.NextPart()
		if err != nil { // The end, or a form that is broken or too long.
			return oneField("file", "required")
		}
		switch part.FormName() {
		case "row_version":
			var raw [20]byte
			n, _ := part.Read(raw[:])
			version, _ = strconv.ParseInt(string(raw[:n]), 10, 64)
		case "file":
			if part.FileName() == "" {
				return oneField("file", "required")
			}
			_, err := v.Catalog.AttachAssessment(v.r.Context(), v.principal, id, version, kind, part.FileName(), part)
			if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
				return oneField("file", "too_long")
			}
			return err
		}
	}
}

// openDocument sends the document of an assessment, to be kept and not to be shown by the browser.
func (c *console) openDocument(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	f, raw, err := v.Catalog.OpenAssessment(v.r.Context(), v.principal, id, v.r.PathValue("digest"))
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", f.MediaType())
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	_, _ = v.w.Write(raw) // The reader may go away.
	return nil
}
