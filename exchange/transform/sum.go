package transform

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Sum is a content hash of a set of rows that does not depend on their order: the sum of the row hashes mod 2^128, and
// their number. A sum and not an exclusive or, so that a row that occurs twice does not vanish. It guards against faults,
// not against attackers. The zero Sum is that of no rows.
type Sum struct {
	High, Low uint64 // The sum mod 2^128.
	Count     int64  // Rows added minus rows removed; it may pass below zero while changes are applied.
}

// Add adds one row.
func (s *Sum) Add(hash [16]byte) { s.AddSum(Sum{High: high(hash), Low: low(hash), Count: 1}) }

// Sub removes one row.
func (s *Sum) Sub(hash [16]byte) { s.SubSum(Sum{High: high(hash), Low: low(hash), Count: 1}) }

// AddSum adds all rows of another sum.
func (s *Sum) AddSum(other Sum) {
	var carry uint64
	s.Low, carry = bits.Add64(s.Low, other.Low, 0)
	s.High, _ = bits.Add64(s.High, other.High, carry)
	s.Count += other.Count
}

// SubSum removes all rows of another sum.
func (s *Sum) SubSum(other Sum) {
	var borrow uint64
	s.Low, borrow = bits.Sub64(s.Low, other.Low, 0)
	s.High, _ = bits.Sub64(s.High, other.High, borrow)
	s.Count -= other.Count
}

// Equal reports whether both are sums of the same rows.
func (s Sum) Equal(other Sum) bool { return s == other }

// Bytes returns the sum without the count, most significant byte first.
func (s Sum) Bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], s.High)
	binary.BigEndian.PutUint64(b[8:], s.Low)
	return b
}

// String is the text form: 32 hexadecimal digits, a colon and the count.
func (s Sum) String() string {
	b := s.Bytes()
	return hex.EncodeToString(b[:]) + ":" + strconv.FormatInt(s.Count, 10)
}

// MarshalText returns the form of String; it is also the JSON form.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the form of String. It returns an Invalid fault sum_invalid for anything else.
func (s *Sum) UnmarshalText(text []byte) error {
	digits, count, ok := strings.Cut(string(text), ":")
	raw, err := hex.DecodeString(digits)
	n, countErr := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil || len(raw) != 16 || countErr != nil {
		return fault.New(fault.Invalid, "sum_invalid", "a content sum is 32 hexadecimal digits, a colon and a count")
	}
	*s = Sum{High: binary.BigEndian.Uint64(raw[:8]), Low: binary.BigEndian.Uint64(raw[8:]), Count: n}
	return nil
}

func high(hash [16]byte) uint64 { return binary.BigEndian.Uint64(hash[:8]) }

func low(hash [16]byte) uint64 { return binary.BigEndian.Uint64(hash[8:]) }
