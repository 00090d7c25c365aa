package transform

// The codes of reasons for which a row is refused. Codes of validators (package codes) stand beside them.
const (
	ReasonRequiredMissing = "required_missing"         // A required item has no value.
	ReasonKeyMissing      = "key_missing"              // A key item has no value.
	ReasonTooLong         = "too_long"                 // More characters than the item's length.
	ReasonBadDate         = "bad_date"                 // Not readable as a date or time.
	ReasonImpossibleDate  = "impossible_date"          // Readable, and no day or time of the calendar.
	ReasonBadNumber       = "bad_number"               // Not readable as a number.
	ReasonOutOfRange      = "out_of_range"             // A number or time outside what the item can hold.
	ReasonBadBoolean      = "bad_boolean"              // Not readable as yes or no.
	ReasonBadBinary       = "bad_binary"               // Not readable as binary data.
	ReasonUnknownCode     = "unknown_code"             // Not one of the item's values.
	ReasonBadGeometry     = "bad_geometry"             // Not readable as a plane geometry.
	ReasonOutOfBounds     = "coordinate_out_of_bounds" // A coordinate outside the bounds of CGCS2000.
	ReasonInvalidUTF8     = "invalid_utf8"             // Text that is no valid UTF-8.
	ReasonNULByte         = "nul_byte"                 // Text with a zero byte, which PostgreSQL cannot store.
)

// messages are the sentences for people, by code. None contains a value.
var messages = map[string]string{
	ReasonRequiredMissing: "the item is required and has no value",
	ReasonKeyMissing:      "the item is part of the key and has no value",
	ReasonTooLong:         "the text has more characters than the item's length allows",
	ReasonBadDate:         "the value is no date or time in a known form such as 2026-02-13, 20260213 or 2026-02-13 08:30:00",
	ReasonImpossibleDate:  "the date or time does not exist in the calendar",
	ReasonBadNumber:       "the value is no number in plain notation",
	ReasonOutOfRange:      "the value has more digits before or after the point than the item can hold, or lies outside its range",
	ReasonBadBoolean:      "the value is neither yes nor no (true/false, Y/N, 1/0, 是/否)",
	ReasonBadBinary:       "the text is neither hexadecimal digits after \\x nor base64",
	ReasonUnknownCode:     "the value is not in the item's code list",
	ReasonBadGeometry:     "the value is no plane geometry in WKB, EWKB, WKT or GeoJSON with CGCS2000 coordinates",
	ReasonOutOfBounds:     "a coordinate lies outside 73.62 to 134.77 east, 16.7 to 53.56 north; longitude comes first",
	ReasonInvalidUTF8:     "the text is no valid UTF-8",
	ReasonNULByte:         "the text contains a zero byte",
}

// Reason is why a row is refused, or for warnings what is unusual about it. Message never contains the value.
type Reason struct {
	ItemNo  int    `json:"item_no"`
	Code    string `json:"code"`
	Message string `json:"message"`
}
