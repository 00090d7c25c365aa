package identity_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/authz/authztest"
	"github.com/shuqiao/shuqiao/authz/identity"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// A client is known by its key; the secret is nowhere but in the answer that issued it; a revoked key is refused by every
// node within a second.
func TestKeys(t *testing.T) {
	t.Parallel()
	h := start(t)
	_, other := serve(t, h.url)
	c, key, bearer := h.client(t, h.water)
	p, err := other.Authenticate(t.Context(), bearer, home)
	if err != nil {
		t.Fatal(err)
	}
	want := authz.Principal{
		Kind: "client", ID: c.ID, Name: "示例系统", Department: h.water, Roles: []authz.Role{authz.ClientRole}, Key: key.ID,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
	_, text, _ := strings.Cut(bearer, ".")
	_, err = other.Authenticate(t.Context(), key.ID+"."+strings.Repeat("0", len(text)), home)
	wantCode(t, "a wrong secret", err, "unauthenticated")
	keys, err := h.Keys(t.Context(), h.admin(h.water), c.ID)
	if err != nil || len(keys) != 1 || keys[0].LastUsedAt == nil {
		t.Errorf("keys: %+v, %v", keys, err)
	}
	raw, _ := json.Marshal(keys)
	if strings.Contains(string(raw), text) {
		t.Error("the list of keys holds the secret")
	}
	if got := h.count(t, "SELECT count(*) FROM event WHERE position($1 IN convert_from(body, 'UTF8')) > 0", text); got != 0 {
		t.Error("the log holds the secret")
	}
	// The security administrator revokes keys of any department.
	if _, err := h.RevokeKey(t.Context(), h.as(h.first.SecurityAdmin), key.ID); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the other node to refuse the key", func() bool {
		_, err := other.Authenticate(t.Context(), bearer, home)
		return fault.CodeOf(err) == "unauthenticated"
	})
	_, err = h.RevokeKey(t.Context(), h.admin(h.water), key.ID)
	wantCode(t, "revoking twice", err, "illegal_move")
	if got := h.count(t, "SELECT count(*) FROM policy_log WHERE kind = 'key' AND id = $1", key.ID); got != 2 {
		t.Errorf("%d policy entries for issue and revocation", got)
	}
}

// A key ends with its period although nothing happens then: time is judged at each call, never remembered. Who has a wrong
// secret does not learn that the key has expired.
func TestKeyExpires(t *testing.T) {
	t.Parallel()
	h := start(t)
	c, _, _ := h.client(t, h.water)
	for _, at := range []time.Time{time.Now().Add(-time.Minute), time.Now().Add(identity.MaxKeyAge + time.Hour)} {
		_, _, err := h.IssueKey(t.Context(), h.admin(h.water), c.ID, identity.NewKey{ExpiresAt: at})
		wantCode(t, "a period out of range", err, "invalid")
	}
	key, text, err := h.IssueKey(t.Context(), h.admin(h.water), c.ID, identity.NewKey{ExpiresAt: time.Now().Add(1500 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(t.Context(), key.ID+"."+text, home)
	wantCode(t, "within the period", err, "")
	until(t, 4*time.Second, "the key to expire", func() bool {
		_, err := h.Authenticate(t.Context(), key.ID+"."+text, home)
		return fault.CodeOf(err) == "key_expired"
	})
	if time.Now().Before(key.ExpiresAt.Add(-300 * time.Millisecond)) {
		t.Error("it expired early")
	}
	_, err = h.Authenticate(t.Context(), key.ID+".wrong", home)
	wantCode(t, "an expired key with a wrong secret", err, "unauthenticated")
}

// A client calls from its allowed networks only, also right after they change; without networks it calls from anywhere.
func TestAllowedNetworks(t *testing.T) {
	t.Parallel()
	h := start(t)
	c, _, bearer := h.client(t, h.water, "10.1.0.0/16", "192.0.2.7", "2001:db8::/32")
	if diff := cmp.Diff([]string{"10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32"}, c.AllowedNetworks); diff != "" {
		t.Errorf("networks (-want +got):\n%s", diff)
	}
	for address, want := range map[string]string{
		"10.1.2.3": "", "::ffff:10.1.2.3": "", "192.0.2.7": "", "2001:db8::1": "",
		"10.2.0.1": "network_not_allowed", "192.0.2.8": "network_not_allowed", "::1": "network_not_allowed", "": "network_not_allowed",
	} {
		a, _ := netip.ParseAddr(address)
		_, err := h.Authenticate(t.Context(), bearer, a)
		wantCode(t, "from "+address, err, want)
	}
	none := []string{}
	if _, err := h.UpdateClient(t.Context(), h.admin(h.water), c.ID, c.RowVersion, identity.ClientChange{AllowedNetworks: &none}); err != nil {
		t.Fatal(err)
	}
	if err := authztest.Sync(t.Context(), h.Follower); err != nil {
		t.Fatal(err)
	}
	_, err := h.Authenticate(t.Context(), bearer, netip.MustParseAddr("203.0.113.9"))
	wantCode(t, "from anywhere", err, "")
	wrong := []string{"10.0.0.0/33", "water", "10.0.0.1%eth0", "::ffff:10.0.0.0/104"}
	_, err = h.UpdateClient(t.Context(), h.admin(h.water), c.ID, 0, identity.ClientChange{AllowedNetworks: &wrong})
	for i := range wrong {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("allowed_networks[%d]", i)) {
			t.Errorf("network %q is not refused: %v", wrong[i], err)
		}
	}
	_, err = h.UpdateClient(t.Context(), h.admin(h.water), c.ID, c.RowVersion, identity.ClientChange{})
	wantCode(t, "a version read before the change", err, "version_mismatch")
}

// A disabled client's keys are refused, and work again when it is enabled; names are unique in a department; a client has a
// bounded number of keys.
func TestClients(t *testing.T) {
	t.Parallel()
	h := start(t)
	c, _, bearer := h.client(t, h.water)
	h.client(t, h.roads) // The same name in another department.
	_, err := h.CreateClient(t.Context(), h.admin(h.water), identity.NewClient{DepartmentID: h.water, Name: c.Name})
	wantCode(t, "the same name", err, "name_taken")
	_, err = h.CreateClient(t.Context(), h.admin(h.water), identity.NewClient{DepartmentID: h.water, Name: " "})
	wantCode(t, "no name", err, "invalid")
	if _, err := h.Authenticate(t.Context(), bearer, home); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DisableClient(t.Context(), h.admin(h.water), c.ID, c.RowVersion); err != nil {
		t.Fatal(err)
	}
	until(t, time.Second, "the key to be refused", func() bool {
		_, err := h.Authenticate(t.Context(), bearer, home)
		return fault.CodeOf(err) == "unauthenticated"
	})
	_, _, err = h.IssueKey(t.Context(), h.admin(h.water), c.ID, identity.NewKey{})
	wantCode(t, "a key for a disabled client", err, "client_disabled")
	_, err = h.DisableClient(t.Context(), h.admin(h.water), c.ID, 0)
	wantCode(t, "disabling twice", err, "illegal_move")
	if _, err := h.EnableClient(t.Context(), h.admin(h.water), c.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := authztest.Sync(t.Context(), h.Follower); err != nil {
		t.Fatal(err)
	}
	_, err = h.Authenticate(t.Context(), bearer, home)
	wantCode(t, "after enabling", err, "")
	for err == nil {
		_, _, err = h.IssueKey(t.Context(), h.admin(h.water), c.ID, identity.NewKey{})
	}
	wantCode(t, "too many keys", err, "too_many_keys")
	if got := h.count(t, "SELECT count(*) FROM client_key WHERE client_id = $1", c.ID); got != 2 {
		t.Errorf("%d keys", got)
	}
	err = h.DB.InTx(t.Context(), func(tx *db.Tx) error {
		read, err := identity.ClientTx(t.Context(), tx, c.ID, true)
		if err == nil && read.Name != c.Name {
			t.Errorf("read in a transaction: %+v", read)
		}
		return err
	})
	if err != nil {
		t.Errorf("reading in a transaction: %v", err)
	}
}
