package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/internal/backup"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/hub"
	"github.com/shuqiao/shuqiao/internal/secret"
)

type backupCommand struct {
	Create backupCreate `cmd:"" default:"withargs" help:"Write the hub into one encrypted file and verify it. Works beside a running hub."`
	Verify backupVerify `cmd:"" help:"Read a backup from end to end."`
	Key    backupKey    `cmd:"" help:"Make a key for backups, and print the recipient to encrypt for."`
}

type backupCreate struct {
	settings
	To             string   `required:"" help:"File to write; it must not exist." type:"path" placeholder:"FILE"`
	PassphraseFile string   `name:"passphrase-file" help:"File with the passphrase that opens the backup." type:"path" placeholder:"FILE"`
	Recipients     []string `name:"recipient" help:"Recipient (age1…) whose key opens the backup; may be given several times." placeholder:"KEY"`
	WithoutKeys    bool     `name:"without-keys" help:"Leave the key files out, for keeping them apart."`
	Verify         string   `default:"quick" enum:"quick,full" help:"quick reads the backup again; full restores it into a trial database, too."`
}

type backupVerify struct {
	opening
	File string `arg:"" help:"The backup." type:"path"`
	Full bool   `help:"Restore it into a trial database and compare the rows."`
}

type backupKey struct {
	To string `required:"" help:"File to write the key to; keep it apart from the backups." type:"path" placeholder:"FILE"`
}

type restoreCommand struct {
	settings
	opening
	From        string `required:"" help:"The backup." type:"path" placeholder:"FILE"`
	Keys        string `help:"Copy of hub.key, for a backup that was made without keys." type:"path" placeholder:"FILE"`
	LoseSecrets bool   `name:"lose-secrets" help:"Go on without hub.key: what it sealed is lost."`
}

type restoreMarkCommand struct{ settings }

// opening is what opens a backup.
type opening struct {
	PassphraseFile string `name:"passphrase-file" help:"File with the passphrase." type:"path" placeholder:"FILE"`
	IdentityFile   string `name:"identity-file" help:"File with the key that belongs to a recipient." type:"path" placeholder:"FILE"`
}

func (o opening) keys() (backup.Opening, error) {
	passphrase, err := readPassphrase(o.PassphraseFile)
	return backup.Opening{Passphrase: passphrase, IdentityFile: o.IdentityFile}, err
}

// readPassphrase returns the first line of a file, "" where no file is named.
func readPassphrase(path string) (secret.Secret, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fault.New(fault.Invalid, "backup_passphrase", "the file with the passphrase cannot be read").Wrap(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", fault.New(fault.Invalid, "backup_passphrase", "the file with the passphrase is empty")
	}
	return secret.Secret(line), nil
}

const lostWithoutKeys = `The key files are NOT in this backup. Keep hub.key and audit.key of the data folder apart, and as safe as the backup.
Without hub.key these are lost for good: passwords of sources, refused rows, pseudonyms of grants, look-ups in evidence by a person's key.`

// Run writes the backup and says what is in it.
func (c *backupCreate) Run(t *terminal) error {
	cfg, log, err := t.load(c.flags())
	if err != nil {
		return err
	}
	passphrase, err := readPassphrase(c.PassphraseFile)
	if err != nil {
		return err
	}
	report, err := hub.Backup(t.ctx, cfg, backup.Options{
		To: c.To, Sealing: backup.Sealing{Passphrase: passphrase, Recipients: c.Recipients}, WithoutKeys: c.WithoutKeys,
		Full: c.Verify == "full", Version: version,
	}, log)
	if err != nil {
		return err
	}
	t.describe(report)
	fmt.Fprintf(t.out, "written to %s\n", c.To)
	if c.WithoutKeys {
		fmt.Fprintln(t.out, lostWithoutKeys)
	}
	return nil
}

// Run verifies a backup, which needs no hub.
func (c *backupVerify) Run(t *terminal) error {
	keys, err := c.keys()
	if err != nil {
		return err
	}
	report, err := backup.Verify(t.ctx, c.File, keys, c.Full)
	if err != nil {
		return err
	}
	t.describe(report)
	if !report.Manifest.Keys {
		fmt.Fprintln(t.out, lostWithoutKeys)
	}
	return nil
}

func (t *terminal) describe(r backup.Report) {
	m := r.Manifest
	fmt.Fprintf(t.out, "backup of %s by shuqiao %s: schema %d, policy %d, %s, %s of %s\n", m.CreatedAt.Format(time.RFC3339), m.Program, m.Schema,
		m.PolicyN, plural(m.Sealed, "sealed event", "sealed events"), plural(m.Rows(), "row", "rows"), plural(int64(len(m.Contents)), "resource", "resources"))
	for _, p := range r.Parts {
		fmt.Fprintf(t.out, "  %-28s %12d bytes  sha256 %s\n", p.Name, p.Size, p.SHA256)
	}
	verified := "every byte and digest"
	if r.Full {
		verified += ", and the rows of a trial restore"
	}
	fmt.Fprintf(t.out, "verified: %s\narchive: %d bytes, sha256 %s\n", verified, r.Size, r.SHA256)
}

// Run makes the key.
func (c *backupKey) Run(t *terminal) error {
	recipient, err := backup.WriteKey(c.To)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "recipient: %s\nThe key is in %s. Whoever has it reads the backups; without it nobody does.\n", recipient, c.To)
	return nil
}

// Run restores, and says what people have to do now.
func (c *restoreCommand) Run(t *terminal) error {
	cfg, log, err := t.load(c.flags())
	if err != nil {
		return err
	}
	keys, err := c.opening.keys()
	if err != nil {
		return err
	}
	done, err := hub.Restore(t.ctx, hub.RestoreOptions{
		Config: cfg, From: c.From, Opening: keys, KeyFile: c.Keys, LoseSecrets: c.LoseSecrets, Log: log,
	})
	if err != nil {
		return err
	}
	t.describe(done.Report)
	fmt.Fprintln(t.out, "restored; the rows are those of the manifest")
	t.marked(done.Marked)
	if c.LoseSecrets {
		fmt.Fprintf(t.out, "lost with the keys: %s have no password now; %s got new pseudonyms; %s cannot be shown; %s must set up the second factor again; %s revoked; %s paused\n",
			plural(int64(len(done.Lost.Sources)), "source", "sources"), plural(int64(done.Lost.Grants), "grant", "grants"),
			plural(done.Lost.Rejects, "refused row", "refused rows"), plural(done.Lost.Factors, "person", "people"),
			plural(done.Lost.Keys, "signing key is", "signing keys are"), plural(done.Lost.Channels, "channel of alarms is", "channels of alarms are"))
		for _, source := range done.Lost.Sources {
			fmt.Fprintln(t.out, "  enter the password again: "+source)
		}
	}
	return nil
}

// Run marks a database that was restored by other means.
func (c *restoreMarkCommand) Run(t *terminal) error {
	cfg, log, err := t.load(c.flags())
	if err != nil {
		return err
	}
	d, closeAll, err := openDatabase(t, cfg, log)
	if err != nil {
		return err
	}
	defer closeAll()
	done, err := hub.RestoreMark(t.ctx, d)
	if err != nil {
		return err
	}
	t.marked(done)
	return nil
}

func (t *terminal) marked(m hub.Marked) {
	fmt.Fprintf(t.out, "marked as restored: cursors of %s begin anew, %s suspended until confirmed, %s ended, %s given back\n",
		plural(m.Resources, "resource", "resources"), plural(m.Grants, "grant is", "grants are"), plural(m.Sessions, "session", "sessions"),
		plural(int64(m.Runs), "run", "runs"))
	if m.Grants > 0 {
		fmt.Fprintln(t.out, "Start the hub, make sure which grants are still in force, and confirm them: GET /api/v1/grants?suspended_by=restore,\n"+
			"then POST /api/v1/grants/{id}/resume for one or POST /api/v1/grants/confirm-restored for all.")
	}
}
