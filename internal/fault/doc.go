// Package fault is the one error vocabulary of the hub: a kind for machines, a stable code, and a sentence for people.
//
// A service returns a *Fault for everything a caller can act on. Every other error is Internal: it is logged with its
// cause and shown to nobody. The api package maps kinds to HTTP statuses and cmd maps them to exit codes, in one table
// each; Kinds lists all kinds so that both tables can be proved complete.
package fault
