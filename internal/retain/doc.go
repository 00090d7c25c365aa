// Package retain says how long the hub keeps what: one table, from which the settings, the documentation and the job that
// removes what is due are made.
package retain
