// Package archtest proves the plan of rooms: which package may import which, where third-party libraries may appear, and
// a few habits that a compiler does not check. It has nothing but tests, reads the source with go/parser, and needs no
// network. A new package must be entered in the table of rules_test.go, which is where its place is decided.
package archtest
