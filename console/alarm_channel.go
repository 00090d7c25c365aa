package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// alarmTabs are the parts of what is said about alarms, without those that the reader may not open.
func (v *visit) alarmTabs(active string) []tab {
	tabs := []tab{{Key: "alarms.title", Icon: "alert-triangle", Href: prefix + "/alarms", Active: active == "alarms"}}
	if v.mayOwn(authz.AlarmChannelWrite) {
		tabs = append(tabs, tab{Key: "channels.title", Icon: "bell", Href: prefix + "/alarms/channels", Active: active == "channels"})
	}
	return append(tabs, tab{Key: "alarm_rules.title", Icon: "adjustments", Href: prefix + "/alarms/rules", Active: active == "rules"})
}

type channelsPage struct {
	Tabs        []tab
	Rows        []alarm.Channel
	More, Table string
}

func (c *console) showChannels(v *visit) error {
	if v.asSheet() {
		columns := []string{"channels.name", "channels.kind", "people.department", "channels.least", "list.state", "people.created"}
		return v.sheet("channels", columns, func(cursor string) ([][]string, string, error) {
			list, next, err := v.Alarm.Channels(v.r.Context(), v.principal, db.Page{Cursor: cursor, Limit: db.MaxPage})
			out := make([][]string, len(list))
			for i, ch := range list {
				out[i] = []string{
					ch.Name, v.word("channel_kind", ch.Kind), ch.Department, v.word("alarm_severity", ch.LeastSeverity), v.word("channel_state", ch.State),
					v.formats.second(ch.CreatedAt),
				}
			}
			return out, next, err
		})
	}
	list, next, err := v.Alarm.Channels(v.r.Context(), v.principal, db.Page{Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	return v.show("channels", "channels.title", channelsPage{Tabs: v.alarmTabs("channels"), Rows: list, More: v.moreAddress(next), Table: v.sheetAddress()})
}

// channelPage is one channel with its form and the messages that went through it.
type channelPage struct {
	Channel     alarm.Channel
	New         bool
	To          string   // Receivers, one a line.
	Departments []option // Of a new channel, for readers who look after all.
	Department  string   // Chosen for a new channel; "" means all departments.
	Severities  []alarm.Severity
	Rules       []channelRule
	Encryptions []string
	Deliveries  []alarm.Delivery
	More        string
	Test        *alarm.TestResult // Of a test that was just made.
}

type channelRule struct {
	Key  string
	Held bool
}

func (v *visit) channelForm(page *channelPage) {
	page.Severities, page.Encryptions = alarm.Severities(), []string{alarm.TLSStart, alarm.TLSImplicit, alarm.TLSNone}
	page.To = strings.Join(page.Channel.Settings.To, "\n")
	for _, key := range alarm.RuleKeys() {
		page.Rules = append(page.Rules, channelRule{key, slices.Contains(page.Channel.Rules, key)})
	}
}

func (v *visit) newChannel() (channelPage, error) {
	if _, err := v.Enforcer.Check(v.r.Context(), v.principal, authz.AlarmChannelWrite, v.own("alarm_channel")); err != nil {
		return channelPage{}, err
	}
	page := channelPage{New: true}
	var err error
	if v.everywhere(authz.AlarmChannelWrite) {
		page.Departments, err = v.names().departmentChoices()
	}
	return page, err
}

func (c *console) showNewChannel(v *visit) error {
	page, err := v.newChannel()
	if err != nil {
		return err
	}
	page.Channel = alarm.Channel{Kind: alarm.Webhook, LeastSeverity: alarm.Warning, State: alarm.ChannelEnabled}
	if v.query("kind") == string(alarm.Mail) {
		page.Channel.Kind = alarm.Mail
	}
	v.channelForm(&page)
	return v.show("channel", "channels.new", page)
}

// typedChannel reads the form of a channel of a kind.
func (v *visit) typedChannel(kind alarm.ChannelKind) (alarm.ChannelInput, error) {
	in := alarm.ChannelInput{
		Name: v.field("name"), Kind: kind, Secret: v.r.PostFormValue("secret"), LeastSeverity: alarm.Severity(v.field("least_severity")),
		Rules: v.r.PostForm["rules"], State: alarm.ChannelPaused,
	}
	if v.field("enabled") != "" {
		in.State = alarm.ChannelEnabled
	}
	if kind == alarm.Webhook {
		in.Settings.URL = v.field("url")
		return in, nil
	}
	in.Settings = alarm.ChannelSettings{Host: v.field("host"), TLS: v.field("tls"), Username: v.field("account"), From: v.field("from"), To: entries(v.field("to"))}
	if port := v.field("port"); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil {
			return in, fault.InvalidFields([]fault.Field{{Name: "settings.port", Code: "not_a_number", Message: "write a number"}})
		}
		in.Settings.Port = n
	}
	return in, nil
}

// put shows what was typed about a channel. The secret is not shown again.
func (page *channelPage) put(in alarm.ChannelInput) {
	ch := &page.Channel
	ch.Name, ch.Kind, ch.Settings, ch.LeastSeverity, ch.Rules, ch.State = in.Name, in.Kind, in.Settings, in.LeastSeverity, in.Rules, in.State
}

func (c *console) createChannel(v *visit) error {
	page, err := v.newChannel()
	if err != nil {
		return err
	}
	kind := alarm.Webhook
	if v.field("kind") == string(alarm.Mail) {
		kind = alarm.Mail
	}
	in, err := v.typedChannel(kind)
	page.Department = v.field("department")
	if id, bad := uuid.Parse(page.Department); bad == nil && len(page.Departments) > 0 {
		in.DepartmentID = &id
	}
	var ch alarm.Channel
	if err == nil {
		ch, err = c.Alarm.CreateChannel(v.r.Context(), v.principal, in)
	}
	if err != nil {
		page.put(in)
		v.channelForm(&page)
		return v.again("channel", "channels.new", page, err)
	}
	return v.to(prefix+"/alarms/channels/"+ch.ID.String(), "channel_created")
}

func (c *console) showChannel(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawChannel(id, http.StatusOK, nil, nil, nil)
}

func (v *visit) drawChannel(id uuid.UUID, status int, typed *alarm.ChannelInput, test *alarm.TestResult, problem error) error {
	ctx := v.r.Context()
	ch, err := v.Alarm.Channel(ctx, v.principal, id)
	if err != nil {
		return err
	}
	page := channelPage{Channel: ch, Test: test}
	if typed != nil {
		page.put(*typed)
	}
	v.channelForm(&page)
	deliveries, next, err := v.Alarm.Deliveries(ctx, v.principal, id, db.Page{Cursor: v.query("cursor"), Limit: 20})
	if err != nil {
		return err
	}
	page.Deliveries, page.More = deliveries, v.moreAddress(next)
	return v.draw(status, "channel", ch.Name, page, problem)
}

func (c *console) actOnChannel(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	ch, err := c.Alarm.Channel(ctx, v.principal, id)
	if err != nil {
		return err
	}
	var typed *alarm.ChannelInput
	act := v.r.PathValue("act")
	switch act {
	case "edit":
		in, bad := v.typedChannel(ch.Kind)
		typed, err = &in, bad
		if err == nil {
			_, err = c.Alarm.UpdateChannel(ctx, v.principal, id, v.seenVersion(), in)
		}
	case "test":
		result, failed := c.Alarm.TestChannel(ctx, v.principal, id)
		if failed != nil {
			return failed
		}
		return v.drawChannel(id, http.StatusOK, nil, &result, nil)
	case "delete":
		if err = c.Alarm.DeleteChannel(ctx, v.principal, id); err == nil {
			return v.to(prefix+"/alarms/channels", "channel_delete")
		}
	default:
		return notFound()
	}
	switch fault.KindOf(err) {
	case "":
		return v.to(prefix+"/alarms/channels/"+id.String(), "channel_"+act)
	case fault.Internal, fault.Unauthenticated, fault.NotFound, fault.Forbidden:
		return err
	}
	return v.drawChannel(id, statuses[fault.KindOf(err)], typed, nil, err)
}

// alarmRulesPage is every rule of alarms as it is judged.
type alarmRulesPage struct {
	Tabs       []tab
	Rows       []alarm.RuleInForce
	Severities []alarm.Severity
	CanChange  bool
	Open       string // The rule whose input was refused.
	Typed      string // The threshold that was typed there.
	Table      string
}

func (c *console) showAlarmRules(v *visit) error { return v.drawAlarmRules(alarmRulesPage{}, nil) }

func (v *visit) drawAlarmRules(page alarmRulesPage, problem error) error {
	rules, err := v.Alarm.Rules(v.r.Context(), v.principal)
	if err != nil {
		return err
	}
	page.Tabs, page.Rows, page.Severities, page.Table = v.alarmTabs("rules"), rules, alarm.Severities(), v.sheetAddress()
	page.CanChange = v.everywhere(authz.AlarmConfigure) && v.may(authz.AlarmConfigure, authz.Target{Kind: "alarm_rule"})
	if v.asSheet() {
		columns := []string{"alarms.what", "alarms.severity", "alarm_rules.threshold", "alarm_rules.unit", "alarm_rules.enabled"}
		return v.sheet("alarm-rules", columns, func(string) ([][]string, string, error) {
			out := make([][]string, len(rules))
			for i, r := range rules {
				out[i] = []string{v.word("alarm_rule", r.Key), v.word("alarm_severity", r.Severity), threshold(r.Threshold), v.word("unit", r.Unit), v.word("yes", r.Enabled)}
			}
			return out, "", nil
		})
	}
	if problem != nil {
		return v.again("alarm_rules", "alarm_rules.title", page, problem)
	}
	return v.show("alarm_rules", "alarm_rules.title", page)
}

func threshold(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func (c *console) changeAlarmRule(v *visit) error {
	key := v.r.PathValue("key")
	enabled, severity := v.field("enabled") != "", alarm.Severity(v.field("severity"))
	change := alarm.RuleChange{Enabled: &enabled, Severity: &severity}
	var err error
	if typed := v.field("threshold"); typed != "" {
		n, bad := strconv.ParseFloat(typed, 64)
		change.Threshold = &n
		if bad != nil {
			err = fault.InvalidFields([]fault.Field{{Name: "threshold", Code: "not_a_number", Message: "write a number"}})
		}
	}
	if err == nil {
		_, err = c.Alarm.ChangeRule(v.r.Context(), v.principal, key, v.seenVersion(), change)
	}
	switch {
	case err == nil:
		return v.to(prefix+"/alarms/rules", "alarm_rule")
	case fault.Is(err, fault.Forbidden):
		return err
	}
	return v.drawAlarmRules(alarmRulesPage{Open: key, Typed: v.field("threshold")}, err)
}
