package catalog_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// archive is a packed document with these files in it.
func archive(t testing.TB, names ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const pdf = "%PDF-1.7 示例评估"

// A document is attached to a draft under the digest that the hub computes, is read back whole by those who may see the draft, is
// kept sealed, and goes when no version names it any more.
func TestAttachAssessment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := small("附件")
	m.PIAssess = nil
	r := ok(b.service.CreateResource(b.ctx, b.operator, m))
	_, warnings, err := b.service.Review(b.ctx, b.operator, r.ID)
	if err != nil || !slices.Contains(fieldNames(warnings), "secrecy_assessment.sha256 not_attached") {
		t.Errorf("without a document: %v, %v", fieldNames(warnings), err)
	}
	sum := sha256.Sum256([]byte(pdf))
	digest := hex.EncodeToString(sum[:])
	r = ok(b.service.AttachAssessment(b.ctx, b.operator, r.ID, r.RowVersion, catalog.SecrecyAssessment, `C:\评估\保密.pdf`, strings.NewReader(pdf)))
	if a := r.Version.SecrecyAssess; a.SHA256 != digest || a.Title != "保密风险评估" {
		t.Errorf("the version states %+v", a)
	}
	r = ok(b.service.AttachAssessment(b.ctx, b.operator, r.ID, 0, catalog.PIAssessment, "影响评估.pdf", strings.NewReader(pdf)))
	if a := r.Version.PIAssess; a == nil || a.SHA256 != digest || a.Title != "影响评估" {
		t.Errorf("the version states %+v", a)
	}
	_, warnings, _ = b.service.Review(b.ctx, b.operator, r.ID)
	if got := fieldNames(warnings); slices.Contains(got, "secrecy_assessment.sha256 not_attached") {
		t.Errorf("with a document: %v", got)
	}
	for _, p := range []struct {
		name string
		code string
	}{{"operator", ""}, {"admin", ""}, {"platform", ""}, {"market", "not_found"}} {
		who := map[string]func() (catalog.AssessmentFile, []byte, error){
			"operator": func() (catalog.AssessmentFile, []byte, error) {
				return b.service.OpenAssessment(b.ctx, b.operator, r.ID, digest)
			},
			"admin": func() (catalog.AssessmentFile, []byte, error) {
				return b.service.OpenAssessment(b.ctx, b.admin, r.ID, digest)
			},
			"platform": func() (catalog.AssessmentFile, []byte, error) {
				return b.service.OpenAssessment(b.ctx, b.platform, r.ID, digest)
			},
			"market": func() (catalog.AssessmentFile, []byte, error) {
				return b.service.OpenAssessment(b.ctx, b.marketAdm, r.ID, digest)
			},
		}[p.name]
		f, raw, err := who()
		if fault.CodeOf(err) != p.code || p.code == "" && (string(raw) != pdf || f.Name != "保密.pdf" || f.Kind != "pdf" || f.Size != int64(len(pdf)) || f.MediaType() != "application/pdf") {
			t.Errorf("%s: %+v, %q, %v", p.name, f, raw, err)
		}
	}
	var kept []byte
	if err := b.db.Pool.QueryRow(b.ctx, "SELECT sealed FROM assessment_file WHERE resource_id = $1", r.ID).Scan(&kept); err != nil || bytes.Contains(kept, []byte("PDF")) {
		t.Errorf("the database keeps %q, %v", kept, err)
	}
	// A row that was moved to another entry, or altered, is not served.
	if _, err := b.db.Pool.Exec(b.ctx, "UPDATE assessment_file SET sealed = set_byte(sealed, length(sealed) - 1, 0) WHERE resource_id = $1 AND get_byte(sealed, length(sealed) - 1) <> 0", r.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.service.AttachAssessment(b.ctx, b.admin, r.ID, 0, catalog.PIAssessment, "a.pdf", strings.NewReader(pdf))
	wantCode(t, err, fault.Forbidden, "forbidden")
	// Both assessments name another document now: the first one goes.
	for _, kind := range []catalog.AssessmentKind{catalog.SecrecyAssessment, catalog.PIAssessment} {
		r = ok(b.service.AttachAssessment(b.ctx, b.operator, r.ID, 0, kind, "b.pdf", strings.NewReader(pdf+"二")))
	}
	files := ok(b.service.Assessments(b.ctx, b.admin, r.ID))
	if len(files) != 1 || files[0].SHA256 == digest {
		t.Errorf("kept are %+v", files)
	}
	if _, err := b.service.Submit(b.ctx, b.operator, r.ID, 0); err == nil {
		_, err = b.service.AttachAssessment(b.ctx, b.operator, r.ID, 0, catalog.PIAssessment, "a.pdf", strings.NewReader(pdf))
		wantCode(t, err, fault.Conflict, "illegal_move")
	}
}

// What is no document of the kinds that are accepted is refused, whatever it is called.
func TestAttachRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ok(b.service.CreateResource(b.ctx, b.operator, small("拒收")))
	for name, tt := range map[string]struct {
		kind    catalog.AssessmentKind
		file    string
		content string
		want    string // "" where it is accepted.
	}{
		"pdf":             {catalog.SecrecyAssessment, "a.pdf", pdf, ""},
		"png":             {catalog.SecrecyAssessment, "a", "\x89PNG\r\n\x1a\n", ""},
		"jpg":             {catalog.SecrecyAssessment, "a.jpg", "\xff\xd8\xff\xe0", ""},
		"ofd":             {catalog.SecrecyAssessment, "a.ofd", archive(t, "OFD.xml", "Doc_0/Document.xml"), ""},
		"docx":            {catalog.SecrecyAssessment, "a.docx", archive(t, "[Content_Types].xml", "word/document.xml"), ""},
		"xlsx":            {catalog.SecrecyAssessment, "a.docx", archive(t, "[Content_Types].xml", "xl/workbook.xml"), "file not_choice"},
		"a way out":       {catalog.SecrecyAssessment, "a.zip", archive(t, "../../etc/passwd"), "file not_choice"},
		"a broken zip":    {catalog.SecrecyAssessment, "a.ofd", "PK\x03\x04 and no more", "file not_choice"},
		"a page":          {catalog.SecrecyAssessment, "a.pdf", "<html><script>", "file not_choice"},
		"nothing":         {catalog.SecrecyAssessment, "a.pdf", "", "file required"},
		"too much":        {catalog.SecrecyAssessment, "a.pdf", pdf + strings.Repeat(" ", catalog.MaxAssessment), "file too_long"},
		"another kind":    {"other", "a.pdf", pdf, "kind not_choice"},
		"no name":         {catalog.PIAssessment, " / ", pdf, "name required"},
		"a header inside": {catalog.PIAssessment, "a\r\nSet-Cookie: x.pdf", pdf, "name bad_character"},
		"a long name":     {catalog.PIAssessment, strings.Repeat("名", 101), pdf, "name too_long"},
	} {
		_, err := b.service.AttachAssessment(b.ctx, b.operator, r.ID, 0, tt.kind, tt.file, strings.NewReader(tt.content))
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		t.Run(name, func(t *testing.T) { wantFields(t, err, tt.want) })
	}
}

// Whatever is uploaded is one of the known kinds or none, by its first bytes.
func FuzzDocumentKind(f *testing.F) {
	f.Add([]byte(pdf))
	f.Add([]byte(archive(f, "OFD.xml")))
	f.Add([]byte(archive(f, "[Content_Types].xml", "word/document.xml")))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind := catalog.DocumentKind(raw)
		packed := bytes.HasPrefix(raw, []byte("PK\x03\x04"))
		if !slices.Contains([]string{"", "pdf", "png", "jpg", "ofd", "docx"}, kind) || packed && kind != "" && kind != "ofd" && kind != "docx" {
			t.Errorf("%q is said to be %q", raw, kind)
		}
	})
}
