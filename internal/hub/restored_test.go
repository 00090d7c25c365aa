package hub_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/pgtest"
)

// server is a PostgreSQL of the test's own, which can be promoted.
func server(t *testing.T, dir string) *pglocal.Cluster {
	t.Helper()
	c, err := pglocal.Start(t.Context(), pglocal.Options{
		DataDir: dir, Settings: map[string]string{"fsync": "off", "max_connections": "60", "shared_buffers": "32MB"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// promote restarts a server as a standby and promotes it, as a failover does.
func promote(t *testing.T, c *pglocal.Cluster, dir string) *pglocal.Cluster {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "postgres", "data")
	signal := filepath.Join(data, "standby.signal")
	info, err := os.Stat(data)
	if err == nil {
		err = os.WriteFile(signal, nil, 0o600)
	}
	if err == nil {
		owner := info.Sys().(*syscall.Stat_t)
		err = os.Chown(signal, int(owner.Uid), int(owner.Gid))
	}
	if err != nil {
		t.Fatal(err)
	}
	c = server(t, dir)
	conn := pgtest.Conn(t, c.URL("postgres"))
	var promoted bool
	if err := conn.QueryRow(t.Context(), "SELECT pg_promote(true, 30)").Scan(&promoted); err != nil || !promoted {
		t.Fatalf("promoting: %v, %v", promoted, err)
	}
	return c
}

// A promotion that is noticed at start makes cursors begin anew and leaves grants alone; on another cluster the database
// counts as restored, so its grants wait: for their provider one by one, or for the authority.
func TestOriginIsNoticed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(pgtest.Dir(t), "hub")
	c := server(t, dir)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	admin := pgtest.Conn(t, c.URL("postgres"))
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE hub TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		t.Fatal(err)
	}
	first := hubtest.Start(t, hubtest.Options{DatabaseURL: c.URL("hub")})
	s := first.Sample(t, 30)
	var grants []client.Grant
	for _, purpose := range []string{"first", "second", "third"} {
		terms := s.Terms()
		terms.Purpose = purpose
		grants = append(grants, s.Grant(t, terms))
	}
	pull := func(h *hubtest.Hub, g client.Grant) (client.Page, string) {
		page, err := h.Anonymous.As(s.Key.Token()).Rows(t.Context(), client.Pull{Resource: s.Resource.ID, Grant: g.ID, Purpose: g.Purpose}, client.Query{})
		return page, client.Code(err)
	}
	follow := func(h *hubtest.Hub, cursor string) string {
		_, err := h.Anonymous.As(s.Key.Token()).Changes(t.Context(), client.Pull{Resource: s.Resource.ID, Grant: grants[0].ID, Purpose: "first"}, client.Query{Cursor: cursor})
		return client.Code(err)
	}
	page, _ := pull(first, grants[0])
	stop := func(h *hubtest.Hub) {
		if err := h.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	stop(first)

	again := hubtest.Start(t, hubtest.Options{Beside: first})
	if got := follow(again, page.ChangesCursor); got != "" {
		t.Errorf("a cursor after an ordinary start: %q", got)
	}
	stop(again)

	c = promote(t, c, dir)
	promoted := hubtest.Start(t, hubtest.Options{DatabaseURL: c.URL("hub"), Keys: first})
	if got := follow(promoted, page.ChangesCursor); got != "resync_required" {
		t.Errorf("a cursor after the promotion: %q, want resync_required", got)
	}
	page, got := pull(promoted, grants[0])
	if got != "" {
		t.Errorf("a grant after the promotion: %q", got)
	}
	stop(promoted)

	conn := pgtest.Conn(t, c.URL("hub"))
	if _, err := conn.Exec(t.Context(), "UPDATE hub_origin SET system_identifier = '1'"); err != nil {
		t.Fatal(err)
	}
	copied := hubtest.Start(t, hubtest.Options{DatabaseURL: c.URL("hub"), Keys: first})
	if got := follow(copied, page.ChangesCursor); got != "grant_suspended" {
		t.Errorf("a cursor on a copy: %q, want grant_suspended", got)
	}
	confirmCopied(t, copied, s, grants, conn)

	// Marking beside a running hub: the nodes follow within the lease.
	if _, err := hub.RestoreMark(t.Context(), copied.DB); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, got = pull(copied, grants[2]); got == "grant_suspended" || time.Now().After(deadline) {
			break
		}
	}
	if got != "grant_suspended" {
		t.Errorf("a grant after a mark beside the hub: %q", got)
	}
	stop(copied)
}

// confirmCopied confirms grants in the three ways there are.
func confirmCopied(t *testing.T, h *hubtest.Hub, s hubtest.Sample, grants []client.Grant, conn *pgx.Conn) {
	t.Helper()
	ctx := t.Context()
	operator, police, social := h.SignIn(t, "platform_operator"), h.SignIn(t, "police_admin"), h.SignIn(t, "social_admin")
	if _, err := operator.ConfirmRestored(ctx, " "); client.Code(err) != "invalid" {
		t.Errorf("confirming without a reason: %v", err)
	}
	if _, err := social.Resume(ctx, grants[0].ID, "x"); client.Code(err) != "forbidden" {
		t.Errorf("the consumer resumes its own grant: %v", err)
	}
	if _, err := police.Resume(ctx, grants[0].ID, "核对无误"); err != nil {
		t.Errorf("the provider resumes a grant: %v", err)
	}
	if _, err := operator.Suspend(ctx, grants[0].ID, "示例核查"); err != nil {
		t.Errorf("suspending: %v", err)
	}
	done, err := operator.ConfirmRestored(ctx, "与提供方核对", grants[1].ID, grants[0].ID)
	if diff := cmp.Diff(client.Confirmation{Confirmed: 1}, done); err != nil || diff != "" {
		t.Errorf("confirming one, and one that the authority suspended since: %v (-want +got):\n%s", err, diff)
	}
	done, err = operator.ConfirmRestored(ctx, "与提供方核对")
	if diff := cmp.Diff(client.Confirmation{Confirmed: 1}, done); err != nil || diff != "" {
		t.Errorf("confirming the rest: %v (-want +got):\n%s", err, diff)
	}
	for origin, want := range map[string]int{"restore": 0, "authority": 1, "provider": 0} {
		if found, err := operator.GrantsSuspendedBy(ctx, origin); err != nil || len(found) != want {
			t.Errorf("suspended by %s: %d grants, %v; want %d", origin, len(found), err, want)
		}
	}
	rows, err := conn.Query(ctx, "SELECT action || ' ' || side FROM grant_step WHERE grant_id = $1 ORDER BY at, id", grants[1].ID)
	var steps []string
	if err == nil {
		steps, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if diff := cmp.Diff([]string{"create provider", "suspend hub", "resume authority"}, steps); err != nil || diff != "" {
		t.Errorf("history: %v (-want +got):\n%s", err, diff)
	}
	var events int
	err = conn.QueryRow(ctx, "SELECT count(*) FROM event WHERE action = 'hub.renew'").Scan(&events)
	if err != nil || events != 2 {
		t.Errorf("%d events of renewals, %v; want 2", events, err)
	}
}
