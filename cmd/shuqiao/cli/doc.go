// Package cli is the command line over the contract: commands for people and programs that call a hub through api/client.
// Nothing here reaches into a hub by another way.
//
// Every command that calls one route is a line in the table Routes, so that it can be checked that each route of the
// management API has a command.
package cli
