package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	pieceBytes = 4 << 20  // Of the database's dump.
	maxSmall   = 64 << 20 // Of what is read into memory: manifest, digests, keys.
)

// writer writes the parts of an archive.
type writer struct {
	tar   *tar.Writer
	at    time.Time // Shown as the time of every entry.
	parts []Part
}

func (w *writer) header(name string, size int64) error {
	return w.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: w.at, Format: tar.FormatPAX})
}

// json writes a small entry that is no part.
func (w *writer) json(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	if err := w.header(name, int64(len(text))); err != nil {
		return err
	}
	_, err = w.tar.Write(text)
	return err
}

// file writes a part whose size is known.
func (w *writer) file(name string, size int64, from io.Reader) error {
	if err := w.header(name, size); err != nil {
		return err
	}
	digest := sha256.New()
	n, err := io.Copy(io.MultiWriter(w.tar, digest), io.LimitReader(from, size))
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("%s became shorter while it was read", name)
	}
	w.parts = append(w.parts, Part{name, size, hex.EncodeToString(digest.Sum(nil))})
	return nil
}

// pieces writes a part whose size is not known as entries name/00000000, name/00000001, …
type pieces struct {
	w      *writer
	name   string
	buffer []byte
	number int
	size   int64
	digest hash.Hash
}

func (w *writer) pieces(name string) *pieces {
	return &pieces{w: w, name: name, buffer: make([]byte, 0, pieceBytes), digest: sha256.New()}
}

func (p *pieces) Write(b []byte) (int, error) {
	written := len(b)
	for len(b) > 0 {
		n := min(len(b), pieceBytes-len(p.buffer))
		p.buffer, b = append(p.buffer, b[:n]...), b[n:]
		if len(p.buffer) == pieceBytes {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (p *pieces) flush() error {
	if err := p.w.header(fmt.Sprintf("%s/%08d", p.name, p.number), int64(len(p.buffer))); err != nil {
		return err
	}
	if _, err := p.w.tar.Write(p.buffer); err != nil {
		return err
	}
	p.digest.Write(p.buffer)
	p.number++
	p.size += int64(len(p.buffer))
	p.buffer = p.buffer[:0]
	return nil
}

// close writes the last piece and enters the part.
func (p *pieces) close() error {
	if len(p.buffer) > 0 {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.w.parts = append(p.w.parts, Part{p.name, p.size, hex.EncodeToString(p.digest.Sum(nil))})
	return nil
}

// close writes the digests and ends the archive.
func (w *writer) close() error {
	return errors.Join(w.json(digestsName, digests{w.parts}), w.tar.Close())
}

// Take receives the parts of an archive in their order. A nil function passes over its parts; what it leaves unread is read
// for the digest.
type Take struct {
	Manifest func(m Manifest) error
	Key      func(name string, from io.Reader) error // name is that of the file, such as "hub.key".
	File     func(name string, from io.Reader) error // name is a path within the data folder.
	Database func(from io.Reader) error
}

// read walks through a decrypted archive to its end, and compares each part with its digest.
func read(plain io.Reader, take Take) (Manifest, []Part, error) {
	r := &reader{tar: tar.NewReader(plain)}
	var m Manifest
	if err := r.small(manifestName, &m); err != nil {
		return Manifest{}, nil, err
	}
	if err := m.check(); err != nil {
		return Manifest{}, nil, err
	}
	if take.Manifest != nil {
		if err := take.Manifest(m); err != nil {
			return Manifest{}, nil, err
		}
	}
	for {
		if err := r.advance(); err != nil {
			return Manifest{}, nil, err
		}
		if r.header.Name == digestsName {
			break
		}
		if err := r.part(take); err != nil {
			return Manifest{}, nil, err
		}
	}
	var closing digests
	if err := r.small(digestsName, &closing); err != nil {
		return Manifest{}, nil, err
	}
	if !slices.Equal(r.parts, closing.Parts) {
		return Manifest{}, nil, damaged(errors.New("parts and digests differ"))
	}
	// The last chunk of the stream says that it is the last one: only now it is known that nothing was cut off.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return Manifest{}, nil, damaged(err)
	}
	return m, r.parts, nil
}

// reader is an archive being read. header is the entry that comes next, nil when it has been used.
type reader struct {
	tar    *tar.Reader
	header *tar.Header
	parts  []Part
}

func (r *reader) advance() error {
	if r.header != nil {
		return nil
	}
	h, err := r.tar.Next()
	if err != nil {
		return damaged(err)
	}
	// Entries with holes are never written here; one would be read as more bytes than the archive has.
	if h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" {
		return damaged(fmt.Errorf("%s is no plain entry", h.Name))
	}
	r.header = h
	return nil
}

// small reads an entry of JSON that must come next.
func (r *reader) small(name string, v any) error {
	if err := r.advance(); err != nil {
		return err
	}
	if r.header.Name != name || r.header.Size > maxSmall {
		return damaged(fmt.Errorf("%s is not where it belongs", name))
	}
	r.header = nil
	text, err := io.ReadAll(r.tar)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return damaged(err)
	}
	return nil
}

// part hands the next part out and enters what was read.
func (r *reader) part(take Take) error {
	name := r.header.Name
	var body io.Reader = r.tar
	deliver := func(io.Reader) error { return nil }
	key, isKey := strings.CutPrefix(name, keysPrefix)
	path, isFile := strings.CutPrefix(name, filesPrefix)
	switch {
	case r.header.Typeflag != tar.TypeReg:
		return damaged(errors.New("an entry is no file"))
	case strings.HasPrefix(name, databaseName+"/"):
		name, body = databaseName, &joined{r: r, current: true}
		if take.Database != nil {
			deliver = take.Database
		}
	case isKey && filepath.Base(key) == key && filepath.IsLocal(key) && r.header.Size <= maxSmall:
		if take.Key != nil {
			deliver = func(from io.Reader) error { return take.Key(key, from) }
		}
	case isFile && filepath.IsLocal(path):
		if take.File != nil {
			deliver = func(from io.Reader) error { return take.File(path, from) }
		}
	default:
		return damaged(errors.New("an entry has a name that none has"))
	}
	r.header = nil
	if slices.ContainsFunc(r.parts, func(p Part) bool { return p.Name == name }) {
		return damaged(errors.New("a part occurs twice"))
	}
	measured := &measure{from: body, digest: sha256.New()}
	if err := deliver(measured); err != nil {
		// What was wrong with the archive is the cause of what went wrong with its reader.
		if measured.err != nil {
			return damaged(measured.err)
		}
		return err
	}
	if _, err := io.Copy(io.Discard, measured); err != nil {
		return damaged(err)
	}
	r.parts = append(r.parts, Part{name, measured.size, hex.EncodeToString(measured.digest.Sum(nil))})
	return nil
}

// joined reads the pieces of the database as one stream.
type joined struct {
	r       *reader
	current bool // Whether the tar reader stands in a piece.
}

func (j *joined) Read(b []byte) (int, error) {
	for {
		if j.current {
			n, err := j.r.tar.Read(b)
			if err == nil || !errors.Is(err, io.EOF) {
				return n, err
			}
			j.current = false
			if n > 0 { // The last bytes of a piece may come with its end.
				return n, nil
			}
		}
		if err := j.r.advance(); err != nil {
			return 0, err
		}
		if !strings.HasPrefix(j.r.header.Name, databaseName+"/") {
			return 0, io.EOF
		}
		j.r.header, j.current = nil, true
	}
}

// measure counts and hashes what passes, and keeps the error that ended it.
type measure struct {
	from   io.Reader
	digest hash.Hash
	size   int64
	err    error
}

func (m *measure) Read(b []byte) (int, error) {
	n, err := m.from.Read(b)
	m.digest.Write(b[:n])
	m.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}
