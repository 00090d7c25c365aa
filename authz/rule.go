package authz

import (
	"fmt"
	"slices"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Effect is what a matching rule says.
type Effect string

// The effects. One matching Deny outweighs any number of Allow; without a matching rule the answer is no.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
)

// Rule is one line of the policy. Each field but ID, Effect and Note is a value of the fact space or '*' for any.
type Rule struct {
	ID        string `json:"id"` // 3 to 64 of a-z, 0-9, '-', '_', '.'; what decision records name.
	Role      string `json:"role"`
	Action    string `json:"action"`
	ShareType string `json:"share_type"`
	Grade     string `json:"grade"`
	State     string `json:"state"`
	Granted   string `json:"granted"` // yes, no or *.
	Effect    Effect `json:"effect"`
	Note      string `json:"note"`
}

// MaxRules bounds a rule set: what needs more rules than this is a fact, not a rule.
const MaxRules = 2000

const anyValue = "*"

// fields returns what is wrong with the rule, under the given path. Values are not repeated.
func (r Rule) fields(path string) []fault.Field {
	var out []fault.Field
	wrong := func(name, code, message string) {
		out = append(out, fault.Field{Name: path + "." + name, Code: code, Message: message})
	}
	if !validRuleID(r.ID) {
		wrong("id", "invalid", "use 3 to 64 characters of a-z, 0-9, '-', '_' and '.'")
	}
	known := func(name, value string, values []string) {
		if value != anyValue && !slices.Contains(values, value) {
			wrong(name, "unknown", fmt.Sprintf("use '*' or one of: %v", values))
		}
	}
	known("role", r.Role, texts(Roles()))
	if r.Action != anyValue && !slices.Contains(texts(Actions()), r.Action) {
		wrong("action", "unknown", "use '*' or an action of the hub")
	}
	known("share_type", r.ShareType, shareTypes)
	known("grade", r.Grade, grades)
	known("state", r.State, states[:len(states)-1])
	known("granted", r.Granted, grantedFacts)
	if r.Effect != Allow && r.Effect != Deny {
		wrong("effect", "unknown", "use allow or deny")
	}
	if len(r.Note) > 1000 {
		wrong("note", "too_long", "use at most 1000 bytes")
	}
	return out
}

func validRuleID(id string) bool {
	if len(id) < 3 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func texts[S ~string](values []S) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
