// Package replica keeps a faithful copy of what a grant gives, in a PostgreSQL database or a folder: a snapshot, then the
// changes, deletes among them.
//
// Readers of the copy see one state of the hub or the next, never a part of one. State and rows move in one transaction (in a
// folder: by one rename), so that a copier that is killed at any moment goes on where it was. Where the hub can no longer say
// what changed (the cursor is too old, the rows were rebuilt, the terms of the grant are others), everything is read once more
// beside the copy, which is served as it is until the new one takes its place.
//
// A copy goes through these phases:
//
//	snapshot   pages of rows are read into a new, empty place beside the copy
//	catchup    what changed since the first page is applied there
//	swap       the copy takes over what was read
//	following  changes are applied to the copy, all up to one head of the hub in one transaction
//
// The package needs the standard library, api/client and pgx only.
package replica
