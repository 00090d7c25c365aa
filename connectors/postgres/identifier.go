package postgres

import "strings"

// maxIdentifier is PostgreSQL's NAMEDATALEN - 1, in bytes.
const maxIdentifier = 63

// quoteIdentifier returns the name as a quoted identifier, so that it can be nothing else in a statement.
func quoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// parseObject splits "schema.table" or "table" into its names; the schema is "" when it is not given. Names count as
// they stand, upper and lower case distinct. A name that contains a dot or a quote is written in double quotes, with
// quotes inside doubled.
func parseObject(object string) (schema, name string, ok bool) {
	var parts []string
	rest := object
	for {
		var part string
		if part, rest, ok = parsePart(rest); !ok || part == "" || len(part) > maxIdentifier {
			return "", "", false
		}
		parts = append(parts, part)
		if rest == "" {
			break
		}
		if rest[0] != '.' || len(parts) == 2 {
			return "", "", false
		}
		rest = rest[1:]
	}
	if len(parts) == 1 {
		return "", parts[0], true
	}
	return parts[0], parts[1], true
}

// parsePart takes one name from the front of s.
func parsePart(s string) (part, rest string, ok bool) {
	if strings.ContainsRune(s, 0) {
		return "", "", false
	}
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, `."`)
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

// formatObject is the inverse of parseObject.
func formatObject(schema, name string) string {
	return formatPart(schema) + "." + formatPart(name)
}

func formatPart(name string) string {
	if strings.ContainsAny(name, `."`) {
		return quoteIdentifier(name)
	}
	return name
}
