// Package hub is the program: every part of the hub, wired in one place.
//
// Open prepares a node: data folder, database, services and listener. Run serves until its context ends and then stops
// the parts in the order in which they need each other: no new requests, running ones to their end, runs given back, what
// was disclosed written down, what was written down sealed, and the private PostgreSQL last.
package hub
