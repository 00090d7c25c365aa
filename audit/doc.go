// Package audit keeps what happened: an append-only log of events, written in the transaction of what they record and
// sealed into a Merkle tree by one sealer; and the records of every disclosure of rows (usage).
//
// An event's body is stored as the bytes that were hashed. Anyone with read access to the database can run Verify, and
// anyone with a signed checkpoint that has left the machine can tell whether history was rewritten after it.
package audit
