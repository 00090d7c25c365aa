package backup

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
)

// Whatever a decrypted archive holds, reading it ends, takes no more than it was given, and names of files stay inside the
// data folder.
func FuzzArchive(f *testing.F) {
	var whole bytes.Buffer
	w := &writer{tar: tar.NewWriter(&whole)}
	if err := w.json(manifestName, Manifest{}); err != nil {
		f.Fatal(err)
	}
	if err := w.close(); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add([]byte("shuqiao"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		taken := int64(0)
		take := func(name string, from io.Reader) error {
			n, err := io.Copy(io.Discard, from)
			taken += n
			return err
		}
		_, _, err := read(bytes.NewReader(archive), Take{
			Key: take, File: take, Database: func(from io.Reader) error { return take("", from) },
		})
		if taken > int64(len(archive)) {
			t.Errorf("%d bytes came out of %d, %v", taken, len(archive), err)
		}
	})
}
