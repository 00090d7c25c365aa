package codes

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// resourceCode is the form of a resource code. Source: 政务信息资源目录编制指南 (发改高技〔2017〕1272号): class 1 digit, category
// 2 digits, sub-category 3 digits, detail of any length, slash, serial number.
var resourceCode = regexp.MustCompile(`^[123][0-9]{2}[0-9]{3}[0-9A-Za-z]*/[0-9]+$`)

// resourceClass is the part of a resource code before the slash.
var resourceClass = regexp.MustCompile(`^[123][0-9]{2}[0-9]{3}[0-9A-Za-z]*$`)

// resourceSerialDigits is the width to which serial numbers are padded.
const resourceSerialDigits = 6

// CheckResourceCode judges a resource code (信息资源代码): classification code, slash, serial number.
func CheckResourceCode(s string) []Finding {
	if !resourceCode.MatchString(s) {
		return []Finding{failure(CodeBadForm, "a resource code is a classification code of at least six characters, a slash and a serial number")}
	}
	return nil
}

// ResourceCodePath returns a resource code as it is written in URLs: the slash as a dash.
func ResourceCodePath(code string) string { return strings.Replace(code, "/", "-", 1) }

// ResourceCodeFromPath is the inverse of ResourceCodePath.
func ResourceCodeFromPath(path string) string { return strings.Replace(path, "-", "/", 1) }

// CodeGenerator makes resource codes and knows those it can have made. Provincial schemes with prefixes are other implementations of
// it. The serial numbers come from the directory: they rise by one for each class and are never used twice.
type CodeGenerator interface {
	// ResourceCode returns the code of the serial-th resource (from 1) of a classification, or an Invalid fault that names the
	// wrong part.
	ResourceCode(classification string, serial int64) (string, error)
	// Check judges a resource code as it is written in an entry: those of the generator's own form pass, and national ones.
	Check(code string) []Finding
}

// NationalCoder makes codes of the national form, with serial numbers padded to six digits: 101001001/000001.
type NationalCoder struct{}

// ResourceCode returns classification/serial.
func (NationalCoder) ResourceCode(classification string, serial int64) (string, error) {
	var fields []fault.Field
	if !resourceClass.MatchString(classification) {
		fields = append(fields, fault.Field{
			Name: "classification", Code: CodeBadForm,
			Message: "give class (1 to 3), category (2 digits), sub-category (3 digits) and an optional detail of letters and digits",
		})
	}
	if serial < 1 {
		fields = append(fields, fault.Field{Name: "serial", Code: "out_of_range", Message: "serial numbers start at 1"})
	}
	if err := fault.InvalidFields(fields); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/%0*d", classification, resourceSerialDigits, serial), nil
}

// Check is CheckResourceCode.
func (NationalCoder) Check(code string) []Finding { return CheckResourceCode(code) }

// codePrefix is the form of the prefix of a provincial scheme. It begins with a letter, so that no code with it can be a national one.
var codePrefix = regexp.MustCompile(`^[A-Za-z][0-9A-Za-z]{0,11}$`)

// ProvincialCoder makes national codes behind the prefix of a province or city: ZJ101001001/000001 with the prefix ZJ. National codes
// pass its check, too: entries keep the code they were published with, whatever the hub makes later.
type ProvincialCoder struct{ prefix string }

// NewCodeGenerator returns the provincial generator of a prefix, a letter and up to eleven letters and digits, or the national one
// for "". ok is false when the prefix does not have that form.
func NewCodeGenerator(prefix string) (g CodeGenerator, ok bool) {
	if prefix == "" {
		return NationalCoder{}, true
	}
	return ProvincialCoder{prefix: prefix}, codePrefix.MatchString(prefix)
}

// ResourceCode returns the prefix and the national code.
func (c ProvincialCoder) ResourceCode(classification string, serial int64) (string, error) {
	national, err := NationalCoder{}.ResourceCode(classification, serial)
	if err != nil {
		return "", err
	}
	return c.prefix + national, nil
}

// Check judges what follows the prefix as a national code; other prefixes are none of this hub's codes.
func (c ProvincialCoder) Check(code string) []Finding {
	return CheckResourceCode(strings.TrimPrefix(code, c.prefix))
}
