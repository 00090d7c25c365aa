// Package filter is the row-filter language: a small JSON syntax tree that says which rows of a resource a grant covers
// or a caller asks for.
//
// A filter is parsed (Parse) without knowing any resource, then bound (Bind) to a Schema that says which items may be
// compared, how, and by which SQL expression. A bound filter becomes a parameterised SQL condition (Bound.SQL) or is
// evaluated in Go (Bound.Eval); both give the same answer for every row.
//
// # Syntax
//
//	{"op":"eq","item":"domicile_division_code","value":"330602"}    also ne, lt, le, gt, ge, prefix
//	{"op":"in","item":"sex","values":["1","2"]}
//	{"op":"between","item":"birth_date","from":"1990-01-01","to":"1999-12-31"}    both ends included
//	{"op":"is_null","item":"death_date"}
//	{"op":"bbox","item":"shape","box":[120.4,29.9,120.8,30.2]}    west, south, east, north
//	{"op":"and","args":[…]}    {"op":"or","args":[…]}    {"op":"not","arg":{…}}
//
// # Three-valued logic
//
// Comparing a missing value answers Unknown, as in SQL, and not, and, or treat Unknown as SQL does. A row is inside a
// filter only when the whole filter is True. So a row without a birth date is inside neither `eq birth_date …` nor its
// `not`; is_null is the only operator that answers True or False for a missing value.
//
// # Text
//
// Text is compared byte by byte (UTF-8 order, which is code point order), never by a locale, and never normalised.
package filter
