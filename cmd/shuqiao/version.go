package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// What a release's build says about itself, set by the linker.
var (
	version    = "dev"
	commitTime = "" // RFC 3339
)

type versionCommand struct{}

// Run prints the version, when its last commit was made, and what compiled it for which machine, in one line.
func (versionCommand) Run(t *terminal) error {
	_, err := fmt.Fprintf(t.out, "shuqiao %s (commit of %s, %s %s/%s)\n", version, commitOf(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// commitOf returns when the last commit was made: as the linker was told, else as go build noted, else "unknown".
func commitOf() string {
	if commitTime != "" {
		return commitTime
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				return s.Value
			}
		}
	}
	return "unknown time"
}
