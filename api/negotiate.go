package api

import (
	"net/http"
	"strconv"
	"strings"
)

// format is a form in which a data route can answer.
type format struct {
	media string
	// what says what it is, for the description of the route.
	what string
}

// The formats of the data routes.
var (
	jsonFormat   = format{media: "application/json", what: "One page."}
	ndjsonFormat = format{media: ndjson, what: "All rows as a stream, one object a line."}
	csvFormat    = format{media: csvType, what: "One page, or with stream=true all rows as a stream, as RFC 4180 says."}
)

// negotiate returns the format that an Accept header prefers (RFC 9110, 12.5.1): the highest weight, then the one the header
// names first, then the order of the formats. Without a header it is the first. ok is false when none is accepted.
func negotiate(accept string, formats []format) (_ format, ok bool) {
	if strings.TrimSpace(accept) == "" {
		return formats[0], true
	}
	best, weight, place := -1, 0.0, 0
	for i, f := range formats {
		q, at := accepted(accept, f.media)
		if q > weight || q == weight && best >= 0 && at < place {
			best, weight, place = i, q, at
		}
	}
	if best < 0 {
		return format{}, false
	}
	return formats[best], true
}

// accepted returns the weight that an Accept header gives a media type by its most specific entry, and the place of that
// entry; wildcards come after all names.
func accepted(accept, media string) (q float64, place int) {
	kind, _, _ := strings.Cut(media, "/")
	specific := 0
	entries := strings.Split(accept, ",")
	for i, entry := range entries {
		name, parameters, _ := strings.Cut(entry, ";")
		level, at := 0, len(entries)
		switch name = strings.TrimSpace(name); {
		case strings.EqualFold(name, media):
			level, at = 3, i
		case strings.EqualFold(name, kind+"/*"):
			level = 2
		case name == "*/*":
			level = 1
		}
		if level > specific {
			specific, q, place = level, weightOf(parameters), at
		}
	}
	return q, place
}

// weightOf reads the parameter q; 1 when there is none, 0 when it is malformed.
func weightOf(parameters string) float64 {
	for _, p := range strings.Split(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || q < 0 || q > 1 {
			return 0
		}
		return q
	}
	return 1
}

func notAcceptable(formats []format, requestID string) *Problem {
	names := make([]string, 0, len(formats))
	for _, f := range formats {
		names = append(names, f.media)
	}
	return plainProblem(http.StatusNotAcceptable, "not_acceptable", "this route answers in "+strings.Join(names, ", ")+"; accept one of these", requestID)
}
