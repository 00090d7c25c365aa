package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"

	"github.com/emmansun/gmsm/sm3"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
)

// LeafData returns the bytes that stand for an event in the tree: four lines, each ending in a newline, with the name of
// the format, the event's id, and the SHA-256 (FIPS 180-4) and SM3 (GB/T 32905-2016) digests of the stored body in
// lower-case hexadecimal. The leaf's hash is the RFC 6962 leaf hash of these bytes, so that common tools can follow the
// way from a body to a checkpoint.
func LeafData(event uuid.UUID, body []byte) []byte {
	plain, national := sha256.Sum256(body), sm3.Sum(body)
	data := make([]byte, 0, 16+37+65+65)
	data = append(data, "shuqiao event 1\n"...)
	data = append(data, event.String()...)
	data = append(data, '\n')
	data = hex.AppendEncode(data, plain[:])
	data = append(data, '\n')
	data = hex.AppendEncode(data, national[:])
	return append(data, '\n')
}

// frontier is what must be known of a tree to go on appending to it: on each level the newest complete node. It takes
// a few hundred bytes whatever the size of the tree.
type frontier struct {
	size int64
	last [64]tlog.Hash // By level: the node number (size>>level) - 1.
}

// loadFrontier reads the frontier of a tree of the given size from the stored hashes.
func loadFrontier(ctx context.Context, q querier, size int64) (*frontier, error) {
	f := &frontier{size: size}
	var indexes []int64
	for level := range bits.Len64(uint64(size)) {
		indexes = append(indexes, tlog.StoredHashIndex(level, size>>level-1))
	}
	hashes, err := readHashes(ctx, q, indexes)
	if err != nil {
		return nil, err
	}
	copy(f.last[:], hashes)
	return f, nil
}

// append adds a leaf and returns the hashes to store from index StoredHashIndex(0, old size) on: the leaf's own and
// those of the subtrees it completes.
func (f *frontier) append(leaf tlog.Hash) ([]tlog.Hash, error) {
	hashes, err := tlog.StoredHashesForRecordHash(f.size, leaf, tlog.HashReaderFunc(f.read))
	if err != nil {
		return nil, fmt.Errorf("appending leaf %d: %w", f.size, err)
	}
	copy(f.last[:], hashes)
	f.size++
	return hashes, nil
}

// root is the RFC 6962 tree hash, of the empty string for the empty tree.
func (f *frontier) root() (tlog.Hash, error) {
	h, err := tlog.TreeHash(f.size, tlog.HashReaderFunc(f.read))
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("hashing the tree of %d leaves: %w", f.size, err)
	}
	return h, nil
}

func (f *frontier) read(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		// While leaf number size is being appended, only left siblings are asked for: always the newest node of a level.
		if n != f.size>>level-1 {
			return nil, fmt.Errorf("node %d of level %d is not on the edge of a tree of %d leaves", n, level, f.size)
		}
		hashes[i] = f.last[level]
	}
	return hashes, nil
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// hashReader reads stored hashes for tlog's proofs.
func hashReader(ctx context.Context, q querier) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return readHashes(ctx, q, indexes) })
}

func readHashes(ctx context.Context, q querier, indexes []int64) ([]tlog.Hash, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, "SELECT idx, hash FROM tree_hash WHERE idx = ANY($1)", indexes)
	if err != nil {
		return nil, fmt.Errorf("reading tree hashes: %w", err)
	}
	defer rows.Close()
	found := make(map[int64]tlog.Hash, len(indexes))
	for rows.Next() {
		var index int64
		var hash []byte
		if err := rows.Scan(&index, &hash); err != nil {
			return nil, fmt.Errorf("reading tree hashes: %w", err)
		}
		found[index] = tlog.Hash(hash)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading tree hashes: %w", err)
	}
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		h, ok := found[index]
		if !ok {
			return nil, fmt.Errorf("reading tree hashes: hash %d is missing; run the verification", index)
		}
		hashes[i] = h
	}
	return hashes, nil
}
