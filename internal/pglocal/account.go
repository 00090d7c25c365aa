package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the operating-system user the server runs as.
type account struct {
	name       string
	uid, gid   int
	credential *syscall.Credential // nil when it is the user we already are.
}

// serverAccount is the current user, or, because PostgreSQL refuses to run as root, "postgres" (made by the package)
// and else "nobody".
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return account{}, fmt.Errorf("reading user id of %q: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return account{}, fmt.Errorf("reading group id of %q: %w", name, err)
		}
		return account{name: name, uid: uid, gid: gid, credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, errors.New(`PostgreSQL refuses to run as root and there is neither a user "postgres" nor "nobody": ` +
		`run as an ordinary user, or create one with: useradd --system postgres`)
}

// own hands a path to the server's account.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	if err := os.Lchown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("giving %q to user %q: %w", path, a.name, err)
	}
	return nil
}

// command prepares a program that runs as the server's account in a session of its own, with an environment that holds
// none of the caller's PG* variables and no locale.
func (a account) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: a.credential}
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C", "LC_ALL=C", "HOME=/"}
	cmd.Dir = "/"
	return cmd
}

// canEnter reports, by trying, whether the server's account reaches dir: permissions of every parent, access lists and
// mount options all count.
func (a account) canEnter(ctx context.Context, dir string) error {
	if a.credential == nil {
		return nil
	}
	out, err := a.command(ctx, "/bin/sh", "-c", `cd -- "$1"`, "sh", dir).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return fmt.Errorf("PostgreSQL runs as user %q, who cannot enter the data folder %q (%s): "+
			"use a folder such as %s, or make every folder above it enterable (chmod o+x)",
			a.name, dir, firstLine(out), rootDataDir)
	}
	if err != nil {
		return fmt.Errorf("running a program as user %q: %w", a.name, err)
	}
	return nil
}

// rootDataDir is where the hub of a root user keeps its data: /root is closed to the account PostgreSQL runs as.
const rootDataDir = "/var/lib/shuqiao"

// DefaultDataDir is /var/lib/shuqiao for root, else $XDG_DATA_HOME/shuqiao or ~/.local/share/shuqiao.
func DefaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return rootDataDir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "shuqiao"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding the home folder: %w", err)
	}
	return filepath.Join(home, ".local", "share", "shuqiao"), nil
}

// makeDataDir creates dir and its missing parents. Folders made by root can be entered by everyone (the server runs as
// another user) and listed by root alone; an ordinary user's are private. Folders that exist keep their permissions.
func makeDataDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("looking at data folder: %w", err)
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeDataDir(parent); err != nil {
			return err
		}
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("creating data folder: %w", err)
	}
	// A tight umask would have removed the bit that lets the server's account pass.
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("setting permissions of data folder: %w", err)
	}
	return nil
}
