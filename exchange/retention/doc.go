// Package retention removes what has been kept long enough, by the table of internal/retain, and says what it removed. One node
// at a time does it, in batches; whole months and tables are dropped where that is possible.
package retention
