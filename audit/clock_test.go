package audit

import (
	"testing"
	"time"
)

// The database's time is carried on for a second by a clock that runs on, and never from an answer that took long, across
// a suspension of the node, or backwards.
func TestDatabaseClock(t *testing.T) {
	t.Parallel()
	database := time.Date(2026, 2, 13, 2, 30, 0, 0, time.UTC)
	// A moment with a monotonic reading: only differences to it matter.
	local := time.Now()
	at := func(d time.Duration) time.Time { return local.Add(d) }
	var c databaseClock
	if got, ok := c.now(local); ok {
		t.Errorf("a clock that knows nothing says %v", got)
	}
	c.set(database, local, at(clockTrip+1))
	if _, ok := c.now(at(time.Millisecond)); ok {
		t.Error("an answer that took long was believed")
	}
	c.set(database, local, at(time.Millisecond))
	for _, passed := range []time.Duration{0, 5 * time.Millisecond, clockAge} {
		if got, ok := c.now(at(passed)); !ok || !got.Equal(database.Add(passed)) {
			t.Errorf("after %v: got %v %t, want %v", passed, got, ok, database.Add(passed))
		}
	}
	if got, ok := c.now(at(clockAge + 1)); ok {
		t.Errorf("an old time was carried on to %v", got)
	}
	c.set(database.Add(clockAge-5*time.Millisecond), at(clockAge), at(clockAge))
	if got, _ := c.now(at(clockAge)); !got.Equal(database.Add(clockAge)) {
		t.Errorf("after a smaller reading: got %v, want the last time again, %v", got, database.Add(clockAge))
	}
	// A wall clock without monotonic reading stands for one that went on while the monotonic clock stood.
	c.seen = local.Round(0).Add(-time.Minute)
	if got, ok := c.now(local); ok {
		t.Errorf("after a suspension it says %v", got)
	}
}
