// Package engine carries one run out: it reads a source, converts and validates every row, stages it with checkpoints,
// merges everything at once, and compares both ends. It knows nothing of tasks, people or HTTP; what a run may do was
// decided before, and Continue asks again while it lasts.
package engine
