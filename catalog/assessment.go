package catalog

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// MaxAssessment is the largest document of an assessment, in bytes.
const MaxAssessment = 10 << 20

// assessmentPurpose separates what seals documents of assessments from everything else that the key ring seals.
const assessmentPurpose = "assessment"

// AssessmentKind says which assessment a document is of (Order 809, Art 13).
type AssessmentKind string

// The assessments.
const (
	SecrecyAssessment AssessmentKind = "secrecy" // 保密风险评估
	PIAssessment      AssessmentKind = "pi"      // 个人信息保护影响评估
)

// AssessmentFile is the document of an assessment that is kept with an entry. Versions name it by its digest.
type AssessmentFile struct {
	SHA256     string    `json:"sha256"` // Hexadecimal, computed by the hub.
	Name       string    `json:"name"`
	Kind       string    `json:"kind"` // pdf, ofd, docx, png or jpg, by its content.
	Size       int64     `json:"size"` // In bytes.
	UploadedBy uuid.UUID `json:"uploaded_by"`
	UploadedAt time.Time `json:"uploaded_at"`
}

// MediaType is how the document is called when it is sent.
func (f AssessmentFile) MediaType() string {
	return map[string]string{
		"pdf": "application/pdf", "ofd": "application/ofd", "png": "image/png", "jpg": "image/jpeg",
		"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	}[f.Kind]
}

const fileSQL = "SELECT sha256, name, kind, size, uploaded_by, uploaded_at FROM assessment_file WHERE resource_id = $1 "

func (f AssessmentFile) file() (AssessmentFile, error) {
	f.UploadedAt = f.UploadedAt.UTC()
	return f, nil
}

// AttachAssessment keeps the document of an assessment with the newest version of an entry, which must be a draft or returned,
// and enters its digest there; title is the document's name where the version states none. The document is at most
// MaxAssessment long and, by its content, of one of the kinds of AssessmentFile.
func (s *Service) AttachAssessment(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, kind AssessmentKind, name string, content io.Reader) (Resource, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return Resource{}, err
	}
	// Asked before a body of strangers is read; change asks again.
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceCompile, resourceTarget(r)); err != nil {
		return Resource{}, err
	}
	f, raw, err := readDocument(kind, name, content)
	if err != nil {
		return Resource{}, err
	}
	sealed, err := s.keyring.Seal(assessmentPurpose, raw, documentBinding(id, f.SHA256))
	if err != nil {
		return Resource{}, fmt.Errorf("sealing a document: %w", err)
	}
	return s.change(ctx, p, id, ifMatch, authz.ResourceCompile, func(tx *db.Tx, p authz.Principal, r *Resource) error {
		v, err := s.draft(ctx, tx, *r, "attach")
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO assessment_file (resource_id, sha256, name, kind, size, sealed, uploaded_by, uploaded_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`, id, f.SHA256, f.Name, f.Kind, f.Size, sealed, p.ID, tx.Now())
		if err != nil {
			return fmt.Errorf("keeping a document: %w", err)
		}
		stated := &v.SecrecyAssess
		if kind == PIAssessment {
			stated = &v.PIAssess
		}
		now := Assessment{Title: strings.TrimSuffix(f.Name, path.Ext(f.Name))}
		if *stated != nil {
			now = **stated
		}
		now.SHA256 = f.SHA256
		*stated = &now
		v.UpdatedAt = tx.Now()
		if err := saveVersion(ctx, tx, r, &v); err != nil {
			return resourceFault(err)
		}
		r.Version = v
		if err := forgetDocuments(ctx, tx, id); err != nil {
			return err
		}
		if err := s.note(ctx, tx, p, *r, v, StepEdit, "", "", nil); err != nil {
			return err
		}
		return record(ctx, tx, p, "resource.attach", "resource", id.String(), map[string]any{
			"version": v.Number, "assessment": kind, "sha256": f.SHA256, "size": f.Size, "kind": f.Kind,
		})
	})
}

// Assessments lists the documents kept with an entry, the newest first; there are no more than its versions name.
func (s *Service) Assessments(ctx context.Context, p authz.Principal, id uuid.UUID) ([]AssessmentFile, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, resourceTarget(r)); err != nil {
		return nil, err
	}
	return many(ctx, s.db.Pool, AssessmentFile.file, fileSQL+"ORDER BY uploaded_at DESC, sha256 LIMIT $2", id, db.MaxPage)
}

// OpenAssessment returns a document of an entry to those who may read its drafts. Who read it is logged.
func (s *Service) OpenAssessment(ctx context.Context, p authz.Principal, id uuid.UUID, digest string) (AssessmentFile, []byte, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return AssessmentFile{}, nil, err
	}
	decision, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, resourceTarget(r))
	if err != nil {
		return AssessmentFile{}, nil, err
	}
	var f AssessmentFile
	var raw []byte
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if f, err = one(ctx, tx, AssessmentFile.file, notFound("document"), fileSQL+"AND sha256 = $2", id, clean(digest)); err != nil {
			return err
		}
		var sealed []byte
		if err := tx.QueryRow(ctx, "SELECT sealed FROM assessment_file WHERE resource_id = $1 AND sha256 = $2", id, f.SHA256).Scan(&sealed); err != nil {
			return fmt.Errorf("reading a document: %w", err)
		}
		if raw, err = s.keyring.Open(assessmentPurpose, sealed, documentBinding(id, f.SHA256)); err != nil {
			return fmt.Errorf("opening a document: %w", err)
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != f.SHA256 {
			return fmt.Errorf("document %s of resource %s is not what was uploaded", f.SHA256, id)
		}
		return record(ctx, tx, decision.Principal(), "resource.open_assessment", "resource", id.String(), map[string]any{"sha256": f.SHA256})
	})
	if err != nil {
		return AssessmentFile{}, nil, err
	}
	return f, raw, nil
}

// forgetDocuments removes the documents of an entry that none of its versions names any more.
func forgetDocuments(ctx context.Context, tx *db.Tx, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		DELETE FROM assessment_file f WHERE f.resource_id = $1 AND NOT EXISTS (SELECT FROM resource_version v WHERE v.resource_id = $1
			AND f.sha256 IN (lower(v.body #>> '{secrecy_assessment,sha256}'), lower(v.body #>> '{pi_assessment,sha256}')))`, id)
	if err != nil {
		return fmt.Errorf("removing documents: %w", err)
	}
	return nil
}

// documentBinding ties a sealed document to its entry and its digest.
func documentBinding(id uuid.UUID, digest string) []byte { return append(id[:], digest...) }

// readDocument reads a document whole, as far as it may be long, and says what it is.
func readDocument(kind AssessmentKind, name string, content io.Reader) (AssessmentFile, []byte, error) {
	c := &checker{}
	if kind != SecrecyAssessment && kind != PIAssessment {
		c.block("kind", "not_choice", "name the assessment: secrecy or pi")
	}
	name = strings.TrimSpace(path.Base(strings.ReplaceAll(name, `\`, "/")))
	switch {
	case name == "" || name == "." || name == "/":
		c.block("name", "required", "give the document's file name")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		c.block("name", "bad_character", "use a file name without control characters")
	case utf8.RuneCountInString(name) > maxName:
		c.block("name", "too_long", "shorten the file name to at most %d characters", maxName)
	}
	if err := fault.InvalidFields(c.blocks); err != nil {
		return AssessmentFile{}, nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(content, MaxAssessment+1))
	switch {
	case err != nil:
		return AssessmentFile{}, nil, fmt.Errorf("reading a document: %w", err)
	case len(raw) == 0:
		c.block("file", "required", "choose the document")
	case len(raw) > MaxAssessment:
		c.block("file", "too_long", "the document may be at most %d MiB long", MaxAssessment>>20)
	}
	is := DocumentKind(raw)
	if len(c.blocks) == 0 && is == "" {
		c.block("file", "not_choice", "send a PDF, OFD, Word (docx), PNG or JPEG document")
	}
	if err := fault.InvalidFields(c.blocks); err != nil {
		return AssessmentFile{}, nil, err
	}
	sum := sha256.Sum256(raw)
	return AssessmentFile{SHA256: hex.EncodeToString(sum[:]), Name: name, Kind: is, Size: int64(len(raw))}, raw, nil
}

// DocumentKind says what a document is by its first bytes, and of an archive by the names in it; "" for anything else. Nothing
// is unpacked.
func DocumentKind(raw []byte) string {
	switch {
	case bytes.HasPrefix(raw, []byte("%PDF-")):
		return "pdf"
	case bytes.HasPrefix(raw, []byte("\x89PNG\r\n\x1a\n")):
		return "png"
	case bytes.HasPrefix(raw, []byte("\xff\xd8\xff")):
		return "jpg"
	case !bytes.HasPrefix(raw, []byte("PK\x03\x04")):
		return ""
	}
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return ""
	}
	has := func(name string) bool {
		return slices.ContainsFunc(archive.File, func(f *zip.File) bool { return f.Name == name })
	}
	switch {
	case has("OFD.xml"):
		return "ofd"
	case has("[Content_Types].xml") && has("word/document.xml"):
		return "docx"
	}
	return ""
}
