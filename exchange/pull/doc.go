// Package pull hands out what a grant allows: pages of rows, one row, changes since a cursor, answers to claims, the
// granted schema, and streams.
//
// Every call asks sharing which single grant decides, binds that grant's items, masks and row filter to the query, and
// returns bytes that are ready to be written. Items that are not granted are not read, except the canonical key for
// cursors and _rid. Masks are part of the SQL, or, where PostgreSQL cannot say the same or takes longer over it, applied to
// the clear value before it leaves this package. Before bytes are returned the quota is used, the grant is checked once more, and
// the usage record is durable, in this order: whoever gets rows is in the evidence.
//
// # Values in JSON
//
//	C, M      string
//	N, Y      string, plain decimal notation (no loss in floating point)
//	I, B, F   number; NaN and infinities are null
//	D         "YYYY-MM-DD"
//	T         RFC 3339 with +08:00
//	L         true, false
//	G         GeoJSON for geometries, else {"sha256": hexadecimal digest}
//
// # Identity of rows
//
// Where every key item is granted and clear, rows are known by their key items and deletes by "key", the canonical key
// (parts joined by "~1", "~" inside a part written "~0"). Otherwise each row and delete carries "_rid", a keyed digest of
// the canonical key that is stable for the grant and cannot be reversed without the grant's key.
package pull
