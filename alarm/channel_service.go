package alarm

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// sealPurpose names the key that seals the secrets of channels. The id of the channel is bound in.
const sealPurpose = "alarm_channel"

const channelColumns = `c.id, c.department_id, coalesce(d.name, ''), c.name, c.kind, c.settings, c.sealed, c.least_severity, c.rules, c.state,
	c.row_version, c.created_at, c.updated_at`

const channelTables = " FROM alarm_channel c LEFT JOIN department d ON d.id = c.department_id"

func scanChannel(row pgx.Row) (Channel, error) {
	var c Channel
	err := row.Scan(&c.ID, &c.DepartmentID, &c.Department, &c.Name, &c.Kind, &c.Settings, &c.sealed, &c.LeastSeverity, &c.Rules, &c.State,
		&c.RowVersion, &c.CreatedAt, &c.UpdatedAt)
	c.HasSecret, c.CreatedAt, c.UpdatedAt = c.sealed != nil, c.CreatedAt.UTC(), c.UpdatedAt.UTC()
	return c, err
}

// Channels lists the channels that p may manage by name, those of the platform first, with a cursor for the next page.
func (s *Service) Channels(ctx context.Context, p authz.Principal, page db.Page) ([]Channel, string, error) {
	department, err := s.sight(ctx, p, authz.AlarmChannelWrite, "alarm_channel", nil)
	if err != nil {
		return nil, "", err
	}
	var name string
	var id uuid.UUID
	if _, err := page.After(&name, &id); err != nil {
		return nil, "", err
	}
	found, err := db.Collect(ctx, s.db.Pool, scanChannel, "SELECT "+channelColumns+channelTables+`
		WHERE ($1::uuid IS NULL OR c.department_id = $1) AND (c.name, c.id) > ($2, $3) ORDER BY c.name, c.id LIMIT $4`,
		department, name, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing channels: %w", err)
	}
	found, next := db.Cut(found, page, func(c Channel) string { return db.Next(c.Name, c.ID) })
	return found, next, nil
}

// Channel returns one channel, without its secret.
func (s *Service) Channel(ctx context.Context, p authz.Principal, id uuid.UUID) (Channel, error) {
	return s.channelFor(ctx, p, s.db.Pool, id, "")
}

// channelFor returns a channel that p may manage.
func (s *Service) channelFor(ctx context.Context, p authz.Principal, q db.Querier, id uuid.UUID, lock string) (Channel, error) {
	c, err := scanChannel(q.QueryRow(ctx, "SELECT "+channelColumns+channelTables+" WHERE c.id = $1 "+lock, id))
	if db.NoRows(err) {
		return Channel{}, notFound("alarm_channel")
	}
	if err != nil {
		return Channel{}, fmt.Errorf("reading channel %s: %w", id, err)
	}
	if err := s.check(ctx, p, authz.AlarmChannelWrite, authz.AlarmChannelWrite, target("alarm_channel", c.ID, c.DepartmentID)); err != nil {
		return Channel{}, err
	}
	return c, nil
}

// CreateChannel registers where messages go. Who may manage only the own department's channels makes one of it; others name a
// department, or none for all alarms.
func (s *Service) CreateChannel(ctx context.Context, p authz.Principal, in ChannelInput) (Channel, error) {
	if in.DepartmentID == nil && !s.enforcer.Allowed(p, authz.AlarmChannelWrite, authz.Target{Kind: "alarm_channel"}) {
		in.DepartmentID = &p.Department
	}
	if _, err := s.enforcer.Check(ctx, p, authz.AlarmChannelWrite, target("alarm_channel", uuid.Nil, in.DepartmentID)); err != nil {
		return Channel{}, err
	}
	in, err := in.complete(false)
	if err != nil {
		return Channel{}, err
	}
	c := Channel{
		ID: db.NewID(), DepartmentID: in.DepartmentID, Name: in.Name, Kind: in.Kind, Settings: in.Settings, LeastSeverity: in.LeastSeverity,
		Rules: in.Rules, State: in.State, RowVersion: 1,
	}
	if err := s.reachable(ctx, c); err != nil {
		return Channel{}, err
	}
	if c.sealed, err = s.seal(c.ID, in.Secret); err != nil {
		return Channel{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO alarm_channel (id, department_id, name, kind, settings, sealed, least_severity, rules, state, created_by, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
			c.ID, c.DepartmentID, c.Name, c.Kind, c.Settings, c.sealed, c.LeastSeverity, c.Rules, c.State, p.ID, tx.Now())
		if err != nil {
			return channelFault(err)
		}
		if c, err = s.channelFor(ctx, p, tx, c.ID, ""); err != nil {
			return err
		}
		return record(ctx, tx, p, "alarm_channel.create", "alarm_channel", c.ID.String(), c.event())
	})
	if err != nil {
		return Channel{}, err
	}
	return c, nil
}

// event is what evidence says of a channel.
func (c Channel) event() map[string]any {
	return map[string]any{"name": c.Name, "kind": c.Kind, "host": c.host(), "least_severity": c.LeastSeverity, "rules": c.Rules, "state": c.State}
}

// UpdateChannel replaces what a channel is, but for its kind and department. A secret that is left out stays, unless the address
// or the account changes: a stored secret must not go where its owner never meant it to.
func (s *Service) UpdateChannel(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, in ChannelInput) (Channel, error) {
	if _, err := s.Channel(ctx, p, id); err != nil {
		return Channel{}, err
	}
	var c Channel
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		var err error
		if c, err = s.channelFor(ctx, p, tx, id, "FOR UPDATE OF c"); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, c.RowVersion); err != nil {
			return err
		}
		if in.Kind == "" {
			in.Kind = c.Kind
		}
		if in.Kind != c.Kind {
			return fault.InvalidFields([]fault.Field{{Name: "kind", Code: "fixed", Message: "a channel keeps its kind; make a new one instead"}})
		}
		if in.DepartmentID != nil && (c.DepartmentID == nil || *in.DepartmentID != *c.DepartmentID) {
			return fault.InvalidFields([]fault.Field{{Name: "department_id", Code: "fixed", Message: "a channel keeps its department; make a new one instead"}})
		}
		if in, err = in.complete(c.HasSecret); err != nil {
			return err
		}
		moved := in.Settings.URL != c.Settings.URL || in.Settings.Host != c.Settings.Host || in.Settings.Port != c.Settings.Port ||
			in.Settings.TLS != c.Settings.TLS || in.Settings.Username != c.Settings.Username
		if c.HasSecret && in.Secret == "" && moved {
			return fault.InvalidFields([]fault.Field{{Name: "secret", Code: "required", Message: "give this again: the address or the account changes"}})
		}
		c.Name, c.Settings, c.LeastSeverity, c.Rules, c.State = in.Name, in.Settings, in.LeastSeverity, in.Rules, in.State
		if err := s.reachable(ctx, c); err != nil {
			return err
		}
		if in.Secret != "" {
			if c.sealed, err = s.seal(id, in.Secret); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `
			UPDATE alarm_channel SET name = $2, settings = $3, sealed = $4, least_severity = $5, rules = $6, state = $7,
				row_version = row_version + 1, updated_at = $8 WHERE id = $1`,
			id, c.Name, c.Settings, c.sealed, c.LeastSeverity, c.Rules, c.State, tx.Now())
		if err != nil {
			return channelFault(err)
		}
		if c, err = s.channelFor(ctx, p, tx, id, ""); err != nil {
			return err
		}
		return record(ctx, tx, p, "alarm_channel.update", "alarm_channel", id.String(), c.event())
	})
	if err != nil {
		return Channel{}, err
	}
	return c, nil
}

// DeleteChannel removes a channel with its messages, also those that wait.
func (s *Service) DeleteChannel(ctx context.Context, p authz.Principal, id uuid.UUID) error {
	if _, err := s.Channel(ctx, p, id); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		c, err := s.channelFor(ctx, p, tx, id, "FOR UPDATE OF c")
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM alarm_channel WHERE id = $1", id); err != nil {
			return fmt.Errorf("deleting channel %s: %w", id, err)
		}
		return record(ctx, tx, p, "alarm_channel.delete", "alarm_channel", id.String(), c.event())
	})
}

// TestResult is what became of a test message.
type TestResult struct {
	OK     bool      `json:"ok"`
	Code   string    `json:"code"` // Why not; "" when OK. One of the codes of a delivery.
	Millis int64     `json:"millis"`
	At     time.Time `json:"at"`
}

// TestChannel sends a message that says it is a test, at once and without retry. That nothing arrives is a result, not an error.
func (s *Service) TestChannel(ctx context.Context, p authz.Principal, id uuid.UUID) (TestResult, error) {
	c, err := s.Channel(ctx, p, id)
	if err != nil {
		return TestResult{}, err
	}
	result := TestResult{At: time.Now().UTC()}
	body, err := json.Marshal(newMessage(db.NewID(), EventTest, testAlarm(c, result.At), result.At, s.opt.Zone))
	if err != nil {
		return TestResult{}, fmt.Errorf("encoding a test message: %w", err)
	}
	result.Code = s.send(ctx, c, body)
	if ctx.Err() != nil {
		return TestResult{}, ctx.Err()
	}
	result.OK, result.Millis = result.Code == "", time.Since(result.At).Milliseconds()
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		return record(ctx, tx, p, "alarm_channel.test", "alarm_channel", id.String(), map[string]any{"ok": result.OK, "code": result.Code})
	})
	return result, err
}

// testAlarm is what a test message speaks of.
func testAlarm(c Channel, now time.Time) Alarm {
	return Alarm{
		Rule: string(EventTest), Severity: Info, ObjectKind: "channel", ObjectID: c.ID.String(), DepartmentID: c.DepartmentID, Department: c.Department,
		Detail: json.RawMessage("{}"), OpenedAt: now, LastSeenAt: now,
	}
}

// reachable refuses a channel that leads to where the hub must not connect.
func (s *Service) reachable(ctx context.Context, c Channel) error {
	if s.opt.Networks.CheckHost(ctx, c.host()) == nil {
		return nil
	}
	field := "settings.host"
	if c.Kind == Webhook {
		field = "settings.url"
	}
	return fault.InvalidFields([]fault.Field{{
		Name: field, Code: "address_refused", Message: "the hub may not connect to this host; its operator names the networks in the setting notice-networks",
	}})
}

func (s *Service) seal(id uuid.UUID, secretText string) ([]byte, error) {
	if secretText == "" {
		return nil, nil
	}
	sealed, err := s.opt.Keyring.Seal(sealPurpose, []byte(secretText), id[:])
	if err != nil {
		return nil, fmt.Errorf("sealing the secret of a channel: %w", err)
	}
	return sealed, nil
}

// secretOf opens the secret of a channel; "" when it has none.
func (s *Service) secretOf(c Channel) (string, error) {
	if c.sealed == nil {
		return "", nil
	}
	raw, err := s.opt.Keyring.Open(sealPurpose, c.sealed, c.ID[:])
	if err != nil {
		return "", fmt.Errorf("opening the secret of channel %s: %w", c.ID, err)
	}
	return string(raw), nil
}

func channelFault(err error) error {
	switch {
	case db.IsUnique(err, "alarm_channel_name"):
		return fault.InvalidFields([]fault.Field{{Name: "name", Code: "taken", Message: "another channel has this name"}})
	case db.IsForeignKey(err, "alarm_channel_department_id_fkey"):
		return fault.InvalidFields([]fault.Field{{Name: "department_id", Code: "unknown", Message: "there is no such department"}})
	}
	return fmt.Errorf("writing a channel: %w", err)
}
