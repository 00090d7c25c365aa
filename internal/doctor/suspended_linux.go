package doctor

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspended is how long the machine has slept since it started: CLOCK_BOOTTIME counts that time, CLOCK_MONOTONIC does not.
func suspended() (time.Duration, bool) {
	var boot, awake unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake) != nil {
		return 0, false
	}
	return time.Duration(boot.Nano() - awake.Nano()), true
}
