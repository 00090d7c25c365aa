package alarm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

const (
	foundAtMost = 5000 // Objects of one rule that can have alarms at once; beyond that it is one disaster.
	tellAtOnce  = 20   // Alarms of one rule told in one round. The others follow in the next ones.
	keepEnded   = 30 * 24 * time.Hour
)

// found is one object that a rule finds.
type found struct {
	kind, id   string
	department *uuid.UUID
	steps      int
	detail     string
}

// Round judges every rule, unless another node has done so within the interval of a round; it reports whether it did. A rule
// that cannot be judged keeps its alarms as they are, and the others are judged all the same.
func (s *Service) Round(ctx context.Context) (bool, error) {
	tag, err := s.db.Pool.Exec(ctx, "UPDATE alarm_round SET at = clock_timestamp(), node_id = $1 WHERE at <= clock_timestamp() - $2::interval",
		s.opt.Node.ID, s.opt.Every)
	if err != nil {
		return false, fmt.Errorf("beginning a round of the alarms: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return false, nil
	}
	rules, err := rulesInForce(ctx, s.db.Pool)
	if err != nil {
		return true, err
	}
	var failures []error
	for _, r := range rules {
		if err := s.judge(ctx, r); err != nil {
			failures = append(failures, fmt.Errorf("judging rule %s: %w", r.Key, err))
		}
	}
	_, err = s.db.Pool.Exec(ctx, "DELETE FROM alarm_delivery WHERE ended_at < clock_timestamp() - $1::interval", keepEnded)
	if err != nil {
		failures = append(failures, fmt.Errorf("forgetting deliveries: %w", err))
	}
	return true, errors.Join(failures...)
}

// judge brings the alarms of one rule in line with what it finds, and writes the messages about what changed, in one
// transaction.
func (s *Service) judge(ctx context.Context, r RuleInForce) error {
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		var now []found
		closeAfter := time.Duration(0)
		if r.Enabled {
			var err error
			if now, err = find(ctx, tx, r); err != nil {
				return err
			}
			closeAfter = s.opt.CloseAfter
		}
		if err := keep(ctx, tx, r, now); err != nil {
			return err
		}
		ended, err := closeMissing(ctx, tx, r, now, closeAfter)
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, r, ended)
	})
}

func find(ctx context.Context, tx *db.Tx, r RuleInForce) ([]found, error) {
	var args []any
	if r.Unit != "" {
		args = append(args, r.Threshold)
	}
	return db.Collect(ctx, tx, func(row pgx.Row) (f found, err error) {
		err = row.Scan(&f.kind, &f.id, &f.department, &f.steps, &f.detail)
		return f, err
	}, fmt.Sprintf("SELECT kind, id, department, steps, detail::text FROM (%s) q ORDER BY kind, id LIMIT %d", r.query, foundAtMost), args...)
}

// keep opens an alarm for what is found anew and goes on with those that are open. One that gets worse is nobody's any more:
// whoever acknowledged it did so when it was milder. One that opens again while its object is silenced stays silenced.
func keep(ctx context.Context, tx *db.Tx, r RuleInForce, now []found) error {
	if len(now) == 0 {
		return nil
	}
	kinds, ids, severities, details := make([]string, len(now)), make([]string, len(now)), make([]string, len(now)), make([]string, len(now))
	departments := make([]*uuid.UUID, len(now))
	for i, f := range now {
		kinds[i], ids[i], departments[i], details[i] = f.kind, f.id, f.department, f.detail
		severities[i] = string(r.Severity.raise(f.steps))
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO alarm (id, rule, object_kind, object_id, department_id, severity, detail, opened_at, last_seen_at,
			silenced_until, silenced_by, silence_reason)
		SELECT gen_random_uuid(), $1, f.kind, f.id, f.department, f.severity, f.detail::jsonb, $7, $7,
			o.silenced_until, o.silenced_by, coalesce(o.silence_reason, '')
		FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[]) AS f (kind, id, department, severity, detail)
		LEFT JOIN LATERAL (
			SELECT a.silenced_until, a.silenced_by, a.silence_reason FROM alarm a
			WHERE a.rule = $1 AND a.object_kind = f.kind AND a.object_id = f.id AND a.silenced_until > $7
			ORDER BY a.silenced_until DESC LIMIT 1) o ON true
		ON CONFLICT (rule, object_kind, object_id) WHERE closed_at IS NULL DO UPDATE SET
			last_seen_at = excluded.last_seen_at, missing_since = NULL, severity = excluded.severity, detail = excluded.detail,
			department_id = excluded.department_id,
			acknowledged_at = CASE WHEN `+rank("excluded.severity")+` <= `+rank("alarm.severity")+` THEN alarm.acknowledged_at END
		-- Most rounds change nothing; a row is then written once in a while only.
		WHERE alarm.last_seen_at < $7 - interval '45 seconds' OR alarm.missing_since IS NOT NULL OR alarm.severity <> excluded.severity
			OR alarm.detail <> excluded.detail OR alarm.department_id IS DISTINCT FROM excluded.department_id`,
		r.Key, kinds, ids, departments, severities, details, tx.Now())
	if err != nil {
		return fmt.Errorf("keeping alarms: %w", err)
	}
	return nil
}

// closeMissing closes the open alarms that are not found any more for as long as after, and returns those that somebody was
// told of and that are not silenced.
func closeMissing(ctx context.Context, tx *db.Tx, r RuleInForce, now []found, after time.Duration) ([]uuid.UUID, error) {
	kinds, ids := make([]string, len(now)), make([]string, len(now))
	for i, f := range now {
		kinds[i], ids[i] = f.kind, f.id
	}
	closed, err := db.Collect(ctx, tx, func(row pgx.Row) (id *uuid.UUID, err error) { return id, row.Scan(&id) }, `
		UPDATE alarm a SET missing_since = coalesce(a.missing_since, $4),
			closed_at = CASE WHEN coalesce(a.missing_since, $4) <= $4 - $5::interval THEN $4::timestamptz END
		WHERE a.rule = $1 AND a.closed_at IS NULL
			AND NOT EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS f (kind, id) WHERE f.kind = a.object_kind AND f.id = a.object_id)
		RETURNING CASE WHEN a.closed_at IS NOT NULL AND a.told <> '' AND coalesce(a.silenced_until <= $4, true) THEN a.id END`,
		r.Key, kinds, ids, tx.Now(), after)
	if err != nil {
		return nil, fmt.Errorf("closing alarms: %w", err)
	}
	var out []uuid.UUID
	for _, id := range closed {
		if id != nil {
			out = append(out, *id)
		}
	}
	return out, nil
}

// tell writes the messages about alarms that nobody heard of, that got worse since they were told, and about ended ones.
func (s *Service) tell(ctx context.Context, tx *db.Tx, r RuleInForce, ended []uuid.UUID) error {
	type notice struct {
		Alarm
		told string
	}
	scan := func(row pgx.Row) (n notice, err error) {
		n.Alarm, err = scanAlarm(rowWith{row, &n.told})
		return n, err
	}
	due, err := db.Collect(ctx, tx, scan, "SELECT "+alarmColumns+", a.told"+alarmTables+`
		WHERE a.rule = $1 AND a.closed_at IS NULL AND a.missing_since IS NULL AND a.acknowledged_at IS NULL
			AND coalesce(a.silenced_until <= $2, true) AND `+rank("a.severity")+" > "+rank("nullif(a.told, '')")+`
		ORDER BY `+rank("a.severity")+` DESC, a.opened_at, a.id LIMIT $3 FOR UPDATE OF a`, r.Key, tx.Now(), tellAtOnce)
	if err != nil {
		return fmt.Errorf("reading alarms to tell: %w", err)
	}
	over, err := db.Collect(ctx, tx, scan, "SELECT "+alarmColumns+", a.told"+alarmTables+" WHERE a.id = ANY($1) ORDER BY a.opened_at, a.id", ended)
	if err != nil {
		return fmt.Errorf("reading alarms that ended: %w", err)
	}
	if len(due)+len(over) == 0 {
		return nil
	}
	channels, err := db.Collect(ctx, tx, scanChannel, "SELECT "+channelColumns+channelTables+" WHERE c.state = 'enabled' ORDER BY c.created_at, c.id")
	if err != nil {
		return fmt.Errorf("reading channels: %w", err)
	}
	var messages []delivery
	for _, n := range due {
		event := EventOpened
		if n.told != "" {
			event = EventRaised
		}
		if _, err := tx.Exec(ctx, "UPDATE alarm SET told = severity WHERE id = $1", n.ID); err != nil {
			return fmt.Errorf("noting that alarm %s was told: %w", n.ID, err)
		}
		messages = append(messages, messagesFor(channels, n.Alarm, event, tx.Now(), s.opt.Zone)...)
	}
	for _, n := range over {
		// Whoever heard of it at its worst hears of its end.
		n.Severity = worse(n.Severity, Severity(n.told))
		messages = append(messages, messagesFor(channels, n.Alarm, EventClosed, tx.Now(), s.opt.Zone)...)
	}
	return post(ctx, tx, messages)
}

// rowWith scans further columns behind those that a scan function knows.
type rowWith struct {
	pgx.Row
	more any
}

// Scan adds the further column.
func (r rowWith) Scan(targets ...any) error { return r.Row.Scan(append(targets, r.more)...) }

// Run reports on this node, judges and sends until ctx ends, then returns nil. Failures are logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.every(ctx, min(2*time.Second, s.opt.FirstRetry), "sending messages about alarms", func(ctx context.Context) error {
			_, err := s.Send(ctx)
			return err
		})
	}()
	var lapses window
	s.every(ctx, s.opt.Every/5, "judging the rules of alarms", func(ctx context.Context) error {
		reported := s.report(ctx, &lapses)
		_, err := s.Round(ctx)
		return errors.Join(reported, err)
	})
	<-done
	return nil
}

// every does something at once and then at each interval until ctx ends. Of failures that follow each other the first is
// logged.
func (s *Service) every(ctx context.Context, interval time.Duration, what string, do func(context.Context) error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	before := ""
	for {
		text := ""
		if err := do(ctx); err != nil && ctx.Err() == nil {
			text = err.Error()
			if text != before {
				s.log.ErrorContext(ctx, what+" failed", "error", err)
			}
		}
		before = strings.Clone(text)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
