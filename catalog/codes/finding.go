package codes

// Level says how bad a finding is.
type Level string

// The levels.
const (
	LevelError   Level = "error"   // The value cannot be right.
	LevelWarning Level = "warning" // The value is unusual; it may be right, and people should look.
)

// The codes of findings. They are stable: rejects are stored and counted by them.
const (
	CodeBadLength       = "bad_length"        // Wrong number of characters.
	CodeBadCharacter    = "bad_character"     // A character outside the alphabet of its position.
	CodeBadForm         = "bad_form"          // The parts are not arranged as the standard demands.
	CodeBadPrefix       = "bad_prefix"        // The fixed leading part is not the one of the standard.
	CodeUnknownProvince = "unknown_province"  // The first two digits are no province of GB/T 2260.
	CodeUnknownDivision = "unknown_division"  // The province exists, the division is not in the table (it may be retired).
	CodeImpossibleDate  = "impossible_date"   // The date part is no day of the calendar.
	CodeFutureDate      = "future_date"       // The date part lies after the day of judgement.
	CodeBadCheckDigit   = "bad_check_digit"   // The check character does not agree with the rest.
	CodeInnerCheckDigit = "inner_check_digit" // The organisation code inside a credit code disagrees with GB 11714.
	CodeUnknownRegistry = "unknown_registry"  // The registration authority of a credit code does not exist.
	CodeUnknownClass    = "unknown_class"     // Authority and class of a credit code are no known pair.
	CodeOldForm         = "old_form"          // A 15-digit identity number of before 1999.
	CodeGreatAge        = "great_age"         // The person would be older than 150 years.
	CodeForeignResident = "foreign_resident"  // The number belongs to a residence permit, not to an identity card.
	CodeShortIssuer     = "short_issuer"      // The issuer of a certificate is not given by its credit code.
	CodeShortVersion    = "short_version"     // The version of a certificate has one digit instead of three.
	CodeUnassignedBlock = "unassigned_block"  // A mobile number of a block that no operator has been given.
	CodeUnknownCode     = "unknown_code"      // The value is not in its code list.
	CodeImportOnly      = "import_only"       // The value belongs to an older edition of its code list.
)

// Finding is one thing noticed about a value. Message is a sentence for people that never contains the value.
type Finding struct {
	Level   Level  `json:"level"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// FirstError returns the first finding of level error; ok is false when there is none, that is when the value stands.
func FirstError(findings []Finding) (f Finding, ok bool) {
	for _, f := range findings {
		if f.Level == LevelError {
			return f, true
		}
	}
	return Finding{}, false
}

func failure(code, message string) Finding {
	return Finding{Level: LevelError, Code: code, Message: message}
}

func warning(code, message string) Finding {
	return Finding{Level: LevelWarning, Code: code, Message: message}
}
