package store

import (
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/exchange/transform"
)

// A content hash is kept as two signed 64-bit halves, since PostgreSQL can add those exactly. The sum mod 2^128 follows
// from the two sums and the number of negative lower halves.

// halves splits a content hash into the two columns that hold it.
func halves(hash [16]byte) (h1, h2 int64) {
	return int64(binary.BigEndian.Uint64(hash[:8])), int64(binary.BigEndian.Uint64(hash[8:]))
}

// joined is the inverse of halves.
func joined(h1, h2 int64) (hash [16]byte) {
	binary.BigEndian.PutUint64(hash[:8], uint64(h1))
	binary.BigEndian.PutUint64(hash[8:], uint64(h2))
	return hash
}

// sumColumns selects a sum over rows with columns _h1 and _h2.
const sumColumns = `count(*), coalesce(sum(_h1), 0)::text, coalesce(sum(_h2), 0)::text, count(*) FILTER (WHERE _h2 < 0)`

// scanSum reads what sumColumns selected.
func scanSum(row pgx.Row) (transform.Sum, error) {
	var rows, negative int64
	var upper, lower string
	if err := row.Scan(&rows, &upper, &lower, &negative); err != nil {
		return transform.Sum{}, err
	}
	h1, ok1 := new(big.Int).SetString(upper, 10)
	h2, ok2 := new(big.Int).SetString(lower, 10)
	if !ok1 || !ok2 {
		return transform.Sum{}, fmt.Errorf("reading a sum of hashes: not an integer")
	}
	// A negative half is its unsigned value minus 2^64. In the upper half that vanishes mod 2^128, in the lower it does not.
	h2.Add(h2, new(big.Int).Lsh(big.NewInt(negative), 64))
	total := h1.Lsh(h1, 64)
	total.Add(total, h2)
	total.Mod(total, new(big.Int).Lsh(big.NewInt(1), 128))
	var b [16]byte
	total.FillBytes(b[:])
	return transform.Sum{High: binary.BigEndian.Uint64(b[:8]), Low: binary.BigEndian.Uint64(b[8:]), Count: rows}, nil
}

// addChunk adds the promise of one checkpoint.
func addChunk(sum *transform.Sum, rows int64, hash []byte) error {
	if len(hash) != 16 {
		return fmt.Errorf("reading a checkpoint: its hash has %d bytes", len(hash))
	}
	sum.AddSum(transform.Sum{High: binary.BigEndian.Uint64(hash[:8]), Low: binary.BigEndian.Uint64(hash[8:]), Count: rows})
	return nil
}
