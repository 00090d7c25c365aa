package doctor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/pglocal"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// Status says how bad a finding is.
type Status string

// The statuses, from good to bad.
const (
	OK   Status = "ok"   // As it should be.
	Warn Status = "warn" // The hub works; somebody should look.
	Fail Status = "fail" // The hub does not work, or not for long.
)

// Finding is one line of an examination. Found is one sentence; so are Cause and Mend, which are "" where Status is OK. None
// of them holds a secret.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Cause  string `json:"cause,omitempty"`
	Mend   string `json:"mend,omitempty"`
}

// Options says what to examine. Everything but Config may be left out.
type Options struct {
	Config config.Config
	Log    *slog.Logger     // nil means slog.Default.
	Clock  func() time.Time // nil means time.Now.

	MinFree uint64 // Bytes that must be free on a disk; 0 means 1 GiB. A warning begins at five times as much.

	// FindBinaries returns the installed PostgreSQL; nil means pglocal.Find.
	FindBinaries func(ctx context.Context) (pglocal.Binaries, error)
	// Suspended is how long the machine has slept since it started; nil asks the kernel.
	Suspended func() (time.Duration, bool)
}

// subject is what the checks look at. A check sets the parts that those after it need.
type subject struct {
	Options
	dir     string
	db      *db.DB          // nil while the database does not answer.
	keyring *secret.Keyring // nil without a usable key file.
}

// check is one thing to look at. Those with onDatabase are passed over when the database does not answer.
type check struct {
	name       string
	onDatabase bool
	run        func(ctx context.Context, s *subject) []Finding
}

// checks is everything that is looked at, in the order in which one thing stands on another.
func checks() []check {
	return []check{
		{"binaries", false, binaries},
		{"disk", false, disk},
		{"keys", false, keyFile},
		{"signer", false, signer},
		{"listen", false, port},
		{"database", false, nil}, // Opened by Run, which closes it, too.
		{"role", true, primary},
		{"schema", true, schema},
		{"privileges", true, privileges},
		{"connections", true, connections},
		{"clock", true, clock},
		{"sealed keys", true, sealedKeys},
		{"setup", true, setup},
		{"sources", true, sources},
		{"schedules", true, schedules},
		{"sealer", true, sealer},
		{"calendar", false, workingDays}, // Of the database where it answers.
	}
}

// checkLimit bounds each check, so that a database that hangs does not hang the examination. The check of sources bounds each
// source instead: there may be hundreds, and one that was not asked must not pass for one that does not answer.
const checkLimit = 30 * time.Second

// Run examines and returns its findings in the order of the checks. When the database does not answer, one finding names all
// checks that need it.
func Run(ctx context.Context, opt Options) []Finding {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.MinFree == 0 {
		opt.MinFree = 1 << 30
	}
	if opt.FindBinaries == nil {
		opt.FindBinaries = pglocal.Find
	}
	if opt.Suspended == nil {
		opt.Suspended = suspended
	}
	s := &subject{Options: opt}
	dir, err := hub.DataDir(opt.Config)
	if err != nil {
		return []Finding{fail("disk", "the data folder is unknown", message(err), "Name one with --data-dir.")}
	}
	s.dir = dir
	closeDatabase := func() {}
	defer func() { closeDatabase() }()
	var found []Finding
	var passedOver []string
	for _, c := range checks() {
		within, cancel := context.WithTimeout(ctx, checkLimit)
		if c.name == "sources" {
			cancel()
			within, cancel = context.WithCancel(ctx)
		}
		switch {
		case c.name == "database":
			var f Finding
			f, closeDatabase = openDatabase(within, s)
			found = append(found, f)
		case c.onDatabase && s.db == nil:
			passedOver = append(passedOver, c.name)
		default:
			found = append(found, c.run(within, s)...)
		}
		cancel()
		if ctx.Err() != nil {
			return found
		}
	}
	if len(passedOver) > 0 {
		found = append(found, warn("the rest", "Not looked at: "+strings.Join(passedOver, ", ")+".", "There is no database that answers.", "Mend the database first."))
	}
	return found
}

// Worst returns the worst status of findings, OK for none.
func Worst(found []Finding) Status {
	worst := OK
	for _, f := range found {
		if f.Status == Fail || f.Status == Warn && worst == OK {
			worst = f.Status
		}
	}
	return worst
}

func ok(check, found string) Finding { return Finding{Check: check, Status: OK, Found: found} }

func warn(check, found, cause, mend string) Finding {
	return Finding{Check: check, Status: Warn, Found: found, Cause: cause, Mend: mend}
}

func fail(check, found, cause, mend string) Finding {
	return Finding{Check: check, Status: Fail, Found: found, Cause: cause, Mend: mend}
}

func one(f Finding) []Finding { return []Finding{f} }

// unread is the finding for a question that the database did not answer.
func unread(check string, err error) []Finding {
	return one(fail(check, "It could not be read.", message(err), "Look at the log of PostgreSQL and run this again."))
}

// message is what people are told of an error: the sentence of a fault, or the kind of a database error. The text of other
// errors may hold addresses with passwords.
func message(err error) string {
	if f, isFault := errors.AsType[*fault.Fault](err); isFault && f.Kind != fault.Internal {
		return f.Message
	}
	if cause := databaseCause(err); cause != "" {
		return cause
	}
	if path, isPath := errors.AsType[*os.PathError](err); isPath {
		return "Using " + path.Path + " failed: " + path.Err.Error() + "."
	}
	return "The program could not find out."
}

// private reports whether the hub has its own PostgreSQL in the data folder.
func (s *subject) private() bool { return s.Config.DatabaseURL == "" }

// hasCluster reports whether the private PostgreSQL was ever created.
func (s *subject) hasCluster() bool {
	_, err := os.Stat(filepath.Join(s.dir, "postgres", "data", "PG_VERSION"))
	return err == nil
}
