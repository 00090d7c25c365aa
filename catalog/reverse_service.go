package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog/reverse"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// What reverse cataloguing proposes, for rooms that show it.
type (
	Proposal     = reverse.Proposal
	ProposedItem = reverse.Item
	Suggestion   = reverse.Suggestion
	Evidence     = reverse.Evidence
	EvidenceKind = reverse.EvidenceKind
)

// EvidenceKinds returns every kind of evidence, and Meanings all that names of columns are understood as.
func EvidenceKinds() []EvidenceKind { return reverse.EvidenceKinds() }

// Meanings returns what names and comments of columns are understood as.
func Meanings() []string { return reverse.Meanings() }

// The bounds of one call of reverse cataloguing.
const (
	maxDraftTables = 500
	sampleBytes    = 8 << 20 // Of one table: a few huge texts say no more than many.
	sampleWait     = 10 * time.Second
	sampleReaders  = 4
)

// DraftInput asks for entries to be proposed from tables of a source.
type DraftInput struct {
	Objects []string `json:"objects"`        // As Tables names them; at most 500.
	Rows    *int     `json:"rows,omitempty"` // How many rows of each table to look at, 0 to 1,000; 1,000 when not given.
	Create  bool     `json:"-"`              // Keep each proposal as a draft of the caller's department.
}

// DraftedTable is what became of one table. Problem says why there is no proposal, no sample or no draft; it is nil when all went
// well.
type DraftedTable struct {
	Proposal   Proposal      `json:"proposal"`
	ResourceID uuid.UUID     `json:"resource_id"` // The draft; the zero id when none was made.
	Problem    *DraftProblem `json:"problem,omitempty"`
}

// DraftProblem is what kept a table from being looked at or drafted.
type DraftProblem struct {
	Stage   string        `json:"stage"` // describe, sample or draft.
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Fields  []fault.Field `json:"fields,omitempty"`
}

// Origin is the table from which an entry was proposed, with the evidence of that day.
type Origin struct {
	ResourceID uuid.UUID `json:"resource_id"`
	SourceID   uuid.UUID `json:"source_id"`
	Object     string    `json:"object"`
	Proposal   Proposal  `json:"proposal"`
	CreatedBy  uuid.UUID `json:"created_by"`
	CreatedAt  time.Time `json:"created_at"`
}

// DraftFromSource proposes an entry for each of some tables of a source (反向编目), in the order asked for, and with Create keeps
// each as a draft that is reviewed like any other. Rows of the sample are counted and forgotten: they are neither stored nor
// returned. A table that cannot be looked at does not keep the others from it.
func (s *Service) DraftFromSource(ctx context.Context, p authz.Principal, id uuid.UUID, in DraftInput) ([]DraftedTable, error) {
	row, err := s.sourceFor(ctx, p, authz.SourceProbe, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceCompile, authz.Target{Kind: "resource", Department: row.DepartmentID}); err != nil {
		return nil, err
	}
	rows, err := in.check()
	if err != nil {
		return nil, err
	}
	out, err := s.propose(ctx, row, in.Objects, rows)
	if err != nil {
		return nil, err
	}
	drafted, sampled := 0, 0
	for i := range out {
		sampled += out[i].Proposal.Sampled
		if !in.Create || out[i].Problem != nil && out[i].Problem.Stage == "describe" {
			continue
		}
		if out[i].ResourceID, err = s.draftTable(ctx, p, row, out[i].Proposal); err != nil {
			var f *fault.Fault
			if !errors.As(err, &f) || f.Kind == fault.Internal {
				return nil, err
			}
			out[i].Problem = &DraftProblem{Stage: "draft", Code: fault.CodeOf(err), Message: f.Message, Fields: f.Fields}
			continue
		}
		drafted++
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		return record(ctx, tx, p, "source.draft", "source", id.String(), map[string]any{"tables": len(out), "sampled_rows": sampled, "drafts": drafted})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// check returns how many rows of each table to look at.
func (in DraftInput) check() (rows int, err error) {
	var wrong []fault.Field
	switch {
	case len(in.Objects) == 0:
		wrong = append(wrong, fault.Field{Name: "objects", Code: "required", Message: "name at least one table or view"})
	case len(in.Objects) > maxDraftTables:
		wrong = append(wrong, fault.Field{Name: "objects", Code: "too_many", Message: "name at most 500 tables at a time"})
	}
	seen := map[string]bool{}
	for i, object := range in.Objects[:min(len(in.Objects), maxDraftTables)] {
		name := fmt.Sprintf("objects[%d]", i)
		switch {
		case strings.TrimSpace(object) == "" || utf8.RuneCountInString(object) > 300 || strings.ContainsRune(object, 0):
			wrong = append(wrong, fault.Field{Name: name, Code: "bad_form", Message: "name a table or view as the list of tables does"})
		case seen[object]:
			wrong = append(wrong, fault.Field{Name: name, Code: "duplicate", Message: "name each table once"})
		}
		seen[object] = true
	}
	rows = reverse.MaxSample
	if in.Rows != nil {
		if rows = *in.Rows; rows < 0 || rows > reverse.MaxSample {
			wrong = append(wrong, fault.Field{Name: "rows", Code: "out_of_range", Message: "look at 0 to 1,000 rows of each table"})
		}
	}
	return rows, fault.InvalidFields(wrong)
}

// propose describes the objects together, then looks at rows of a few of them at a time.
func (s *Service) propose(ctx context.Context, row sourceRow, objects []string, rows int) ([]DraftedTable, error) {
	var tables []connectors.Table
	schemas, err := withConnection(ctx, s, row, func(c *connectors.Connection, ctx context.Context) (map[string]connectors.Schema, error) {
		var err error
		if tables, err = c.Tables(ctx, maxTables); err != nil {
			return nil, err
		}
		return c.DescribeAll(ctx, objects)
	})
	if err != nil {
		return nil, err
	}
	out := make([]DraftedTable, len(objects))
	work := make(chan int)
	group, inside := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(work)
		for i := range objects {
			select {
			case work <- i:
			case <-inside.Done():
				return inside.Err()
			}
		}
		return nil
	})
	for range min(sampleReaders, len(objects)) {
		group.Go(func() error {
			_, err := withConnection(inside, s, row, func(c *connectors.Connection, ctx context.Context) (struct{}, error) {
				for i := range work {
					out[i] = s.proposeOne(ctx, c, tableOf(objects[i], tables, schemas), rows)
					if err := ctx.Err(); err != nil {
						return struct{}{}, err
					}
				}
				return struct{}{}, nil
			})
			return err
		})
	}
	return out, group.Wait()
}

// maxTables bounds the list of tables that comments are looked up in.
const maxTables = 10_000

func tableOf(object string, tables []connectors.Table, schemas map[string]connectors.Schema) reverse.Table {
	t := reverse.Table{Object: object, Name: object, Schema: schemas[object]}
	if i := slices.IndexFunc(tables, func(t connectors.Table) bool { return t.Object == object }); i >= 0 {
		t.Name, t.Comment = tables[i].Name, tables[i].Comment
	}
	return t
}

// proposeOne proposes from one table. Without a sample it proposes from the columns alone.
func (s *Service) proposeOne(ctx context.Context, c *connectors.Connection, t reverse.Table, rows int) DraftedTable {
	if len(t.Schema.Columns) == 0 {
		return DraftedTable{Proposal: reverse.Propose(t, nil), Problem: &DraftProblem{
			Stage: "describe", Code: connectors.CodeObjectMissing, Message: "the source has no such table or view, or the account cannot see it",
		}}
	}
	sample, err := s.sample(ctx, c, t, rows)
	out := DraftedTable{Proposal: reverse.Propose(t, sample)}
	if err != nil {
		out.Problem = &DraftProblem{Stage: "sample", Code: fault.CodeOf(err), Message: explain(err)}
		if errors.Is(err, context.DeadlineExceeded) {
			out.Problem.Code, out.Problem.Message = connectors.CodeTimeout, "the source took too long to show the first rows; the proposal rests on the columns alone"
		}
	}
	return out
}

// sample counts what the first rows of a table look like; nil when none were to be looked at, or could be.
func (s *Service) sample(ctx context.Context, c *connectors.Connection, t reverse.Table, rows int) (*reverse.Sample, error) {
	var columns []connectors.Column
	var names []string
	for _, column := range t.Schema.Columns {
		if reverse.Sampled(column.Kind) {
			columns, names = append(columns, column), append(names, column.Name)
		}
	}
	if rows == 0 || len(columns) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, sampleWait)
	defer cancel()
	stream, err := c.Read(ctx, connectors.ReadRequest{Object: t.Object, Columns: names, Limit: rows})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	sample, read := reverse.NewSample(columns, s.clock().In(s.zone)), 0
	for {
		batch, err := stream.Next(ctx)
		if errors.Is(err, connectors.ErrEndOfData) {
			return sample, nil
		}
		if err != nil {
			return nil, err
		}
		read += batch.Bytes()
		if !sample.Add(batch) || read > sampleBytes {
			return sample, nil
		}
	}
}

// draftTable keeps a proposal as a draft, and where it came from. A name that the department has used already is told apart by
// the table's.
func (s *Service) draftTable(ctx context.Context, p authz.Principal, source sourceRow, proposal Proposal) (uuid.UUID, error) {
	kept, err := json.Marshal(proposal)
	if err != nil {
		return uuid.Nil, fmt.Errorf("encoding a proposal: %w", err)
	}
	m := s.stated(source, proposal)
	id, err := s.draftNamed(ctx, p, m, source.ID, proposal.Object, kept)
	if f := (*fault.Fault)(nil); errors.As(err, &f) && len(f.Fields) == 1 && f.Fields[0].Name == "name" && f.Fields[0].Code == "taken" {
		suffix := "(" + cutRunes(proposal.Object, maxName/2) + ")"
		m.Name = cutRunes(m.Name, maxName-utf8.RuneCountInString(suffix)) + suffix
		id, err = s.draftNamed(ctx, p, m, source.ID, proposal.Object, kept)
	}
	return id, err
}

func (s *Service) draftNamed(ctx context.Context, p authz.Principal, m Metadata, source uuid.UUID, object string, proposal []byte) (uuid.UUID, error) {
	normalise(&m)
	if err := fault.InvalidFields(checkDraft(m)); err != nil {
		return uuid.Nil, err
	}
	var r Resource
	err := s.db.InTx(ctx, func(tx *db.Tx) (err error) {
		if r, err = s.newEntry(ctx, tx, p, m); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO resource_origin (resource_id, source_id, object, proposal, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
			r.ID, source, object, proposal, p.ID, tx.Now())
		if err != nil {
			return fmt.Errorf("writing where an entry came from: %w", err)
		}
		return nil
	})
	return r.ID, err
}

// stated is what a draft made from a proposal states. What only the department can say is left for it to fill in.
func (s *Service) stated(source sourceRow, p Proposal) Metadata {
	m := Metadata{
		Name: p.Name, FormatCategory: "3", ShareMethods: []ShareMethod{ByTable, ByAPI}, Secrecy: NotSecret,
		Items: make([]Item, 0, len(p.Items)),
	}
	if i := slices.IndexFunc(formatCategories["3"].formats, func(f string) bool { return strings.EqualFold(f, source.Driver) }); i >= 0 {
		m.Formats = []string{formatCategories["3"].formats[i]}
	}
	for _, item := range p.Items {
		share := Conditional
		if item.Grade == string(L1) {
			share = Unconditional
		}
		m.Items = append(m.Items, Item{
			Name: item.Name, Identifier: item.Identifier, DataType: DataType(item.DataType), Length: item.Length, Scale: item.Scale, Format: item.Format,
			Key: item.Key, Required: item.Required, Definition: item.Definition, CodeSet: item.CodeSet, Validator: item.Validator,
			ShareType: share, Grade: Grade(item.Grade), SensitivePI: item.SensitivePI, MaskRule: item.MaskRule,
		})
	}
	m.DeclaredShare = deriveShareType(m.Items)
	return m
}

func cutRunes(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most])
}

// originRow mirrors resource_origin.
type originRow struct {
	ResourceID uuid.UUID
	SourceID   uuid.UUID
	Object     string
	Proposal   json.RawMessage
	CreatedBy  uuid.UUID
	CreatedAt  time.Time
}

func (r originRow) origin() (Origin, error) {
	out := Origin{ResourceID: r.ResourceID, SourceID: r.SourceID, Object: r.Object, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.UTC()}
	return out, decode(r.Proposal, &out.Proposal)
}

// Origin returns the table from which an entry was proposed, for those who may read the sources of its department. It is NotFound
// for an entry that was not made from a table.
func (s *Service) Origin(ctx context.Context, p authz.Principal, resource uuid.UUID) (Origin, error) {
	r, err := s.known(ctx, p, resource)
	if err != nil {
		return Origin{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.SourceRead, mountTarget(Mount{}, r)); err != nil {
		return Origin{}, err
	}
	return one(ctx, s.db.Pool, originRow.origin, notFound("origin"), "SELECT * FROM resource_origin WHERE resource_id = $1", resource)
}
