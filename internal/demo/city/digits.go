package city

import "strings"

const (
	// digits36 is the alphabet of GB 11714 and of ISO 7064 MOD 37,36: value = position.
	digits36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	// usccAlphabet is the alphabet of GB 32100-2015: no I, O, S, V, Z.
	usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	// certOID is the object identifier that opens every certificate identifier. Source: GB/T 36904-2018.
	certOID = "1.2.156.3005.2."
)

var (
	citizenWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}            // GB 11643
	usccWeights    = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28} // GB 32100-2015: 3^i mod 31
	orgWeights     = [8]int{3, 7, 9, 10, 5, 8, 4, 2}                                         // GB 11714
)

// citizenCheck returns the last character of a citizen identity number from its first 17 digits (GB 11643).
func citizenCheck(first17 string) byte {
	sum := 0
	for i, w := range citizenWeights {
		sum += w * int(first17[i]-'0')
	}
	return "10X98765432"[sum%11]
}

// orgCheck returns the ninth character of an organisation code from its first eight (GB 11714).
func orgCheck(first8 string) byte {
	sum := 0
	for i, w := range orgWeights {
		sum += w * strings.IndexByte(digits36, first8[i])
	}
	switch c := 11 - sum%11; c {
	case 10:
		return 'X'
	case 11:
		return '0'
	default:
		return byte('0' + c)
	}
}

// usccCheck returns the last character of a unified social credit code from its first 17 (GB 32100-2015).
func usccCheck(first17 string) byte {
	sum := 0
	for i, w := range usccWeights {
		sum += w * strings.IndexByte(usccAlphabet, first17[i])
	}
	return usccAlphabet[(31-sum%31)%31]
}

// certCheck returns the check character of a certificate identifier over type, issuer, serial and version without the
// object identifier and without dots (GB/T 36904-2018, ISO 7064 MOD 37,36).
func certCheck(body string) byte {
	p := 36
	for i := range len(body) {
		t := (p + strings.IndexByte(digits36, body[i])) % 36
		if t == 0 {
			t = 36
		}
		p = 2 * t % 37
	}
	return digits36[(37-p)%36]
}

// registrationCheck returns the last digit of a 15-digit business registration number from its first 14 (GS 15-2006,
// ISO 7064 MOD 11,10).
func registrationCheck(first14 string) byte {
	p := 10
	for i := range len(first14) {
		s := (p + int(first14[i]-'0')) % 10
		if s == 0 {
			s = 10
		}
		p = 2 * s % 11
	}
	return byte('0' + (11-p)%10)
}

// creditCode builds a unified social credit code around an organisation code body of eight characters.
func creditCode(class, division, body string) string {
	first17 := class + division + body + string(orgCheck(body))
	return first17 + string(usccCheck(first17))
}

// certID builds a certificate identifier from its parts.
func certID(typeCode, issuer, serial, version string) string {
	check := certCheck(typeCode + issuer + serial + version)
	return certOID + typeCode + "." + issuer + "." + serial + "." + version + "." + string(check)
}
