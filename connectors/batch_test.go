package connectors

import (
	"strconv"
	"strings"
	"testing"
)

// NULL, empty and full cells are told apart at every position, also after the batch is used again.
func TestBatchCells(t *testing.T) {
	t.Parallel()
	b := NewBatch(3)
	for round := range 3 {
		b.Reset()
		size := 0
		for row := range 50 {
			for column := range 3 {
				switch (row + column + round) % 3 {
				case 0:
					b.AppendNull()
				case 1:
					b.Append(nil)
				default:
					text := strconv.Itoa(round*1000 + row*10 + column)
					size += len(text)
					b.Append([]byte(text))
				}
			}
			b.EndRow()
		}
		if b.Rows != 50 || b.Columns() != 3 || b.Bytes() != size {
			t.Fatalf("%d rows of %d columns and %d bytes, want 50, 3, %d", b.Rows, b.Columns(), b.Bytes(), size)
		}
		for row := range 50 {
			for column := range 3 {
				got := b.Cell(row, column)
				switch (row + column + round) % 3 {
				case 0:
					if got != nil {
						t.Errorf("cell %d,%d is %q, want NULL", row, column, got)
					}
				case 1:
					if got == nil || len(got) != 0 {
						t.Errorf("cell %d,%d is %v, want an empty cell", row, column, got)
					}
				default:
					if string(got) != strconv.Itoa(round*1000+row*10+column) {
						t.Errorf("cell %d,%d is %q", row, column, got)
					}
				}
			}
		}
	}
}

// A batch fits 5,000 rows or 4 MiB, and any single row; a huge row's memory is given back.
func TestBatchBounds(t *testing.T) {
	t.Parallel()
	b := NewBatch(1)
	for b.Fits(1) {
		b.Append([]byte("x"))
		b.EndRow()
	}
	if b.Rows != MaxBatchRows {
		t.Errorf("%d rows, want %d", b.Rows, MaxBatchRows)
	}
	b.Reset()
	if !b.Fits(MaxRowBytes) {
		t.Error("an empty batch refuses a large row")
	}
	b.Append([]byte(strings.Repeat("x", 3*MaxBatchBytes)))
	b.EndRow()
	if b.Fits(0) || b.Bytes() != 3*MaxBatchBytes {
		t.Error("a batch beyond its bytes takes another row")
	}
	b.Reset()
	if cap(b.arena) > MaxBatchBytes {
		t.Errorf("%d bytes are kept", cap(b.arena))
	}
}

// A row with a missing cell is stopped at once.
func TestBatchRowWidth(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b := NewBatch(2)
	b.AppendNull()
	b.EndRow()
}
