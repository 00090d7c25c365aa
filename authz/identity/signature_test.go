package identity_test

import (
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// canonicalExample is the canonical text of the first example in docs/api.md.
const canonicalExample = "%s\nGET\n/api/v1/data/307010101-000001/rows\nlimit=10&items=no%%2Ctitle\n" +
	"host:hub.example\nx-nonce:0123456789abcdef\nx-purpose:benefit-check\nx-timestamp:1795336800\nhost;x-nonce;x-purpose;x-timestamp"

// The signatures of the documentation's example are those written there, so that others can check their own code by them.
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	const secretText = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
	for algorithm, want := range map[string]string{
		identity.SignSHA256: "d6941c6bc2a104e25fbbffb5f6515785d521c4824689b6497dc3bb4667007a55",
		identity.SignSM3:    "a3810e36ce9d363fbb6676c48f377334c506aad17355895bc8b0480679ea5c3d",
	} {
		text := strings.NewReplacer("%s", algorithm, "%%", "%").Replace(canonicalExample)
		if got := hex.EncodeToString(identity.Sign(algorithm, secretText, text)); got != want {
			t.Errorf("%s: got %s, want %s", algorithm, got, want)
		}
	}
	if identity.Sign("SHUQIAO-HMAC-MD5", secretText, "") != nil {
		t.Error("an unknown algorithm signs")
	}
}

// signingKey issues a key of kind hmac.
func (h *testHub) signingKey(t *testing.T, c identity.Client) (identity.Key, string) {
	t.Helper()
	k, text, err := h.IssueKey(t.Context(), h.admin(c.DepartmentID), c.ID, identity.NewKey{Kind: identity.SigningKey})
	if err != nil {
		t.Fatalf("issuing a signing key: %v", err)
	}
	return k, text
}

func signed(k identity.Key, secretText, nonce string, at time.Time) identity.SignedRequest {
	return identity.SignedRequest{
		Algorithm: identity.SignSHA256, KeyID: k.ID, Timestamp: at, Nonce: nonce, Canonical: "text " + nonce,
		Signature: identity.Sign(identity.SignSHA256, secretText, "text "+nonce),
	}
}

// A request signed with a live key is its client's; a wrong signature, an unknown key, a timestamp out of the window and a
// revoked key are refused; the secret of a signing key is not stored in clear and is refused as a bearer token.
func TestSignedRequests(t *testing.T) {
	t.Parallel()
	h := start(t)
	c, bearerKey, bearer := h.client(t, h.water, "10.1.0.0/16")
	k, text := h.signingKey(t, c)
	now := time.Now()
	for _, step := range []struct {
		name string
		edit func(r *identity.SignedRequest)
		from identity.Origin
		want string
	}{
		{"a valid one", func(*identity.SignedRequest) {}, identity.Origin{Address: home}, ""},
		{"the same again", func(*identity.SignedRequest) {}, identity.Origin{Address: home}, "nonce_reused"},
		{"another text", func(r *identity.SignedRequest) { r.Canonical += "." }, identity.Origin{Address: home}, "unauthenticated"},
		{"another algorithm than signed", func(r *identity.SignedRequest) { r.Algorithm = identity.SignSM3 }, identity.Origin{Address: home}, "unauthenticated"},
		{"an unknown algorithm", func(r *identity.SignedRequest) { r.Algorithm, r.Signature = "X", nil }, identity.Origin{Address: home}, "unauthenticated"},
		{"an unknown key", func(r *identity.SignedRequest) { r.KeyID = "sqk_none" }, identity.Origin{Address: home}, "unauthenticated"},
		{"a bearer key", func(r *identity.SignedRequest) { r.KeyID = bearerKey.ID }, identity.Origin{Address: home}, "unauthenticated"},
		{"an old one", func(r *identity.SignedRequest) { r.Timestamp = now.Add(-6 * time.Minute) }, identity.Origin{Address: home}, "timestamp_out_of_range"},
		{"one of the future", func(r *identity.SignedRequest) { r.Timestamp = now.Add(6 * time.Minute) }, identity.Origin{Address: home}, "timestamp_out_of_range"},
		{"one from elsewhere", func(r *identity.SignedRequest) { *r = signed(k, text, "nonce-of-elsewhere", now) }, identity.Origin{}, "network_not_allowed"},
		{"within the window", func(r *identity.SignedRequest) { *r = signed(k, text, "nonce-of-before", now.Add(-4*time.Minute)) }, identity.Origin{Address: home}, ""},
	} {
		r := signed(k, text, "nonce-of-the-first", now)
		step.edit(&r)
		p, err := h.AuthenticateSigned(t.Context(), r, step.from)
		wantCode(t, step.name, err, step.want)
		if err == nil && (p.ID != c.ID || p.Key != k.ID) {
			t.Errorf("%s: principal %+v", step.name, p)
		}
	}
	_, err := h.Authenticate(t.Context(), k.ID+"."+text, home)
	wantCode(t, "the signing key as a bearer token", err, "signature_required")
	_, err = h.Authenticate(t.Context(), k.ID+"."+strings.Repeat("0", len(text)), home)
	wantCode(t, "a wrong secret as a bearer token", err, "unauthenticated")
	if got := h.count(t, "SELECT count(*) FROM client_key WHERE position(convert_to($1, 'UTF8') IN coalesce(secret_sealed, '')) > 0 OR secret_hash = sha256(convert_to($1, 'UTF8'))", text); got != 0 {
		t.Error("the table holds the secret of a signing key")
	}

	only := true
	if _, err := h.UpdateClient(t.Context(), h.admin(h.water), c.ID, 0, identity.ClientChange{SignedOnly: &only}); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the bearer key to be refused", func() bool {
		_, err := h.Authenticate(t.Context(), bearer, home)
		return fault.CodeOf(err) == "signature_required"
	})
	if _, err := h.RevokeKey(t.Context(), h.admin(h.water), k.ID); err != nil {
		t.Fatal(err)
	}
	n := 0
	until(t, time.Second, "the revoked key to be refused", func() bool {
		n++
		_, err := h.AuthenticateSigned(t.Context(), signed(k, text, "nonce-after-the-end-"+strings.Repeat("x", n), time.Now()), identity.Origin{Address: home})
		return fault.CodeOf(err) == "unauthenticated"
	})
}

// A request that arrives at two nodes at the same time is accepted by one of them; what is kept of it goes when its
// timestamp alone would have it refused.
func TestNonceIsUsedOnce(t *testing.T) {
	t.Parallel()
	h := start(t)
	_, other := serveWith(t, h.url, h.keys)
	c, _, _ := h.client(t, h.water)
	k, text := h.signingKey(t, c)
	r := signed(k, text, "nonce-for-both-nodes", time.Now())
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		s := []*identity.Service{h.Service, other}[i%2]
		wg.Go(func() {
			_, err := s.AuthenticateSigned(t.Context(), r, identity.Origin{Address: home})
			if err == nil {
				accepted.Add(1)
			} else if fault.CodeOf(err) != "nonce_reused" {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if accepted.Load() != 1 {
		t.Errorf("accepted %d times", accepted.Load())
	}
	if err := h.ForgetNonces(t.Context()); err != nil || h.count(t, "SELECT count(*) FROM request_nonce") != 1 {
		t.Errorf("a nonce within its window is gone: %v", err)
	}
	if _, err := h.DB.Pool.Exec(t.Context(), "UPDATE request_nonce SET expires_at = now() - interval '1 s'"); err != nil {
		t.Fatal(err)
	}
	if err := h.ForgetNonces(t.Context()); err != nil || h.count(t, "SELECT count(*) FROM request_nonce") != 0 {
		t.Errorf("an old nonce stays: %v", err)
	}
}

// A second key replaces the first, which works on for the overlap and then ends, or at once when none is wanted; there are
// never more than two, and an earlier end of its own stays.
func TestRotation(t *testing.T) {
	t.Parallel()
	h := start(t)
	c, first, bearer := h.client(t, h.water)
	issue := func(n identity.NewKey) (identity.Key, string, error) {
		return h.IssueKey(t.Context(), h.admin(h.water), c.ID, n)
	}
	if _, err := h.Authenticate(t.Context(), bearer, home); err != nil {
		t.Fatal(err)
	}
	second, text, err := issue(identity.NewKey{})
	if err != nil {
		t.Fatal(err)
	}
	ends := func(id string) time.Time {
		t.Helper()
		keys, err := h.Keys(t.Context(), h.admin(h.water), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if k.ID == id {
				return k.ExpiresAt
			}
		}
		t.Fatalf("no key %s", id)
		return time.Time{}
	}
	if got := ends(first.ID).Sub(second.CreatedAt); got != identity.DefaultOverlap {
		t.Errorf("the first key ends %s after the rotation, want %s", got, identity.DefaultOverlap)
	}
	if got := second.ExpiresAt.Sub(second.CreatedAt); got != identity.MaxKeyAge {
		t.Errorf("the second key lives %s", got)
	}
	for name, token := range map[string]string{"the first": bearer, "the second": second.ID + "." + text} {
		_, err := h.Authenticate(t.Context(), token, home)
		wantCode(t, name+" key during the overlap", err, "")
	}
	_, _, err = issue(identity.NewKey{})
	wantCode(t, "a third key", err, "too_many_keys")
	if _, err := h.RevokeKey(t.Context(), h.admin(h.water), first.ID); err != nil {
		t.Fatal(err)
	}
	none, long := time.Duration(0), identity.MaxOverlap+time.Hour
	_, _, err = issue(identity.NewKey{Kind: "password", Overlap: &long, ExpiresAt: time.Now().Add(-time.Hour)})
	if f, ok := err.(*fault.Fault); !ok || !cmp.Equal([]string{"kind", "expires_at", "overlap_hours"}, names(f)) {
		t.Errorf("all that is wrong at once: %v", err)
	}
	if _, _, err = issue(identity.NewKey{Overlap: &none}); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the second key to end at once", func() bool {
		_, err := h.Authenticate(t.Context(), second.ID+"."+text, home)
		return fault.CodeOf(err) == "key_expired"
	})
	// An end that is earlier than the overlap stays.
	short, _, err := h.IssueKey(t.Context(), h.admin(h.roads), h.other(t).ID, identity.NewKey{ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.IssueKey(t.Context(), h.admin(h.roads), short.ClientID, identity.NewKey{}); err != nil {
		t.Fatal(err)
	}
	if got := h.count(t, "SELECT count(*) FROM client_key WHERE key_id = $1 AND expires_at = $2", short.ID, short.ExpiresAt); got != 1 {
		t.Error("the end of a key was put off by its rotation")
	}
}

func names(f *fault.Fault) []string {
	var out []string
	for _, field := range f.Fields {
		out = append(out, field.Name)
	}
	return out
}

// other registers a client of the other department, without keys.
func (h *testHub) other(t *testing.T) identity.Client {
	t.Helper()
	c, err := h.CreateClient(t.Context(), h.admin(h.roads), identity.NewClient{DepartmentID: h.roads, Name: "示例系统二"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A key that comes within 30, 7 and 1 days of its end is noticed once for each; lists show whose keys end, to each
// department its own; keys that are revoked or whose client is disabled are not noticed.
func TestExpiringKeys(t *testing.T) {
	t.Parallel()
	h := start(t)
	c, far, _ := h.client(t, h.water)
	roads := h.other(t)
	near, _, err := h.IssueKey(t.Context(), h.admin(h.roads), roads.ID, identity.NewKey{ExpiresAt: time.Now().Add(6 * 24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	note := func(want int) {
		t.Helper()
		if got, err := h.NoteExpiringKeys(t.Context()); err != nil || got != want {
			t.Errorf("%d notices, %v, want %d", got, err, want)
		}
	}
	note(1)
	note(0)
	move := func(days int) {
		t.Helper()
		if _, err := h.DB.Pool.Exec(t.Context(), "UPDATE client_key SET expires_at = now() + make_interval(days => $2, mins => -1) WHERE key_id = $1", far.ID, days); err != nil {
			t.Fatal(err)
		}
	}
	for _, days := range []int{31, 30, 7, 1} {
		move(days)
		note(map[bool]int{true: 1}[days != 31])
	}
	rows, err := h.DB.Pool.Query(t.Context(), "SELECT rule FROM key_notice WHERE key_id = $1 ORDER BY noted_at", far.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var rules []string
	for rows.Next() {
		var rule string
		if err := rows.Scan(&rule); err != nil {
			t.Fatal(err)
		}
		rules = append(rules, rule)
	}
	if diff := cmp.Diff([]string{"30d", "7d", "1d"}, rules); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	if got := h.count(t, "SELECT count(*) FROM event WHERE action = 'key.expiring'"); got != 4 {
		t.Errorf("%d events for four notices", got)
	}

	all, err := h.ExpiringKeys(t.Context(), 30*24*time.Hour)
	if err != nil || len(all) != 2 || all[0].ID != far.ID || all[1].ID != near.ID || all[0].ClientName != c.Name || all[1].DepartmentID != h.roads {
		t.Errorf("keys that end: %+v, %v", all, err)
	}
	list := func(f identity.KeyFilter) []string {
		t.Helper()
		keys, _, err := h.KeysExpiring(t.Context(), h.admin(h.water), f)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, k := range keys {
			ids = append(ids, k.ID)
		}
		return ids
	}
	if diff := cmp.Diff([]string{far.ID}, list(identity.KeyFilter{})); diff != "" {
		t.Errorf("a department's keys (-want +got):\n%s", diff)
	}
	if got := list(identity.KeyFilter{Within: time.Hour}); got != nil {
		t.Errorf("keys that end within an hour: %v", got)
	}
	_, _, err = h.KeysExpiring(t.Context(), h.admin(h.water), identity.KeyFilter{Department: &h.roads})
	wantCode(t, "another department's keys", err, "forbidden")
	if _, err := h.DisableClient(t.Context(), h.admin(h.roads), roads.ID, 0); err != nil {
		t.Fatal(err)
	}
	if all, err = h.ExpiringKeys(t.Context(), 30*24*time.Hour); err != nil || len(all) != 1 {
		t.Errorf("keys of a disabled client are still listed: %+v, %v", all, err)
	}
}

// The use of a key is noted at most once a minute: the calls between cost no write. A key whose secret the key file cannot
// open is refused with a cause.
func TestUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	h := start(t)
	c, k, bearer := h.client(t, h.water)
	// What is remembered of the key must not be dropped between its uses.
	if err := authztest.Sync(t.Context(), h.Follower); err != nil {
		t.Fatal(err)
	}
	noted := func() int {
		return h.count(t, "SELECT count(*) FROM client_key WHERE key_id = $1 AND last_used_at IS NOT NULL", k.ID)
	}
	for range 2 {
		if _, err := h.Authenticate(t.Context(), bearer, home); err != nil {
			t.Fatal(err)
		}
	}
	if noted() != 1 {
		t.Error("the first use was not noted")
	}
	if _, err := h.DB.Pool.Exec(t.Context(), "UPDATE client_key SET last_used_at = NULL WHERE key_id = $1", k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Authenticate(t.Context(), bearer, home); err != nil || noted() != 0 {
		t.Errorf("another use in the same minute was noted, too: %v", err)
	}

	signing, text := h.signingKey(t, c)
	_, other := serve(t, h.url) // With a key file of its own.
	_, err := other.AuthenticateSigned(t.Context(), signed(signing, text, "nonce-for-another-ring", time.Now()), identity.Origin{Address: home})
	wantCode(t, "a key sealed under another key file", err, "key_unreadable")
}
