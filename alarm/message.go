package alarm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Event is what a message tells.
type Event string

// The events.
const (
	EventOpened Event = "opened"
	EventRaised Event = "raised" // It is worse than when it was told last.
	EventClosed Event = "closed"
	EventTest   Event = "test" // Somebody tries a channel.
)

// Message is the body of a webhook, and what mails are written from. ID is the same in every repetition of one message.
type Message struct {
	ID       uuid.UUID `json:"id"`
	Event    Event     `json:"event"`
	At       time.Time `json:"at"`
	Text     string    `json:"text"`    // One sentence in Chinese.
	TextEN   string    `json:"text_en"` // The same in English.
	Advice   string    `json:"advice"`
	AdviceEN string    `json:"advice_en"`
	Alarm    Alarm     `json:"alarm"`
}

// The words of messages, Chinese then English.
var (
	eventWords = map[Event][2]string{
		EventOpened: {"告警", "Alarm"}, EventRaised: {"告警升级", "Alarm raised"}, EventClosed: {"告警解除", "Alarm over"}, EventTest: {"测试", "Test"},
	}
	severityWords = map[Severity][2]string{Info: {"提示", "info"}, Warning: {"警告", "warning"}, Critical: {"严重", "critical"}}
	detailOrder   = []string{"resource", "client", "channel", "node", "code", "due_at", "expires_at", "valid_to", "since", "seen_at", "free_gib", "lapses"}
)

// newMessage writes a message about an alarm.
func newMessage(id uuid.UUID, event Event, a Alarm, now time.Time, zone *time.Location) Message {
	zh, en := "数桥告警通道测试", "a test of this channel; nothing is wrong"
	m := Message{ID: id, Event: event, At: now.UTC(), Alarm: a}
	if r, ok := FindRule(a.Rule); ok {
		zh, en, m.Advice, m.AdviceEN = r.ZH, r.EN, r.AdviceZH, r.AdviceEN
	}
	facts := a.facts(zone)
	m.Text = fmt.Sprintf("【%s·%s】%s%s", eventWords[event][0], severityWords[a.Severity][0], zh, facts)
	m.TextEN = fmt.Sprintf("[%s, %s] %s%s", eventWords[event][1], severityWords[a.Severity][1], en, facts)
	return m
}

// facts lists the details of an alarm behind its sentence, with times in a zone.
func (a Alarm) facts(zone *time.Location) string {
	var detail map[string]any
	if json.Unmarshal(a.Detail, &detail) != nil {
		return ""
	}
	var parts []string
	for _, key := range detailOrder {
		value, ok := detail[key]
		if !ok || value == "" {
			continue
		}
		text := fmt.Sprint(value)
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			text = at.In(zone).Format("2006-01-02 15:04 -07:00")
		}
		parts = append(parts, line(text))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, " · ")
}

// line keeps what people named things inside one line.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// delivery is a message on its way to one channel.
type delivery struct {
	channel uuid.UUID
	message Message
}

// messagesFor addresses one message to every channel that takes it.
func messagesFor(channels []Channel, a Alarm, event Event, now time.Time, zone *time.Location) []delivery {
	var out []delivery
	for _, c := range channels {
		if c.takes(a) && !(a.Rule == "channel_failing" && a.ObjectID == c.ID.String()) {
			out = append(out, delivery{channel: c.ID, message: newMessage(uuid.New(), event, a, now, zone)})
		}
	}
	return slices.Clip(out)
}
