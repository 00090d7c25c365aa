package pull

import (
	"context"
	"slices"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// compileShape notes which columns rows of an old version need: those of the granted items, of the key, and of the grant's row filter.
func (t *terms) compileShape() {
	t.shape = []store.Column{}
	for _, item := range t.items {
		granted := slices.ContainsFunc(t.columns, func(c column) bool { return c.item.No == item.No })
		if granted || item.Key || slices.Contains(t.rowNeeds, item.No) {
			t.shape = append(t.shape, store.Column{No: item.No, Letter: string(item.DataType), Key: item.Key, Geometry: isGeometry(item)})
		}
	}
}

// settle returns the terms of a permit for the layout that has their rows. Those of an old version are read from the active layout as long
// as it has its columns, and then from the newest replaced one that has them, as they were when that was replaced.
func (s *Service) settle(ctx context.Context, p sharing.Permit, t *terms) (*terms, error) {
	if p.Beside == nil {
		return t, nil
	}
	l, err := s.store.Fitting(ctx, t.grant.ResourceID, t.shape)
	settled := *t
	switch {
	case fault.CodeOf(err) == CodeResyncRequired:
		settled.lost = true
	case fault.Is(err, fault.NotFound):
		return t, nil // The read says so.
	case err != nil:
		return nil, err
	case l.State == store.LayoutActive:
		return t, nil
	default:
		settled.layout, settled.frozen, settled.shape = l.Number, true, nil
	}
	return &settled, nil
}
