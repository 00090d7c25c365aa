package console

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed templates/*.html
var templateFiles embed.FS

// shared are the templates that every page is drawn with.
var shared = []string{"templates/frame.html", "templates/parts.html"}

// look is the console in one language: its sentences and its pages.
type look struct {
	messages
	pages map[string]page // By file name without its ending.
}

// page returns a page's templates, which are put together when somebody first looks at it.
type page func() (*template.Template, error)

// newLooks reads every template, so that one that cannot be read is known at start.
func newLooks(languages []string, a assets, f formats) (map[string]look, error) {
	looks := make(map[string]look, len(languages))
	for _, language := range languages {
		m, err := loadMessages(language)
		if err != nil {
			return nil, err
		}
		looks[language] = look{messages: m, pages: map[string]page{}}
	}
	known := functions(looks[languages[0]].messages, a, f)
	base, err := template.New("").Funcs(known).ParseFS(templateFiles, shared...)
	if err != nil {
		return nil, fmt.Errorf("reading what pages share: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("listing templates: %w", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		own, err := template.New(name).Funcs(known).ParseFS(templateFiles, file)
		if err != nil {
			return nil, fmt.Errorf("reading page %q: %w", name, err)
		}
		for _, l := range looks {
			l.pages[name] = sync.OnceValues(func() (*template.Template, error) {
				return together(base, own, functions(l.messages, a, f))
			})
		}
	}
	return looks, nil
}

// together copies what pages share and one page's own templates into a set that calls the functions of one language.
func together(base, own *template.Template, f template.FuncMap) (*template.Template, error) {
	all, err := base.Clone()
	if err != nil {
		return nil, err
	}
	for _, t := range own.Templates() {
		if t.Tree == nil {
			continue // The set itself, which nothing is written in.
		}
		if _, err := all.AddParseTree(t.Name(), t.Tree.Copy()); err != nil {
			return nil, err
		}
	}
	return all.Funcs(f), nil
}

// functions are what templates may call. t says a sentence, word and badge say codes as people do.
func functions(m messages, a assets, f formats) template.FuncMap {
	return template.FuncMap{
		"t":      m.say,
		"lang":   func() string { return m.language },
		"asset":  a.address,
		"moment": f.moment,
		"second": f.second,
		"day":    f.day,
		"count":  count,
		"took":   took,
		"word": func(group string, code any) template.HTML {
			return titled("", m.word(group, code), fmt.Sprint(code))
		},
		"said": func(group string, code any) string { return m.word(group, code) },
		"cron": func(spec string) template.HTML { return titled("", m.cron(spec), spec) },
		"badge": func(group string, code any) template.HTML {
			c := fmt.Sprint(code)
			if c == "" {
				return ""
			}
			return titled("badge bg-"+tone(group, c)+"-lt", m.word(group, c), c)
		},
		"icon": func(name string) template.HTML {
			// Names are written in templates and hold no markup.
			return template.HTML(`<svg class="icon" aria-hidden="true"><use href="` + a.address("icons.svg") + `#` + name + `"></use></svg>`)
		},
		"pairs": func(values ...any) map[string]any {
			out := make(map[string]any, len(values)/2)
			for i := 0; i+1 < len(values); i += 2 {
				out[fmt.Sprint(values[i])] = values[i+1]
			}
			return out
		},
	}
}

// titled is text whose code shows when the pointer rests on it.
func titled(class, text, code string) template.HTML {
	var b strings.Builder
	b.WriteString("<span")
	if class != "" {
		b.WriteString(` class="` + template.HTMLEscapeString(class) + `"`)
	}
	if code != "" && code != text {
		b.WriteString(` title="` + template.HTMLEscapeString(code) + `"`)
	}
	b.WriteString(">" + template.HTMLEscapeString(text) + "</span>")
	return template.HTML(b.String())
}

// tones gives each state one colour wherever it is shown: green works, blue is under way, yellow waits for somebody, red
// wants attention, grey is over.
var tones = map[string]string{
	"share_type.unconditional": "green", "share_type.conditional": "blue", "share_type.withheld": "red",
	"grade.L1": "secondary", "grade.L2": "azure", "grade.L3": "orange", "grade.L4": "red",
	"resource_state.published": "green", "resource_state.dept_review": "yellow", "resource_state.platform_review": "yellow",
	"resource_state.returned": "orange", "resource_state.offline": "orange",
	"code_change.added": "green", "code_change.ended": "orange",
	"request_state.dept_review": "yellow", "request_state.pending_acceptance": "yellow", "request_state.in_review": "yellow",
	"request_state.supplement_required": "orange", "request_state.approved": "green", "request_state.refused": "red",
	"grant_state.active": "green", "grant_state.suspended": "orange", "grant_state.pending_delivery": "blue",
	"grant_state.terminated": "red",
	"task_state.enabled":     "green", "task_state.paused": "yellow",
	"schedule_state.enabled": "green", "schedule_state.paused": "yellow", "schedule_state.parked": "red",
	"run_state.queued": "yellow", "run_state.running": "blue", "run_state.reconciling": "blue", "run_state.succeeded": "green",
	"run_state.partial": "orange", "run_state.failed": "red",
	"arrival.not_carried": "orange", "reject_state.open": "orange", "reject_state.corrected": "green",
	"outcome.ok": "green", "outcome.denied": "orange", "outcome.error": "red",
	"fire_outcome.started": "green", "fire_outcome.queued": "blue", "fire_outcome.skipped": "yellow",
	"fire_outcome.missed": "orange", "fire_outcome.error": "red",
	"alarm_severity.info": "azure", "alarm_severity.warning": "orange", "alarm_severity.critical": "red",
	"alarm_state.open": "orange", "alarm_state.acknowledged": "blue", "alarm_state.silenced": "secondary", "alarm_state.closed": "green",
	"change.wider": "orange", "change.narrower": "green", "change.other": "yellow",
	"yes.true":            "green",
	"person_state.active": "green", "person_state.locked": "red", "person_state.unused": "yellow",
	"client_state.active": "green", "key_state.live": "green", "key_state.revoked": "red", "key_state.expired": "secondary",
	"rule_effect.allow": "green", "rule_effect.deny": "red",
	"power.all": "green", "power.own": "blue", "power.granted": "azure", "power.shared": "azure", "power.some": "orange",
	"channel_state.enabled": "green", "channel_state.paused": "yellow",
	"delivery_state.waiting": "yellow", "delivery_state.sent": "green", "delivery_state.given_up": "red",
	"proof_state.proved": "green", "proof_state.pending": "yellow", "proof_state.wrong": "red",
	"usage_state.opened": "blue", "usage_state.done": "green", "usage_state.interrupted": "orange",
	"node_state.alive": "green", "node_state.silent": "red",
	"timeliness.on_time": "green", "timeliness.late": "orange",
	"probe_state.ok": "green", "probe_state.failed": "red",
	"mount_state.active": "green", "mount_state.submitted": "yellow", "mount_state.checking": "blue", "mount_state.rejected": "orange",
	"mount_state.suspended": "orange",
	"item_change.added":     "green", "item_change.removed": "red", "item_change.changed": "blue",
	"base_state.bound": "green", "base_state.registered": "blue", "base_state.open": "yellow",
	"change_state.open": "yellow", "change_state.submitted": "blue", "change_state.done": "green",
	"light.normal": "green", "light.warn": "orange", "light.yellow": "yellow", "light.red": "red",
	"covered.true": "green", "covered.false": "orange", "coverage_state.listed": "green", "coverage_state.nil_return": "azure", "coverage_state.missing": "red",
	"nil_state.filed": "green", "nil_state.withdrawn": "secondary", "day_kind.off": "red", "day_kind.work": "azure", "day_kind.week": "secondary",
	"element_state.current": "green", "duty_kind.claim": "blue", "duty_kind.contest": "orange",
	"duty_state.open": "yellow", "duty_state.approved": "green", "duty_state.refused": "red",
	"sleep.no_data": "red", "sleep.stale": "orange", "sleep.unused": "yellow",
	"system_state.live": "green", "system_state.zombie": "orange", "system_state.single_office": "azure",

	"import_state.received": "yellow", "import_state.checking": "blue", "import_state.checked": "yellow", "import_state.applying": "blue", "import_state.done": "green",
	"import_state.failed": "red",
}

func tone(group, code string) string {
	if t, ok := tones[group+"."+code]; ok {
		return t
	}
	return "secondary"
}
