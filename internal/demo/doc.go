// Package demo plays the story of the demonstration: a made-up city shares its data, through the public API and plain SQL
// at the sources only, with one exception that is the point of the last step, an event altered in the hub's own database.
//
// The story is a test that can be watched: each step checks what it claims, and the first claim that is not true ends it
// with an error. It can be stopped anywhere, by Ctrl-C or by a kill, and told again: what the hub already has is
// recognised and not done twice.
package demo
