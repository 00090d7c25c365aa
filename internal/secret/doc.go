// Package secret keeps what must not be seen: a text type that does not print, the hub's key ring that seals stored
// credentials and cursors, random tokens with their hashes, and password hashes.
package secret
