package alarm_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/netguard"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// world is a database with two departments, one resource with a task each, and what judges it.
type world struct {
	ctx     context.Context
	url     string
	node    *authztest.Node
	keyring *secret.Keyring
	alarm   *alarm.Service

	police, social             uuid.UUID
	resource, task             uuid.UUID
	client                     uuid.UUID
	user                       uuid.UUID
	platform, admin, stranger  authz.Principal
	system, operator, security authz.Principal
}

// loopback lets receivers of tests be reached.
func loopback(t testing.TB) netguard.Policy {
	t.Helper()
	p, err := netguard.Parse("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// knownYears announces the years to come, so that nothing is wrong in November either.
const knownYears = "INSERT INTO calendar_year (year, announced, form) SELECT y, true, 'by_hand' FROM generate_series(2027, 2099) AS y"

func setup(t testing.TB, change ...func(*alarm.Options)) *world {
	t.Helper()
	w := &world{ctx: t.Context(), url: pgtest.URL(t)}
	d := authztest.OpenURL(t, w.url)
	w.node = authztest.Start(t, d)
	var err error
	if w.keyring, err = secret.OpenKeyring(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w.alarm = w.service(t, d, change...)
	for i, id := range []*uuid.UUID{&w.police, &w.social} {
		*id = db.NewID()
		w.exec(t, `INSERT INTO department (id, uscc, name, division_code, level, created_at, updated_at) VALUES ($1, $2, $3, '330600', 'city', now(), now())`,
			*id, []string{"QQ1", "QQ2"}[i], []string{"示例市公安局", "示例市人社局"}[i])
	}
	w.exec(t, knownYears)
	w.user, w.resource, w.task, w.client = db.NewID(), db.NewID(), db.NewID(), db.NewID()
	w.exec(t, `INSERT INTO hub_user (id, username, display_name, password_hash, department_id, roles, state, created_at, updated_at)
		VALUES ($1, 'tester', 'tester', '-', $2, '{dept_operator}', 'active', now(), now())`, w.user, w.social)
	w.exec(t, `INSERT INTO resource (id, provider_dept_id, name, state, published, created_by, created_at, updated_at)
		VALUES ($1, $2, '示例事项', 'published', 1, $3, now(), now())`, w.resource, w.police, w.user)
	w.exec(t, `INSERT INTO task (id, kind, resource_id, state, created_by, created_at, updated_at) VALUES ($1, 'collect', $2, 'enabled', $3, now(), now())`,
		w.task, w.resource, w.user)
	w.exec(t, `INSERT INTO client (id, department_id, name, state, created_at, updated_at) VALUES ($1, $2, '示例业务系统', 'active', now(), now())`, w.client, w.social)
	w.platform, w.system, w.security = authztest.Person(uuid.Nil, authz.PlatformOperator), authztest.Person(uuid.Nil, authz.SystemAdmin), authztest.Person(uuid.Nil, authz.SecurityAdmin)
	w.admin, w.operator, w.stranger = authztest.Person(w.police, authz.DeptAdmin), authztest.Person(w.police, authz.DeptOperator), authztest.Person(w.social, authz.DeptAdmin)
	return w
}

// service returns a further service over a handle of the world's database, with short times.
func (w *world) service(t testing.TB, d *db.DB, change ...func(*alarm.Options)) *alarm.Service {
	opt := alarm.Options{
		DB: d, Enforcer: w.node.Enforcer, Keyring: w.keyring, Networks: loopback(t),
		Every: time.Microsecond, CloseAfter: time.Microsecond, FirstRetry: time.Millisecond, SendLimit: 5 * time.Second,
	}
	for _, c := range change {
		c(&opt)
	}
	return alarm.New(opt)
}

func (w *world) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := w.node.DB.Pool.Exec(w.ctx, sql, args...); err != nil {
		t.Fatalf("changing the hub's database: %v", err)
	}
}

// judge runs rounds until what closes is closed: the first one notes that it is missing.
func (w *world) judge(t testing.TB) {
	t.Helper()
	for range 2 {
		if ran, err := w.alarm.Round(w.ctx); !ran || err != nil {
			t.Fatalf("judging: %v, %v", ran, err)
		}
	}
}

// open returns the open alarms that somebody sees.
func (w *world) open(t testing.TB, p authz.Principal) []alarm.Alarm {
	t.Helper()
	is := true
	found, _, err := w.alarm.List(w.ctx, p, alarm.Filter{Open: &is}, db.Page{})
	if err != nil {
		t.Fatalf("listing alarms: %v", err)
	}
	return found
}

// schedule makes an enabled schedule that was due a while ago.
func (w *world) schedule(t testing.TB, ago string) uuid.UUID {
	t.Helper()
	id := db.NewID()
	w.exec(t, `INSERT INTO schedule (id, task_id, spec, state, next_at, created_at, updated_at) VALUES ($1, $2, '0 2 * * *', 'enabled', now() - $3::interval, now(), now())`,
		id, w.task, ago)
	return id
}

// received is one request that a receiver got.
type received struct {
	header  http.Header
	body    []byte
	message alarm.Message
}

// receiver is a webhook's other end. It answers with the statuses given, then with 204.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	got      []received
}

func newReceiver(t testing.TB, start func(http.Handler) *httptest.Server, statuses ...int) *receiver {
	t.Helper()
	r := &receiver{statuses: statuses}
	r.Server = start(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		one := received{header: req.Header, body: body}
		_ = json.Unmarshal(body, &one.message)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, one)
		status := http.StatusNoContent
		if len(r.statuses) > 0 {
			status, r.statuses = r.statuses[0], r.statuses[1:]
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

// messages returns what was received so far.
func (r *receiver) messages() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

const webhookSecret = "a-secret-of-tests"

// webhook makes a channel to a receiver.
func (w *world) webhook(t testing.TB, p authz.Principal, url string, change ...func(*alarm.ChannelInput)) alarm.Channel {
	t.Helper()
	in := alarm.ChannelInput{Name: "值班", Kind: alarm.Webhook, Settings: alarm.ChannelSettings{URL: url}, Secret: webhookSecret, LeastSeverity: alarm.Info}
	for _, c := range change {
		c(&in)
	}
	c, err := w.alarm.CreateChannel(w.ctx, p, in)
	if err != nil {
		t.Fatalf("making a channel: %v", err)
	}
	return c
}

// send sends what is due until nothing waits or the test's patience ends.
func (w *world) send(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := w.alarm.Send(w.ctx); err != nil {
			t.Fatalf("sending: %v", err)
		}
		var waiting int
		if err := w.node.DB.Pool.QueryRow(w.ctx, "SELECT count(*) FROM alarm_delivery WHERE state = 'waiting'").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting == 0 {
			return
		}
	}
	t.Fatal("messages still wait")
}
