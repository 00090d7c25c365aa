package catalog

import (
	"context"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
)

// VersionDifference is what two versions of an entry state differently, and what of it the later one takes from those who use
// the earlier.
type VersionDifference struct {
	From   int              `json:"from"`
	To     int              `json:"to"`
	Fields []Difference     `json:"fields"`
	Items  []ItemDifference `json:"items"`
	Breaks []Break          `json:"breaks"`
}

// Difference compares any two versions of an entry that p may read. from 0 stands for the published version, or for the one before "to"
// where that is the published one itself.
func (s *Service) Difference(ctx context.Context, p authz.Principal, id uuid.UUID, from, to int) (VersionDifference, error) {
	after, err := s.GetVersion(ctx, p, id, to)
	if err != nil {
		return VersionDifference{}, err
	}
	if from == 0 {
		if from = after.Published; from == 0 || from >= to {
			from = to - 1
		}
	}
	before, err := s.GetVersion(ctx, p, id, from)
	if err != nil {
		return VersionDifference{}, err
	}
	out := VersionDifference{From: from, To: to, Fields: []Difference{}, Items: []ItemDifference{}, Breaks: Breaking(before.Version, after.Version)}
	fields, items := Compare(before.Version.Metadata, after.Version.Metadata)
	out.Fields, out.Items = append(out.Fields, fields...), append(out.Items, items...)
	for i := range out.Items {
		if out.Items[i].Changes == nil {
			out.Items[i].Changes = []Difference{}
		}
	}
	return out, nil
}
