package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// alarmRow is an alarm in a list. State is open, acknowledged, silenced or closed, whichever says most.
type alarmRow struct {
	alarm.Alarm
	State      string
	Department string
	Facts      []alarmFact
}

// alarmFact is one detail of an alarm; its key has a word.
type alarmFact struct{ Key, Value string }

// alarmFacts are the details that people are shown, in this order.
func alarmFacts() []string {
	return []string{"resource", "client", "channel", "node", "role", "code", "state", "due_at", "expires_at", "valid_to", "since", "seen_at", "free_gib", "lapses"}
}

// alarmStates returns every state a row can show once.
func alarmStates() []string { return []string{"open", "acknowledged", "silenced", "closed"} }

func (n *names) alarm(a alarm.Alarm) alarmRow {
	row := alarmRow{Alarm: a, State: "open"}
	switch {
	case a.ClosedAt != nil:
		row.State = "closed"
	case a.Silent(n.v.Clock()):
		row.State = "silenced"
	case a.AcknowledgedAt != nil:
		row.State = "acknowledged"
	}
	if a.DepartmentID != nil {
		row.Department = n.department(*a.DepartmentID)
	}
	var detail map[string]any
	if err := json.Unmarshal(a.Detail, &detail); err != nil {
		return row
	}
	for _, key := range alarmFacts() {
		value, ok := detail[key]
		if !ok || value == "" {
			continue
		}
		text := fmt.Sprint(value)
		switch at, err := time.Parse(time.RFC3339Nano, text); {
		case err == nil:
			text = n.v.formats.second(at)
		case key == "code":
			text = n.v.word("run_fault", text)
		case key == "state":
			text = n.v.word("request_state", text)
		}
		row.Facts = append(row.Facts, alarmFact{key, text})
	}
	return row
}

type alarmList struct {
	Tabs                  []tab
	State, Severity, Rule string
	Severities            []alarm.Severity
	Rules                 []string
	Rows                  []alarmRow
	More, Table           string
	Narrowed              bool
}

func (c *console) showAlarms(v *visit) error {
	list := alarmList{
		Tabs: v.alarmTabs("alarms"), State: v.query("state"), Severity: v.query("severity"), Rule: v.query("rule"),
		Severities: alarm.Severities(), Rules: alarm.RuleKeys(), Table: v.sheetAddress(),
	}
	open := list.State != "closed"
	f := alarm.Filter{Open: &open}
	if severity := alarm.Severity(list.Severity); slices.Contains(list.Severities, severity) {
		f.Severity = &severity
	}
	if slices.Contains(list.Rules, list.Rule) {
		f.Rule = &list.Rule
	}
	list.Narrowed = f.Severity != nil || f.Rule != nil || !open
	names := v.names()
	read := func(cursor string, size int) ([]alarmRow, string, error) {
		all, next, err := v.Alarm.List(v.r.Context(), v.principal, f, db.Page{Cursor: cursor, Limit: size})
		rows := make([]alarmRow, len(all))
		for i, a := range all {
			rows[i] = names.alarm(a)
		}
		return rows, next, err
	}
	if v.asSheet() {
		return v.alarmSheet(read)
	}
	rows, next, err := read(v.query("cursor"), 0)
	if err != nil {
		return err
	}
	list.Rows, list.More = rows, v.moreAddress(next)
	return v.show("alarms", "alarms.title", list)
}

func (v *visit) alarmSheet(read func(cursor string, size int) ([]alarmRow, string, error)) error {
	columns := []string{"alarms.severity", "alarms.what", "alarms.facts", "alarms.department", "list.state", "alarms.opened", "alarms.closed"}
	return v.sheet("alarms", columns, func(cursor string) ([][]string, string, error) {
		rows, next, err := read(cursor, db.MaxPage)
		out := make([][]string, len(rows))
		for i, a := range rows {
			facts := make([]string, len(a.Facts))
			for j, f := range a.Facts {
				facts[j] = v.word("alarm_fact", f.Key) + " " + f.Value
			}
			out[i] = []string{
				v.word("alarm_severity", a.Severity), v.word("alarm_rule", a.Rule), strings.Join(facts, v.say("list.comma")), cmp.Or(a.Department, v.say("alarms.platform")), v.word("alarm_state", a.State),
				v.formats.second(a.OpenedAt), v.formats.second(a.ClosedAt),
			}
		}
		return out, next, err
	})
}

// alarms is the figure at the menu.
func (v *visit) alarms() int {
	n, err := v.Alarm.Open(v.r.Context(), v.principal)
	if err != nil {
		v.Logger.WarnContext(v.r.Context(), "counting alarms", "error", err)
	}
	return n
}

type alarmPage struct {
	Row            alarmRow
	Link           string // Where the object is shown; "" where it is not, or not to this reader.
	CanHandle      bool
	CanAcknowledge bool
	Days           []int
	Note, Reason   string // What was typed, when it was refused.
	Chosen         int
}

// silenceDays are the lengths of silence that the page offers.
func silenceDays() []int { return []int{1, 3, 7, 30, 90} }

func (c *console) showAlarm(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.drawAlarm(id, nil)
}

func (v *visit) drawAlarm(id uuid.UUID, problem error) error {
	a, err := v.Alarm.Alarm(v.r.Context(), v.principal, id)
	if err != nil {
		return err
	}
	page := alarmPage{Row: v.names().alarm(a), Days: silenceDays(), Chosen: 1}
	t := authz.Target{Kind: "alarm", ID: id.String()}
	if a.DepartmentID != nil {
		t.Department = *a.DepartmentID
	}
	page.CanHandle = a.ClosedAt == nil && v.may(authz.AlarmHandle, t)
	page.CanAcknowledge = page.CanHandle && a.AcknowledgedAt == nil
	for kind, to := range map[string]struct {
		path string
		see  authz.Action
	}{
		"task": {"/tasks/", authz.TaskRead}, "run": {"/runs/", authz.TaskRead}, "request": {"/requests/", authz.RequestRead}, "grant": {"/grants/", authz.GrantRead},
	} {
		if kind == a.ObjectKind && v.may(to.see, t) {
			page.Link = prefix + to.path + a.ObjectID
		}
	}
	if problem != nil {
		page.Note, page.Reason = v.field("note"), v.field("reason")
		if days, err := strconv.Atoi(v.field("days")); err == nil {
			page.Chosen = days
		}
		return v.again("alarm", v.word("alarm_rule", a.Rule), page, problem)
	}
	return v.show("alarm", v.word("alarm_rule", a.Rule), page)
}

func (c *console) actOnAlarm(v *visit) error {
	ctx := v.r.Context()
	id, err := v.id()
	if err != nil {
		return err
	}
	act := v.r.PathValue("act")
	switch act {
	case "acknowledge":
		_, err = v.Alarm.Acknowledge(ctx, v.principal, id, v.field("note"))
	case "silence":
		days, bad := strconv.Atoi(v.field("days"))
		if bad != nil || !slices.Contains(silenceDays(), days) {
			err = fault.InvalidFields([]fault.Field{{Name: "until", Code: "out_of_range", Message: "choose one of the lengths offered"}})
			break
		}
		// A minute less, since the page's clock may run ahead of the database's.
		_, err = v.Alarm.Silence(ctx, v.principal, id, v.Clock().Add(time.Duration(days)*24*time.Hour-time.Minute), v.field("reason"))
	case "unsilence":
		_, err = v.Alarm.Unsilence(ctx, v.principal, id)
	default:
		return notFound()
	}
	if err != nil {
		return v.drawAlarm(id, err)
	}
	return v.to(prefix+"/alarms/"+id.String(), "alarm_"+act)
}
