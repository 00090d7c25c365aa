package cli

import (
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Watch shows a run until it is over.
type Watch struct {
	Connection
	ID      string        `arg:"" help:"Id of the run."`
	Profile string        `help:"The sign-in to use." default:"${default_profile}" placeholder:"NAME"`
	Every   time.Duration `help:"How often to look." default:"1s"`
}

// Run prints a line whenever something changed. A run that did not succeed is an error.
func (w *Watch) Run(t *Terminal) error {
	hub, err := shared{Connection: w.Connection, Profile: w.Profile}.signedIn(t)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(max(w.Every, 100*time.Millisecond))
	defer ticker.Stop()
	for last := ""; ; {
		run, err := hub.Run(t.Ctx, w.ID)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %s attempt %d", run.State, run.Stage, run.Attempt)
		if run.MergedAt != nil {
			line += fmt.Sprintf(": read %d, inserted %d, updated %d, unchanged %d, deleted %d, rejected %d, held %d", run.Counts.Read, run.Counts.Inserted,
				run.Counts.Updated, run.Counts.Unchanged, run.Counts.Deleted, run.Counts.Rejected, run.Counts.Held)
		}
		if line != last {
			fmt.Fprintln(t.Out, line)
			last = line
		}
		if over, err := ended(run); over {
			return err
		}
		select {
		case <-t.Ctx.Done():
			return t.Ctx.Err()
		case <-ticker.C:
		}
	}
}

func ended(run client.Run) (bool, error) {
	switch run.State {
	case "succeeded":
		return true, nil
	case "partial", "failed", "cancelled":
		message := "the run ended " + run.State
		if run.Error != nil {
			message += ": " + run.Error.Message + "; " + run.Error.Advice
		}
		return true, fault.New(fault.Conflict, "run_"+run.State, "%s", clean(message))
	}
	return false, nil
}
