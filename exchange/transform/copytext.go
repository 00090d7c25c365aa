package transform

// EncodeCopyText appends one field of PostgreSQL's COPY text format to dst: value with backslash, tab, line ends and the
// other characters with a short escape escaped, or \N for NULL (a nil value). The caller writes the tabs between fields
// and the line end behind them.
func EncodeCopyText(dst, value []byte) []byte {
	if value == nil {
		return append(dst, '\\', 'N')
	}
	start := 0
	for i, c := range value {
		if c > '\r' && c != '\\' {
			continue
		}
		escape := copyEscape(c)
		if escape == 0 {
			continue
		}
		dst = append(dst, value[start:i]...)
		dst = append(dst, '\\', escape)
		start = i + 1
	}
	return append(dst, value[start:]...)
}

// copyEscape is the letter behind the backslash, or 0 for characters that stand for themselves.
func copyEscape(c byte) byte {
	switch c {
	case '\\':
		return '\\'
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	case '\v':
		return 'v'
	}
	return 0
}
