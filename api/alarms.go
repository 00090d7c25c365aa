package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/authz"
)

type alarmListInput struct {
	PageInput
	State      string    `query:"state" enum:"open,closed,all" doc:"open when not given."`
	Severity   string    `query:"severity" maxLength:"16"`
	Rule       string    `query:"rule" maxLength:"64"`
	Department uuid.UUID `query:"department_id"`
}

type acknowledgeInput struct {
	IDInput
	Body struct {
		Note string `json:"note,omitempty" doc:"What is being done about it."`
	}
}

type silenceInput struct {
	IDInput
	Body struct {
		Until  time.Time `json:"until" doc:"At most 90 days from now."`
		Reason string    `json:"reason"`
	}
}

type alarmRuleInput struct {
	VersionInput
	Key  string `path:"key" maxLength:"64" doc:"Key of the rule."`
	Body alarm.RuleChange
}

type newChannelInput struct{ Body alarm.ChannelInput }

type channelChangeInput struct {
	MoveInput
	Body alarm.ChannelInput
}

type deliveryListInput struct {
	IDInput
	PageInput
}

func (a *API) alarmRoutes() {
	s := a.opt.Alarm
	handle(a, get("/alarms", "List alarms", authz.AlarmRead), func(ctx context.Context, p authz.Principal, in *alarmListInput) (list[alarm.Alarm], error) {
		var open *bool
		if in.State != "all" {
			is := in.State != "closed"
			open = &is
		}
		return newList(s.List(ctx, p, alarm.Filter{
			Open: open, Severity: given(alarm.Severity(in.Severity)), Rule: given(in.Rule), Department: given(in.Department),
		}, in.page()))
	})
	handle(a, get("/alarms/{id}", "One alarm", authz.AlarmRead), func(ctx context.Context, p authz.Principal, in *IDInput) (alarm.Alarm, error) {
		return s.Alarm(ctx, p, in.ID)
	})
	handle(a, post("/alarms/{id}/acknowledge", "Say that somebody looks after it", authz.AlarmHandle), func(ctx context.Context, p authz.Principal, in *acknowledgeInput) (alarm.Alarm, error) {
		return s.Acknowledge(ctx, p, in.ID, in.Body.Note)
	})
	handle(a, post("/alarms/{id}/silence", "Hold messages back until a time", authz.AlarmHandle), func(ctx context.Context, p authz.Principal, in *silenceInput) (alarm.Alarm, error) {
		return s.Silence(ctx, p, in.ID, in.Body.Until, in.Body.Reason)
	})
	handle(a, post("/alarms/{id}/unsilence", "Let it speak again", authz.AlarmHandle), func(ctx context.Context, p authz.Principal, in *IDInput) (alarm.Alarm, error) {
		return s.Unsilence(ctx, p, in.ID)
	})
	handle(a, get("/alarm-rules", "List what can be wrong, as it is judged", authz.AlarmRead), func(ctx context.Context, p authz.Principal, _ *noInput) (list[alarm.RuleInForce], error) {
		rules, err := s.Rules(ctx, p)
		return newList(rules, "", err)
	})
	handle(a, put("/alarm-rules/{key}", "Change severity or threshold, or switch off", authz.AlarmConfigure), func(ctx context.Context, p authz.Principal, in *alarmRuleInput) (alarm.RuleInForce, error) {
		version, err := in.version()
		if err != nil {
			return alarm.RuleInForce{}, err
		}
		return s.ChangeRule(ctx, p, in.Key, version, in.Body)
	})
	handle(a, get("/alarm-channels", "List where messages go", authz.AlarmChannelWrite), func(ctx context.Context, p authz.Principal, in *PageInput) (list[alarm.Channel], error) {
		return newList(s.Channels(ctx, p, in.page()))
	})
	handle(a, create("/alarm-channels", "Send messages by webhook or mail", authz.AlarmChannelWrite), func(ctx context.Context, p authz.Principal, in *newChannelInput) (alarm.Channel, error) {
		return s.CreateChannel(ctx, p, in.Body)
	})
	handle(a, get("/alarm-channels/{id}", "One channel, without its secret", authz.AlarmChannelWrite), func(ctx context.Context, p authz.Principal, in *IDInput) (alarm.Channel, error) {
		return s.Channel(ctx, p, in.ID)
	})
	handle(a, put("/alarm-channels/{id}", "Change a channel", authz.AlarmChannelWrite), func(ctx context.Context, p authz.Principal, in *channelChangeInput) (alarm.Channel, error) {
		version, err := in.version()
		if err != nil {
			return alarm.Channel{}, err
		}
		return s.UpdateChannel(ctx, p, in.ID, version, in.Body)
	})
	handleEmpty(a, del("/alarm-channels/{id}", "Remove a channel with its messages", authz.AlarmChannelWrite), func(ctx context.Context, p authz.Principal, in *IDInput) error {
		return s.DeleteChannel(ctx, p, in.ID)
	})
	handle(a, post("/alarm-channels/{id}/test", "Send a test message now", authz.AlarmChannelWrite), func(ctx context.Context, p authz.Principal, in *IDInput) (alarm.TestResult, error) {
		return s.TestChannel(ctx, p, in.ID)
	})
	handle(a, get("/alarm-channels/{id}/deliveries", "What became of its messages", authz.AlarmChannelWrite), func(ctx context.Context, p authz.Principal, in *deliveryListInput) (list[alarm.Delivery], error) {
		return newList(s.Deliveries(ctx, p, in.ID, in.page()))
	})
}
