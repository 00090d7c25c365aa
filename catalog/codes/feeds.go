package codes

import "strings"

// Letters are the data type letters of items in the order of the catalogue guide: characters, numeric, currency, date,
// date and time, logical, memo, general (binary), double, integer, float.
const Letters = "CNYDTLMGBIF"

// FormatGeometry is the format of a G item that holds a geometry, not a file.
const FormatGeometry = "geometry"

// feeds gives, for each kind of column that connectors know, the letters of the items it can be converted into. Text
// feeds every letter, because source systems keep dates, numbers and flags as text; the values decide then, row by row.
var feeds = map[string]string{
	"text":            Letters,
	"integer":         "CMNYIBFLD",
	"decimal":         "CMNYIBF",
	"float":           "CMNYIBF",
	"bool":            "CML",
	"date":            "CMDT",
	"timestamp":       "CMDT",
	"local_timestamp": "CMDT",
	"time":            "CM",
	"bytes":           "G",
	"geometry":        "G",
	"json":            "CMG",
	"other":           "CM",
}

// KnownKind reports whether kind is a kind of column that Feeds knows.
func KnownKind(kind string) bool {
	_, ok := feeds[kind]
	return ok
}

// Feeds reports whether a column of the kind can be converted into an item of the data type letter and the format, which
// is FormatGeometry or "". Geometries and JSON (GeoJSON) feed a G item only as a geometry. It is false for what is unknown.
func Feeds(kind string, letter byte, format string) bool {
	if letter == 'G' && format != FormatGeometry && (kind == "geometry" || kind == "json") {
		return false
	}
	return strings.IndexByte(feeds[kind], letter) >= 0
}
