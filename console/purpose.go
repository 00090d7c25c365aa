package console

import (
	"encoding/json"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/sharing"
)

// usedPurpose is why the reader's department asked before: what most forms would have to say again.
type usedPurpose struct {
	Text   string
	Values string // The fields that it fills, as JSON.
}

// Bounds of what is offered again.
const (
	purposesRead  = 50
	purposesShown = 8
)

// usedPurposes lists the purposes that the reader's department stated last, each once.
func (v *visit) usedPurposes() ([]usedPurpose, error) {
	all, _, err := v.Sharing.ListRequests(v.r.Context(), v.principal, sharing.RequestFilter{Side: sharing.ConsumerSide}, db.Page{Limit: purposesRead})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []usedPurpose
	for _, q := range all {
		if key := q.Purpose + "\n" + q.PurposeText; seen[key] || len(out) == purposesShown {
			continue
		} else {
			seen[key] = true
		}
		values, err := json.Marshal(map[string]string{
			"legal_basis": q.LegalBasis, "scenario": q.Scenario, "purpose": q.Purpose, "purpose_text": q.PurposeText,
		})
		if err != nil {
			return nil, err
		}
		out = append(out, usedPurpose{Text: q.PurposeText + " (" + q.Purpose + ")", Values: string(values)})
	}
	return out, nil
}
