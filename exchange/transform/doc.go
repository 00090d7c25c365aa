// Package transform turns rows as a source gives them into rows as the hub stores them: converted, validated, keyed and
// hashed. It is pure: no clock, no database, no network. A Plan is compiled once per run from the items of a resource and
// the columns of its mount, and then judges row after row without allocating per cell.
//
// Each value leaves in its store text form, which PostgreSQL's COPY text input accepts for the item's SQL type once
// EncodeCopyText has escaped it:
//
//	letter      SQL type                 store text form
//	C, M        varchar, text            the text as it came; identifiers and coded values normalised
//	N, Y        numeric                  -?digits[.digits], no exponent, no leading or trailing zeros, never -0
//	I           bigint                   -?digits
//	B, F        double precision         shortest digits that round-trip, never -0, NaN or infinite
//	D           date                     YYYY-MM-DD, years 0001 to 9999
//	T           timestamp with time zone YYYY-MM-DDTHH:MM:SS[.ffffff]Z in UTC, years 0001 to 9999
//	L           boolean                  true or false
//	G           bytea                    \x and lower-case hexadecimal digits; geometry as little-endian 2D WKB
//
// The canonical form over which rows are hashed equals the store text form, except that G counts by the SHA-256 digest of
// its raw bytes. NULL (a nil value) is not hashed, so an item added to a resource changes no hash; the empty string is.
package transform
