package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// defaultProfile is the sign-in that is meant when none is named.
const defaultProfile = "default"

// profile is a sign-in as it is kept between commands.
type profile struct {
	URL       string    `json:"url"`
	Username  string    `json:"username"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

var profileNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// profilePath is where a profile lies: below XDG_CONFIG_HOME, or ~/.config.
func profilePath(t *Terminal, name string) (string, error) {
	if !profileNames.MatchString(name) {
		return "", fault.New(fault.Invalid, "usage", "name a profile with letters, digits, dots and hyphens")
	}
	dir := t.env("XDG_CONFIG_HOME")
	if dir == "" {
		home := t.env("HOME")
		if home == "" {
			return "", fault.New(fault.Unavailable, "no_home", "there is no folder for sign-ins; set XDG_CONFIG_HOME")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "shuqiao", "profiles", name+".json"), nil
}

// loadProfile returns a profile, the zero one when there is none.
func loadProfile(t *Terminal, name string) (profile, error) {
	path, err := profilePath(t, name)
	if err != nil {
		return profile{}, err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return profile{}, nil
	}
	if err != nil {
		return profile{}, profileUnreadable(err)
	}
	return readProfile(raw)
}

// readProfile reads the text of a profile.
func readProfile(raw []byte) (p profile, err error) {
	if err := json.Unmarshal(raw, &p); err != nil {
		return profile{}, profileUnreadable(err)
	}
	return p, nil
}

func profileUnreadable(err error) error {
	return fault.New(fault.Invalid, "profile", "the profile cannot be read; sign in again with shuqiao login").Wrap(err)
}

// saveProfile writes a profile that only its owner can read.
func saveProfile(t *Terminal, name string, p profile) error {
	path, err := profilePath(t, name)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("storing the sign-in: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".profile-*") // Made with mode 0600.
	if err != nil {
		return fmt.Errorf("storing the sign-in: %w", err)
	}
	_, err = temporary.Write(append(raw, '\n'))
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("storing the sign-in: %w", err)
	}
	return nil
}

// signedIn returns a client with the token of SHUQIAO_TOKEN or of the profile.
func (s shared) signedIn(t *Terminal) (*client.Client, error) {
	p, err := loadProfile(t, s.Profile)
	if err != nil {
		return nil, err
	}
	token := first(t.env("SHUQIAO_TOKEN"), p.Token)
	if token == "" {
		return nil, fault.New(fault.Unauthenticated, "not_signed_in", "nobody is signed in; use shuqiao login")
	}
	hub, err := s.client(t, p.URL, token)
	if err != nil {
		return nil, err
	}
	// A token goes to the hub that gave it and to no other.
	if t.env("SHUQIAO_TOKEN") == "" && p.URL != "" && hub.Base != p.URL {
		return nil, fault.New(fault.Invalid, "other_hub", "this sign-in is for another hub; sign in there with shuqiao login --url and another --profile")
	}
	return hub, nil
}

// Login opens a session and keeps it for later commands.
type Login struct {
	Connection
	Username     string `arg:"" help:"Name of the account."`
	Profile      string `help:"Name to keep it under." default:"${default_profile}" placeholder:"NAME"`
	PasswordFile string `name:"password-file" help:"File with the password; - reads a line from standard input. It is asked for when not given." placeholder:"FILE"`
	Code         string `help:"Code of the app, where the account has a second factor. It is asked for when not given." placeholder:"CODE"`
	RecoveryCode string `name:"recovery-code" help:"Recovery code, where the app is lost." placeholder:"CODE"`
}

// Run signs in.
func (l *Login) Run(t *Terminal) error {
	if _, err := profilePath(t, l.Profile); err != nil {
		return err
	}
	hub, err := l.client(t, "", "")
	if err != nil {
		return err
	}
	word, err := password(t, l.PasswordFile, "Password: ")
	if err != nil {
		return err
	}
	var s client.Session
	err = hub.Call(t.Ctx, post, "/sessions", map[string]string{"username": l.Username, "password": word}, &s)
	var problem *client.Problem
	if errors.As(err, &problem) && problem.Code == "second_factor_required" {
		s, err = l.secondStep(t, hub, problem.Facts["challenge"])
	}
	if err != nil {
		return err
	}
	if err := saveProfile(t, l.Profile, profile{URL: hub.Base, Username: l.Username, Token: s.Token, ExpiresAt: s.ExpiresAt}); err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "Signed in as %s until %s.\n", clean(l.Username), s.ExpiresAt.Local().Format(time.DateTime))
	return nil
}

// secondStep answers a challenge with the code of the app or with a recovery code.
func (l *Login) secondStep(t *Terminal, hub *client.Client, challenge string) (s client.Session, err error) {
	if l.Code == "" && l.RecoveryCode == "" {
		if l.Code, err = ask(t, "Code of the app: "); err != nil {
			return s, err
		}
	}
	err = hub.Call(t.Ctx, post, "/sessions/second-factor", map[string]string{
		"challenge": challenge, "code": l.Code, "recovery_code": l.RecoveryCode,
	}, &s)
	return s, err
}

// Password changes the password of the account that is signed in.
type Password struct {
	Connection
	Profile     string `help:"Whose password." default:"${default_profile}" placeholder:"NAME"`
	PresentFile string `name:"present-file" help:"File with the present password; it is asked for when not given." placeholder:"FILE"`
	NextFile    string `name:"next-file" help:"File with the new password; it is asked for when not given." placeholder:"FILE"`
}

// Run changes it. Other sessions of the account end.
func (c *Password) Run(t *Terminal) error {
	hub, err := shared{Connection: c.Connection, Profile: c.Profile}.signedIn(t)
	if err != nil {
		return err
	}
	present, err := password(t, c.PresentFile, "Present password: ")
	if err != nil {
		return err
	}
	next, err := password(t, c.NextFile, "New password: ")
	if err != nil {
		return err
	}
	if err := hub.ChangePassword(t.Ctx, present, next); err != nil {
		return err
	}
	fmt.Fprintln(t.Out, "The password is changed.")
	return nil
}

// Logout ends the session and forgets it.
type Logout struct {
	Connection
	Profile string `help:"The sign-in to end." default:"${default_profile}" placeholder:"NAME"`
}

// Run signs out. The token is forgotten also when the hub cannot be told.
func (l *Logout) Run(t *Terminal) error {
	p, err := loadProfile(t, l.Profile)
	if err != nil || p.Token == "" {
		return err
	}
	path, err := profilePath(t, l.Profile)
	if err != nil {
		return err
	}
	hub, told := shared{Connection: l.Connection, Profile: l.Profile}.signedIn(t)
	if told == nil {
		told = hub.SignOut(t.Ctx)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("forgetting the sign-in: %w", err)
	}
	if told != nil && client.Code(told) != "unauthenticated" {
		return fmt.Errorf("the sign-in is forgotten here, but the hub may know it until it ends by itself: %w", told)
	}
	return nil
}

// password reads a password from a file, a line of standard input ("-"), or the terminal without showing it.
func password(t *Terminal, file, prompt string) (string, error) {
	switch {
	case file == "-":
		return readLine(t.In)
	case file != "":
		return readSecret(file, "the password", "--password-file")
	}
	return ask(t, prompt)
}

// ask reads a line from the terminal without showing it.
func ask(t *Terminal, prompt string) (string, error) {
	terminal, ok := t.In.(*os.File)
	if !ok {
		return "", noTerminal()
	}
	fd := int(terminal.Fd())
	state, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", noTerminal()
	}
	silent := *state
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return "", noTerminal()
	}
	defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, state) }() // There is nothing else to try.
	fmt.Fprint(t.Err, prompt)
	defer fmt.Fprintln(t.Err)
	return readLine(terminal)
}

func noTerminal() error {
	return fault.New(fault.Invalid, "usage", "there is no terminal to ask; use --password-file FILE, or - for standard input, and --code")
}

// readLine reads one line byte by byte, so that nothing behind it is taken.
func readLine(from io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < 1024; {
		n, err := from.Read(one)
		if n == 1 && one[0] == '\n' || err != nil {
			break
		}
		line = append(line, one[:n]...)
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) == 0 {
		return "", fault.New(fault.Invalid, "usage", "no password was given")
	}
	return string(line), nil
}
