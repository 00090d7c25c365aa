package exchange

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/exchange/transform"
)

// RejectState is the state of a rejected row.
type RejectState string

// The states of a rejected row.
const (
	RejectOpen      RejectState = "open"      // The newest run met it.
	RejectCorrected RejectState = "corrected" // A later run did not meet it again.
	RejectWaived    RejectState = "waived"    // Somebody decided that it need not be corrected. It stays so while the row is the same.
)

// RejectAction names one thing that happens to a rejected row.
type RejectAction string

// The actions on a rejected row.
const (
	RejectWaive   RejectAction = "waive"   // Somebody decides that it need not be corrected.
	RejectCorrect RejectAction = "correct" // A run does not meet it any more.
)

// RejectMove is one allowed change of a rejected row's state.
type RejectMove struct {
	From   RejectState
	Action RejectAction
	To     RejectState
}

// rejectMoves is the life of a rejected row:
//
//	open ──waive──▶ waived
//	  └──correct──▶ corrected ◀──correct──┘
//
// A row that is changed and still refused is another reject.
var rejectMoves = []RejectMove{
	{RejectOpen, RejectWaive, RejectWaived},
	{RejectOpen, RejectCorrect, RejectCorrected},
	{RejectWaived, RejectCorrect, RejectCorrected},
}

// RejectMoves returns the table of allowed moves, for pages and documentation.
func RejectMoves() []RejectMove { return slices.Clone(rejectMoves) }

// findRejectMove returns the move of an action from a state, or a Conflict fault "illegal_move".
func findRejectMove(from RejectState, action RejectAction) (RejectMove, error) {
	var allowed []string
	for _, m := range rejectMoves {
		if m.From != from {
			continue
		}
		if m.Action == action {
			return m, nil
		}
		if m.Action == RejectWaive {
			allowed = append(allowed, string(m.Action))
		}
	}
	return RejectMove{}, illegalMove("refused row", string(from), allowed)
}

// Reject is a row that was refused, for its provider to correct at the source.
type Reject struct {
	ID         uuid.UUID          `json:"id"`
	ResourceID uuid.UUID          `json:"resource_id"`
	FirstRun   uuid.UUID          `json:"first_run"`
	LastRun    uuid.UUID          `json:"last_run"`
	Key        *string            `json:"key,omitempty"` // Masked for people outside the provider; nil: the row has no usable key.
	RowNo      int64              `json:"row_no"`        // Its place in the last read, from 1.
	Reasons    []transform.Reason `json:"reasons"`
	Held       bool               `json:"held"` // The last good row of that key is served meanwhile.
	State      RejectState        `json:"state"`
	Note       string             `json:"note,omitempty"` // Why it was waived.
	CreatedAt  time.Time          `json:"created_at"`
	ClosedAt   *time.Time         `json:"closed_at,omitempty"`
}

// RejectRow is the row itself as the source gave it, by column; nil is NULL.
type RejectRow struct {
	Reject
	Row map[string]*string `json:"row"`
}

// Reconciliation is the result of comparing both ends (对账).
type Reconciliation struct {
	ID          uuid.UUID    `json:"id"`
	RunID       uuid.UUID    `json:"run_id"`
	ResourceID  uuid.UUID    `json:"resource_id"`
	Fresh       bool         `json:"fresh"` // With a read of its own, rather than with the run's own read.
	Part        bool         `json:"part"`  // Of what a partial read brought, rather than of both ends as a whole.
	Equal       bool         `json:"equal"`
	SourceRows  int64        `json:"source_rows"` // Accepted rows read.
	StoreRows   int64        `json:"store_rows"`  // Stored rows that are not held.
	SourceHash  string       `json:"source_hash"` // Hexadecimal; independent of the order of rows.
	StoreHash   string       `json:"store_hash"`
	Held        int64        `json:"held"`
	Rejected    int64        `json:"rejected"`
	Superseded  int64        `json:"superseded"`
	Missing     int64        `json:"missing"` // At the source, not in the store.
	Extra       int64        `json:"extra"`   // In the store, not at the source.
	Changed     int64        `json:"changed"`
	Differences []Difference `json:"differences"` // The first ones.
	StoreSeq    int64        `json:"store_seq"`
	At          time.Time    `json:"at"`
}

// Difference is one key that is not the same on both ends, masked.
type Difference struct {
	Kind string `json:"kind"` // missing, extra or changed
	Key  string `json:"key"`
}

// maxListed bounds the differences kept with a comparison; its counts are complete.
const maxListed = 100

func listDifferences(found []store.Difference) []Difference {
	out := make([]Difference, 0, min(len(found), maxListed))
	for _, d := range found[:min(len(found), maxListed)] {
		out = append(out, Difference{Kind: d.Kind, Key: maskKey(d.Key)})
	}
	return out
}

// maskKey hides a canonical key so that its owner can find it and nobody else learns it: of parts with at least eight
// characters the first two and the last two stay, of shorter ones nothing.
func maskKey(key string) string {
	parts := strings.Split(key, "~1")
	for i, part := range parts {
		text := []rune(part)
		from, to := 0, len(text)
		if len(text) >= 8 {
			from, to = 2, len(text)-2
		}
		for j := from; j < to; j++ {
			text[j] = '*'
		}
		parts[i] = string(text)
	}
	return strings.Join(parts, "~1")
}

// Freshness says how current a resource's rows at the hub are.
type Freshness struct {
	ArrivedAt   *time.Time `json:"arrived_at,omitempty"` // When the newest merge was committed; nil: nothing has arrived.
	Seq         int64      `json:"seq"`
	Rows        int64      `json:"rows"` // Held ones included.
	Held        int64      `json:"held"`
	RejectsOpen int64      `json:"rejects_open"`
	Equal       *bool      `json:"equal,omitempty"`     // Whether the newest comparison found both ends equal.
	Deletes     Arrival    `json:"deletes,omitempty"`   // How deletes at the source arrive; not_carried: they do not.
	Watermark   *string    `json:"watermark,omitempty"` // Of an incremental task: up to where it has read.
	ReadAt      *time.Time `json:"read_at,omitempty"`   // When a run last read the source to its end and merged.
}

func decodeReasons(raw []byte) (out []transform.Reason, err error) {
	return out, json.Unmarshal(raw, &out)
}
