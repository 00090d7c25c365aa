package exchange

import (
	"context"
	"fmt"
	"time"
)

// Queue says how much work there is and whether somebody must look: figures for readiness and metrics.
type Queue struct {
	Waiting     int64         // Runs that could start now.
	OldestWait  time.Duration // Of them; 0 when none waits.
	Active      int64         // Running or reconciling.
	Retrying    int64         // Waiting for another attempt.
	Unconfirmed int64         // Newest runs of their task that the delete guard refused.
	Parked      int64         // Schedules that could not be fired.
}

// Queue counts. It discloses nothing of what is moved, so it asks no policy.
func (s *Service) Queue(ctx context.Context) (Queue, error) {
	var q Queue
	var seconds float64
	err := s.db.Pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE state = 'queued' AND not_before <= clock_timestamp()),
		       coalesce(extract(epoch FROM clock_timestamp() - min(greatest(queued_at, not_before)) FILTER (WHERE state = 'queued' AND not_before <= clock_timestamp())), 0)::float8,
		       count(*) FILTER (WHERE state IN ('running', 'reconciling')), count(*) FILTER (WHERE state = 'queued' AND not_before > clock_timestamp()),
		       (SELECT count(*) FROM task t WHERE t.state <> 'disabled' AND (SELECT r.error ->> 'code' = 'delete_guard' AND r.state = 'failed' FROM run r
		           WHERE r.task_id = t.id AND r.kind = 'collect' AND r.state IN ('succeeded', 'partial', 'failed') ORDER BY r.queued_at DESC LIMIT 1)),
		       (SELECT count(*) FROM schedule WHERE state = 'parked')
		FROM run WHERE state IN ('queued', 'running', 'reconciling')`).
		Scan(&q.Waiting, &seconds, &q.Active, &q.Retrying, &q.Unconfirmed, &q.Parked)
	if err != nil {
		return Queue{}, fmt.Errorf("counting runs: %w", err)
	}
	q.OldestWait = time.Duration(seconds * float64(time.Second))
	return q, nil
}
