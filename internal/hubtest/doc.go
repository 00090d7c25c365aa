// Package hubtest starts the whole program for tests: in the test's process on a free port, or as a process of its own that
// can be killed.
package hubtest
