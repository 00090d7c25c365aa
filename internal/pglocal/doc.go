// Package pglocal runs a private PostgreSQL server for one data folder: it finds installed binaries, creates the cluster
// once, starts it, adopts it when an earlier holder was killed, and stops it.
//
// The data folder looks like this:
//
//	<data>/hub.lock                     flock; only its holder starts, adopts or stops the server
//	<data>/postgres.log                 what the server wrote
//	<data>/postgres.json                port and socket folder of the last start
//	<data>/postgres/data                the cluster
//	<data>/postgres/password            the superuser's password, mode 0600
//	<data>/postgres/<role>.password     those of other roles
//	<data>/postgres/system_identifier   the cluster's identity, noted when it was created
//	<data>/postgres/socket              the socket folder, or a short folder elsewhere when this path is too long
//
// The server is no child of the process that starts it. It runs in a session of its own, so Ctrl-C in a terminal reaches
// the hub and not the server, and a server that outlives a killed hub is in no way different from one just started.
package pglocal
