package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/demo/city"
)

// Options say where and how the story is told.
type Options struct {
	DataDir string  // Where demo.json and what later starts need are kept; must exist.
	Scale   float64 // Of the city, city.MinScale to city.MaxScale.

	APIURL     string // Of a hub that serves already, ending in /api/v1.
	ConsoleURL string
	// HubDatabase is the URL of the hub's own database; it must allow UPDATE on its tables.
	HubDatabase string
	// Server gives the URL of a database on the server on which the departments' databases are made, with the right to
	// create databases.
	Server func(database string) string
	// SetupToken is the token of the hub's setup link, or "" for a hub that has users.
	SetupToken string
	// VerifyAudit runs "shuqiao audit verify" on the hub's database: what it printed, and whether it passed.
	VerifyAudit func(ctx context.Context) (output string, passed bool, err error)

	Clock func() time.Time // nil means time.Now.
}

// story is one telling.
type story struct {
	Options
	tell    *Teller
	kept    *keeper
	sources *sources
	hub     *hub

	people      []person
	departments map[string]client.Department // By key.
	systems     map[string]string            // Id of the information system of a department, by its key.
	resources   map[string]*entry            // By template.
	wrong       []city.Wrong                 // Wrong rows as they were built and not corrected since.

	social, civil, reform *system
	population            follow // Of social security's system.
}

// Tell tells the story on a running hub and returns what is in demo.json. The error says which claim was not true, or why
// the story could not go on.
func Tell(ctx context.Context, opt Options, tell *Teller) (Ready, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	// A file of an earlier start would promise a hub that is not ready.
	if err := os.Remove(filepath.Join(opt.DataDir, readyFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Ready{}, fmt.Errorf("removing %s of an earlier start: %w", readyFile, err)
	}
	kept, err := openKept(opt.DataDir)
	if err != nil {
		return Ready{}, err
	}
	s := &story{
		Options: opt, tell: tell, kept: kept, departments: map[string]client.Department{}, systems: map[string]string{}, resources: map[string]*entry{},
		people: everybody(),
	}
	if kept.Scale != 0 && kept.Scale != opt.Scale {
		tell.Note("The city was built at scale %v by an earlier start; that stays. Use another --data-dir for another scale.", kept.Scale)
		s.Scale = kept.Scale
	}
	for _, step := range []func(context.Context) error{
		s.prepare, s.compile, s.collect, s.share, s.pull, s.change, s.suspend, s.prove,
	} {
		if err := step(ctx); err != nil {
			return Ready{}, err
		}
	}
	r, err := s.ready(ctx)
	if err != nil {
		return Ready{}, err
	}
	if err := writeJSON(filepath.Join(opt.DataDir, readyFile), r); err != nil {
		return Ready{}, err
	}
	tell.Text(s.farewell(r))
	return r, nil
}

// untrue is the end of a story whose claim does not hold.
func untrue(format string, args ...any) error {
	return fmt.Errorf("the story is not true: "+format, args...)
}

// until asks again and again until done says so. It gives up after the limit, with what as the thing waited for.
func (s *story) until(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, untrue("waited %v for %s", limit, what))
	defer cancel()
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// askAgain is the pause between two questions to the hub.
const askAgain = 100 * time.Millisecond
