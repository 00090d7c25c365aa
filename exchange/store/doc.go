// Package store is the hub store: one typed table per resource and layout, a log of what left it, and one head per
// resource that orders all changes.
//
// Every writer locks the head first, forms its change set, numbers it head+1…head+n and writes the head back in the same
// transaction, so the order of _seq is the order of commits and a reader that never looks above the head misses
// nothing. An update of a filterable item and a delete leave a row in the log with the old filterable values, so that a
// consumer whose filter no longer holds a row is told to delete it.
//
// Rows leave only through functions that ask for an authz.Decision.
package store
