package codes

import "strings"

// Entry is one value of a code list.
type Entry struct {
	Code string `json:"code"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
	// ImportOnly marks values of older editions: old records may hold them, new ones may not.
	ImportOnly bool `json:"import_only,omitempty"`
}

// CodeList is a national code list.
type CodeList struct {
	Name     string  `json:"name"`     // Stable name, snake_case.
	Standard string  `json:"standard"` // The standard it comes from, or "" for a list without one.
	Version  string  `json:"version"`  // The year of the standard, or "".
	ZH       string  `json:"zh"`
	EN       string  `json:"en"`
	Entries  []Entry `json:"entries"` // In the order of the standard.
}

// The names of the lists.
const (
	ListSex        = "sex"
	ListEthnic     = "ethnic"
	ListMarital    = "marital"
	ListEducation  = "education"
	ListRelation   = "householder_relation"
	ListIDType     = "id_type"
	ListProvince   = "province"
	ListCertStatus = "cert_status"
)

// Lists returns all code lists. The entries are shared and must not be changed.
func Lists() []CodeList {
	return append([]CodeList(nil), codeLists...)
}

// List returns the list of a name; ok is false when there is none. The entries are shared and must not be changed.
func List(name string) (list CodeList, ok bool) {
	for _, l := range codeLists {
		if l.Name == name {
			return l, true
		}
	}
	return CodeList{}, false
}

// Codes returns the values of the list, import-only ones included.
func (l CodeList) Codes() []string {
	codes := make([]string, 0, len(l.Entries))
	for _, e := range l.Entries {
		codes = append(codes, e.Code)
	}
	return codes
}

// Find returns the entry of a code; ok is false when the list has none.
func (l CodeList) Find(code string) (e Entry, ok bool) {
	for _, e := range l.Entries {
		if e.Code == code {
			return e, true
		}
	}
	return Entry{}, false
}

// Contains reports whether the named list exists and holds code.
func Contains(name, code string) bool {
	list, _ := List(name)
	_, ok := list.Find(code)
	return ok
}

// CheckCode judges a value against the named list: unknown_code as an error, import_only as a warning. The value is taken
// exactly; an unknown list knows no code.
func CheckCode(name, code string) []Finding {
	list, _ := List(name)
	entry, ok := list.Find(code)
	if !ok {
		return []Finding{failure(CodeUnknownCode, "the value is not in the code list "+strings.TrimSpace(list.Standard+" "+list.EN))}
	}
	if entry.ImportOnly {
		return []Finding{warning(CodeImportOnly, "the value belongs to an older edition of the code list; new records use other values")}
	}
	return nil
}
