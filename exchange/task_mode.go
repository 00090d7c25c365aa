package exchange

import (
	"time"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// TaskMode is what a collect reads.
type TaskMode string

// The modes of a collecting task.
const (
	ModeFull        TaskMode = "full"        // Every row, each time.
	ModeIncremental TaskMode = "incremental" // What changed since the last run, by the mount's watermark column.
)

// The settings of an incremental task where they are 0.
const (
	defaultOverlap = 10 * time.Minute
	defaultSweep   = 24 * time.Hour
	neverSweep     = -1
)

// Settings adjust an incremental task; a full one has none. Times are in seconds.
type Settings struct {
	// OverlapSeconds is how far below the watermark is read again, because a row may be committed that long after it was
	// marked: 0 for ten minutes. Where the source tells how old its oldest transaction is, the longer of both counts.
	OverlapSeconds int64 `json:"overlap_seconds"`
	// SweepSeconds is how often the keys of all rows are compared so that deletes arrive, under the delete rule "missing":
	// 0 for daily, -1 for never.
	SweepSeconds int64 `json:"sweep_seconds"`
}

// The bounds of the settings: an overlap of a week reads as much as a full read of most tables, and a sweep reads all keys.
const (
	maxOverlapSeconds = 7 * 24 * 3600
	minSweepSeconds   = 60
	maxSweepSeconds   = 31 * 24 * 3600
)

func (s Settings) overlap() time.Duration {
	if s.OverlapSeconds == 0 {
		return defaultOverlap
	}
	return time.Duration(s.OverlapSeconds) * time.Second
}

// sweep is how often all keys are compared, 0 for never.
func (s Settings) sweep() time.Duration {
	switch s.SweepSeconds {
	case 0:
		return defaultSweep
	case neverSweep:
		return 0
	}
	return time.Duration(s.SweepSeconds) * time.Second
}

// Arrival is how deletes at the source arrive at the hub.
type Arrival string

// The ways deletes arrive.
const (
	ByRead       Arrival = "read"         // Each run reads every row: keys that are missing are deleted.
	BySweep      Arrival = "sweep"        // A sweep of all keys, now and then.
	BySoftDelete Arrival = "soft_delete"  // A column marks rows as deleted.
	ByTable      Arrival = "delete_table" // The source notes deleted keys in a table.
	NotCarried   Arrival = "not_carried"  // They do not: rows that the source deleted are still served.
)

// arrival says how deletes arrive under a mount's delete rule; "" while there is no mount.
func arrival(mode TaskMode, s Settings, rule string) Arrival {
	switch {
	case rule == "":
		return ""
	case rule == catalog.DeleteNone:
		return NotCarried
	case mode != ModeIncremental:
		return ByRead
	case rule == catalog.DeleteSoft:
		return BySoftDelete
	case rule == catalog.DeleteTable:
		return ByTable
	case s.sweep() > 0:
		return BySweep
	}
	return NotCarried
}

// TaskInput is what people may change about a task.
type TaskInput struct {
	Mode     TaskMode `json:"mode"` // "" means full.
	Settings Settings `json:"settings"`
	Priority int      `json:"priority"` // 0 means 5.
}

// checkTask names every wrong field of what is stated about a task.
func checkTask(mode TaskMode, s Settings, priority int) []fault.Field {
	var fields []fault.Field
	if priority < 0 || priority > 9 {
		fields = append(fields, fault.Field{Name: "priority", Code: "out_of_range", Message: "give a priority from 1 (first) to 9 (last)"})
	}
	switch mode {
	case "", ModeFull:
		if s != (Settings{}) {
			fields = append(fields, fault.Field{Name: "settings", Code: "contradicts", Message: "a task that reads every row has no settings"})
		}
	case ModeIncremental:
	default:
		fields = append(fields, fault.Field{Name: "mode", Code: "unknown", Message: "a task is full or incremental"})
	}
	if s.OverlapSeconds < 0 || s.OverlapSeconds > maxOverlapSeconds {
		fields = append(fields, fault.Field{Name: "settings.overlap_seconds", Code: "out_of_range", Message: "give an overlap of up to a week, in seconds"})
	}
	if s.SweepSeconds != 0 && s.SweepSeconds != neverSweep && (s.SweepSeconds < minSweepSeconds || s.SweepSeconds > maxSweepSeconds) {
		fields = append(fields, fault.Field{Name: "settings.sweep_seconds", Code: "out_of_range", Message: "sweep every 60 seconds to 31 days, 0 for daily, or -1 for never"})
	}
	return fields
}
