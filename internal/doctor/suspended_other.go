//go:build !linux

package doctor

import "time"

// suspended is not known here: the system has no pair of clocks of which one counts sleep.
func suspended() (time.Duration, bool) { return 0, false }
