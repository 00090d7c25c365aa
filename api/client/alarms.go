package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Alarm is one thing that is, or was, wrong with one object.
type Alarm struct {
	ID             string          `json:"id"`
	Rule           string          `json:"rule"`
	Severity       string          `json:"severity"` // info, warning or critical.
	ObjectKind     string          `json:"object_kind"`
	ObjectID       string          `json:"object_id"`
	DepartmentID   *string         `json:"department_id,omitempty"` // Whose matter it is; nil is the platform's.
	Department     string          `json:"department"`
	Detail         json.RawMessage `json:"detail"` // Facts for people, by rule.
	OpenedAt       time.Time       `json:"opened_at"`
	LastSeenAt     time.Time       `json:"last_seen_at"`
	ClosedAt       *time.Time      `json:"closed_at,omitempty"`
	AcknowledgedAt *time.Time      `json:"acknowledged_at,omitempty"`
	AcknowledgedBy *string         `json:"acknowledged_by,omitempty"`
	Note           string          `json:"note"`
	SilencedUntil  *time.Time      `json:"silenced_until,omitempty"`
	SilencedBy     *string         `json:"silenced_by,omitempty"`
	SilenceReason  string          `json:"silence_reason"`
}

// AlarmRule is one thing that can be wrong, as it is judged.
type AlarmRule struct {
	Key        string     `json:"key"`
	Severity   string     `json:"severity"`
	Threshold  float64    `json:"threshold"` // In Unit.
	Unit       string     `json:"unit"`
	EN         string     `json:"en"`
	ZH         string     `json:"zh"`
	AdviceEN   string     `json:"advice_en"`
	AdviceZH   string     `json:"advice_zh"`
	Enabled    bool       `json:"enabled"`
	RowVersion int64      `json:"row_version"`
	UpdatedAt  *time.Time `json:"updated_at,omitempty"`
}

// AlarmRuleChange is what may be changed about a rule. A nil field stays.
type AlarmRuleChange struct {
	Enabled   *bool    `json:"enabled,omitempty"`
	Severity  *string  `json:"severity,omitempty"`
	Threshold *float64 `json:"threshold,omitempty"`
}

// AlarmChannelSettings are what a channel needs besides its secret.
type AlarmChannelSettings struct {
	URL      string   `json:"url,omitempty"`      // Of a webhook.
	Host     string   `json:"host,omitempty"`     // Of a mail server.
	Port     int      `json:"port,omitempty"`     // 0 for the usual one.
	TLS      string   `json:"tls,omitempty"`      // tls, starttls or none.
	Username string   `json:"username,omitempty"` // "" signs nobody in.
	From     string   `json:"from,omitempty"`
	To       []string `json:"to,omitempty"`
}

// AlarmChannel is where messages about alarms go.
type AlarmChannel struct {
	ID            string               `json:"id"`
	DepartmentID  *string              `json:"department_id,omitempty"` // Gets that department's alarms; nil gets all.
	Department    string               `json:"department"`
	Name          string               `json:"name"`
	Kind          string               `json:"kind"` // webhook or mail.
	Settings      AlarmChannelSettings `json:"settings"`
	HasSecret     bool                 `json:"has_secret"`
	LeastSeverity string               `json:"least_severity"`
	Rules         []string             `json:"rules"` // Keys; empty for every rule.
	State         string               `json:"state"` // enabled or paused.
	RowVersion    int64                `json:"row_version"`
	CreatedAt     time.Time            `json:"created_at"`
	UpdatedAt     time.Time            `json:"updated_at"`
}

// AlarmChannelInput is what is stated about a channel. Secret signs the messages of a webhook, or is the password of the mail
// account; "" keeps it.
type AlarmChannelInput struct {
	DepartmentID  *string              `json:"department_id,omitempty"`
	Name          string               `json:"name"`
	Kind          string               `json:"kind"`
	Settings      AlarmChannelSettings `json:"settings"`
	Secret        string               `json:"secret,omitempty"`
	LeastSeverity string               `json:"least_severity,omitempty"`
	Rules         []string             `json:"rules,omitempty"`
	State         string               `json:"state,omitempty"`
}

// AlarmTest is what became of a test message.
type AlarmTest struct {
	OK     bool      `json:"ok"`
	Code   string    `json:"code"`
	Millis int64     `json:"millis"`
	At     time.Time `json:"at"`
}

// AlarmDelivery is a message on its way through one channel.
type AlarmDelivery struct {
	ID        string     `json:"id"`
	ChannelID string     `json:"channel_id"`
	AlarmID   string     `json:"alarm_id"`
	Event     string     `json:"event"` // opened, raised or closed.
	State     string     `json:"state"` // waiting, sent or given_up.
	Attempts  int        `json:"attempts"`
	NextAt    time.Time  `json:"next_at"`
	Code      string     `json:"code"` // Why the last attempt failed.
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// Alarms lists alarms, newest first. state is open, closed or all; "" means open.
func (c *Client) Alarms(ctx context.Context, state string) ([]Alarm, error) {
	return All[Alarm](ctx, c, "/alarms?state="+url.QueryEscape(state))
}

// Alarm returns one alarm.
func (c *Client) Alarm(ctx context.Context, id string) (Alarm, error) {
	return fetch[Alarm](ctx, c, http.MethodGet, "/alarms/"+id, nil)
}

// AcknowledgeAlarm says that somebody looks after an alarm.
func (c *Client) AcknowledgeAlarm(ctx context.Context, id, note string) (Alarm, error) {
	return fetch[Alarm](ctx, c, http.MethodPost, "/alarms/"+id+"/acknowledge", map[string]string{"note": note})
}

// SilenceAlarm holds messages about an alarm back until a time.
func (c *Client) SilenceAlarm(ctx context.Context, id string, until time.Time, reason string) (Alarm, error) {
	return fetch[Alarm](ctx, c, http.MethodPost, "/alarms/"+id+"/silence", map[string]any{"until": until, "reason": reason})
}

// UnsilenceAlarm lets an alarm speak again.
func (c *Client) UnsilenceAlarm(ctx context.Context, id string) (Alarm, error) {
	return fetch[Alarm](ctx, c, http.MethodPost, "/alarms/"+id+"/unsilence", map[string]string{})
}

// AlarmRules lists every rule as it is judged.
func (c *Client) AlarmRules(ctx context.Context) ([]AlarmRule, error) {
	return All[AlarmRule](ctx, c, "/alarm-rules")
}

// ChangeAlarmRule changes a rule for the whole hub.
func (c *Client) ChangeAlarmRule(ctx context.Context, key string, in AlarmRuleChange, changes ...Change) (AlarmRule, error) {
	return fetch[AlarmRule](ctx, c, http.MethodPut, "/alarm-rules/"+url.PathEscape(key), in, changes...)
}

// AlarmChannels lists the channels that the caller may manage.
func (c *Client) AlarmChannels(ctx context.Context) ([]AlarmChannel, error) {
	return All[AlarmChannel](ctx, c, "/alarm-channels")
}

// CreateAlarmChannel registers where messages go.
func (c *Client) CreateAlarmChannel(ctx context.Context, in AlarmChannelInput, changes ...Change) (AlarmChannel, error) {
	return fetch[AlarmChannel](ctx, c, http.MethodPost, "/alarm-channels", in, changes...)
}

// UpdateAlarmChannel replaces what a channel is.
func (c *Client) UpdateAlarmChannel(ctx context.Context, id string, in AlarmChannelInput, changes ...Change) (AlarmChannel, error) {
	return fetch[AlarmChannel](ctx, c, http.MethodPut, "/alarm-channels/"+id, in, changes...)
}

// DeleteAlarmChannel removes a channel with its messages.
func (c *Client) DeleteAlarmChannel(ctx context.Context, id string) error {
	return c.Call(ctx, http.MethodDelete, "/alarm-channels/"+id, nil, nil)
}

// TestAlarmChannel sends a test message now.
func (c *Client) TestAlarmChannel(ctx context.Context, id string) (AlarmTest, error) {
	return fetch[AlarmTest](ctx, c, http.MethodPost, "/alarm-channels/"+id+"/test", nil)
}

// AlarmDeliveries lists the newest messages of a channel.
func (c *Client) AlarmDeliveries(ctx context.Context, channel string, limit int) (List[AlarmDelivery], error) {
	return fetch[List[AlarmDelivery]](ctx, c, http.MethodGet, "/alarm-channels/"+channel+"/deliveries?limit="+strconv.Itoa(limit), nil)
}
