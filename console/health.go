package console

import (
	"context"
	"time"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/exchange"
)

// Check is one thing that must hold for the hub to serve. Its error is a sentence for people who run the hub.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// checkTime bounds each check of the page.
const checkTime = 2 * time.Second

// healthPage says whether the hub is well.
type healthPage struct {
	Well   bool
	Checks []checkRow
	Nodes  []nodeRow
	Queue  *exchange.Queue // nil where the figures could not be read.
	Late   int64           // Seconds that the oldest event has waited for its seal.
	Alarms int
}

type checkRow struct {
	Name, Cause string
	OK          bool
}

type nodeRow struct {
	exchange.ListedNode
	State string
	Free  string // Of the disk, in GiB; "" until it has reported.
	Share int64  // Of the disk that is free, in percent.
}

// nodeStates returns every state a node can show once.
func nodeStates() []string { return []string{"alive", "silent"} }

// checkNames returns the checks that have words.
func checkNames() []string {
	return []string{"postgresql", "setup", "sealer", "policy", "scheduler", "node"}
}

func (c *console) showHealth(v *visit) error {
	ctx := v.r.Context()
	nodes, err := c.Exchange.Nodes(ctx, v.principal)
	if err != nil {
		return err
	}
	page := healthPage{Well: true}
	for _, check := range c.Checks {
		row := checkRow{Name: check.Name, OK: true}
		limited, stop := context.WithTimeout(ctx, checkTime)
		if err := check.Run(limited); err != nil {
			row.OK, row.Cause, page.Well = false, err.Error(), false
		}
		stop()
		page.Checks = append(page.Checks, row)
	}
	for _, n := range nodes {
		row := nodeRow{ListedNode: n, State: "alive"}
		if n.Silent {
			row.State = "silent"
		}
		if n.DiskFree != nil && n.DiskSize != nil && *n.DiskSize > 0 {
			row.Free, row.Share = count(*n.DiskFree>>30), *n.DiskFree*100 / *n.DiskSize
		}
		page.Nodes = append(page.Nodes, row)
	}
	// Figures that cannot be read are left out: the page is wanted most when something is wrong.
	if q, err := c.Exchange.Queue(ctx); err == nil {
		page.Queue = &q
	}
	if late, err := c.Log.Late(ctx); err == nil {
		page.Late = int64(late.Seconds())
	}
	if v.everywhere(authz.AlarmRead) {
		page.Alarms = v.alarms()
	}
	return v.show("health", "health.title", page)
}
