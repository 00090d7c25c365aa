// Package db opens the hub's own database and runs transactions in it.
//
// One pgx pool serves everything. A Tx offers both hands on one connection: pgx for written SQL and, in store.go files
// only, gorm for plain rows. Rows that are exchanged between departments never pass through gorm.
package db
