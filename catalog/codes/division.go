package codes

import (
	"embed"
	"encoding/csv"
	"sync"
)

//go:embed data/provinces.csv data/cities.csv data/areas.csv
var divisionFiles embed.FS

// DivisionLevel is the level of an administrative division.
type DivisionLevel string

// The levels the table knows.
const (
	DivisionProvince DivisionLevel = "province"
	DivisionCity     DivisionLevel = "city"
	DivisionCounty   DivisionLevel = "county"
)

// Division is one administrative division of the table (edition 2023-06-30).
type Division struct {
	Code   string        // Six digits: provinces end in 0000, cities in 00.
	Name   string        // Chinese name without its parents.
	Level  DivisionLevel // Province, city or county.
	Parent string        // Six-digit code of the division above, or "" for a province.
	// Statistical is true for entries that exist in statistical codes only, not in GB/T 2260: development zones counted as
	// counties, and the pseudo cities 市辖区 and 县.
	Statistical bool
}

// statisticalCounties are development zones that the National Bureau of Statistics counts as counties.
var statisticalCounties = map[string]bool{"321371": true, "430371": true, "430372": true, "430373": true}

// divisionTable is the table by six-digit code, read from the embedded files when first asked for and never changed.
var divisionTable = sync.OnceValue(func() map[string]Division {
	table := make(map[string]Division, 3400)
	for _, row := range divisionRows("data/provinces.csv") {
		table[row[0]+"0000"] = Division{Code: row[0] + "0000", Name: row[1], Level: DivisionProvince}
	}
	for code, name := range map[string]string{"710000": "台湾省", "810000": "香港特别行政区", "820000": "澳门特别行政区"} {
		table[code] = Division{Code: code, Name: name, Level: DivisionProvince}
	}
	for _, row := range divisionRows("data/cities.csv") {
		table[row[0]+"00"] = Division{
			Code: row[0] + "00", Name: row[1], Level: DivisionCity, Parent: row[2] + "0000",
			Statistical: row[1] == "市辖区" || row[1] == "县",
		}
	}
	for _, row := range divisionRows("data/areas.csv") {
		table[row[0]] = Division{
			Code: row[0], Name: row[1], Level: DivisionCounty, Parent: row[2] + "00",
			Statistical: statisticalCounties[row[0]],
		}
	}
	return table
})

// divisionRows reads one embedded file without its header. The files are part of the build, so a bad one is a defect.
func divisionRows(name string) [][]string {
	file, err := divisionFiles.Open(name)
	if err != nil {
		panic("opening the embedded " + name + ": " + err.Error())
	}
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		panic("reading the embedded " + name + ": " + err.Error())
	}
	return rows[1:]
}

// LookupDivision returns the division of the first six digits of code. ok is false when code is shorter or not in the
// table; it may then be a retired code that was once valid.
func LookupDivision(code string) (d Division, ok bool) {
	if len(code) < 6 {
		return Division{}, false
	}
	d, ok = divisionTable()[code[:6]]
	return d, ok
}

// CheckDivision judges a division code (GB/T 2260 and its extensions): 6 digits, or 9 with a township, or 12 with a
// village. Rules in order: length, characters, known province. A county that is not in the table is a warning, because
// codes of records stay valid after the division was renamed or merged.
func CheckDivision(s string) []Finding {
	if len(s) != 6 && len(s) != 9 && len(s) != 12 {
		return []Finding{failure(CodeBadLength, "a division code has 6, 9 or 12 digits")}
	}
	if !isDigits(s) {
		return []Finding{failure(CodeBadCharacter, "a division code has digits only")}
	}
	if f, ok := divisionFinding(s[:6]); ok {
		return []Finding{f}
	}
	return nil
}

// divisionFinding judges six digits: an error when the province does not exist, a warning when the division is unknown.
func divisionFinding(code string) (Finding, bool) {
	if _, ok := divisionTable()[code]; ok {
		return Finding{}, false
	}
	if !Contains(ListProvince, code[:2]) {
		return failure(CodeUnknownProvince, "the first two digits of the division are no province of GB/T 2260"), true
	}
	if code[:2] == "83" {
		return warning(CodeForeignResident, "a division starting with 83 occurs in residence permits of Taiwan residents only"), true
	}
	return warning(CodeUnknownDivision, "the division is not in the table in force; it may be a retired one"), true
}
