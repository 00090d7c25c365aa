package catalog

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Findings are what the rules of the catalogue say about a version, saved or not.
type Findings struct {
	Blocks    []fault.Field // What refuses a submission, in the order of the fields.
	Warnings  []fault.Field // What reviewers should look at.
	Ended     []EndedValue  // Values of code tables that have ended; each is a warning, too.
	Similar   []SimilarTo   // Entries of other departments that look like this one; each is a warning, too.
	Owned     []ItemSource  // Items that another department is registered as the source of; each that is not referenced is a warning, too.
	Score     int           // Completeness, 0 to 100, of the version and the data behind the entry.
	Points    []Point       // What every rule of it gives.
	Needed    int           // Statements that the catalogue demands of this version. The items together are one.
	Filled    int           // How many of them are there.
	ShareType ShareType     // The strictest of the items that are not withheld.
	Grade     Grade         // The highest of the items.
}

// Findings returns what the rules say about the newest version of an entry.
func (s *Service) Findings(ctx context.Context, p authz.Principal, id uuid.UUID) (Findings, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return Findings{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, resourceTarget(r)); err != nil {
		return Findings{}, err
	}
	return s.findings(ctx, p, r, nil)
}

// CheckDraft returns what the rules would say about the newest version of an entry if it stated m. Nothing is stored: this is
// for people who are still writing.
func (s *Service) CheckDraft(ctx context.Context, p authz.Principal, id uuid.UUID, m Metadata) (Findings, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return Findings{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceCompile, resourceTarget(r)); err != nil {
		return Findings{}, err
	}
	normalise(&m)
	return s.findings(ctx, p, r, &m)
}

// findings checks the newest version of r, with m in place of what it states unless m is nil. What cannot be stored is not
// compared with the database either: it may hold what a query cannot.
func (s *Service) findings(ctx context.Context, p authz.Principal, r Resource, m *Metadata) (Findings, error) {
	var out Findings
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		v, err := loadVersion(ctx, tx, r.ID, r.Newest)
		if err != nil {
			return err
		}
		if m != nil {
			v.Metadata = *m
		}
		var facts Facts
		if len(nulls(v.Metadata)) == 0 {
			if facts, err = s.facts(ctx, tx, r, v); err != nil {
				return err
			}
			s.screen(p, &facts)
		}
		c := checked(v.Metadata, facts)
		behind, err := truthOf(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		score, points := Completeness(v.Metadata, behind)
		out = Findings{
			Blocks: c.blocks, Warnings: c.warnings, Ended: c.past, Similar: facts.Similar, Owned: facts.Owned, Score: score, Points: points, Needed: c.needed, Filled: c.filled,
			ShareType: deriveShareType(v.Items), Grade: deriveGrade(v.Items),
		}
		return nil
	})
	return out, err
}

// FormatCategory is one category of formats (domain table 2.3).
type FormatCategory struct {
	Code    string        // "1".."7"
	Formats []string      // nil means that the provider names them.
	Methods []ShareMethod // By which its data are shared; nil means any.
}

// FormatCategories returns all format categories by their code.
func FormatCategories() []FormatCategory {
	out := make([]FormatCategory, 0, len(formatCategories))
	for code, c := range formatCategories {
		out = append(out, FormatCategory{Code: code, Formats: slices.Clone(c.formats), Methods: slices.Clone(c.methods)})
	}
	slices.SortFunc(out, func(a, b FormatCategory) int { return int(a.Code[0]) - int(b.Code[0]) })
	return out
}

// WithholdRanks returns the ranks of provisions that can forbid sharing (Order 809, Art 15).
func WithholdRanks() []string { return slices.Clone(withholdRanks) }

// Levels returns the levels that an entry can state.
func Levels() []string { return slices.Clone(levels) }

// UpdateCycles returns all update cycles, the shortest first.
func UpdateCycles() []UpdateCycle { return slices.Clone(updateCycles) }

// DataTypes returns all type letters in the order in which people are offered them.
func DataTypes() []DataType { return slices.Clone(dataTypes) }
