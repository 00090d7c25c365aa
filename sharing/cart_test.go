package sharing_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/sharing"
)

// A cart belongs to one person: others neither see it nor take out of it. What cannot be asked for is not taken in, and what
// cannot be asked for any more says why.
func TestCart(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	ctx := t.Context()
	add := func(p authz.Principal, id uuid.UUID) error { return c.svc.AddToCart(ctx, p, id) }
	for range 2 { // The second time changes nothing.
		for _, id := range []uuid.UUID{c.population, c.streets} {
			if err := add(c.socialOperator, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	cart := func(p authz.Principal) map[uuid.UUID]sharing.Obstacle {
		t.Helper()
		out := map[uuid.UUID]sharing.Obstacle{}
		for _, e := range must[[]sharing.CartEntry](t, "reading a cart")(c.svc.Cart(ctx, p)) {
			out[e.ResourceID] = e.Obstacle
		}
		return out
	}
	want := map[uuid.UUID]sharing.Obstacle{c.population: "", c.streets: ""}
	if diff := cmp.Diff(want, cart(c.socialOperator)); diff != "" {
		t.Errorf("the cart differs (-want +got):\n%s", diff)
	}
	if got := cart(c.civilOperator); len(got) != 0 {
		t.Errorf("another person sees %v", got)
	}
	if err := c.svc.RemoveFromCart(ctx, c.civilOperator, c.population); err != nil || len(cart(c.socialOperator)) != 2 {
		t.Errorf("another person took something out: %v", err)
	}

	wantCode(t, "withheld", add(c.socialOperator, c.withheld), fault.Forbidden, "resource_withheld")
	wantCode(t, "own", add(c.policeOperator, c.population), fault.Conflict, "own_resource")
	wantCode(t, "unknown", add(c.socialOperator, db7(t)), fault.NotFound, "not_found")
	for _, p := range []authz.Principal{c.auditor, c.socialAdmin} {
		wantCode(t, "adding without the right", add(p, c.population), fault.Forbidden, "forbidden")
		_, err := c.svc.Cart(ctx, p)
		wantCode(t, "reading without the right", err, fault.Forbidden, "forbidden")
		if n, err := c.svc.CountCart(ctx, p); n != 0 || err != nil {
			t.Errorf("counting without the right: %d, %v", n, err)
		}
	}

	c.exec(t, c.db, "UPDATE resource SET state = 'offline' WHERE id = $1", c.population)
	c.exec(t, c.db, "UPDATE resource_version SET share_type = 'withheld' WHERE resource_id = $1", c.streets)
	want = map[uuid.UUID]sharing.Obstacle{c.population: sharing.NotPublished, c.streets: sharing.AllWithheld}
	if diff := cmp.Diff(want, cart(c.socialOperator)); diff != "" {
		t.Errorf("the obstacles differ (-want +got):\n%s", diff)
	}
	if err := c.svc.RemoveFromCart(ctx, c.socialOperator, c.population, c.streets, db.NewID()); err != nil || len(cart(c.socialOperator)) != 0 {
		t.Errorf("emptying: %v", err)
	}
	if n := c.count(t, "SELECT count(*) FROM event WHERE action = 'cart.add'") + c.count(t, "SELECT count(*) FROM event WHERE action = 'cart.remove'"); n != 4 {
		t.Errorf("the log has %d entries about carts, want 4", n)
	}
}

// A cart holds 50 entries and not one more, also when several are added at once.
func TestCartIsBounded(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	c.exec(t, c.db, `WITH made AS (INSERT INTO resource (id, provider_dept_id, name, state, newest, created_by, created_at, updated_at)
			SELECT gen_random_uuid(), $1, 'r' || n, 'published', 1, $2, now(), now() FROM generate_series(1, 49) n RETURNING id)
		INSERT INTO request_cart SELECT $3, id, now() FROM made`, c.police, c.policeOperator.ID, c.socialOperator.ID)
	errs := make(chan error, 2)
	for _, id := range []uuid.UUID{c.population, c.streets} {
		go func() { errs <- c.svc.AddToCart(t.Context(), c.socialOperator, id) }()
	}
	full := 0
	for range 2 {
		if err := <-errs; err != nil {
			wantCode(t, "the 51st", err, fault.Conflict, "cart_full")
			full++
		}
	}
	if n, _ := c.svc.CountCart(t.Context(), c.socialOperator); n != sharing.CartSize || full != 1 {
		t.Errorf("the cart holds %d, %d were refused", n, full)
	}
}

// CheckRequest says what CreateRequest would, and stores nothing.
func TestCheckRequest(t *testing.T) {
	t.Parallel()
	c := newTown(t)
	good, bad := c.application(), c.application(func(a *sharing.Application) { a.Items, a.Purpose = nil, "two words" })
	if err := c.svc.CheckRequest(t.Context(), c.socialOperator, good); err != nil {
		t.Errorf("good terms: %v", err)
	}
	err := c.svc.CheckRequest(t.Context(), c.socialOperator, bad)
	_, made := c.svc.CreateRequest(t.Context(), c.socialOperator, bad)
	if diff := cmp.Diff(fieldCodes(made), fieldCodes(err)); diff != "" || len(fieldCodes(err)) == 0 {
		t.Errorf("making (-) and checking (+) differ:\n%s", diff)
	}
	wantCode(t, "an auditor", c.svc.CheckRequest(t.Context(), c.auditor, good), fault.Forbidden, "forbidden")
	if n := c.count(t, "SELECT count(*) FROM sharing_request"); n != 0 {
		t.Errorf("got %d stored requests", n)
	}
}
