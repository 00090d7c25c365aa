package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/fault"
	"github.com/shuqiao/shuqiao/internal/hub"
)

type auditCommand struct {
	Verify auditVerify `cmd:"" help:"Read the whole log and look for contradictions. Works beside a running hub."`
	Key    auditKey    `cmd:"" help:"Print the key by which others verify the checkpoints that this node signs."`
}

type auditKey struct {
	DataDir string `name:"data-dir" help:"Folder for keys and the private PostgreSQL." placeholder:"DIR"`
}

// Run prints the verifier key of the data folder's node, and nothing else, so that it can be kept as it is. A folder without
// a key is a NotFound fault: none is made.
func (c *auditKey) Run(t *terminal) error {
	cfg, _, err := t.load(given(map[string]string{"data-dir": c.DataDir}))
	if err != nil {
		return err
	}
	dir, err := hub.DataDir(cfg)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, audit.KeyFile)
	if _, err := os.Stat(path); err != nil {
		return fault.New(fault.NotFound, "audit_key", "there is no readable %s; the hub makes it when it first starts on this data folder", path).Wrap(err)
	}
	_, verifierKey, err := audit.LoadOrCreateSigner(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, verifierKey)
	return nil
}

type auditVerify struct {
	settings
	VerifierKeys []string `name:"verifier-key" help:"Key that checkpoints must be signed by; may be given several times." placeholder:"KEY"`
	Checkpoints  []string `name:"checkpoint" help:"File with a checkpoint that was kept elsewhere; may be given several times." type:"existingfile" placeholder:"FILE"`
}

// Run prints what was read and every problem. It returns an error when there is a problem.
func (c *auditVerify) Run(t *terminal) error {
	cfg, log, err := t.load(c.flags())
	if err != nil {
		return err
	}
	published := make([]string, 0, len(c.Checkpoints))
	for _, path := range c.Checkpoints {
		raw, err := os.ReadFile(path)
		if err != nil {
			return fault.New(fault.Invalid, "checkpoint_file", "a checkpoint file cannot be read: %s", path).Wrap(err)
		}
		published = append(published, string(raw))
	}
	d, closeAll, err := openDatabase(t, cfg, log)
	if err != nil {
		return err
	}
	defer closeAll()
	report, err := audit.Verify(t.ctx, d.Pool, audit.VerifyOptions{VerifierKeys: c.VerifierKeys, Published: published})
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s, %d sealed, %d waiting; %s; %s\n", plural(report.Events, "event", "events"), report.Leaves,
		report.Pending, plural(report.Usage, "usage record", "usage records"), plural(report.Checkpoints, "checkpoint", "checkpoints"))
	if report.OK() {
		fmt.Fprintf(t.out, "OK: nothing contradicts. Root %s\n", report.Root)
		return nil
	}
	for _, p := range report.Problems {
		fmt.Fprintln(t.out, "PROBLEM: "+strings.TrimSpace(p.String()))
	}
	return fmt.Errorf("%w: %s found", errNotVerified, plural(report.Found, "problem", "problems"))
}
