// Package pgtest gives tests real PostgreSQL databases, quickly and in parallel.
//
// The server is the one named by SHUQIAO_TEST_DATABASE_URL (a superuser's URL), or else a private one that all test
// binaries of the same machine user share. Everybody who uses the private server holds a shared kernel lock on one file;
// whoever can take that lock exclusively is the last one out and stops it. The kernel frees locks of killed processes,
// so nobody has to be counted.
//
// The private server does not flush to disk: its data is made for tests and may be lost with the machine.
package pgtest
