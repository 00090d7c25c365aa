// Package edgetest issues certificates for tests.
package edgetest
