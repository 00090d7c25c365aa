package pull

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Compression is how an export is packed. Parquet packs its own pages with zstd and takes none.
type Compression string

// The compressions.
const (
	CompressNone Compression = "none"
	CompressGzip Compression = "gzip"
	CompressZstd Compression = "zstd"
)

// rowEncoder writes rows in one format.
type rowEncoder interface {
	row(rec store.Record) error
	close() error
}

// exportFile is a file under construction: rows → format → compression → digest and size → sealed chunks.
type exportFile struct {
	encoder rowEncoder
	packed  io.Closer // Of the compression; nil without one.
	sealed  *sealWriter
	sum     hash.Hash
	size    int64
	rows    int64
}

// newExportFile prepares a file of a view's rows.
func newExportFile(v *view, e *Export, key []byte, w io.Writer) (*exportFile, error) {
	seal, err := newFileSeal(key, e.ID)
	if err != nil {
		return nil, err
	}
	f := &exportFile{sum: sha256.New()}
	f.sealed = newSealWriter(seal, w, &f.rows)
	var out io.Writer = f
	switch e.Compression {
	case CompressGzip:
		packer := gzip.NewWriter(f)
		out, f.packed = packer, packer
	case CompressZstd:
		// One goroutine of its own: memory and processors are for those who wait for pages.
		packer, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("preparing compression: %w", err)
		}
		out, f.packed = packer, packer
	}
	switch e.Format {
	case FormatParquet:
		f.encoder, err = newParquetEncoder(v, out)
	default:
		f.encoder, err = newLineEncoder(v, e.Format == FormatCSV, out)
	}
	return f, err
}

// Write takes the bytes of the file as it will be fetched.
func (f *exportFile) Write(p []byte) (int, error) {
	_, _ = f.sum.Write(p) // A hash never fails to take bytes.
	n, err := f.sealed.Write(p)
	f.size += int64(n)
	return n, err
}

// row adds a row. It counts before its bytes may leave, so that a chunk never says less than it holds.
func (f *exportFile) row(rec store.Record) error {
	f.rows++
	return f.encoder.row(rec)
}

// close writes what is left.
func (f *exportFile) close() error {
	if err := f.encoder.close(); err != nil {
		return err
	}
	if f.packed != nil {
		if err := f.packed.Close(); err != nil {
			return fmt.Errorf("packing the last rows: %w", err)
		}
	}
	return f.sealed.Close()
}

// lineEncoder writes CSV or NDJSON, some rows at a time.
type lineEncoder struct {
	view   *view
	csv    bool
	rid    *ridMaker
	w      io.Writer
	buffer []byte
}

func newLineEncoder(v *view, csv bool, w io.Writer) (*lineEncoder, error) {
	e := &lineEncoder{view: v, csv: csv, rid: newRidMaker(v.terms.ridKey), w: w}
	if csv {
		e.buffer = v.appendCSVHead(e.buffer)
	}
	return e, nil
}

func (e *lineEncoder) row(rec store.Record) error {
	if e.csv {
		e.buffer = e.view.appendCSVRow(e.buffer, rec.Key, rec.Cells, e.rid)
	} else {
		e.buffer = append(e.view.appendRow(e.buffer, rec.Key, rec.Cells, e.rid), '\n')
	}
	if len(e.buffer) < chunkBytes {
		return nil
	}
	return e.close()
}

func (e *lineEncoder) close() error {
	_, err := e.w.Write(e.buffer)
	e.buffer = e.buffer[:0]
	return err
}

// fileName is the name under which an attempt's file is kept. Attempts never share one: a dead one may still be writing.
func fileName(export uuid.UUID, attempt int) string { return fmt.Sprintf("%s.%d", export, attempt) }

// tooWide says that a value has more digits than its item's directory entry says.
func tooWide(identifier string) error {
	return fault.New(fault.Conflict, "export_value_too_wide",
		"a value of %s has more digits than its directory entry allows, which this format cannot hold; order csv or ndjson, and tell the provider", identifier).At("store")
}
