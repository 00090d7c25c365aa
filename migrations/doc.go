// Package migrations holds the hub's schema as numbered SQL files and applies them.
//
// Every call that changes the schema holds a PostgreSQL advisory lock, so that several hubs may start at once on one
// database. A hub never touches a schema newer than the one it knows.
package migrations
