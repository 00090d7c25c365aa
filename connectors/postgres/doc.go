// Package postgres reads PostgreSQL databases, version 10 and later, through the wire protocol.
//
// # How it reads
//
// Each call is one REPEATABLE READ READ ONLY transaction, so it sees one snapshot and cannot write, whatever rights the
// account has. SELECT on the objects and USAGE on their schemas is all that it needs. All settings that shape the text of
// values are set inside that transaction and end with it.
//
// A read is one plain SELECT whose rows are taken off the socket as they are needed: the server runs ahead only as far as
// the socket buffers allow, and memory stays constant. A server sends rows once it has 8 KiB of them, so a view that yields
// less than that within the stall limit counts as stalled. Values travel as PostgreSQL's text, which already is the lexical
// form of most kinds; bytea and PostGIS values travel in binary, which is their raw form. The blanks at the end of CHAR(n)
// are padding and left out, as in PostgreSQL's own conversion to text.
//
// # Order
//
// Text is ordered and compared by COLLATE "C" at the server. Where the column already sorts that way the clause is left
// out, so that its index serves; otherwise the server sorts.
package postgres
