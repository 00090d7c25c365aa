package codes

// CheckProjectCode judges an investment project code (投资项目代码): 4-6-2-2-6 digits with dashes, 24 characters. The rule of
// its check digit is not public, so only the form is judged.
func CheckProjectCode(s string) []Finding {
	if len(s) != 24 {
		return []Finding{failure(CodeBadLength, "a project code has 24 characters, dashes included")}
	}
	for i := 0; i < len(s); i++ {
		switch i {
		case 4, 11, 14, 17:
			if s[i] != '-' {
				return []Finding{failure(CodeBadForm, "a project code is written 4-6-2-2-6 digits with dashes between")}
			}
		default:
			if s[i] < '0' || s[i] > '9' {
				return []Finding{failure(CodeBadCharacter, "a project code has digits between its dashes")}
			}
		}
	}
	return nil
}

// CheckMobile judges a mobile number of mainland China: 11 digits, the first 1. Blocks whose second digit is 0, 1 or 2 have
// been given to no operator of mobile numbers: a warning.
func CheckMobile(s string) []Finding {
	if len(s) != 11 {
		return []Finding{failure(CodeBadLength, "a mobile number has 11 digits, without country code")}
	}
	if !isDigits(s) {
		return []Finding{failure(CodeBadCharacter, "a mobile number has digits only")}
	}
	if s[0] != '1' {
		return []Finding{failure(CodeBadPrefix, "a mobile number starts with 1")}
	}
	if s[1] < '3' {
		return []Finding{warning(CodeUnassignedBlock, "no operator has been given mobile numbers that start like this one")}
	}
	return nil
}
