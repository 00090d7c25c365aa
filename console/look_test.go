package console

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/catalog/mask"
	"github.com/shuqiao/shuqiao/catalog/sheet"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/exchange/engine"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

func load(t *testing.T, language string) messages {
	t.Helper()
	m, err := loadMessages(language)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var place = regexp.MustCompile(`\{[a-z]+\}`)

// Both languages say everything, with the same places for values.
func TestLanguagesHaveTheSameKeys(t *testing.T) {
	t.Parallel()
	zh, en := load(t, chinese), load(t, english)
	places := func(m messages) map[string][]string {
		out := map[string][]string{}
		for key, sentence := range m.text {
			found := place.FindAllString(sentence, -1)
			slices.Sort(found)
			out[key] = found
			if strings.TrimSpace(sentence) == "" {
				t.Errorf("%s of %s is empty", key, m.language)
			}
		}
		return out
	}
	if diff := cmp.Diff(places(zh), places(en)); diff != "" {
		t.Errorf("Chinese (-) and English (+) differ:\n%s", diff)
	}
}

// Every sentence that a page names exists.
func TestTemplatesUseKnownKeys(t *testing.T) {
	t.Parallel()
	m := load(t, chinese)
	named := regexp.MustCompile(`\bt "([^"]+)"|"(?:title|next)" "([^"]+)"`)
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		raw, err := templateFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range named.FindAllStringSubmatch(string(raw), -1) {
			seen++
			if key := found[1] + found[2]; !m.has(key) {
				t.Errorf("%s names %q, which has no sentence", file, key)
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d keys were found in %d templates", seen, len(files))
	}
}

// Every sentence that code names exists, whether by a whole key or by a group and a code.
func TestCodeUsesKnownKeys(t *testing.T) {
	t.Parallel()
	m := load(t, chinese)
	named := regexp.MustCompile(`"((?:nav|nav_group|home|resource_tab|alarms|retention|directory|resource|form|ask|cart|desk|inbox|clock|todo|done|run|reject|error|audit|requests|grants|tasks|sign_in|fault)\.[a-z_]*[a-z])"`)
	for _, file := range sources(t, ".go") {
		for _, found := range named.FindAllStringSubmatch(string(file.text), -1) {
			if !m.has(found[1]) {
				t.Errorf("%s names %q, which has no sentence", file.name, found[1])
			}
		}
	}
}

// Every code that a service can show has a word, in both languages, so that no page shows a bare code.
func TestEveryCodeHasAWord(t *testing.T) {
	t.Parallel()
	groups := map[string][]string{
		"share_type":     text(catalog.Unconditional, catalog.Conditional, catalog.Withheld),
		"share_method":   text(catalog.ByTable, catalog.ByFile, catalog.ByAPI),
		"grade":          text(catalog.L1, catalog.L2, catalog.L3, catalog.L4),
		"update_cycle":   text(catalog.Realtime, catalog.Daily, catalog.Weekly, catalog.Monthly, catalog.Quarterly, catalog.Yearly, catalog.Irregular),
		"resource_state": text(catalog.Draft, catalog.DeptReview, catalog.PlatformReview, catalog.Returned, catalog.Published, catalog.Offline, catalog.Revoked, catalog.Superseded),
		"data_type":      text(catalog.Char, catalog.Number, catalog.Currency, catalog.Date, catalog.Timestamp, catalog.Logical, catalog.Memo, catalog.General, catalog.Double, catalog.Integer, catalog.Float),
		"role":           text(authz.UserRoles()...),
		"request_state":  text(sharing.RequestStates()...),
		"change":         changes(),
		"suspended_by":   text(sharing.ByProvider, sharing.ByAuthority, sharing.ByRestore),
		"waits":          text(sharing.RequestDraft, sharing.RequestDeptReview, sharing.RequestPendingAcceptance, sharing.RequestInReview, sharing.RequestSupplementRequired),
		"decision_field": {"items", "unmask", "masks", "lookup", "row_filter", "requested_row_filter", "valid_until", "quota", "rate_calls", "rate_rows", "opinion", "case_required"},
		"consequence":    {"draft", "dept_review", "pending_acceptance", "in_review", "supplement_required", "suspend", "resume", "terminate"},
		"move":           append(text(sharing.Steps()...), string(stepAcceptApprove), string(stepAcceptRefuse), "suspend", "resume", "terminate", "enable", "pause", "disable", "cancel"),
		"request_step":   append(text(sharing.Steps()...), text(sharing.StepCreate, sharing.StepEdit, sharing.StepGrantStanding)...),
		"grant_state":    text(sharing.GrantStates()...),
		"grant_step":     append(text(sharing.GrantSteps()...), string(sharing.GrantCreate)),
		"refusal":        sharing.RefusalCodes(),
		"row_op":         rowOps(),
		"task_state":     text(exchange.TaskDraft, exchange.TaskEnabled, exchange.TaskPaused, exchange.TaskDisabled),
		"schedule_state": text(exchange.ScheduleEnabled, exchange.SchedulePaused, exchange.ScheduleParked),
		"overlap":        text(exchange.OverlapSkip, exchange.OverlapQueue),
		"missed":         text(exchange.MissedRunOnce, exchange.MissedSkip),
		"fire_outcome":   text(exchange.FireStarted, exchange.FireQueued, exchange.FireSkipped, exchange.FireMissed, exchange.FireError),
		"run_state":      text(exchange.RunStates()...),
		"run_kind":       text(exchange.RunCollect, exchange.RunDeliver, exchange.RunReconcile),
		"run_trigger":    text(exchange.BySchedule, exchange.ByRequest, exchange.ByConfirm, exchange.ByRepair),
		"run_stage":      text(engine.StageRead, engine.StageStage, engine.StageMerge, engine.StageReconcile),
		"run_side":       text(engine.SideSource, engine.SideHub),
		"reject_state":   text(exchange.RejectOpen, exchange.RejectCorrected, exchange.RejectWaived),
		"arrival":        text(exchange.ByRead, exchange.BySweep, exchange.BySoftDelete, exchange.ByTable, exchange.NotCarried),
		"obstacle":       text(sharing.Obstacles()...),
		"todo":           append(append(text(sharing.TodoKinds()...), text(catalog.TodoStates()...)...), append(text(exchange.TodoKinds()...), "restored", "change", "acknowledge")...),
		"notice":         noticeCodes(),
		"timeliness":     text(catalog.Timelinesses()...),
		"element_state":  catalog.DataElementStates(),
		"duty_kind":      text(catalog.DutyKinds()...),
		"duty_state":     text(catalog.DutyStates()...),
		"duty_step":      text(catalog.DutySteps()...),
		"sleep":          text(catalog.Sleeps()...),
		"completeness":   completenessRules(), "completeness_mend": completenessRules(),

		"drift_kind":      text(catalog.DriftKinds()...),
		"drift_state":     driftStates(),
		"draft_problem":   {"describe", "sample", "draft"},
		"evidence":        text(catalog.EvidenceKinds()...),
		"meaning":         catalog.Meanings(),
		"outcome":         text(audit.OK, audit.Denied, audit.Failed),
		"actor":           text(audit.ActorUser, audit.ActorClient, audit.ActorSystem),
		"object":          objectKinds(),
		"fault":           text(fault.Kinds()...),
		"alarm_severity":  text(alarm.Severities()...),
		"alarm_state":     alarmStates(),
		"alarm_fact":      alarmFacts(),
		"person_state":    personStates(),
		"client_state":    text(identity.Active, identity.Disabled),
		"key_state":       keyStates(),
		"key_kind":        text(identity.BearerKey, identity.SigningKey),
		"rule_effect":     text(authz.Allow, authz.Deny),
		"rule_fact":       {"*", "-", "yes", "no"},
		"power":           text(authz.Powers()...),
		"channel_kind":    text(alarm.Webhook, alarm.Mail),
		"channel_state":   text(alarm.ChannelEnabled, alarm.ChannelPaused),
		"encryption":      {alarm.TLSImplicit, alarm.TLSStart, alarm.TLSNone},
		"delivery_state":  text(alarm.DeliveryStates()...),
		"delivery_code":   {alarm.CodeRefused, alarm.CodeUnreachable, alarm.CodeTimeout, alarm.CodeTLS, alarm.CodeSecret, alarm.CodeMalformed},
		"alarm_event":     text(alarm.EventOpened, alarm.EventRaised, alarm.EventClosed, alarm.EventTest),
		"proof_state":     proofStates(),
		"usage_state":     text(audit.UsageOpened, audit.UsageDone, audit.UsageInterrupted),
		"usage_mode":      text(audit.ModeRows, audit.ModeRow, audit.ModeChanges, audit.ModeQuery, audit.ModeVerify, audit.ModeStream, audit.ModeExport, audit.ModeDelivery),
		"node_state":      nodeStates(),
		"node_role":       {"all", "api", "worker"},
		"health_check":    checkNames(),
		"health_cause":    checkNames(),
		"yes":             {"true", "false"},
		"import_state":    text(sheet.States()...),
		"import_mode":     text(sheet.AllRows, sheet.GoodRows),
		"import_trouble":  sheet.TroubleCodes(),
		"import_fault":    sheet.FailureCodes(),
		"access_reason":   sharing.AccessReasons(),
		"access_way":      text(append(sharing.AccessWays(), authz.RejectRead)...),
		"mount_state":     text(append(mountStates(), catalog.MountRemoved)...),
		"mount_step":      text(catalog.MountCheck, catalog.MountActivate, catalog.MountReject, catalog.MountSuspend, catalog.MountResume, catalog.MountRemove),
		"delete_rule":     deleteRules(),
		"probe_state":     {"ok", "failed", "never"},
		"task_mode":       text(exchange.ModeFull, exchange.ModeIncremental),
		"task_step":       text(exchange.TaskEnable, exchange.TaskPause, exchange.TaskDisable),
		"schedule_how":    hows(),
		"difference":      {"missing", "extra", "changed"},
		"equality":        {"true", "false"},
		"answer":          {"true", "false"},
		"entry_act":       text(catalog.Acts()...),
		"entry_step":      append(text(catalog.StepCreate, catalog.StepEdit, catalog.StepHandOver, catalog.StepSupersede, catalog.StepDrift), moveSteps()...),
		"entry_level":     catalog.Levels(),
		"withhold_rank":   catalog.WithholdRanks(),
		"format_category": {"1", "2", "3", "4", "5", "6", "7"},
		"return_reason":   text(catalog.ReturnCodes()...),
		"change_cause":    text(catalog.ChangeCauses()...),
		"change_state":    text(catalog.ChangeStates()...),
		"light":           text(catalog.Lights()...),
		"break":           text(catalog.BreakKinds()...),
		"system_state":    systemStates(),
		"covered":         {"true", "false"},
		"coverage_state":  {"listed", "nil_return", "missing"},
		"nil_state":       {"filed", "withdrawn"},
		"day_kind":        {catalog.DayOff, catalog.DayWork, catalog.DayWeek},
		"base_state":      {"open", "registered", "bound"},
		"item_change":     {"added", "removed", "changed"},
		"item_format":     {codes.FormatGeometry},
		"audit_problem": text(audit.EventAltered, audit.EventMissing, audit.EventUnsealed, audit.EventTwice, audit.LeafMissing,
			audit.LeafAltered, audit.TreeAltered, audit.CheckpointAltered, audit.CheckpointSignature, audit.CheckpointMismatch,
			audit.UsageAltered, audit.UsageMissing, audit.UsageUnevidenced),
	}
	groups["role"] = text(authz.Roles()...) // Rules speak about programs, too.
	for _, r := range alarm.Rules() {
		if r.Unit != "" {
			groups["unit"] = append(groups["unit"], r.Unit)
		}
	}
	for _, a := range authz.Actions() {
		object, verb, _ := strings.Cut(string(a), ".")
		groups["object"] = append(groups["object"], object)
		groups["verb"] = append(groups["verb"], verb)
	}
	for _, language := range languages() {
		m := load(t, language)
		for group, all := range groups {
			for _, code := range all {
				if !m.has(group + "." + code) {
					t.Errorf("%s has no word for %s.%s", language, group, code)
				}
			}
		}
		for _, key := range alarm.RuleKeys() {
			if m.word("alarm_rule", key) == key || m.word("alarm_advice", key) == key {
				t.Errorf("%s has no words for the alarm rule %s", language, key)
			}
		}
		for _, rule := range mask.Masks() {
			if m.word("mask", rule.Name) == rule.Name {
				t.Errorf("%s has no word for the mask %s", language, rule.Name)
			}
		}
	}
}

// noticeCodes are the kinds of notices with what happens to each.
func noticeCodes() (out []string) {
	for kind, events := range sharing.NoticeEvents() {
		for _, e := range events {
			out = append(out, kind+"_"+string(e))
		}
	}
	return out
}

func text[S ~string](all ...S) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = string(s)
	}
	return out
}

type sourceFile struct {
	name string
	text []byte
}

// sources returns the files of this room with one of the endings, tests and the libraries of others left out.
func sources(t *testing.T, endings ...string) []sourceFile {
	t.Helper()
	var out []sourceFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains(endings, filepath.Ext(name)) || strings.HasSuffix(name, "_test.go") ||
			strings.Contains(name, ".min.") {
			return err
		}
		raw, err := os.ReadFile(name)
		out = append(out, sourceFile{name, raw})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("there are no files %v", endings)
	}
	return out
}

// No sentence hides in templates, code or styles: all of them are in the message files.
func TestNoSentenceOutsideTheMessages(t *testing.T) {
	t.Parallel()
	for _, file := range sources(t, ".html", ".go", ".css", ".js") {
		for n, line := range strings.Split(string(file.text), "\n") {
			if strings.IndexFunc(line, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0 {
				t.Errorf("%s:%d holds Chinese text", file.name, n+1)
			}
		}
	}
}

// Pages have neither scripts nor styles nor handlers of their own, which the content security policy would refuse, and ask
// nothing of other machines.
func TestTemplatesHoldNoCode(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`(?i)<style|\sstyle=|<script>|\son[a-z]+=|hx-on|javascript:|(?:src|href|action)="(?:https?:)?//`)
	for _, file := range sources(t, ".html") {
		if found := bad.Find(file.text); found != nil {
			t.Errorf("%s holds %q", file.name, found)
		}
	}
	for _, file := range sources(t, ".css") {
		if strings.Contains(string(file.text), "url(") || strings.Contains(string(file.text), "@import") {
			t.Errorf("%s loads something", file.name)
		}
	}
}

// Every icon that a template or the code names is in the sprite, and what is served stays small.
func TestIconsAndSize(t *testing.T) {
	t.Parallel()
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for name, file := range a {
		size += len(file.plain)
		if file.kind == "" {
			t.Errorf("%s has no content type", name)
		}
	}
	if size > 2_500_000 {
		t.Errorf("the assets have %d bytes", size)
	}
	sprite := string(a["icons.svg"].plain)
	named := regexp.MustCompile(`icon "([a-z-]+)"|"icon" "([a-z-]+)"|Icon: "([a-z-]+)"`)
	for _, file := range sources(t, ".html", ".go") {
		for _, found := range named.FindAllStringSubmatch(string(file.text), -1) {
			if name := found[1] + found[2] + found[3]; !strings.Contains(sprite, `<symbol id="`+name+`"`) {
				t.Errorf("%s names the icon %q, which is not in the sprite", file.name, name)
			}
		}
	}
}

// Every kind of fault has a status.
func TestStatusesAreComplete(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		if statuses[kind] < 400 {
			t.Errorf("%s is answered with %d", kind, statuses[kind])
		}
	}
}

// A fault is said in the reader's language: by its code, else by its kind, and at its fields; illegal moves with what is
// possible instead.
func TestProblem(t *testing.T) {
	t.Parallel()
	l := look{messages: load(t, english)}
	for _, c := range []struct {
		name string
		err  error
		want *problem
	}{
		{"nothing", nil, nil},
		{"a known code", fault.New(fault.Conflict, "already_extended", "x"), &problem{Title: "It was extended once already.", Code: "already_extended"}},
		{
			"a code without a sentence", fault.New(fault.Conflict, "odd", "do this instead"),
			&problem{Title: "Its state does not allow this now.", Advice: "do this instead", Code: "odd"},
		},
		{"no fault", fmt.Errorf("secret text"), &problem{Title: "The hub failed. It is on record; try again or tell its operators.", Code: "internal"}},
		{
			"an illegal move", fault.New(fault.Conflict, "illegal_move", "x").With("allowed", "accept,withdraw"),
			&problem{Title: "Somebody else was first, or its state does not allow this.", Advice: "Possible now: Accept, Withdraw", Code: "illegal_move"},
		},
		{
			"fields", fault.InvalidFields([]fault.Field{{Name: "reason", Code: "required", Message: "x"}, {Name: "a.b", Code: "odd", Message: "mend it"}}),
			&problem{
				Title: "Some of the input is wrong. Please correct it as shown.", Code: "invalid",
				fields: map[string]string{"reason": "Please fill this in", "a.b": "mend it"},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := l.problem(c.err)
			if got != nil && len(got.fields) == 0 {
				got.fields = nil
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(problem{})); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// After signing in or changing the language nobody is led out of the console.
func TestBackTo(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"": "/ui/", "/ui/grants?cursor=x": "/ui/grants?cursor=x", "https://example.org/ui/": "/ui/", "//example.org/ui/": "/ui/",
		"/ui//example.org": "/ui/", `/ui/\example.org`: "/ui/", "/api/v1/sessions": "/ui/", "javascript:alert(1)": "/ui/", "/uix/": "/ui/",
	} {
		if got := backTo(address); got != want {
			t.Errorf("%q leads to %q, want %q", address, got, want)
		}
	}
}

// Figures and times read as people write them, in the hub's time zone.
func TestFormats(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("CST", 8*3600)
	f := formats{zone: zone}
	at := time.Date(2026, 11, 22, 20, 5, 6, 0, time.UTC)
	later := at.Add(90 * time.Second)
	m := load(t, english)
	for _, c := range [][2]string{
		{f.moment(at), "2026-11-23 04:05"},
		{f.second(&at), "2026-11-23 04:05:06"},
		{f.day(at), "2026-11-23"},
		{f.day(time.Time{}), ""},
		{f.day((*time.Time)(nil)), ""},
		{count(1234567), "1,234,567"},
		{count(int64(-1000)), "-1,000"},
		{count(999), "999"},
		{took(&at, &later), "90 s"},
		{took(&at, nil), ""},
		{m.cron("@every 10s"), "every 10 seconds"},
		{m.cron("* * * * *"), "every minute"},
		{m.cron("*/5 * * * *"), "every 5 minutes"},
		{m.cron("30 2 * * *"), "daily at 02:30"},
		{m.cron("7 * * * *"), "hourly at minute 7"},
		{short("01a201f4-a278-7c02-85f7-b381bcc0e126"), "b381bcc0e126"},
		{short("worker-1"), "worker-1"},
	} {
		if c[0] != c[1] {
			t.Errorf("got %q, want %q", c[0], c[1])
		}
	}
}

// A row filter is edited in lines only where the lines say all of it: otherwise saving would ask for other rows.
func TestRowFilterInLines(t *testing.T) {
	t.Parallel()
	items := []catalog.Item{{Identifier: "division", DataType: catalog.Char}, {Identifier: "floor", DataType: catalog.Integer}}
	for _, c := range []struct {
		name, filter string
		want         bool
	}{
		{"none", ``, true},
		{"one condition", `{"op":"eq","item":"division","value":"330602"}`, true},
		{"a number", `{"op":"ge","item":"floor","value":3}`, true},
		{"a list", `{"op":"in","item":"division","values":["330602","330603"]}`, true},
		{"three at once", `{"op":"and","args":[{"op":"prefix","item":"division","value":"3306"},{"op":"ge","item":"floor","value":1},{"op":"le","item":"floor","value":9}]}`, true},
		{"one of two", `{"op":"or","args":[{"op":"eq","item":"division","value":"330602"},{"op":"eq","item":"floor","value":1}]}`, false},
		{"not", `{"op":"not","arg":{"op":"eq","item":"division","value":"330602"}}`, false},
		{"a range", `{"op":"between","item":"floor","from":1,"to":3}`, false},
		{"four at once", `{"op":"and","args":[{"op":"ge","item":"floor","value":1},{"op":"le","item":"floor","value":9},{"op":"ne","item":"floor","value":4},{"op":"eq","item":"division","value":"330602"}]}`, false},
		{"a value with a comma", `{"op":"in","item":"division","values":["a,b"]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := inLines(json.RawMessage(c.filter), items); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func completenessRules() []string {
	var out []string
	for _, r := range catalog.CompletenessRules() {
		out = append(out, r.Code)
	}
	return out
}
