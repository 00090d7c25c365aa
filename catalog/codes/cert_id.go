package codes

import "strings"

// certIDPrefix is the object identifier under which certificate identifiers live. Source: GB/T 36904-2018.
const certIDPrefix = "1.2.156.3005.2."

// maxCertID is the greatest length of a certificate identifier in the registers that hold it.
const maxCertID = 128

// CertIDCheckChar returns the check character for the digits and capital letters of type code, issuer, serial and version
// joined without dots and without the object identifier (GB/T 36904-2018: ISO 7064 MOD 37,36). ok is false when body is
// empty or has another character.
func CertIDCheckChar(body string) (char byte, ok bool) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if body == "" {
		return 0, false
	}
	p := 36
	for i := 0; i < len(body); i++ {
		a, ok := base36(body[i])
		if !ok {
			return 0, false
		}
		t := (p + a) % 36
		if t == 0 {
			t = 36
		}
		p = 2 * t % 37
	}
	return alphabet[(37-p)%36], true
}

// CheckCertID judges an electronic certificate identifier (电子证照标识, GB/T 36904-2018):
// 1.2.156.3005.2.TYPE.ISSUER.SERIAL.VERSION.CHECK with a type code of 21 characters (the credit code of the type's owner
// and three more), the issuer's credit code, a serial number of any length, three digits of version and a check
// character. Rules in order: length, prefix, number of parts, characters, type code, version, check character.
// Warnings: the issuer is not a credit code (it occurs); the version has one digit (it occurs).
func CheckCertID(s string) []Finding {
	if len(s) > maxCertID {
		return []Finding{failure(CodeBadLength, "a certificate identifier has at most 128 characters")}
	}
	rest, ok := strings.CutPrefix(s, certIDPrefix)
	if !ok {
		return []Finding{failure(CodeBadPrefix, "a certificate identifier starts with the object identifier of GB/T 36904")}
	}
	var parts [5]string
	n := 0
	for part := range strings.SplitSeq(rest, ".") {
		if n == len(parts) || part == "" {
			n = -1
			break
		}
		parts[n] = part
		n++
	}
	if n != len(parts) {
		return []Finding{failure(CodeBadForm, "a certificate identifier has type, issuer, serial, version and check character between dots")}
	}
	typ, issuer, serial, version, check := parts[0], parts[1], parts[2], parts[3], parts[4]
	char, ok := CertIDCheckChar(typ + issuer + serial + version)
	if !ok {
		return []Finding{failure(CodeBadCharacter, "a certificate identifier has digits and capital letters between its dots")}
	}
	if len(typ) != 21 {
		return []Finding{failure(CodeBadForm, "the type code of a certificate identifier has 21 characters")}
	}
	if !isDigits(version) || (len(version) != 3 && len(version) != 1) {
		return []Finding{failure(CodeBadForm, "the version of a certificate identifier has three digits")}
	}
	if len(check) != 1 || check[0] != char {
		return []Finding{failure(CodeBadCheckDigit, "the check character of the certificate identifier does not agree with the rest")}
	}
	var warnings []Finding
	if len(version) == 1 {
		warnings = append(warnings, warning(CodeShortVersion, "the version of the certificate identifier has one digit instead of three"))
	}
	if hasError(CheckUSCC(issuer)) {
		warnings = append(warnings, warning(CodeShortIssuer, "the issuer inside the certificate identifier is not a credit code"))
	}
	return warnings
}
