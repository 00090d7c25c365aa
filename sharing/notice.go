package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Bounds of what notices tell: how far back they go, how long before its end a grant is announced, and up to which number the
// unread ones are counted.
const (
	NoticeDays   = 90
	ExpiringDays = 30
	noticesMost  = 999
)

// Notice is something that happened to a request, a grant or an entry of a person's department, by somebody else.
type Notice struct {
	Kind       string // request, grant or resource.
	ID         uuid.UUID
	Event      NoticeEvent
	Side       Side // Whether the department uses or provides what it is about.
	ResourceID uuid.UUID
	Resource   string // Its name.
	Reason     string
	At         time.Time
	Unread     bool
	Readable   bool // The entry can be opened by p now.
}

// NoticeEvent says what happened.
type NoticeEvent string

// NoticeEvents returns every event once, by the kind of what it happens to.
func NoticeEvents() map[string][]NoticeEvent {
	return map[string][]NoticeEvent{
		"request":  {"return", "sign", "accept", "supplement", "extend", "approve", "refuse", "grant_standing", "withdraw", "resubmit", "hand_over"},
		"grant":    {"suspend", "resume", "terminate", "expire", "revoke", "expiring", "change"},
		"resource": {"approve", "publish", "return", "return_dept", "take_offline", "republish", "revoke"},
	}
}

// noticesSQL finds what happened. Its parameters are the department, the person, since when, now, and whether p may see the
// department's grants and the versions of its entries that are not published. It comes from the histories, so nothing
// can be left out or told twice. Who publishes a new version tells those who hold grants of an earlier one.
func noticesSQL() string {
	return `
	SELECT 'request' AS kind, t.id AS step, q.id, t.action AS event, CASE WHEN q.consumer_dept_id = $1 THEN 'consumer' ELSE 'provider' END AS side,
		q.resource_id, q.resource_version AS version, t.reason, t.at
	FROM request_step t JOIN sharing_request q ON q.id = t.request_id
	WHERE t.at >= $3 AND t.actor_id <> $2 AND (
		q.consumer_dept_id = $1 AND t.action IN ('return', 'sign', 'accept', 'supplement', 'extend', 'approve', 'refuse', 'grant_standing', 'hand_over')
		OR q.provider_dept_id = $1 AND q.received_at <= t.at AND t.action IN ('accept', 'extend', 'grant_standing', 'withdraw', 'resubmit'))
	UNION ALL
	SELECT 'grant', t.id, g.id, t.action, CASE WHEN g.consumer_dept_id = $1 THEN 'consumer' ELSE 'provider' END, g.resource_id, g.resource_version, t.reason, t.at
	FROM grant_step t JOIN sharing_grant g ON g.id = t.grant_id
	WHERE $5 AND t.at >= $3 AND t.actor_id IS DISTINCT FROM $2 AND $1 IN (g.consumer_dept_id, g.provider_dept_id) AND t.action <> 'create'
	UNION ALL
	SELECT 'grant', g.id, g.id, 'expiring', 'consumer', g.resource_id, g.resource_version, '', g.valid_to - make_interval(days => 30)
	FROM sharing_grant g
	WHERE $5 AND g.consumer_dept_id = $1 AND g.state IN ('active', 'suspended') AND g.valid_to > $4
		AND g.valid_to - make_interval(days => 30) BETWEEN $3 AND $4 AND g.valid_from < g.valid_to - make_interval(days => 30)
	UNION ALL
	SELECT 'grant', g.id, g.id, 'change', 'consumer', g.resource_id, g.resource_version, '', v.at
	FROM version_change v JOIN sharing_grant g ON ` + touchedSQL() + `
	WHERE $5 AND v.at >= $3 AND g.consumer_dept_id = $1
	UNION ALL
	SELECT 'resource', t.id, t.resource_id, t.action, 'consumer', t.resource_id, t.version, t.reason, t.at
	FROM resource_step t
	WHERE $5 AND t.at >= $3 AND t.actor_id <> $2 AND t.action IN ('publish', 'take_offline', 'republish', 'revoke') AND EXISTS (
		SELECT FROM sharing_grant g WHERE g.resource_id = t.resource_id AND g.consumer_dept_id = $1 AND g.valid_from < t.at AND g.valid_to > t.at
			AND (t.action <> 'publish' OR g.resource_version < t.version))
	UNION ALL
	SELECT 'resource', t.id, t.resource_id, t.action, 'provider', t.resource_id, t.version, t.reason, t.at
	FROM resource_step t JOIN resource r ON r.id = t.resource_id
	WHERE $6 AND t.at >= $3 AND t.actor_id <> $2 AND r.provider_dept_id = $1
		AND t.action IN ('approve', 'publish', 'return', 'return_dept', 'take_offline', 'republish', 'revoke')`
}

// noticeArgs are the parameters of noticesSQL after a time, for what happens after it.
func (s *Service) noticeArgs(p authz.Principal, since, now time.Time) []any {
	return []any{
		p.Department, p.ID, since, now,
		s.enforcer.Allowed(p, authz.GrantRead, authz.Target{Kind: "grant", Department: p.Department}),
		s.enforcer.Allowed(p, authz.ResourceReadDraft, authz.Target{Kind: "resource", Department: p.Department}),
	}
}

// readMark returns until when p has read, and the database's time. Nobody has more to read than notices go back.
func (s *Service) readMark(ctx context.Context, p authz.Principal) (read, now time.Time, err error) {
	err = s.db.Pool.QueryRow(ctx, `
		SELECT greatest(coalesce((SELECT read_at FROM notice_mark WHERE user_id = $1), '-infinity'), n - make_interval(days => $2)), n
		FROM (SELECT clock_timestamp() AS n) AS clock`, p.ID, NoticeDays).Scan(&read, &now)
	if err != nil {
		return read, now, fmt.Errorf("reading a mark: %w", err)
	}
	return read.UTC(), now.UTC(), nil
}

// Notices lists what others did to the requests, grants and entries of p's department in the last 90 days, and which grants end
// within 30, the newest first.
func (s *Service) Notices(ctx context.Context, p authz.Principal, page db.Page) ([]Notice, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.RequestRead, authz.Target{Kind: "request", Department: p.Department}); err != nil {
		return nil, "", err
	}
	var before cursor
	if _, err := page.After(&before.At, &before.ID); err != nil {
		return nil, "", err
	}
	read, now, err := s.readMark(ctx, p)
	if err != nil {
		return nil, "", err
	}
	type line struct {
		Step uuid.UUID
		Notice
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT n.step, n.kind, n.id, n.event, n.side, n.resource_id, coalesce(v.name, r.name) AS resource, n.reason, n.at, n.at > $7 AS unread,
			r.state = 'published' OR r.provider_dept_id = $1 AND $6 AS readable
		FROM (`+noticesSQL()+`) AS n JOIN resource r ON r.id = n.resource_id
		LEFT JOIN resource_version v ON v.resource_id = n.resource_id AND v.version = n.version
		WHERE $8::uuid IS NULL OR (n.at, n.step) < ($9, $8) ORDER BY n.at DESC, n.step DESC LIMIT $10`,
		append(s.noticeArgs(p, now.AddDate(0, 0, -NoticeDays), now), read, optional(before.ID), before.At, page.Size()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("reading notices: %w", err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[line])
	if err != nil {
		return nil, "", fmt.Errorf("reading notices: %w", err)
	}
	next := ""
	if len(lines) > page.Size() {
		lines = lines[:page.Size()]
		last := lines[len(lines)-1]
		next = db.Next(last.At.UTC(), last.Step)
	}
	out := make([]Notice, len(lines))
	for i, l := range lines {
		out[i] = l.Notice
		out[i].At = l.At.UTC()
	}
	return out, next, nil
}

// CountUnread returns how many notices p has not read, at most 999; 0 for those who have no part in requests.
func (s *Service) CountUnread(ctx context.Context, p authz.Principal) (n int, err error) {
	if !s.enforcer.Allowed(p, authz.RequestRead, authz.Target{Kind: "request", Department: p.Department}) {
		return 0, nil
	}
	read, now, err := s.readMark(ctx, p)
	if err != nil {
		return 0, err
	}
	err = s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM ("+noticesSQL()+") AS n WHERE n.at > $7 LIMIT $8) AS news",
		append(s.noticeArgs(p, read, now), read, noticesMost)...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting notices: %w", err)
	}
	return n, nil
}

// MarkNoticesRead says that p has read what happened until a moment. The log does not keep it: what somebody looked at changes
// nothing for anybody else.
func (s *Service) MarkNoticesRead(ctx context.Context, p authz.Principal, until time.Time) error {
	if _, err := s.enforcer.Check(ctx, p, authz.RequestRead, authz.Target{Kind: "request", Department: p.Department}); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO notice_mark (user_id, read_at) VALUES ($1, least($2::timestamptz, $3::timestamptz))
			ON CONFLICT (user_id) DO UPDATE SET read_at = greatest(notice_mark.read_at, excluded.read_at)`, p.ID, until, tx.Now())
		if err != nil {
			return fmt.Errorf("marking notices: %w", err)
		}
		return nil
	})
}
