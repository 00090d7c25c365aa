package pull

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// A file is sealed in chunks of equal size, so that any part of it can be opened alone. Each chunk holds how many rows had
// been written when it was closed, which is no less than the rows whose bytes lie in it and in those before it.
const (
	sealChunk  = chunkBytes
	sealHead   = 8
	sealTag    = 16
	sealedSize = sealHead + sealChunk + sealTag // Of every chunk but the last.
	fileKey    = 32
)

// fileSeal seals and opens the chunks of one file: AES-256-GCM under a key that serves this file alone, the number of the
// chunk as nonce, bound to the export's id.
type fileSeal struct {
	aead cipher.AEAD
	id   uuid.UUID
}

func newFileSeal(key []byte, id uuid.UUID) (*fileSeal, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the key of export %s: %w", id, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing the key of export %s: %w", id, err)
	}
	return &fileSeal{aead: aead, id: id}, nil
}

func (s *fileSeal) nonce(chunk int64) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	binary.BigEndian.PutUint64(nonce[len(nonce)-8:], uint64(chunk))
	return nonce
}

// sealWriter writes a sealed file.
type sealWriter struct {
	seal   *fileSeal
	w      io.Writer
	rows   *int64 // How many rows have been written so far, by whoever feeds the writer.
	chunk  int64
	buffer []byte // Head and data of the chunk that is being filled.
	out    []byte
}

func newSealWriter(seal *fileSeal, w io.Writer, rows *int64) *sealWriter {
	return &sealWriter{seal: seal, w: w, rows: rows, buffer: make([]byte, sealHead, sealHead+sealChunk)}
}

// Write takes bytes of the file.
func (w *sealWriter) Write(p []byte) (int, error) {
	taken := 0
	for len(p) > 0 {
		n := min(len(p), cap(w.buffer)-len(w.buffer))
		w.buffer = append(w.buffer, p[:n]...)
		p, taken = p[n:], taken+n
		if len(w.buffer) == cap(w.buffer) {
			if err := w.flush(); err != nil {
				return taken, err
			}
		}
	}
	return taken, nil
}

func (w *sealWriter) flush() error {
	binary.BigEndian.PutUint64(w.buffer, uint64(*w.rows))
	w.out = w.seal.aead.Seal(w.out[:0], w.seal.nonce(w.chunk), w.buffer, w.seal.id[:])
	if _, err := w.w.Write(w.out); err != nil {
		return fmt.Errorf("writing a chunk: %w", err)
	}
	w.chunk++
	w.buffer = w.buffer[:sealHead]
	return nil
}

// Close writes the last chunk.
func (w *sealWriter) Close() error {
	if len(w.buffer) == sealHead {
		return nil
	}
	return w.flush()
}

// open reads chunk number n of a file of size bytes. It returns its data and the rows written up to its end.
func (s *fileSeal) open(r io.ReaderAt, n, size int64, buffer []byte) (data []byte, rows int64, err error) {
	length := min(int64(sealChunk), size-n*sealChunk)
	if n < 0 || length <= 0 {
		return nil, 0, io.EOF
	}
	sealed := buffer[:sealHead+length+sealTag]
	if _, err := r.ReadAt(sealed, n*sealedSize); err != nil {
		return nil, 0, fmt.Errorf("reading chunk %d: %w", n, err)
	}
	plain, err := s.aead.Open(sealed[:0], s.nonce(n), sealed, s.id[:])
	if err != nil {
		return nil, 0, fmt.Errorf("opening chunk %d: %w", n, err)
	}
	return plain[sealHead:], int64(binary.BigEndian.Uint64(plain)), nil
}
