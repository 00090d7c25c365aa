package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/backup"
	"github.com/shuqiao/shuqiao/internal/hubtest"
	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/internal/secret"
)

// A backup made without the key files says what that means; it is restored with the right copy of hub.key, refused with
// another one and without a word about it, and, when the keys are given up, restored to a hub that serves and says which
// passwords must be entered again.
func TestBackupWithoutKeys(t *testing.T) {
	t.Parallel()
	h := hubtest.Start(t, hubtest.Options{})
	s := h.Sample(t, 30)
	g := s.Grant(t, s.Terms())
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	archive, key := filepath.Join(t.TempDir(), "hub.backup"), filepath.Join(t.TempDir(), "backup.key")
	recipient, err := backup.WriteKey(key)
	if err != nil {
		t.Fatal(err)
	}
	code, out, said := shuqiao(t, "backup", "--without-keys", "--to", archive, "--recipient", recipient, "--database-url", h.DatabaseURL(), "--data-dir", h.Dir())
	if code != exitOK || !strings.Contains(out, "NOT in this backup") || strings.Contains(out, "keys/") {
		t.Fatalf("backing up: exit code %d, %s%s", code, out, said)
	}
	stranger := t.TempDir()
	if _, err := secret.OpenKeyring(stranger); err != nil {
		t.Fatal(err)
	}
	restore := func(args ...string) (int, string, string, string) {
		folder := filepath.Join(t.TempDir(), "hub")
		code, out, said := shuqiao(t, append([]string{
			"restore", "--from", archive, "--identity-file", key, "--database-url", pgtest.Empty(t), "--data-dir", folder,
		}, args...)...)
		return code, out, said, folder
	}
	if code, _, said, folder := restore(); code != exitValidation || !strings.Contains(said, "--lose-secrets") {
		t.Errorf("without a word about keys: exit code %d, %s", code, said)
	} else if _, err := os.Stat(folder); err == nil {
		t.Error("a refused restore made the data folder")
	}
	code, _, said, folder := restore("--keys", filepath.Join(stranger, secret.KeyFileName))
	if code != exitValidation || !strings.Contains(said, "not the one") {
		t.Errorf("with another key: exit code %d, %s", code, said)
	}
	if code, _, said := shuqiao(t, "serve", "--data-dir", folder, "--listen", "127.0.0.1:0"); code != exitEnvironment || !strings.Contains(said, "restore") {
		t.Errorf("serving what was not restored to its end: exit code %d, %s", code, said)
	}
	if code, _, said, _ := restore("--keys", filepath.Join(h.Dir(), secret.KeyFileName)); code != exitOK {
		t.Errorf("with the right key: exit code %d, %s", code, said)
	}

	database := pgtest.Empty(t)
	folder = filepath.Join(t.TempDir(), "hub")
	code, out, said = shuqiao(t, "restore", "--from", archive, "--identity-file", key, "--database-url", database, "--data-dir", folder, "--lose-secrets")
	if code != exitOK || !strings.Contains(out, "enter the password again: 示例市公安局: 示例库") {
		t.Fatalf("giving the keys up: exit code %d, %s%s", code, out, said)
	}
	d := &drill{binary: hubtest.Build(t), sample: s}
	d.serve(t, "--data-dir", folder, "--database-url", database)
	police, err := client.New(s.Client.Base, "").SignIn(t.Context(), "police_admin", hubtest.Password)
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	if _, err := police.Resume(t.Context(), g.ID, "核对无误"); err != nil {
		t.Errorf("the provider resumes its grant: %v", err)
	}
	eventually(t, "the grant to serve under a new key", 5*time.Second, func() bool {
		page, err := s.Client.Rows(t.Context(), d.pull(g), client.Query{})
		return err == nil && len(page.Rows) == 20
	})
}
