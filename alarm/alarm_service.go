package alarm

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const alarmColumns = `a.id, a.rule, a.severity, a.object_kind, a.object_id, a.department_id, coalesce(d.name, ''), a.detail, a.opened_at,
	a.last_seen_at, a.closed_at, a.acknowledged_at, a.acknowledged_by, a.note, a.silenced_until, a.silenced_by, a.silence_reason`

const alarmTables = " FROM alarm a LEFT JOIN department d ON d.id = a.department_id "

func scanAlarm(row pgx.Row) (Alarm, error) {
	var a Alarm
	err := row.Scan(&a.ID, &a.Rule, &a.Severity, &a.ObjectKind, &a.ObjectID, &a.DepartmentID, &a.Department, &a.Detail, &a.OpenedAt,
		&a.LastSeenAt, &a.ClosedAt, &a.AcknowledgedAt, &a.AcknowledgedBy, &a.Note, &a.SilencedUntil, &a.SilencedBy, &a.SilenceReason)
	a.OpenedAt, a.LastSeenAt = a.OpenedAt.UTC(), a.LastSeenAt.UTC()
	a.ClosedAt, a.AcknowledgedAt, a.SilencedUntil = db.UTC(a.ClosedAt), db.UTC(a.AcknowledgedAt), db.UTC(a.SilencedUntil)
	return a, err
}

// List lists the alarms that p may see, newest first, with a cursor for the next page ("" after the last). Departmental roles
// see their own department's.
func (s *Service) List(ctx context.Context, p authz.Principal, f Filter, page db.Page) ([]Alarm, string, error) {
	department, err := s.sight(ctx, p, authz.AlarmRead, "alarm", f.Department)
	if err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	more, err := page.After(&at, &id)
	if err != nil {
		return nil, "", err
	}
	found, err := db.Collect(ctx, s.db.Pool, scanAlarm, "SELECT "+alarmColumns+alarmTables+`
		WHERE ($1::uuid IS NULL OR a.department_id = $1) AND ($2::bool IS NULL OR (a.closed_at IS NULL) = $2)
		  AND ($3::text IS NULL OR a.severity = $3) AND ($4::text IS NULL OR a.rule = $4)
		  AND (NOT $5 OR (a.opened_at, a.id) < ($6, $7))
		ORDER BY a.opened_at DESC, a.id DESC LIMIT $8`,
		department, f.Open, f.Severity, f.Rule, more, at, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing alarms: %w", err)
	}
	found, next := db.Cut(found, page, func(a Alarm) string { return db.Next(a.OpenedAt, a.ID) })
	return found, next, nil
}

// Open counts the open alarms that p may see and nobody has acknowledged or silenced; 0 for those who see none.
func (s *Service) Open(ctx context.Context, p authz.Principal) (int, error) {
	var department *uuid.UUID
	if !s.enforcer.Allowed(p, authz.AlarmRead, authz.Target{Kind: "alarm"}) {
		if !s.enforcer.Allowed(p, authz.AlarmRead, authz.Target{Kind: "alarm", Department: p.Department}) {
			return 0, nil
		}
		department = &p.Department
	}
	var n int
	err := s.db.Pool.QueryRow(ctx, `
		SELECT count(*) FROM alarm WHERE closed_at IS NULL AND acknowledged_at IS NULL AND ($1::uuid IS NULL OR department_id = $1)
			AND coalesce(silenced_until < clock_timestamp(), true)`, department).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting alarms: %w", err)
	}
	return n, nil
}

// Alarm returns one alarm.
func (s *Service) Alarm(ctx context.Context, p authz.Principal, id uuid.UUID) (Alarm, error) {
	a, err := loadAlarm(ctx, s.db.Pool, id, "")
	if err != nil {
		return Alarm{}, err
	}
	if err := s.check(ctx, p, authz.AlarmRead, authz.AlarmRead, target("alarm", a.ID, a.DepartmentID)); err != nil {
		return Alarm{}, err
	}
	return a, nil
}

func loadAlarm(ctx context.Context, q db.Querier, id uuid.UUID, lock string) (Alarm, error) {
	a, err := scanAlarm(q.QueryRow(ctx, "SELECT "+alarmColumns+alarmTables+"WHERE a.id = $1 "+lock, id))
	if db.NoRows(err) {
		return Alarm{}, notFound("alarm")
	}
	if err != nil {
		return Alarm{}, fmt.Errorf("reading alarm %s: %w", id, err)
	}
	return a, nil
}

// Acknowledge says that somebody looks after an open alarm: it is then told again only if it gets worse. note may be empty.
// Conflict "illegal_move" for an alarm that is closed or acknowledged already.
func (s *Service) Acknowledge(ctx context.Context, p authz.Principal, id uuid.UUID, note string) (Alarm, error) {
	note = strings.TrimSpace(note)
	return s.handle(ctx, p, id, "acknowledge", func(ctx context.Context, tx *db.Tx, a Alarm) (map[string]any, error) {
		if err := fault.InvalidFields(tooLong("note", note, maxReason)); err != nil {
			return nil, err
		}
		tag, err := tx.Exec(ctx, `UPDATE alarm SET acknowledged_at = $2, acknowledged_by = $3, note = $4
			WHERE id = $1 AND closed_at IS NULL AND acknowledged_at IS NULL`, id, tx.Now(), p.ID, note)
		if err != nil {
			return nil, fmt.Errorf("acknowledging alarm %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return nil, fault.New(fault.Conflict, "illegal_move", "this alarm is closed, or somebody has acknowledged it before")
		}
		return map[string]any{"rule": a.Rule, "note": note}, nil
	})
}

// Silence holds messages about an open alarm back until a time within MaxSilence from now, also when it closes and opens again
// meanwhile. A reason must be given. When the time comes and the thing is still wrong, it is told.
func (s *Service) Silence(ctx context.Context, p authz.Principal, id uuid.UUID, until time.Time, reason string) (Alarm, error) {
	reason = strings.TrimSpace(reason)
	return s.handle(ctx, p, id, "silence", func(ctx context.Context, tx *db.Tx, a Alarm) (map[string]any, error) {
		wrong := tooLong("reason", reason, maxReason)
		if reason == "" {
			wrong = append(wrong, fault.Field{Name: "reason", Code: "required", Message: "say why nobody needs to hear of it"})
		}
		if !until.After(tx.Now()) || until.After(tx.Now().Add(MaxSilence)) {
			wrong = append(wrong, fault.Field{Name: "until", Code: "out_of_range", Message: "name a time within the next 90 days"})
		}
		if err := fault.InvalidFields(wrong); err != nil {
			return nil, err
		}
		return map[string]any{"rule": a.Rule, "until": until.UTC(), "reason": reason}, setSilence(ctx, tx, id, &until, &p.ID, reason)
	})
}

// Unsilence lets an alarm speak again. What is still wrong and was not told yet is told in the next round.
func (s *Service) Unsilence(ctx context.Context, p authz.Principal, id uuid.UUID) (Alarm, error) {
	return s.handle(ctx, p, id, "unsilence", func(ctx context.Context, tx *db.Tx, a Alarm) (map[string]any, error) {
		// Earlier alarms of the object hold the silence for those that open again.
		_, err := tx.Exec(ctx, `UPDATE alarm SET silenced_until = NULL WHERE rule = $1 AND object_kind = $2 AND object_id = $3
			AND closed_at IS NOT NULL AND silenced_until > $4`, a.Rule, a.ObjectKind, a.ObjectID, tx.Now())
		if err != nil {
			return nil, fmt.Errorf("ending the silence of earlier alarms: %w", err)
		}
		return map[string]any{"rule": a.Rule}, setSilence(ctx, tx, id, nil, nil, "")
	})
}

// setSilence changes the silence of an open alarm.
func setSilence(ctx context.Context, tx *db.Tx, id uuid.UUID, until *time.Time, by *uuid.UUID, reason string) error {
	tag, err := tx.Exec(ctx, "UPDATE alarm SET silenced_until = $2, silenced_by = $3, silence_reason = $4 WHERE id = $1 AND closed_at IS NULL",
		id, until, by, reason)
	if err != nil {
		return fmt.Errorf("silencing alarm %s: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "illegal_move", "this alarm is closed")
	}
	return nil
}

// handle does one thing that people do to an alarm, and returns the alarm after it. do returns what the event says.
func (s *Service) handle(ctx context.Context, p authz.Principal, id uuid.UUID, verb string,
	do func(ctx context.Context, tx *db.Tx, a Alarm) (map[string]any, error),
) (Alarm, error) {
	a, err := loadAlarm(ctx, s.db.Pool, id, "")
	if err != nil {
		return Alarm{}, err
	}
	if err := s.check(ctx, p, authz.AlarmRead, authz.AlarmHandle, target("alarm", a.ID, a.DepartmentID)); err != nil {
		return Alarm{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		if a, err = loadAlarm(ctx, tx, id, "FOR UPDATE OF a"); err != nil {
			return err
		}
		detail, err := do(ctx, tx, a)
		if err != nil {
			return err
		}
		if a, err = loadAlarm(ctx, tx, id, ""); err != nil {
			return err
		}
		return record(ctx, tx, p, "alarm."+verb, "alarm", id.String(), detail)
	})
	if err != nil {
		return Alarm{}, err
	}
	return a, nil
}

// maxReason bounds texts of people, in characters.
const maxReason = 1000

func tooLong(name, text string, most int) []fault.Field {
	if utf8.RuneCountInString(text) <= most && !strings.ContainsRune(text, 0) {
		return nil
	}
	return []fault.Field{{Name: name, Code: "too_long", Message: fmt.Sprintf("use at most %d characters", most)}}
}
