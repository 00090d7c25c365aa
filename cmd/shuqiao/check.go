package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// checkCommand judges values by the rules that collecting judges them by. It needs neither hub nor database.
type checkCommand struct {
	Kind string `arg:"" enum:"uscc,citizen-id,org-code,certificate,division" help:"What the values are: uscc, citizen-id, org-code, certificate or division."`
}

// maxValue is the longest line that is read, in bytes.
const maxValue = 4096

// Run reads one value a line from standard input and prints for each the value as it came, a tab, and ok or why not. Empty lines
// are passed over; of a value that is too long its beginning is printed, of one that is not UTF-8 what is. Values that are wrong are no failure of the command; input that cannot be read is.
func (c *checkCommand) Run(t *terminal) error {
	judge := judges[c.Kind]
	in := bufio.NewReaderSize(t.in, 2*maxValue)
	out := bufio.NewWriter(t.out)
	today := time.Now()
	for {
		value, long, err := readValue(in)
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return fault.New(fault.Invalid, "unreadable", "standard input cannot be read").Wrap(err)
		case len(value) == 0:
		case long:
			fmt.Fprintf(out, "%s…\tthe value is longer than %d bytes\n", bytes.ToValidUTF8(value, []byte("\uFFFD")), maxValue)
		case !utf8.Valid(value):
			fmt.Fprintf(out, "%s\tthe value is not in UTF-8\n", bytes.ToValidUTF8(value, []byte("\uFFFD")))
		default:
			fmt.Fprintf(out, "%s\t%s\n", value, judge(string(value), today))
		}
		// Who types values, or writes them into a pipe, has the answer at once.
		if in.Buffered() == 0 || err != nil {
			if failed := out.Flush(); failed != nil {
				return failed
			}
		}
		if err != nil {
			return nil
		}
	}
}

// shownValue is how much of a value that is too long is printed, in bytes.
const shownValue = 64

// readValue reads one line without its end. Of a line that is too long it returns the beginning.
func readValue(in *bufio.Reader) (value []byte, long bool, err error) {
	value, err = in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(value) > maxValue {
		long, value = true, bytes.Clone(value[:shownValue])
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = in.ReadSlice('\n')
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r")), long, err
}

// judges say of a value "ok" or the reason why not, by kind. Lower case is put right; full-width characters and blanks, which
// collecting puts right as well, are told here, because who checks a file wants to know what is in it.
var judges = map[string]func(value string, today time.Time) string{
	"uscc": func(value string, _ time.Time) string {
		// Collecting only warns of the code inside; who checks by hand wants to know.
		return reason(codes.CheckUSCC(strings.ToUpper(value)), codes.CodeInnerCheckDigit)
	},
	"citizen-id": func(value string, today time.Time) string {
		return reason(codes.CheckCitizenID(strings.ToUpper(value), today), codes.CodeOldForm)
	},
	"org-code": func(value string, _ time.Time) string {
		value = strings.ToUpper(value)
		if len(value) == 10 && value[8] == '-' {
			value = value[:8] + value[9:] // As GB 11714 prints it.
		}
		return reason(codes.CheckOrgCode(value))
	},
	"certificate": func(value string, _ time.Time) string {
		return reason(codes.CheckCertID(strings.ToUpper(value)))
	},
	"division": func(value string, _ time.Time) string {
		return reason(codes.CheckDivision(value), codes.CodeUnknownDivision)
	},
}

// reason returns the first error, or else the first warning that counts as one here, or else "ok".
func reason(findings []codes.Finding, serious ...string) string {
	if f, wrong := codes.FirstError(findings); wrong {
		return f.Message
	}
	for _, f := range findings {
		for _, code := range serious {
			if f.Code == code {
				return f.Message
			}
		}
	}
	return "ok"
}
