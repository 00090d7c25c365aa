package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// sealed encrypts what fill writes into a tar archive, for a key that it returns.
func sealed(t *testing.T, fill func(w *writer) error) ([]byte, Opening) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	stream, err := age.Encrypt(&out, identity.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{tar: tar.NewWriter(stream)}
	if err := errors.Join(fill(w), stream.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), Opening{identities: []age.Identity{identity}}
}

// whole writes an archive of two keys, one file and a database of three pieces.
func whole(database []byte) func(w *writer) error {
	return func(w *writer) error {
		dump := w.pieces(databaseName)
		err := errors.Join(
			w.json(manifestName, Manifest{Format: format, Program: "test", Schema: 1}),
			w.file("keys/hub.key", 3, strings.NewReader("key")),
			w.file("keys/audit.key", 5, strings.NewReader("audit")),
			w.file("files/exports/a", 0, strings.NewReader("")))
		if err != nil {
			return err
		}
		if _, err := dump.Write(database); err != nil {
			return err
		}
		return errors.Join(dump.close(), w.close())
	}
}

func readBytes(t *testing.T, archive []byte, opening Opening, take Take) (Report, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(path, opening, take)
}

// What was written is read back, part for part, also when a reader leaves something unread, and the pieces of the database are
// one stream.
func TestArchiveRoundTrip(t *testing.T) {
	t.Parallel()
	database := bytes.Repeat([]byte("0123456789abcdef"), (2*pieceBytes+1000)/16)
	archive, opening := sealed(t, whole(database))
	got := map[string]string{}
	keep := func(name string, from io.Reader) error {
		text, err := io.ReadAll(from)
		got[name] = string(text)
		return err
	}
	report, err := readBytes(t, archive, opening, Take{
		Key: keep, File: keep, Database: func(from io.Reader) error { return keep("database", from) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got["database"] != string(database) {
		t.Errorf("the database has %d bytes, want %d", len(got["database"]), len(database))
	}
	delete(got, "database")
	if diff := cmp.Diff(map[string]string{"hub.key": "key", "audit.key": "audit", "exports/a": ""}, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	lazy, err := readBytes(t, archive, opening, Take{Database: func(from io.Reader) error {
		_, err := io.ReadFull(from, make([]byte, 10))
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, lazy); diff != "" {
		t.Errorf("reports (-read +passed over):\n%s", diff)
	}
	names := make([]string, len(report.Parts))
	for i, p := range report.Parts {
		names[i] = p.Name
	}
	if diff := cmp.Diff([]string{"keys/hub.key", "keys/audit.key", "files/exports/a", "database"}, names); diff != "" {
		t.Errorf("order of parts (-want +got):\n%s", diff)
	}
}

// An archive of which any byte is changed, or which is cut anywhere, is refused, and its reader never gets to believe it.
func TestDamagedArchive(t *testing.T) {
	t.Parallel()
	archive, opening := sealed(t, whole(bytes.Repeat([]byte("x"), 100_000)))
	code := func(altered []byte) string {
		_, err := readBytes(t, altered, opening, Take{})
		return fault.CodeOf(err)
	}
	step := len(archive)/40 + 1
	for at := 0; at < len(archive); at += step {
		flipped := bytes.Clone(archive)
		flipped[at] ^= 1
		// In the header, which is text, a changed key no longer opens the archive.
		if got := code(flipped); got != "backup_damaged" && (at > 300 || got != "backup_key") {
			t.Errorf("byte %d changed: %s", at, got)
		}
		if got := code(archive[:at]); got != "backup_damaged" {
			t.Errorf("cut at %d: %s", at, got)
		}
	}
	if got := code(append(bytes.Clone(archive), 0)); got != "backup_damaged" {
		t.Errorf("one byte more: %s", got)
	}
}

// An archive that opens and is not built like one is refused: a stranger may encrypt for a recipient.
func TestForgedArchive(t *testing.T) {
	t.Parallel()
	manifest := func(w *writer) error { return w.json(manifestName, Manifest{Format: format}) }
	entry := func(w *writer, name string) error { return w.file(name, 1, strings.NewReader("x")) }
	for name, c := range map[string]struct {
		fill func(w *writer) error
		want string
	}{
		"no manifest": {func(w *writer) error { return errors.Join(entry(w, "files/a"), w.close()) }, "backup_damaged"},
		"a newer format": {func(w *writer) error {
			return errors.Join(w.json(manifestName, Manifest{Format: format + 1}), w.close())
		}, "backup_newer"},
		"no digests":        {func(w *writer) error { return errors.Join(manifest(w), entry(w, "files/a"), w.tar.Close()) }, "backup_damaged"},
		"a path upwards":    {func(w *writer) error { return errors.Join(manifest(w), entry(w, "files/../../a"), w.close()) }, "backup_damaged"},
		"an absolute path":  {func(w *writer) error { return errors.Join(manifest(w), entry(w, "files//etc/a"), w.close()) }, "backup_damaged"},
		"a key in a folder": {func(w *writer) error { return errors.Join(manifest(w), entry(w, "keys/a/b"), w.close()) }, "backup_damaged"},
		"an unknown part":   {func(w *writer) error { return errors.Join(manifest(w), entry(w, "scripts/a"), w.close()) }, "backup_damaged"},
		"a part twice": {func(w *writer) error {
			return errors.Join(manifest(w), entry(w, "files/a"), entry(w, "files/a"), w.close())
		}, "backup_damaged"},
		"a link": {func(w *writer) error {
			return errors.Join(manifest(w), w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "files/a", Linkname: "/etc"}), w.close())
		}, "backup_damaged"},
		"digests of something": {func(w *writer) error { w.parts = []Part{{Name: "files/b"}}; return errors.Join(manifest(w), w.close()) }, "backup_damaged"},
	} {
		archive, opening := sealed(t, c.fill)
		if _, err := readBytes(t, archive, opening, Take{}); fault.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// A passphrase opens what it sealed, another one does not; a backup without a lock, with two, or with a short passphrase is
// refused before anything is written.
func TestSealing(t *testing.T) {
	t.Parallel()
	recipients, identity, err := Sealing{Passphrase: "correct horse battery", WorkFactor: 4}.keys()
	if err != nil || identity == nil {
		t.Fatalf("a passphrase: %v", err)
	}
	var archive bytes.Buffer
	stream, err := age.Encrypt(&archive, recipients...)
	if err == nil {
		_, err = io.WriteString(stream, "text")
		err = errors.Join(err, stream.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Opening{Passphrase: "correct horse battery"}.open(bytes.NewReader(archive.Bytes()))
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	if text, err := io.ReadAll(plain); err != nil || string(text) != "text" {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := (Opening{Passphrase: "wrong horse battery"}).open(bytes.NewReader(archive.Bytes())); fault.CodeOf(err) != "backup_key" {
		t.Errorf("another passphrase: %v", err)
	}
	for name, c := range map[string]struct {
		sealing Sealing
		want    string
	}{
		"nobody":             {Sealing{}, "backup_sealing"},
		"both":               {Sealing{Passphrase: "correct horse battery", Recipients: []string{"age1x"}}, "backup_sealing"},
		"a short passphrase": {Sealing{Passphrase: "short"}, "backup_passphrase"},
		"no recipient":       {Sealing{Recipients: []string{"age1x"}}, "backup_recipient"},
	} {
		if _, _, err := c.sealing.keys(); fault.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// The data folder is taken along without the lock, the private PostgreSQL and what is half written.
func TestDataFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"hub.lock", "hub.key", "audit.key", "node_id", "postgres/password", "postgres.log", "postgres.json", ".node_id-1", "exports/a", "exports/.b",
		"restore.incomplete",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	got, err := dataFiles(dir)
	if diff := cmp.Diff([]string{"exports/a", "node_id"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A backup is not written over a file, into the data folder, or into a folder that does not exist.
func TestTarget(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	taken := filepath.Join(other, "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ to, want string }{
		"taken":               {taken, "file_exists"},
		"in the data folder":  {filepath.Join(dir, "backups", "a"), "backup_inside"},
		"in no folder":        {filepath.Join(other, "missing", "a"), "file_not_writable"},
		"nameless":            {"", "backup_target"},
		"beside the folder":   {filepath.Join(other, "free"), ""},
		"the folder itself":   {dir, "backup_inside"},
		"a name like a route": {dir + "x", ""},
	} {
		if got := fault.CodeOf(checkTarget(Options{To: c.to, DataDir: dir})); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
