// Package doctor looks at a node's machine and database and says what is wrong, why, and how it is mended.
//
// It changes nothing: no key is made, no cluster created, no answer of a source stored. It works beside a running hub and
// without one; a private PostgreSQL that exists and does not run is started for the time of the examination.
package doctor
