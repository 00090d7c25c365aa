package main

import (
	"encoding/json"
	"fmt"

	"github.com/shuqiao/shuqiao/internal/doctor"
	"github.com/shuqiao/shuqiao/internal/fault"
)

type doctorCommand struct {
	settings
	Listen string `help:"Address of the API and the console to look at, as host:port." placeholder:"HOST:PORT"`
	Output string `short:"o" default:"text" enum:"text,json" help:"Form of the answer: text or json."`
}

// Run prints one finding a line, with its cause and how it is mended below those that are not ok. A finding of status fail is an
// Unavailable fault, so that the exit code says it.
func (c *doctorCommand) Run(t *terminal) error {
	flags := c.flags()
	if c.Listen != "" {
		flags["listen"] = c.Listen
	}
	if flags["log-level"] == "" && !isSet(t.environ, "SHUQIAO_LOG_LEVEL") {
		flags["log-level"] = "error" // What matters is in the findings.
	}
	cfg, log, err := t.load(flags)
	if err != nil {
		return err
	}
	found := doctor.Run(t.ctx, doctor.Options{Config: cfg, Log: log})
	if err := t.ctx.Err(); err != nil {
		return err
	}
	failed := 0
	for _, f := range found {
		if f.Status == doctor.Fail {
			failed++
		}
	}
	if c.Output == "json" {
		encoder := json.NewEncoder(t.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err := encoder.Encode(map[string]any{"status": doctor.Worst(found), "findings": found})
		if err != nil {
			return fmt.Errorf("writing the findings: %w", err)
		}
	} else {
		for _, f := range found {
			fmt.Fprintf(t.out, "%-4s  %-12s %s\n", f.Status, f.Check, f.Found)
			if f.Cause != "" {
				fmt.Fprintf(t.out, "%20scause: %s\n", "", f.Cause)
			}
			if f.Mend != "" {
				fmt.Fprintf(t.out, "%20smend:  %s\n", "", f.Mend)
			}
		}
	}
	if failed > 0 {
		return fault.New(fault.Unavailable, "doctor", "%s", plural(int64(failed), "thing is wrong", "things are wrong"))
	}
	return nil
}
