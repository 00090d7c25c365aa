package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/api"
	"github.com/shuqiao/shuqiao/console"
)

// Readiness fails above these.
const (
	SealerLate      = 10 * time.Second // Age of the oldest event that waits to be sealed.
	ScheduleOverdue = 60 * time.Second // Age of the oldest due time that has passed.
)

// checks is what /readyz asks. Causes name no secrets and no addresses.
func (p *Program) checks() []api.Check {
	return []api.Check{
		{Name: "postgresql", Run: func(ctx context.Context) error {
			if err := p.DB.Pool.Ping(ctx); err != nil {
				return errors.New("the hub's database does not answer")
			}
			return nil
		}},
		{Name: "setup", Run: func(ctx context.Context) error {
			empty, err := p.Identity.NeedsSetup(ctx)
			switch {
			case err != nil:
				return errors.New("whether the hub is set up cannot be read")
			case empty:
				return errors.New("the hub is not set up: open the setup link that its start printed, or run shuqiao setup")
			}
			return nil
		}},
		{Name: "sealer", Run: func(ctx context.Context) error {
			age, err := p.sealer.Late(ctx)
			if err != nil {
				return errors.New("the age of the oldest unsealed event cannot be read")
			}
			if age > SealerLate {
				return fmt.Errorf("the oldest unsealed event has waited %s; no sealer is working", age.Round(time.Second))
			}
			return nil
		}},
		{Name: "policy", Run: func(context.Context) error {
			if !p.Follower.Current() {
				return errors.New("this node cannot confirm that its policy is current")
			}
			return nil
		}},
		{Name: "scheduler", Run: func(ctx context.Context) error {
			age, id, err := p.Exchange.OldestOverdue(ctx)
			if err != nil {
				return errors.New("the age of the oldest overdue schedule cannot be read")
			}
			if age > ScheduleOverdue {
				return fmt.Errorf("schedule %s should have fired %s ago; no scheduler is working", id, age.Round(time.Second))
			}
			return nil
		}},
		{Name: "node", Run: func(context.Context) error {
			if !p.node.Fresh() {
				return errors.New("this node's heartbeat does not reach the database")
			}
			return nil
		}},
	}
}

// consoleChecks are the same for the console's page.
func (p *Program) consoleChecks() []console.Check {
	var out []console.Check
	for _, c := range p.checks() {
		out = append(out, console.Check{Name: c.Name, Run: c.Run})
	}
	return out
}
