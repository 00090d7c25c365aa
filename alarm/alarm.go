package alarm

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Severity says how soon somebody must look.
type Severity string

// The severities.
const (
	Info     Severity = "info"     // Within the month: something will end.
	Warning  Severity = "warning"  // Within the day: something does not work as it should, data are still served.
	Critical Severity = "critical" // Now: something stands still.
)

// Severities returns every severity once, the mildest first.
func Severities() []Severity { return []Severity{Info, Warning, Critical} }

func (s Severity) known() bool { return slices.Contains(Severities(), s) }

// raise returns the severity n steps up, at most Critical.
func (s Severity) raise(n int) Severity {
	all := Severities()
	return all[min(slices.Index(all, s)+n, len(all)-1)]
}

// worse returns the higher of two severities.
func worse(a, b Severity) Severity {
	if slices.Index(Severities(), a) < slices.Index(Severities(), b) {
		return b
	}
	return a
}

// rank is SQL that makes severities comparable; told is empty before anything was told.
func rank(expression string) string {
	return "coalesce(array_position(ARRAY['info', 'warning', 'critical'], " + expression + "), 0)"
}

// Alarm is one thing that is, or was, wrong with one object.
type Alarm struct {
	ID             uuid.UUID       `json:"id"`
	Rule           string          `json:"rule"`
	Severity       Severity        `json:"severity"` // Now; may rise while the alarm is open.
	ObjectKind     string          `json:"object_kind"`
	ObjectID       string          `json:"object_id"`
	DepartmentID   *uuid.UUID      `json:"department_id,omitempty"` // Whose matter it is; nil is the platform's.
	Department     string          `json:"department"`              // Its name; "" for the platform's.
	Detail         json.RawMessage `json:"detail"`                  // Facts for people, by rule: names, times, codes. No personal data.
	OpenedAt       time.Time       `json:"opened_at"`
	LastSeenAt     time.Time       `json:"last_seen_at"` // Within the last minute while the thing is wrong.
	ClosedAt       *time.Time      `json:"closed_at,omitempty"`
	AcknowledgedAt *time.Time      `json:"acknowledged_at,omitempty"`
	AcknowledgedBy *uuid.UUID      `json:"acknowledged_by,omitempty"`
	Note           string          `json:"note"` // Of who acknowledged it.
	SilencedUntil  *time.Time      `json:"silenced_until,omitempty"`
	SilencedBy     *uuid.UUID      `json:"silenced_by,omitempty"`
	SilenceReason  string          `json:"silence_reason"`
}

// Silent reports whether messages about the alarm are held back at a time.
func (a Alarm) Silent(now time.Time) bool {
	return a.SilencedUntil != nil && a.SilencedUntil.After(now)
}

// Filter narrows List. A nil field does not narrow.
type Filter struct {
	Open       *bool
	Severity   *Severity
	Rule       *string
	Department *uuid.UUID
}

// MaxSilence is how long an alarm may be silenced at once; the reason is then to be thought of again.
const MaxSilence = 90 * 24 * time.Hour
