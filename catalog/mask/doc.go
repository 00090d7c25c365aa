// Package mask hides parts of values: the masking rules that items of a resource and grants name.
//
// Each mask has a Go form, and where PostgreSQL can say exactly the same it has an SQL form, so that a query masks before
// a value leaves the database. Both forms are equal on all text, and the tests prove it on random text.
//
// Rules for all masks: they work on characters, not bytes; NULL stays NULL and empty text stays empty (except suppress,
// which gives NULL always); a value that a mask cannot read is hidden as a whole (fail closed): text masks give six
// stars, masks that keep a date or number give NULL. No mask returns an error, so none can leak a value through one.
//
// There is no national rule with numbers. The rules are conventions of practice; first six and last four digits of an
// identity number are de-identification, not anonymisation.
package mask
