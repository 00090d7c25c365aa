package catalog

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// StoredProbe is a source with its department's name and what it answered.
type StoredProbe struct {
	Source     Source
	Department string
	Result     ProbeResult // Without its time.
}

// ProbeStored asks every source, parallel at a time and each for at most limit, and returns the answers by department and
// name. It is for an operator who has the hub's database and key file in hand: it asks no enforcer and stores nothing. opt
// needs DB, Keyring and Connectors.
func ProbeStored(ctx context.Context, opt Options, limit time.Duration, parallel int) ([]StoredProbe, error) {
	opt.Connect = connectors.Options{ConnectTimeout: limit, StallTimeout: limit, Dial: opt.Connect.Dial}
	s, err := New(opt)
	if err != nil {
		return nil, err
	}
	rows, err := many(ctx, s.db.Pool, func(r sourceRow) (sourceRow, error) { return r, nil }, "SELECT * FROM source ORDER BY department_id, name")
	if err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	out := make([]StoredProbe, len(rows))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, row := range rows {
		if out[i].Source, err = row.source(); err != nil {
			return nil, err
		}
		err := s.db.Pool.QueryRow(ctx, "SELECT name FROM department WHERE id = $1", row.DepartmentID).Scan(&out[i].Department)
		if err != nil {
			return nil, fmt.Errorf("reading the department of a source: %w", err)
		}
		group.Go(func() error {
			within, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			started := time.Now()
			answer, err := withConnection(within, s, row, (*connectors.Connection).Probe)
			r := ProbeResult{OK: err == nil, Millis: time.Since(started).Milliseconds(), Product: answer.Product, Version: answer.Version, Advice: advice(answer)}
			if err != nil {
				r.Code, r.Advice = fault.CodeOf(err), explain(err)
			}
			out[i].Result = r
			return nil
		})
	}
	return out, group.Wait()
}
