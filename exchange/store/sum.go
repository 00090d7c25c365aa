package store

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/jackc/pgx/v5"
)

// Sum is an order-independent digest of a set of rows: their number and the sum of their 128-bit content hashes. Adding,
// unlike XOR, does not let two equal rows cancel each other. It guards against faults, not against attackers.
//
// A hash is kept as two signed 64-bit halves, since PostgreSQL can add those exactly. The sum mod 2^128 follows from the
// two sums and the number of negative lower halves.
type Sum struct {
	Rows  int64
	h1    int128
	h2    int128
	h2Neg int64
}

// halves splits a content hash into the two columns that hold it.
func halves(hash [16]byte) (h1, h2 int64) {
	return int64(binary.BigEndian.Uint64(hash[:8])), int64(binary.BigEndian.Uint64(hash[8:]))
}

// Add adds one row.
func (s *Sum) Add(hash [16]byte) {
	h1, h2 := halves(hash)
	s.Rows++
	s.h1.add(h1)
	s.h2.add(h2)
	if h2 < 0 {
		s.h2Neg++
	}
}

// Bytes returns the sum of the hashes mod 2^128, big endian.
func (s Sum) Bytes() [16]byte {
	mod := new(big.Int).Lsh(big.NewInt(1), 128)
	low := new(big.Int).Add(s.h2.big(), new(big.Int).Lsh(big.NewInt(s.h2Neg), 64))
	total := new(big.Int).Add(new(big.Int).Lsh(s.h1.big(), 64), low)
	total.Mod(total, mod)
	var out [16]byte
	total.FillBytes(out[:])
	return out
}

// Equal reports whether both describe the same set of rows.
func (s Sum) Equal(o Sum) bool { return s.Rows == o.Rows && s.Bytes() == o.Bytes() }

// sumColumns selects a Sum over rows with columns _h1 and _h2.
const sumColumns = `count(*), coalesce(sum(_h1), 0)::text, coalesce(sum(_h2), 0)::text, count(*) FILTER (WHERE _h2 < 0)`

// chunkSumColumns selects the Sum that the checkpoints of a run promise.
const chunkSumColumns = `coalesce(sum(rows), 0)::bigint, coalesce(sum(h1), 0)::text, coalesce(sum(h2), 0)::text, coalesce(sum(h2_neg), 0)::bigint`

func scanSum(row pgx.Row) (Sum, error) {
	var s Sum
	var h1, h2 string
	if err := row.Scan(&s.Rows, &h1, &h2, &s.h2Neg); err != nil {
		return Sum{}, err
	}
	var err error
	if s.h1, err = parseInt128(h1); err != nil {
		return Sum{}, err
	}
	s.h2, err = parseInt128(h2)
	return s, err
}

// int128 is a signed 128-bit accumulator: enough for 2^63 rows.
type int128 struct {
	hi int64
	lo uint64
}

func (a *int128) add(v int64) {
	lo, carry := bits.Add64(a.lo, uint64(v), 0)
	a.lo = lo
	a.hi += v>>63 + int64(carry)
}

func (a int128) big() *big.Int {
	out := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return out.Add(out, new(big.Int).SetUint64(a.lo))
}

func (a int128) String() string { return a.big().String() }

func parseInt128(text string) (int128, error) {
	v, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return int128{}, fmt.Errorf("parsing a sum of hashes: not an integer")
	}
	low := new(big.Int).And(v, new(big.Int).SetUint64(^uint64(0)))
	high := new(big.Int).Rsh(v, 64)
	return int128{hi: high.Int64(), lo: low.Uint64()}, nil
}

// joined is the inverse of halves.
func joined(h1, h2 int64) (hash [16]byte) {
	binary.BigEndian.PutUint64(hash[:8], uint64(h1))
	binary.BigEndian.PutUint64(hash[8:], uint64(h2))
	return hash
}
