package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

// ProblemKind says what sort of contradiction verification found.
type ProblemKind string

// The kinds of problems.
const (
	EventAltered        ProblemKind = "event_altered"        // The body, or columns beside it, are not what was sealed.
	EventMissing        ProblemKind = "event_missing"        // A leaf or a pending mark without its event.
	EventUnsealed       ProblemKind = "event_unsealed"       // An event with neither leaf nor pending mark: it was inserted past the log, or its leaf is gone.
	EventTwice          ProblemKind = "event_twice"          // An event that is both sealed and pending.
	LeafMissing         ProblemKind = "leaf_missing"         // A gap in the numbers of the leaves.
	LeafAltered         ProblemKind = "leaf_altered"         // A leaf's data, hash or event id contradicts event and tree.
	TreeAltered         ProblemKind = "tree_altered"         // A stored tree hash is missing, wrong or superfluous.
	CheckpointAltered   ProblemKind = "checkpoint_altered"   // Size or root beside a note are not the note's.
	CheckpointSignature ProblemKind = "checkpoint_signature" // No key given made the note's signature.
	CheckpointMismatch  ProblemKind = "checkpoint_mismatch"  // The log is not the one that was signed: history was rewritten or cut off.
	UsageAltered        ProblemKind = "usage_altered"        // Usage records are not what their event says.
	UsageMissing        ProblemKind = "usage_missing"        // An event about a usage record that does not exist.
	UsageUnevidenced    ProblemKind = "usage_unevidenced"    // A usage record that no event vouches for.
)

// Problem is one contradiction.
type Problem struct {
	Kind   ProblemKind `json:"kind"`
	Event  uuid.UUID   `json:"event"`            // The event concerned; zero when none can be named.
	Leaf   *int64      `json:"leaf"`             // Its leaf, or the first of a gap; nil when it has none.
	At     time.Time   `json:"at"`               // The event's time as its columns say; zero when unknown.
	Action string      `json:"action,omitempty"` // The event's action as its columns say.
	Where  []string    `json:"where,omitempty"`  // Columns that contradict, "body" among them.
	Text   string      `json:"text"`             // One sentence for people.
}

// String is one line for a terminal.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(string(p.Kind))
	if p.Event != uuid.Nil {
		fmt.Fprintf(&b, " event %s", p.Event)
	}
	if p.Leaf != nil {
		fmt.Fprintf(&b, " leaf %d", *p.Leaf)
	}
	if p.Action != "" {
		fmt.Fprintf(&b, " (%s, %s)", p.Action, p.At.UTC().Format(time.RFC3339))
	}
	if len(p.Where) > 0 {
		fmt.Fprintf(&b, " in %s", strings.Join(p.Where, ", "))
	}
	return b.String() + ": " + p.Text
}

// Report is the outcome of a verification.
type Report struct {
	Events      int64     `json:"events"`      // Rows in the log, sealed or not.
	Leaves      int64     `json:"leaves"`      // Sealed events.
	Pending     int64     `json:"pending"`     // Events that wait to be sealed.
	Usage       int64     `json:"usage"`       // Usage records, from VerifyOptions.UsageSince on.
	Purged      int64     `json:"purged"`      // Usage records that were removed after their period, as their events say.
	Checkpoints int64     `json:"checkpoints"` // Signed checkpoints compared, published ones included.
	Signatures  bool      `json:"signatures"`  // Whether signatures were checked: a verifier key was given.
	Root        tlog.Hash `json:"root"`        // Recomputed from the bodies. It means something only when OK.
	Found       int64     `json:"found"`       // Problems found, also those beyond the list's limit.
	Problems    []Problem `json:"problems"`    // In the order found, at most VerifyOptions.MaxProblems; nil for none.
}

// OK reports whether nothing contradicts.
func (r Report) OK() bool { return r.Found == 0 }
