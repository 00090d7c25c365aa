package city

import (
	"io"
	"strconv"
)

// reportEvery is the number of rows between two progress reports of one table.
const reportEvery = 10_000

// copyStream is the text of one table in the form COPY … FROM STDIN reads. Rows are produced as they are asked for, so
// memory does not grow with the table.
type copyStream struct {
	n, row  int
	produce func(i int, rec []string) []string
	spoil   func(i int, rec []string)
	report  func(done int)
	rec     []string
	buf     []byte
	sent    int
}

// Read fills p with the next part of the stream; io.EOF after the last row.
func (s *copyStream) Read(p []byte) (int, error) {
	if s.sent == len(s.buf) {
		s.buf, s.sent = s.buf[:0], 0
		for s.row < s.n && len(s.buf) < len(p) {
			s.appendRow()
		}
		if len(s.buf) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, s.buf[s.sent:])
	s.sent += n
	return n, nil
}

func (s *copyStream) appendRow() {
	i := s.row
	s.rec = append(s.rec[:0], strconv.Itoa(i+1))
	s.rec = s.produce(i, s.rec)
	s.spoil(i, s.rec)
	for k, v := range s.rec {
		if k > 0 {
			s.buf = append(s.buf, '\t')
		}
		s.buf = appendCopyText(s.buf, v)
	}
	s.buf = append(s.buf, '\n')
	s.row++
	if s.row%reportEvery == 0 || s.row == s.n {
		s.report(s.row)
	}
}

// appendCopyText appends one value in COPY's text format.
func appendCopyText(buf []byte, v string) []byte {
	if v == null {
		return append(buf, `\N`...)
	}
	for i := range len(v) {
		switch c := v[i]; c {
		case '\\':
			buf = append(buf, `\\`...)
		case '\t':
			buf = append(buf, `\t`...)
		case '\n':
			buf = append(buf, `\n`...)
		case '\r':
			buf = append(buf, `\r`...)
		default:
			buf = append(buf, c)
		}
	}
	return buf
}
