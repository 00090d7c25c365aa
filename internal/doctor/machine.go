package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/catalog/calendar"
)

// binaries looks for PostgreSQL's programs, which only a private PostgreSQL needs.
func binaries(ctx context.Context, s *subject) []Finding {
	const name = "binaries"
	at, err := s.FindBinaries(ctx)
	switch {
	case err == nil:
		return one(ok(name, fmt.Sprintf("postgres and initdb %d are in %s.", at.Version, at.Dir)))
	case !s.private():
		return one(ok(name, "No PostgreSQL server is installed here, and none is needed: a database is named."))
	default:
		return one(fail(name, "No PostgreSQL server is installed.", "The private PostgreSQL needs postgres and initdb on this machine.",
			"Install PostgreSQL 15, or name a database with SHUQIAO_DATABASE_URL."))
	}
}

// disk asks for the space of the data folder's disk, and of the private PostgreSQL's where that is another one.
func disk(_ context.Context, s *subject) []Finding {
	const name = "disk"
	found := []Finding{space(name, "data folder", s.dir, s.MinFree)}
	if info, err := os.Stat(s.dir); err == nil {
		switch {
		case !info.IsDir():
			found = append(found, fail(name, "The data folder "+s.dir+" is no folder.", "A file lies there.", "Name another folder with --data-dir."))
		case unix.Access(s.dir, unix.W_OK|unix.X_OK) != nil:
			found = append(found, fail(name, "The data folder "+s.dir+" may not be written.", "It belongs to another user.",
				"Run this as the user who runs the hub, or give that user the folder."))
		}
	}
	if pgdata := filepath.Join(s.dir, "postgres", "data"); s.private() && device(pgdata) != 0 && device(pgdata) != device(s.dir) {
		found = append(found, space(name, "private PostgreSQL", pgdata, s.MinFree))
	}
	return found
}

// device is the number of the disk a path lies on, 0 when the path does not exist.
func device(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return uint64(st.Dev) //nolint:unconvert // int32 on some systems.
}

func space(name, what, path string, minFree uint64) Finding {
	at := path
	// Before the first start the folder does not exist; its disk does.
	for at != "/" && device(at) == 0 {
		at = filepath.Dir(at)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		return fail(name, "The disk of "+path+" cannot be asked.", "The kernel says: "+err.Error()+".", "Check that the folder exists and its disk is mounted.")
	}
	free, total := st.Bavail*uint64(st.Bsize), st.Blocks*uint64(st.Bsize)
	found := fmt.Sprintf("%s free of %s for the %s in %s.", size(free), size(total), what, path)
	const cause, mend = "PostgreSQL stops when its disk is full.", "Free space, or move the folder to a larger disk."
	switch {
	case free < minFree:
		return fail(name, found, cause, mend)
	case free < 5*minFree:
		return warn(name, found, cause, mend)
	default:
		return ok(name, found)
	}
}

func size(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// workingDays asks whether the terms of requests can be counted: this year's days off must be known, and next year's once
// the State Council has announced them, which it does in November.
func workingDays(ctx context.Context, s *subject) []Finding {
	const name = "calendar"
	days, err := calendar.New()
	if err != nil {
		return one(fail(name, "The calendar of working days cannot be read.", "The program is damaged.", "Install it anew."))
	}
	if s.db != nil {
		// A schema of before has no calendar; its own check says so.
		if kept, err := catalog.LoadCalendar(ctx, s.db.Pool); err == nil {
			days = kept
		}
	}
	year := s.Clock().In(days.Zone()).Year()
	const cause, mend = "Terms that fall there are counted by weekdays and shown as provisional.", "Import that year's announcement on the console's page of working days, or by shuqiao calendar import."
	switch {
	case !days.Covers(year):
		return one(fail(name, fmt.Sprintf("The days off of %d are not known.", year), cause, mend))
	case !days.Covers(year + 1):
		found := fmt.Sprintf("The days off of %d are known, those of %d are not.", year, year+1)
		if s.Clock().In(days.Zone()).Month() < time.November {
			return one(ok(name, found+" They are announced in November."))
		}
		return one(warn(name, found, cause, mend))
	default:
		return one(ok(name, fmt.Sprintf("The days off of %d and %d are known.", year, year+1)))
	}
}

// port asks whether the hub can listen, or does.
func port(ctx context.Context, s *subject) []Finding {
	const name = "listen"
	address := s.Config.Listen
	if _, number, err := net.SplitHostPort(address); err == nil && number == "0" {
		return one(ok(name, "The hub takes a free port."))
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
		return one(ok(name, address+" is free; no hub listens there."))
	case errors.Is(err, syscall.EADDRINUSE):
		if hubAnswers(ctx, address) {
			return one(ok(name, "A hub answers on "+address+"."))
		}
		return one(fail(name, address+" is taken, and what answers is no hub.", "Another program listens there.",
			"Stop that program, or choose another address with SHUQIAO_LISTEN."))
	case errors.Is(err, syscall.EACCES):
		return one(fail(name, address+" may not be listened on.", "Ports below 1024 need a right that this user does not have.",
			"Choose a higher port behind a proxy, or give the unit CAP_NET_BIND_SERVICE."))
	default:
		return one(fail(name, address+" cannot be listened on.", "This machine has no such address.", "Choose another address with SHUQIAO_LISTEN."))
	}
}

// hubAnswers asks whoever listens there whether it is a hub, in the clear and by TLS. Nothing secret is sent, so the
// certificate does not matter.
func hubAnswers(ctx context.Context, address string) bool {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: 3 * time.Second}
	for _, scheme := range []string{"http", "https"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, number)+"/healthz", nil)
		if err != nil {
			return false
		}
		answer, err := client.Do(request)
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK && strings.Contains(string(body), `"alive":true`) {
			return true
		}
	}
	return false
}
