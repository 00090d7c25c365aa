package alarm

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// RuleInForce is a rule as it is judged.
type RuleInForce struct {
	Rule
	Enabled    bool       `json:"enabled"`
	RowVersion int64      `json:"row_version"` // 0 for a rule that nobody has changed.
	UpdatedAt  *time.Time `json:"updated_at,omitempty"`
}

// RuleChange is what people may change about a rule. A nil field stays.
type RuleChange struct {
	Enabled   *bool     `json:"enabled,omitempty"`
	Severity  *Severity `json:"severity,omitempty"`
	Threshold *float64  `json:"threshold,omitempty"`
}

// Rules lists every rule as it is judged, in the order of the documentation.
func (s *Service) Rules(ctx context.Context, p authz.Principal) ([]RuleInForce, error) {
	if _, err := s.sight(ctx, p, authz.AlarmRead, "alarm_rule", nil); err != nil {
		return nil, err
	}
	return rulesInForce(ctx, s.db.Pool)
}

func rulesInForce(ctx context.Context, q db.Querier) ([]RuleInForce, error) {
	type change struct {
		key string
		r   RuleInForce
	}
	changed, err := db.Collect(ctx, q, func(row pgx.Row) (c change, err error) {
		err = row.Scan(&c.key, &c.r.Enabled, &c.r.Severity, &c.r.Threshold, &c.r.RowVersion, &c.r.UpdatedAt)
		return c, err
	}, "SELECT key, enabled, severity, threshold, row_version, updated_at FROM alarm_rule")
	if err != nil {
		return nil, fmt.Errorf("reading the rules of alarms: %w", err)
	}
	byKey := map[string]RuleInForce{}
	for _, c := range changed {
		byKey[c.key] = c.r
	}
	var out []RuleInForce
	for _, r := range Rules() {
		in := RuleInForce{Rule: r, Enabled: true}
		if c, ok := byKey[r.Key]; ok {
			in.Enabled, in.Severity, in.Threshold, in.RowVersion, in.UpdatedAt = c.Enabled, c.Severity, c.Threshold, c.RowVersion, db.UTC(c.UpdatedAt)
		}
		out = append(out, in)
	}
	return out, nil
}

// ChangeRule changes a rule for the whole hub. Alarms of a rule that is switched off are closed in the next round.
func (s *Service) ChangeRule(ctx context.Context, p authz.Principal, key string, ifMatch int64, change RuleChange) (RuleInForce, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.AlarmConfigure, authz.Target{Kind: "alarm_rule", ID: ruleID(key)}); err != nil {
		return RuleInForce{}, err
	}
	var out RuleInForce
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		r, ok := FindRule(key)
		if !ok {
			return notFound("alarm_rule")
		}
		// A rule that nobody has changed gets its row first, so that two changes queue for it.
		_, err := tx.Exec(ctx, `
			INSERT INTO alarm_rule (key, enabled, severity, threshold, row_version, updated_at) VALUES ($1, true, $2, $3, 0, $4)
			ON CONFLICT (key) DO NOTHING`, key, r.Severity, r.Threshold, tx.Now())
		if err != nil {
			return fmt.Errorf("entering rule %s: %w", key, err)
		}
		out.Rule = r
		err = tx.QueryRow(ctx, "SELECT enabled, severity, threshold, row_version FROM alarm_rule WHERE key = $1 FOR UPDATE", key).
			Scan(&out.Enabled, &out.Severity, &out.Threshold, &out.RowVersion)
		if err != nil {
			return fmt.Errorf("reading rule %s: %w", key, err)
		}
		if err := db.Matches(ifMatch, out.RowVersion); err != nil {
			return err
		}
		if err := out.apply(change); err != nil {
			return err
		}
		now := tx.Now()
		out.RowVersion, out.UpdatedAt = out.RowVersion+1, &now
		_, err = tx.Exec(ctx, "UPDATE alarm_rule SET enabled = $2, severity = $3, threshold = $4, row_version = $5, updated_at = $6 WHERE key = $1",
			key, out.Enabled, out.Severity, out.Threshold, out.RowVersion, now)
		if err != nil {
			return fmt.Errorf("changing rule %s: %w", key, err)
		}
		return record(ctx, tx, p, "alarm.configure", "alarm_rule", key, map[string]any{"enabled": out.Enabled, "severity": out.Severity, "threshold": out.Threshold})
	})
	if err != nil {
		return RuleInForce{}, err
	}
	return out, nil
}

// ruleID is the key for the log when it is one of ours, so that the log holds no text of callers.
func ruleID(key string) string {
	if _, ok := FindRule(key); ok {
		return key
	}
	return ""
}

// apply puts a change into the rule, or says what is wrong with it.
func (r *RuleInForce) apply(c RuleChange) error {
	var wrong []fault.Field
	if c.Enabled != nil {
		r.Enabled = *c.Enabled
	}
	if c.Severity != nil {
		if !c.Severity.known() {
			wrong = append(wrong, fault.Field{Name: "severity", Code: "not_choice", Message: "use info, warning or critical"})
		}
		r.Severity = *c.Severity
	}
	if c.Threshold != nil {
		if r.Unit == "" && *c.Threshold != 0 {
			wrong = append(wrong, fault.Field{Name: "threshold", Code: "not_allowed", Message: "this rule has no threshold"})
		} else if !(*c.Threshold >= r.min && *c.Threshold <= r.max) { // Written so that NaN fails too.
			wrong = append(wrong, fault.Field{Name: "threshold", Code: "out_of_range", Message: fmt.Sprintf("use %g to %g (%s)", r.min, r.max, r.Unit)})
		}
		r.Threshold = *c.Threshold
	}
	return fault.InvalidFields(wrong)
}
