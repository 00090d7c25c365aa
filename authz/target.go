package authz

import "github.com/google/uuid"

// Target is what an action is done to, with the facts that rules may ask for. The caller states the facts as they are in
// the database; the enforcer does not look them up.
type Target struct {
	Kind       string    // Kind of the object, such as "grant"; for the log.
	ID         string    // Id of the object, or "" for one that does not exist yet; for the log.
	Department uuid.UUID // Whose object it is for the action at hand: the provider's for approve, the consumer's for sign.
	ShareType  string    // unconditional, conditional, withheld; "" where it does not apply.
	Grade      string    // L1…L4; "" where it does not apply.
	State      string    // State of the resource; "" where it does not apply.
	Granted    bool      // Whether a grant in force covers the question.
}

// none stands for a fact that does not apply, in rules and in questions.
const none = "-"

// other stands for every resource state that no rule can name, so that only rules with '*' speak about it.
const other = "(other)"

// The finite space of facts besides role and action. Rules may name these values or '*'.
var (
	shareTypes = []string{none, "unconditional", "conditional", "withheld"}
	grades     = []string{none, "L1", "L2", "L3", "L4"}
	states     = []string{
		none, "draft", "dept_review", "platform_review", "returned", "published", "offline", "revoked", "superseded", other,
	}
	grantedFacts = []string{"no", "yes"}
)

// Fact is one question to the rules. Values are those of the fact space, or '*' where all values are answered alike.
type Fact struct {
	Role      Role   `json:"role"`
	Action    Action `json:"action"`
	ShareType string `json:"share_type"`
	Grade     string `json:"grade"`
	State     string `json:"state"`
	Granted   string `json:"granted"` // yes, no or *.
}
