// Package config reads the hub's settings: one table of options (Options), four layers of sources (Load), and a dump of
// the values in force that hides secrets (Config.Dump). docs/configuration.md is made from the same table.
package config
