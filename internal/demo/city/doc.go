// Package city builds the made-up city that the demonstration runs on: eight departments and six source databases, each
// shaped like the system of record of its department and not like the catalogue.
//
// Content is a pure function of seed and scale. About one row in two hundred is wrong on purpose; the inventory of these
// rows is kept beside the data (schema shuqiao_demo) so that the story can show and correct some of them. Nobody and no
// firm in the data can be real: docs/demo-data.md lists the assumptions this rests on.
package city
