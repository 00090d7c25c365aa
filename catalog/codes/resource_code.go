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

// ResourceCoder makes resource codes. Provincial schemes with prefixes are other implementations of it.
type ResourceCoder interface {
	// ResourceCode returns the code of the serial-th resource (from 1) of a classification.
	ResourceCode(classification string, serial int64) (string, error)
}

// NationalCoder makes codes of the national form, with serial numbers padded to six digits: 101001001/000001.
type NationalCoder struct{}

// ResourceCode returns classification/serial, or an Invalid fault that names the wrong part.
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
