package pull

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// MaxKeys is the most keys one query may name.
const MaxKeys = 10_000

// QueryRequest asks for the rows with certain keys, for those that meet a condition, or for those that do both. At least
// one of Keys and Filter is given. With a cursor, everything but Limit must be as in the call that gave it.
type QueryRequest struct {
	Call
	Keys   []string // Clear keys in any order: parts joined by "~1", "~" inside a part written "~0".
	Filter json.RawMessage
	Items  []string
	Limit  int
	Cursor string
	Format Format // JSON or CSV.
}

// Query returns the rows that were asked for, page by page in key order, as Rows does. A key that does not exist, one that
// cannot exist and one outside the grant's filter are absent alike. There is a changes cursor only without keys.
//
// A query of at most audit.MaxSubjects keys is in the evidence key by key, found or not; a larger one as a bulk read with
// the number of its keys and a keyed digest of them. The faults are those of Rows, and Forbidden filter_not_granted for
// keys where the key is masked without lookup or not granted.
func (s *Service) Query(ctx context.Context, client authz.Principal, r QueryRequest) (*Page, error) {
	c, err := s.begin(ctx, client, r.Call, authz.DataPull)
	if err != nil {
		return nil, err
	}
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(r); err != nil {
		return nil, err
	}
	return inItsLayout(ctx, c, r.Cursor, func(c *session) (*Page, error) { return c.queryPage(ctx, r, limit) })
}

func (c *session) queryPage(ctx context.Context, r QueryRequest, limit int) (*Page, error) {
	v, err := newView(c.terms, r.Items, r.Filter)
	if err != nil {
		return nil, err
	}
	if len(r.Keys) > 0 {
		if err := c.terms.askByKey(); err != nil {
			return nil, err
		}
		c.service.narrowToKeys(v, r.Keys)
	}
	scan, err := c.scanView(v, r.Cursor, r.Format)
	if err != nil {
		return nil, err
	}
	return c.page(ctx, scan, limit, audit.ModeQuery)
}

func checkKeys(r QueryRequest) error {
	switch {
	case len(r.Keys) > MaxKeys:
		return fault.InvalidFields([]fault.Field{{Name: "keys", Code: "out_of_range", Message: "name at most 10000 keys; more rows come faster as an export"}})
	case len(r.Keys) == 0 && len(r.Filter) == 0:
		return fault.InvalidFields([]fault.Field{{Name: "keys", Code: "required", Message: "name keys or a filter"}})
	}
	var wrong []fault.Field
	for i, key := range r.Keys {
		if !utf8.ValidString(key) {
			wrong = append(wrong, fault.Field{Name: "keys[" + strconv.Itoa(i) + "]", Code: "not_utf8", Message: "write the key in UTF-8"})
		}
	}
	return fault.InvalidFields(wrong)
}

// narrowToKeys adds the keys to the view's condition, to what its cursors belong to, and to its evidence. A text that can
// be no key is left out: no row has it.
func (s *Service) narrowToKeys(v *view, asked []string) {
	keys := make([]string, 0, len(asked))
	for _, text := range asked {
		if key, ok := v.terms.canonicalKey(text); ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	v.query.Keys = keys
	v.followed = false

	mac := hmac.New(sha256.New, s.subjectKey)
	_, _ = mac.Write(v.digest[:]) // A hash never fails to take bytes.
	for _, key := range keys {
		_, _ = mac.Write([]byte(strconv.Itoa(len(key))))
		_, _ = mac.Write([]byte{0})
		_, _ = mac.Write([]byte(key))
	}
	sum := mac.Sum(nil)
	copy(v.digest[:], sum)
	if len(asked) <= audit.MaxSubjects && len(keys)+len(v.keys) <= audit.MaxSubjects {
		v.keys = append(v.keys, keys...)
		return
	}
	v.bulk = &bulkKeys{Count: len(asked), Digest: hex.EncodeToString(sum)}
}

// bulkKeys is what evidence keeps of many keys: how many were asked for, and a digest by which who knows the hub's subject
// key can tell whether a list is the one.
type bulkKeys struct {
	Count  int    `json:"count"`
	Digest string `json:"digest"`
}
