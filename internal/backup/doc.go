// Package backup writes a hub into one encrypted file and reads it back.
//
// The file is an age stream (age-encryption.org/v1: authenticated chunks, so that a changed or missing byte is noticed) around
// a tar archive, so that it can be opened without this program, too:
//
//	manifest.json          what it is: versions, time, policy number, what the rows of each resource add up to
//	keys/hub.key           the master key, unless it is kept apart
//	keys/audit.key         the key that signs checkpoints, unless it is kept apart
//	files/…                the other files of the data folder: the node's id, files waiting for download
//	database/00000000 …    pg_dump's custom format, cut into pieces
//	digests.json           size and SHA-256 of each part
//
// Sizes are not known before the parts were written, so the digests close the archive; memory stays flat, and nothing is
// written to disk unencrypted.
package backup
