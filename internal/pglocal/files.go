package pglocal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lastStart is what <data>/postgres.json remembers, so that the next start uses the same port and finds the socket.
type lastStart struct {
	Port      int    `json:"port"`
	SocketDir string `json:"socket_dir"`
}

func readLastStart(dir string) (lastStart, error) {
	var last lastStart
	text, err := os.ReadFile(filepath.Join(dir, "postgres.json"))
	if errors.Is(err, os.ErrNotExist) {
		return last, nil
	}
	if err != nil {
		return last, fmt.Errorf("reading the last start: %w", err)
	}
	if err := json.Unmarshal(text, &last); err != nil {
		return last, fmt.Errorf("reading %q: %w", filepath.Join(dir, "postgres.json"), err)
	}
	return last, nil
}

// writeFile replaces dir/name in one step, readable by the owner alone. A reader never sees half a file, and a link
// planted under the final name is replaced, not followed.
func writeFile(dir, name string, data []byte) (err error) {
	file, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return fmt.Errorf("creating %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.Rename(file.Name(), filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("placing %s: %w", name, err)
	}
	return nil
}

// controlIdentifier reads the cluster's system identifier: the first eight bytes of global/pg_control, in the byte order
// of the machine (struct ControlFileData of PostgreSQL).
func controlIdentifier(pgdata string) (string, error) {
	file, err := os.Open(filepath.Join(pgdata, "global", "pg_control"))
	if err != nil {
		return "", fmt.Errorf("reading the cluster's identity: %w", err)
	}
	defer file.Close()
	var id uint64
	if err := binary.Read(file, binary.NativeEndian, &id); err != nil {
		return "", fmt.Errorf("reading the cluster's identity: %w", err)
	}
	return strconv.FormatUint(id, 10), nil
}

// clusterVersion reads the major version that made the cluster.
func clusterVersion(pgdata string) (int, error) {
	text, err := os.ReadFile(filepath.Join(pgdata, "PG_VERSION"))
	if err != nil {
		return 0, fmt.Errorf("reading the cluster's version: %w", err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("reading the cluster's version: %w", err)
	}
	return version, nil
}

// pidFile is what the running server says about itself in postmaster.pid: line 1 the process, 4 the port, 5 the socket
// folder (PostgreSQL's LOCK_FILE_LINE_* constants). Lines appear one after the other while the server starts.
type pidFile struct {
	pid, port int
	socketDir string
}

// readPIDFile returns the zero pidFile when there is no file or not yet a usable one.
func readPIDFile(pgdata string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(pgdata, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return pidFile{}, nil
	}
	if err != nil {
		return pidFile{}, fmt.Errorf("reading the server's pid file: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	var p pidFile
	if p.pid, err = strconv.Atoi(strings.TrimSpace(lines[0])); err != nil || p.pid <= 0 {
		return pidFile{}, nil
	}
	if len(lines) > 4 {
		p.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
		p.socketDir = strings.TrimSpace(lines[4])
	}
	return p, nil
}

// alive reports whether a process exists and has not ended. A zombie has ended: where process 1 reaps nobody, a stopped
// server would otherwise look alive for ever. One that is our own child, as when the hub is process 1, is reaped here.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true // No /proc here; the signal has answered.
	}
	// The state follows the command, which is in brackets and may hold any byte.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 || end+2 >= len(stat) || stat[end+2] != 'Z' {
		return true
	}
	_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	return false
}

// maxSocketPath is the longest path of a Unix socket: sun_path has 108 bytes on Linux and 104 on macOS, one of them the
// closing zero; the smaller is used everywhere.
const maxSocketPath = 103

// socketName is the file PostgreSQL creates in the socket folder; five digits leave room for every port.
const socketName = "/.s.PGSQL.65535"

// makeSocketDir returns a folder for the server's socket, owned by its account and closed to everyone else: the one in
// the data folder when its path is short enough, else one named by a hash of the data folder in a short place.
func makeSocketDir(dir string, acct account) (string, error) {
	candidates := []string{filepath.Join(dir, "postgres", "socket")}
	short := "shuqiao-" + shortHash(dir)
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) && acct.credential == nil {
		candidates = append(candidates, filepath.Join(runtime, short))
	}
	candidates = append(candidates, "/tmp/"+short, "/var/tmp/"+short, filepath.Join(os.TempDir(), short))
	var problems []error
	for _, candidate := range candidates {
		if len(candidate)+len(socketName) > maxSocketPath {
			continue
		}
		err := makePrivateDir(candidate, acct)
		if err == nil {
			return candidate, nil
		}
		problems = append(problems, err)
	}
	return "", fmt.Errorf("creating a socket folder: %w", errors.Join(problems...))
}

// makePrivateDir creates path with mode 0700 for acct, or accepts it when it is exactly that. In a folder such as /tmp
// anyone may have been there first, so a link or a foreign owner is refused.
func makePrivateDir(path string, acct account) error {
	err := os.Mkdir(path, 0o700)
	if err == nil {
		return acct.own(path)
	}
	if !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(stat.Uid) == os.Geteuid() && acct.credential != nil && info.IsDir() {
		// A holder killed between creating the folder and handing it over left it with us.
		if err := acct.own(path); err != nil {
			return err
		}
	} else if !ok || !info.IsDir() || int(stat.Uid) != acct.uid {
		return fmt.Errorf("%q exists and belongs to someone else", path)
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	return os.Chmod(path, 0o700)
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// shortHash names a data folder in sixteen characters.
func shortHash(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:8])
}

// RunningURL is Cluster.SocketURL of the server that somebody else runs for a data folder now, by what its last start noted.
// Nobody is locked out and nothing is started: a server that does not run shows when one connects. It returns an error
// matching ErrNotRunning when none was ever started.
func RunningURL(dir, db string) (string, error) {
	last, err := readLastStart(dir)
	if err != nil {
		return "", err
	}
	if last.Port == 0 {
		return "", ErrNotRunning
	}
	password, err := os.ReadFile(filepath.Join(dir, "postgres", "password"))
	if err != nil {
		return "", fmt.Errorf("reading the private PostgreSQL's password: %w", err)
	}
	c := Cluster{port: last.Port, socketDir: last.SocketDir, password: strings.TrimSpace(string(password))}
	return c.SocketURL(db), nil
}
