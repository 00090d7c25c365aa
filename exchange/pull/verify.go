package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// MaxClaims is the most keys one verification may name.
const MaxClaims = audit.MaxSubjects

// Claim is what a caller believes about one row: the clear values of some granted items, by identifier. Values are JSON
// strings, numbers, booleans, or null for "has none".
type Claim struct {
	Key   string                     `json:"key"`
	Items map[string]json.RawMessage `json:"items"`
}

// VerifyRequest asks whether claims are true.
type VerifyRequest struct {
	Call
	Claims []Claim
}

// claim is a claim whose values are ready to be compared.
type claim struct {
	key     string // Canonical; "" when the text can be no key.
	subject []byte
	items   []claimedItem // In order of identifier.
}

type claimedItem struct {
	column int     // Index in what is read.
	value  *string // Canonical; nil claims that there is none.
	ok     bool    // The value can be one of the item.
}

// Verify answers claims per key and item without disclosing values:
//
//	{"resource","version","results":[{"key":…,"items":{identifier: "match"|"mismatch"|"unknown"}}],"as_of":…}
//
// Results are in the order of the claims. A key that does not exist and one outside the grant's filter are answered by
// "unknown" alike. Values are compared with the clear stored ones in canonical form, masked items included: answering
// yes or no is the preferred form of sharing. Against guessing, a client may be wrong at most MaxMismatches (20) times an
// hour about one subject on one node; further claims about it are refused with rate_limited, unanswered. One claim counts
// as one row of the quota.
//
// The faults are those of Row; item_not_granted for items outside the grant; Invalid for malformed claims.
func (s *Service) Verify(ctx context.Context, client authz.Principal, r VerifyRequest) (*Page, error) {
	c, err := s.begin(ctx, client, r.Call, authz.DataVerify)
	if err != nil {
		return nil, err
	}
	if err := c.terms.askByKey(); err != nil {
		return nil, err
	}
	columns, err := c.claimed(r.Claims)
	if err != nil {
		return nil, err
	}
	claims, err := c.claims(r.Claims, columns)
	if err != nil {
		return nil, err
	}
	u := c.usage(audit.ModeVerify, columns, nil)
	var keys []string
	for _, cl := range claims {
		if cl.key != "" {
			keys = append(keys, cl.key)
			u.SubjectTokens = append(u.SubjectTokens, cl.subject)
		}
	}
	if err := s.oracle.ask(client.ID, u.SubjectTokens); err != nil {
		return nil, err
	}

	if c.terms.lost {
		return nil, c.terms.rebuilt()
	}
	q := store.Query{Resource: c.terms.grant.ResourceID, Layout: c.terms.layout, Shape: c.terms.shape, Needs: slices.Clone(c.terms.rowNeeds)}
	q.Where, q.Args = c.terms.rowSQL(1)
	for i := range columns {
		q.Select = append(q.Select, storeColumn(columns[i].item))
		q.Needs = append(q.Needs, columns[i].item.No)
	}
	rows := map[string][][]byte{}
	snap, err := s.store.Lookup(ctx, c.permit.Decision, authz.DataVerify, q, append([]string{}, keys...), func(rec store.Record) error {
		cells := make([][]byte, len(rec.Cells))
		for i, cell := range rec.Cells {
			cells[i] = bytes.Clone(cell)
		}
		rows[rec.Key] = cells
		return nil
	})
	if err != nil {
		return nil, err
	}
	u.SeqTo, u.AsOf = &snap.Head.Seq, &snap.At

	body := fmt.Appendf(nil, `{"resource":"%s","version":%d,"results":[`, c.terms.grant.ResourceID, c.terms.version)
	for i, cl := range claims {
		if i > 0 {
			body = append(body, ',')
		}
		wrong := 0
		body = append(appendString(append(body, `{"key":`...), []byte(r.Claims[i].Key)), `,"items":{`...)
		body, wrong = c.answer(body, columns, cl, rows[cl.key])
		body = append(body, "}}"...)
		if err := s.oracle.wrong(client.ID, cl.subject, wrong); err != nil {
			return nil, err
		}
	}
	body = append(body, `],"as_of":"`...)
	body = append(snap.At.In(beijing).AppendFormat(body, answerTime), `"}`...)
	return c.disclose(ctx, u, len(claims), body)
}

// answer appends the verdicts on one claim. cells is nil when there is no such row inside the grant's filter.
func (c *session) answer(body []byte, columns []column, cl claim, cells [][]byte) (_ []byte, wrong int) {
	for i, item := range cl.items {
		verdict := "unknown"
		if cells != nil {
			verdict = "mismatch"
			stored := cells[item.column]
			convert := c.terms.convert[columns[item.column].item.No]
			switch {
			case item.value == nil && stored == nil, item.value != nil && stored != nil && item.ok && convert.same(*item.value, stored):
				verdict = "match"
			default:
				wrong++
			}
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(append(append(body, columns[item.column].prefix...), '"'), verdict...), '"')
	}
	return body, wrong
}

// claimed returns the columns that the claims name, or complains about all that are not granted at once.
func (c *session) claimed(claims []Claim) ([]column, error) {
	if len(claims) == 0 || len(claims) > MaxClaims {
		return nil, fault.InvalidFields([]fault.Field{{Name: "claims", Code: "out_of_range", Message: "give 1 to 100 claims"}})
	}
	named := map[string]bool{}
	var refused, wrong []fault.Field
	for i, cl := range claims {
		position := "claims[" + strconv.Itoa(i) + "]"
		if len(cl.Items) == 0 {
			wrong = append(wrong, fault.Field{Name: position + ".items", Code: "required", Message: "name at least one item with the value you believe it has"})
		}
		if !utf8.ValidString(cl.Key) {
			wrong = append(wrong, fault.Field{Name: position + ".key", Code: "not_utf8", Message: "write the key in UTF-8"})
		}
		for identifier := range cl.Items {
			granted := slices.ContainsFunc(c.terms.columns, func(col column) bool { return col.item.Identifier == identifier })
			if !granted && !named[identifier] {
				refused = append(refused, c.terms.notGranted(identifier, position+".items"))
			}
			named[identifier] = true
		}
	}
	switch {
	case len(refused) > 0:
		slices.SortFunc(refused, func(a, b fault.Field) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
		return nil, itemsNotGranted(refused)
	case len(wrong) > 0:
		return nil, fault.InvalidFields(wrong)
	}
	var columns []column
	for _, col := range c.terms.columns {
		if named[col.item.Identifier] {
			columns = append(columns, col)
		}
	}
	return columns, nil
}

// claims brings keys and values into canonical form.
func (c *session) claims(claims []Claim, columns []column) ([]claim, error) {
	out := make([]claim, len(claims))
	var wrong []fault.Field
	for i, cl := range claims {
		if key, ok := c.terms.canonicalKey(cl.Key); ok {
			out[i].key, out[i].subject = key, c.service.subject(key)
		}
		for n := range columns {
			raw, ok := cl.Items[columns[n].item.Identifier]
			if !ok {
				continue
			}
			convert := c.terms.convert[columns[n].item.No]
			text, null, ok := scalarText(raw)
			if !ok || letterOf(columns[n].item) == 'G' {
				wrong = append(wrong, fault.Field{
					Name: "claims[" + strconv.Itoa(i) + "].items." + columns[n].item.Identifier, Code: "bad_value",
					Message: "claim a string, a number, true, false or null; binary items cannot be claimed",
				})
				continue
			}
			item := claimedItem{column: n}
			if !null {
				text, item.ok = convert.convert(text)
				item.value = &text
			}
			out[i].items = append(out[i].items, item)
		}
	}
	return out, fault.InvalidFields(wrong)
}

// scalarText returns the text of a JSON scalar: of strings what they say, of numbers and booleans how they are written.
func scalarText(raw json.RawMessage) (text string, null, ok bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || !json.Valid(raw) {
		return "", false, false
	}
	switch raw[0] {
	case '{', '[':
		return "", false, false
	case 'n':
		return "", true, true
	case '"':
		err := json.Unmarshal(raw, &text)
		return text, false, err == nil
	default:
		return string(raw), false, true
	}
}
