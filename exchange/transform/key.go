package transform

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// keyEscaper keeps "~1" for the joint between parts.
var keyEscaper = strings.NewReplacer("~", "~0")

// JoinKey returns the canonical key of key item values in item-number order: parts joined by "~1", "~" inside a part
// written "~0". A single part is escaped too.
func JoinKey(parts ...string) string {
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteString("~1")
		}
		_, _ = keyEscaper.WriteString(&b, part)
	}
	return b.String()
}

// SplitKey is the inverse of JoinKey. ok is false when key holds a "~" that is not part of "~0" or "~1".
func SplitKey(key string) (parts []string, ok bool) {
	for part := range strings.SplitSeq(key, "~1") {
		rest := strings.ReplaceAll(part, "~0", "")
		if strings.Contains(rest, "~") {
			return nil, false
		}
		parts = append(parts, strings.ReplaceAll(part, "~0", "~"))
	}
	return parts, true
}

// appendKeyPart is JoinKey for one more part in bytes.
func appendKeyPart(dst, part []byte) []byte {
	for _, c := range part {
		if c == '~' {
			dst = append(dst, '~', '0')
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// Bucket returns the first bits (0 to 32) of SHA-256 of a canonical key, as a number. Rows are compared bucket by bucket.
func Bucket(key string, bits int) uint32 {
	if bits <= 0 {
		return 0
	}
	digest := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint32(digest[:4]) >> (32 - min(bits, 32))
}
