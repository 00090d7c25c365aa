package alarm

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Figure is a number of things with a rule and a severity, or with a state.
type Figure struct {
	Rule     string
	Severity Severity
	State    DeliveryState
	Count    int64
}

// Figures are what the hub's metrics say of alarms.
type Figures struct {
	Open       []Figure      // Open alarms; every rule occurs, with 0 where nothing is wrong.
	Deliveries []Figure      // Messages of the last 30 days by state; every state occurs.
	Age        time.Duration // Since the rules were last judged; 0 before the first time.
}

// Figures counts for the metrics. It asks no enforcer: the metrics hold no data.
func (s *Service) Figures(ctx context.Context) (Figures, error) {
	var f Figures
	open, err := db.Collect(ctx, s.db.Pool, func(row pgx.Row) (n Figure, err error) {
		return n, row.Scan(&n.Rule, &n.Severity, &n.Count)
	}, "SELECT rule, severity, count(*) FROM alarm WHERE closed_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2")
	if err != nil {
		return f, fmt.Errorf("counting alarms: %w", err)
	}
	rules, err := rulesInForce(ctx, s.db.Pool)
	if err != nil {
		return f, err
	}
	counted := map[string]bool{}
	for _, n := range open {
		counted[n.Rule+" "+string(n.Severity)] = true
	}
	f.Open = open
	for _, r := range rules {
		if !counted[r.Key+" "+string(r.Severity)] {
			f.Open = append(f.Open, Figure{Rule: r.Key, Severity: r.Severity})
		}
	}
	byState := map[DeliveryState]int64{}
	if _, err := db.Collect(ctx, s.db.Pool, func(row pgx.Row) (struct{}, error) {
		var state DeliveryState
		var n int64
		err := row.Scan(&state, &n)
		byState[state] = n
		return struct{}{}, err
	}, "SELECT state, count(*) FROM alarm_delivery GROUP BY 1"); err != nil {
		return f, fmt.Errorf("counting deliveries: %w", err)
	}
	for _, state := range DeliveryStates() {
		f.Deliveries = append(f.Deliveries, Figure{State: state, Count: byState[state]})
	}
	var seconds float64
	err = s.db.Pool.QueryRow(ctx, "SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM alarm_round WHERE at > '-infinity'").Scan(&seconds)
	if err != nil && !db.NoRows(err) {
		return f, fmt.Errorf("reading the last round: %w", err)
	}
	f.Age = time.Duration(seconds * float64(time.Second))
	return f, nil
}
