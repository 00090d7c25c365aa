package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/connectors/all"
	"github.com/shuqiao/shuqiao/exchange"
	"github.com/shuqiao/shuqiao/internal/hub"
)

// missing reports whether the table is not there yet, which is so before the first start.
func (s *subject) missing(ctx context.Context, table string) (bool, error) {
	var missing bool
	err := s.db.Pool.QueryRow(ctx, "SELECT to_regclass($1) IS NULL", table).Scan(&missing)
	return missing, err
}

// setup asks whether the hub has users.
func setup(ctx context.Context, s *subject) []Finding {
	const name = "setup"
	empty, err := s.missing(ctx, "hub_user")
	if err == nil && !empty {
		err = s.db.Pool.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM hub_user)").Scan(&empty)
	}
	switch {
	case err != nil:
		return unread(name, err)
	case empty:
		return one(warn(name, "The hub has no users and refuses everything.", "It was not set up.",
			"Open the setup link that shuqiao serve prints, or run shuqiao setup."))
	}
	return one(ok(name, "The hub is set up."))
}

const (
	sourceLimit    = 3 * time.Second // How long a source may take to answer.
	sourceParallel = 4               // How many are asked at a time.
)

// sources asks every source whether it answers. Their departments see the same on the source's page.
func sources(ctx context.Context, s *subject) []Finding {
	const name = "sources"
	if missing, err := s.missing(ctx, "source"); err != nil {
		return unread(name, err)
	} else if missing {
		return one(ok(name, "There are no sources."))
	}
	if s.keyring == nil {
		return one(warn(name, "Not looked at.", "Without the key file their credentials cannot be opened.", "Mend the key file first."))
	}
	registry, err := all.Registry()
	if err != nil {
		return one(fail(name, "The drivers cannot be listed.", "The program is damaged.", "Install it anew."))
	}
	probes, err := catalog.ProbeStored(ctx, catalog.Options{
		DB: s.db, Keyring: s.keyring, Connectors: registry, Connect: connectors.Options{Dial: hub.SourceDial(s.Config.SourceNetworks)}, Log: s.Log,
	}, sourceLimit, sourceParallel)
	if err != nil {
		return unread(name, err)
	}
	if len(probes) == 0 {
		return one(ok(name, "There are no sources."))
	}
	var out []Finding
	good := 0
	for _, p := range probes {
		who := fmt.Sprintf("The source %q of %s (%s)", p.Source.Name, p.Department, p.Source.ID)
		switch {
		case !p.Result.OK:
			out = append(out, fail(name, who+" does not answer.", sentence(p.Result.Code+": "+p.Result.Advice),
				"Have its department check the system, the network and the account; the last good data stay served."))
		case p.Result.Advice != "":
			out = append(out, warn(name, who+" answers.", sentence(p.Result.Advice), "Have its department mend that at the source."))
			good++
		default:
			good++
		}
	}
	return append([]Finding{ok(name, fmt.Sprintf("%d of %d sources answer.", good, len(probes)))}, out...)
}

// schedules asks for schedules that should have fired, and for those that were put aside because they failed.
func schedules(ctx context.Context, s *subject) []Finding {
	const name = "schedules"
	if missing, err := s.missing(ctx, "schedule"); err != nil {
		return unread(name, err)
	} else if missing {
		return one(ok(name, "There are no schedules."))
	}
	age, id, err := exchange.New(exchange.Options{DB: s.db, Log: s.Log}).OldestOverdue(ctx)
	if err != nil {
		return unread(name, err)
	}
	var parked int
	var first *string
	err = s.db.Pool.QueryRow(ctx, "SELECT count(*), min(id::text) FROM schedule WHERE state = 'parked'").Scan(&parked, &first)
	if err != nil {
		return unread(name, err)
	}
	var out []Finding
	if age > hub.ScheduleOverdue && id != uuid.Nil {
		out = append(out, fail(name, fmt.Sprintf("Schedule %s should have fired %s ago.", id, age.Round(time.Second)),
			"No node with the role all or worker is running.", "Start one, and look at its /readyz."))
	}
	if parked > 0 {
		out = append(out, warn(name, fmt.Sprintf("%d schedules are parked, %s among them.", parked, *first),
			"They could not be fired; the error stands in their ledger.", "Correct and enable them."))
	}
	if len(out) == 0 {
		return one(ok(name, "No schedule is overdue."))
	}
	return out
}

// sealer asks how long the oldest event has waited to be sealed.
func sealer(ctx context.Context, s *subject) []Finding {
	const name = "sealer"
	if missing, err := s.missing(ctx, "pending"); err != nil {
		return unread(name, err)
	} else if missing {
		return one(ok(name, "There is no evidence to seal."))
	}
	age, err := audit.NewLog(s.db).Late(ctx)
	switch {
	case err != nil:
		return one(fail(name, "The events that wait to be sealed cannot be read.", "An event may be missing from the log.", "Run shuqiao audit verify."))
	case age > hub.SealerLate:
		return one(fail(name, fmt.Sprintf("The oldest unsealed event has waited %s.", age.Round(time.Second)), "No node seals.",
			"Start a node; if one runs, look for \"sealing\" in its log."))
	}
	return one(ok(name, "Nothing has waited to be sealed for long."))
}

// sentence ends a text as sentences end.
func sentence(text string) string {
	if n := len(text); n > 0 && text[n-1] != '.' {
		return text + "."
	}
	return text
}
