package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// ReturnCode is one of the usual reasons for which reviewers send a version back.
type ReturnCode string

// ReturnCodes returns every code, in the order in which reviewers are offered them.
func ReturnCodes() []ReturnCode {
	return []ReturnCode{"name", "summary", "items", "grade", "mask", "share_basis", "classification", "assessment", "signoff", "duplicate", "contact"}
}

// maxReason bounds the words of a reason, in characters. What is ticked stands in them too, for readers of the history.
const maxReason = 4000

// Reasons are what the history keeps of why a version was sent back, besides the words.
type Reasons struct {
	Codes []ReturnCode `json:"codes"`
	Round int          `json:"round"` // Of the review that ended so; the next one counts one more.
}

func (s *Service) sendBack(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, step Step, reason string, codes []ReturnCode) (Resource, error) {
	because := &Reasons{Codes: codes}
	var document any
	if len(codes) > 0 {
		document = because
	}
	return s.move(ctx, p, id, ifMatch, step, reason, document, func(_ *db.Tx, _ authz.Principal, _ *Resource, v *Version) error {
		because.Round = v.Round
		c := &checker{}
		for i, code := range codes {
			if !slices.Contains(ReturnCodes(), code) || slices.Contains(codes[:i], code) {
				c.block(fmt.Sprintf("codes[%d]", i), "not_choice", "name each reason of the list at most once")
			}
		}
		if !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) {
			c.block("reason", "bad_character", "write this as text in UTF-8 without the NUL character")
		} else if utf8.RuneCountInString(reason) > maxReason {
			c.block("reason", "too_long", "shorten this to at most %d characters", maxReason)
		}
		return fault.InvalidFields(c.blocks)
	})
}
