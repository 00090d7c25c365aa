// Package exchange moves rows: tasks and schedules say when, runs do it, the store keeps what arrived, and the pull
// service hands out what a grant allows.
//
// The run row is the queue. A run holds a lease with a fencing token from its first source read to its commit, so a dead
// attempt can never write after a living one. Every due time of a schedule leaves a row in the ledger of fires.
//
// Service is what people and the API call. Scheduler, Node and Worker are the three loops of a process that moves rows:
// the scheduler turns due times into runs, the node says that the process lives and takes over from those that do not,
// the worker carries runs out. Any number of processes may run all three against one database.
package exchange
