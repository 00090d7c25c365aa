package connectors

import "fmt"

// The bounds of a batch. A batch always holds at least one row, so one row alone may exceed MaxBatchBytes.
const (
	MaxBatchRows  = 5_000
	MaxBatchBytes = 4 << 20 // 4 MiB of cell bytes.

	// MaxRowBytes bounds one row, so that a stray huge value cannot take the hub's memory: 64 MiB.
	MaxRowBytes = 64 << 20
)

// nullBit marks a NULL cell in ends. MaxBatchBytes + MaxRowBytes stay far below it.
const nullBit = 1 << 31

// Batch is a block of rows. All cells lie in one arena, so that a row costs no allocation. A driver fills it with
// Append, AppendNull and EndRow, asking Fits before each row; a reader calls Cell. The zero Batch is not usable; call NewBatch.
type Batch struct {
	Rows int // Complete rows.

	columns int
	arena   []byte
	ends    []uint32 // End of each cell in arena, row by row; nullBit set for NULL.
}

// NewBatch returns an empty batch for rows of that many columns, which must be at least one.
func NewBatch(columns int) *Batch {
	if columns < 1 {
		panic(fmt.Sprintf("connectors: batch of %d columns", columns))
	}
	return &Batch{columns: columns, arena: newArena()}
}

// newArena never returns nil: a slice of a nil arena is nil, and an empty cell would read as NULL.
func newArena() []byte { return make([]byte, 0, 64<<10) }

// Reset empties the batch for reuse. Cells handed out before are no longer valid.
func (b *Batch) Reset() {
	// One oversized row must not keep its memory for the rest of the read.
	if cap(b.arena) > 2*MaxBatchBytes {
		b.arena = newArena()
	}
	b.Rows, b.arena, b.ends = 0, b.arena[:0], b.ends[:0]
}

// Columns is the number of cells in a row.
func (b *Batch) Columns() int { return b.columns }

// Cell returns the cell at that row and column, both counted from 0: nil for NULL, otherwise non-nil bytes that are valid
// until the next call of Next on the stream they came from. The caller must not change them.
func (b *Batch) Cell(row, column int) []byte {
	i := row*b.columns + column
	end := b.ends[i]
	if end&nullBit != 0 {
		return nil
	}
	var start uint32
	if i > 0 {
		start = b.ends[i-1] &^ nullBit
	}
	return b.arena[start:end:end]
}

// Bytes is the size of all cells in bytes.
func (b *Batch) Bytes() int { return len(b.arena) }

// Append adds a cell with a copy of those bytes to the current row.
func (b *Batch) Append(cell []byte) {
	b.arena = append(b.arena, cell...)
	b.ends = append(b.ends, uint32(len(b.arena)))
}

// AppendNull adds a NULL cell to the current row.
func (b *Batch) AppendNull() {
	b.ends = append(b.ends, uint32(len(b.arena))|nullBit)
}

// Fits reports whether a row of that many bytes may still join the batch. An empty batch takes any row.
func (b *Batch) Fits(rowBytes int) bool {
	return b.Rows == 0 || b.Rows < MaxBatchRows && len(b.arena)+rowBytes <= MaxBatchBytes
}

// EndRow closes the current row. It panics when the row has not one cell per column, because every later cell would be
// read from the wrong column.
func (b *Batch) EndRow() {
	b.Rows++
	if len(b.ends) != b.Rows*b.columns {
		panic(fmt.Sprintf("connectors: row %d leaves %d cells, want %d", b.Rows, len(b.ends), b.Rows*b.columns))
	}
}
