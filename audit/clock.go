package audit

import "time"

// Bounds of an estimated database time.
const (
	// clockAge is how long the database's time is carried on by the node's own clock.
	clockAge = time.Second
	// clockTrip is the longest round trip whose answer says what time it is.
	clockTrip = 20 * time.Millisecond
	// clockStep is how far wall clock and monotonic clock may differ before the node is taken to have been suspended.
	clockStep = 10 * time.Millisecond
)

// databaseClock carries the database's time on between round trips, so that a group commit need not ask for it first. It
// belongs to one goroutine.
type databaseClock struct {
	at   time.Time // The database's time.
	seen time.Time // When the statement that told it was sent, by the node's clock, with a monotonic reading.
	last time.Time // The last time given out: times never go back.
}

// set notes what time a statement read that was sent at one moment and answered at another.
func (c *databaseClock) set(at, sent, answered time.Time) {
	if answered.Sub(sent) <= clockTrip {
		c.at, c.seen = at, sent
	}
}

// now returns the database's time, in error by at most a round trip; ok is false when it must be asked for.
func (c *databaseClock) now(local time.Time) (at time.Time, ok bool) {
	passed := local.Sub(c.seen)
	wall := local.Round(0).Sub(c.seen.Round(0))
	if c.seen.IsZero() || passed < 0 || passed > clockAge || (wall-passed).Abs() > clockStep {
		return time.Time{}, false
	}
	return c.give(c.at.Add(passed)), true
}

// give returns a time that is not before an earlier one.
func (c *databaseClock) give(at time.Time) time.Time {
	if at.Before(c.last) && c.last.Sub(at) <= clockTrip {
		return c.last
	}
	c.last = at
	return at
}
