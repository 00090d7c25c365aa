package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Mode is how rows were disclosed.
type Mode string

// The modes. Those up to ModeVerify are recorded when their answer is complete (Record), the others are opened before
// the first byte and ended after the last (Open, End).
const (
	ModeRows     Mode = "rows"
	ModeRow      Mode = "row"
	ModeChanges  Mode = "changes"
	ModeQuery    Mode = "query"
	ModeVerify   Mode = "verify"
	ModeStream   Mode = "stream"
	ModeExport   Mode = "export"
	ModeDelivery Mode = "delivery"
)

var modes = []Mode{ModeRows, ModeRow, ModeChanges, ModeQuery, ModeVerify, ModeStream, ModeExport, ModeDelivery}

// UsageState is how far a disclosure has come.
type UsageState string

// The states. An opened record leaves that state once: to done by End, or to interrupted by the sweep.
const (
	UsageOpened      UsageState = "opened"      // Rows are on their way: at most ReservedRows have left.
	UsageDone        UsageState = "done"        // Rows is what left.
	UsageInterrupted UsageState = "interrupted" // Nobody ended it: Rows is the most that can have left.
)

// MaxSubjects is the most subject tokens one record holds; bulk reads record filter, seq window and as-of time instead.
const MaxSubjects = 100

// Usage is one disclosure of rows to a client: what a provider and the authority may consult for three years
// (政务数据共享条例 Art 29). It holds no row contents.
type Usage struct {
	ID            uuid.UUID       `json:"id"` // Given by the recorder.
	At            time.Time       `json:"at"` // Given by the recorder: database time, UTC, microseconds.
	GrantID       uuid.UUID       `json:"grant_id"`
	TermsVersion  int64           `json:"terms_version"`
	ClientID      uuid.UUID       `json:"client_id"`
	ResourceID    uuid.UUID       `json:"resource_id"`
	Mode          Mode            `json:"mode"`
	State         UsageState      `json:"state"`          // Given by the recorder.
	Rows          int64           `json:"rows"`           // Rows that left; meaning by State.
	ReservedRows  int64           `json:"reserved_rows"`  // Rows that a stream was about to send when it last said so.
	Items         []int32         `json:"items"`          // Item numbers disclosed, in answer order.
	Purpose       string          `json:"purpose"`        // ASCII purpose code, "" where the grant demands none.
	CaseNumber    string          `json:"case_number"`    // As given by the caller, "" where the grant demands none.
	Query         json.RawMessage `json:"query"`          // What was asked, as JSON with values of masked items left out; nil for none.
	SeqFrom       *int64          `json:"seq_from"`       // Exclusive lower change number; nil where it does not apply.
	SeqTo         *int64          `json:"seq_to"`         // Inclusive upper change number; nil where it does not apply.
	AsOf          *time.Time      `json:"as_of"`          // Time of the store's snapshot; nil where it does not apply.
	SubjectTokens [][]byte        `json:"subject_tokens"` // SubjectToken of each key asked for, at most MaxSubjects; nil in bulk reads.
	Digest        []byte          `json:"digest"`         // SHA-256 of the answer's bytes; nil while opened.
	PolicyN       int64           `json:"policy_n"`       // Policy number of the decision.
	RuleID        string          `json:"rule_id"`        // Rule that allowed it.
	RequestID     string          `json:"request_id"`     // X-Request-Id of the call, "" for deliveries.
	Evidence      uuid.UUID       `json:"evidence"`       // Event whose detail holds this record's digest. Given by the recorder.
	EndedAt       *time.Time      `json:"ended_at"`       // When a stream ended; nil otherwise.

	// Department of the client: who the events usage.open and usage.end name. It is not part of the record.
	Department uuid.UUID `json:"-"`
}

// SubjectToken returns what a record keeps instead of a key that was asked for: the first 128 bits of HMAC-SHA-256 over the
// canonical key under the hub's token key. Who holds the key can find every look-up of a person and nobody else can.
func SubjectToken(key []byte, canonicalKey string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, canonicalKey) // A hash never fails to take bytes.
	return mac.Sum(nil)[:16]
}

// validate refuses what the database would refuse, because records of several callers are written together and one must
// not spoil the others. It leaves the query in canonical form.
func (u *Usage) validate() error {
	var fields []fault.Field
	wrong := func(name, code, message string) {
		fields = append(fields, fault.Field{Name: name, Code: code, Message: message})
	}
	for _, id := range []struct {
		name  string
		value uuid.UUID
	}{{"grant_id", u.GrantID}, {"client_id", u.ClientID}, {"resource_id", u.ResourceID}} {
		if id.value == uuid.Nil {
			wrong(id.name, "required", "give the id")
		}
	}
	if !slices.Contains(modes, u.Mode) {
		wrong("mode", "unknown", "use one of the known modes")
	}
	if u.Rows < 0 {
		wrong("rows", "negative", "give a count of rows")
	}
	for _, text := range []struct{ name, value string }{
		{"purpose", u.Purpose}, {"case_number", u.CaseNumber}, {"rule_id", u.RuleID}, {"request_id", u.RequestID},
	} {
		if !utf8.ValidString(text.value) || strings.ContainsRune(text.value, 0) {
			wrong(text.name, "encoding", "use UTF-8 text without NUL")
		}
	}
	if len(u.SubjectTokens) > MaxSubjects {
		wrong("subject_tokens", "too_many", fmt.Sprintf("record at most %d subjects; describe a bulk read by its query", MaxSubjects))
	}
	if query, err := canonicalJSON(u.Query); err != nil {
		wrong("query", "malformed", "give one JSON value without NUL characters, of usual size and depth")
	} else if len(u.Query) > 0 {
		u.Query = query
	}
	return fault.InvalidFields(fields)
}

// normalise brings a record into the form in which it comes back from the database.
func (u *Usage) normalise() {
	u.At = u.At.UTC().Truncate(time.Microsecond)
	for _, t := range []**time.Time{&u.AsOf, &u.EndedAt} {
		if *t != nil {
			utc := (*t).UTC().Truncate(time.Microsecond)
			*t = &utc
		}
	}
	if u.Items == nil {
		u.Items = []int32{}
	}
	if len(u.SubjectTokens) == 0 {
		u.SubjectTokens = nil
	}
	if len(u.Digest) == 0 {
		u.Digest = nil
	}
	if len(u.Query) == 0 {
		u.Query = nil
	}
}

// canonicalUsage is the form of a record that evidence hashes: every column but the link to the evidence itself. Its field
// order is the order of the bytes.
type canonicalUsage struct {
	ID       uuid.UUID       `json:"id"`
	At       time.Time       `json:"at"`
	Grant    uuid.UUID       `json:"grant"`
	Terms    int64           `json:"terms"`
	Client   uuid.UUID       `json:"client"`
	Resource uuid.UUID       `json:"resource"`
	Mode     Mode            `json:"mode"`
	State    UsageState      `json:"state"`
	Rows     int64           `json:"rows"`
	Reserved int64           `json:"reserved"`
	Items    []int32         `json:"items"`
	Purpose  string          `json:"purpose"`
	Case     string          `json:"case"`
	Query    json.RawMessage `json:"query"`
	SeqFrom  *int64          `json:"seq_from"`
	SeqTo    *int64          `json:"seq_to"`
	AsOf     *time.Time      `json:"as_of"`
	Subjects []string        `json:"subjects"`
	Digest   string          `json:"digest"`
	PolicyN  int64           `json:"policy_n"`
	Rule     string          `json:"rule"`
	Request  string          `json:"request"`
	EndedAt  *time.Time      `json:"ended_at"`
}

// canonical returns one line of JSON with a newline. It is the same for a record before it is written and after it was
// read back.
func (u Usage) canonical() ([]byte, error) {
	u.normalise()
	query, err := canonicalJSON(u.Query)
	if err != nil {
		return nil, fmt.Errorf("encoding usage %s: %w", u.ID, err)
	}
	subjects := make([]string, len(u.SubjectTokens))
	for i, token := range u.SubjectTokens {
		subjects[i] = hex.EncodeToString(token)
	}
	line, err := json.Marshal(canonicalUsage{
		u.ID, u.At, u.GrantID, u.TermsVersion, u.ClientID, u.ResourceID, u.Mode, u.State, u.Rows, u.ReservedRows, u.Items, u.Purpose,
		u.CaseNumber, query, u.SeqFrom, u.SeqTo, u.AsOf, subjects, hex.EncodeToString(u.Digest), u.PolicyN, u.RuleID, u.RequestID, u.EndedAt,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding usage %s: %w", u.ID, err)
	}
	return append(line, '\n'), nil
}

// asOpened is the record as it was before its first row left.
func (u Usage) asOpened() Usage {
	u.State, u.Rows, u.ReservedRows, u.Digest, u.EndedAt = UsageOpened, 0, 0, nil, nil
	return u
}

// digest is the SHA-256 of a record's canonical line, in hexadecimal.
func (u Usage) digest() (string, error) {
	line, err := u.canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:]), nil
}

var errJSON = errors.New("not one JSON value that the database can keep")

// canonicalJSON writes a value with sorted keys, the last of equal keys, no spaces, and plain decimal numbers: all that
// PostgreSQL's jsonb leaves of it, and all on which its text and ours could differ. nil stands for none.
func canonicalJSON(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage("null"), nil
	}
	if len(raw) > maxQuery || !utf8.Valid(raw) {
		return nil, errJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	value, err := plainNumbers(value, 0)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

const (
	// maxExponent keeps a number from being written out as millions of digits.
	maxExponent = 400
	// maxDepth stays far below the nesting at which PostgreSQL's parser gives up.
	maxDepth = 100
	// maxQuery is the most bytes of a query that are kept.
	maxQuery = 1 << 20
)

func plainNumbers(value any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errJSON
	}
	var err error
	switch v := value.(type) {
	case json.Number:
		d, err := decimal.NewFromString(v.String())
		if err != nil || len(v) > 2*maxExponent || d.Exponent() > maxExponent || d.Exponent() < -maxExponent {
			return nil, errJSON
		}
		return json.Number(d.String()), nil
	case string:
		if strings.ContainsRune(v, 0) {
			return nil, errJSON
		}
	case []any:
		for i := range v {
			if v[i], err = plainNumbers(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if strings.ContainsRune(key, 0) {
				return nil, errJSON
			}
			if v[key], err = plainNumbers(v[key], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// usageColumns are the columns that scanUsage reads, in its order.
var usageColumns = "u.id, " + boundedAt("u.at") + `, u.grant_id, u.terms_version, u.client_id, u.resource_id, u.mode, u.state, u.rows, u.reserved_rows,
	u.items, u.purpose, u.case_number, u.query, u.seq_from, u.seq_to, ` + boundedIf("u.as_of") + `, u.subject_tokens, u.digest, u.policy_n, u.rule_id,
	u.request_id, u.batch_event, ` + boundedIf("u.ended_at")

func scanUsage(row pgx.CollectableRow) (Usage, error) {
	var u Usage
	var evidence uuid.NullUUID
	err := row.Scan(&u.ID, &u.At, &u.GrantID, &u.TermsVersion, &u.ClientID, &u.ResourceID, &u.Mode, &u.State, &u.Rows, &u.ReservedRows,
		&u.Items, &u.Purpose, &u.CaseNumber, &u.Query, &u.SeqFrom, &u.SeqTo, &u.AsOf, &u.SubjectTokens, &u.Digest, &u.PolicyN, &u.RuleID,
		&u.RequestID, &evidence, &u.EndedAt)
	u.Evidence = evidence.UUID
	u.normalise()
	return u, err
}
