package city

// CityDivision is the division code of Shaoxing (GB/T 2260, prefecture level). No identity number is issued on it.
const CityDivision = "330600"

// Department is one department of the city.
type Department struct {
	Key      string // Short ASCII name: police, market, land, reform, statistics, social, civil, data.
	NameZH   string
	NameEN   string
	USCC     string // Unified social credit code; its organisation part starts with QQ, so it was never issued.
	Division string // Six-digit division code.
}

// Departments returns the eight departments; the last one, the data bureau, is also the platform authority.
func Departments() []Department {
	list := []Department{
		{Key: "police", NameZH: "绍兴市公安局", NameEN: "Public Security Bureau"},
		{Key: "market", NameZH: "绍兴市市场监督管理局", NameEN: "Market Regulation Bureau"},
		{Key: "land", NameZH: "绍兴市自然资源和规划局", NameEN: "Natural Resources Bureau"},
		{Key: "reform", NameZH: "绍兴市发展和改革委员会", NameEN: "Development and Reform Commission"},
		{Key: "statistics", NameZH: "绍兴市统计局", NameEN: "Statistics Bureau"},
		{Key: "social", NameZH: "绍兴市人力资源和社会保障局", NameEN: "Human Resources and Social Security Bureau"},
		{Key: "civil", NameZH: "绍兴市民政局", NameEN: "Civil Affairs Bureau"},
		{Key: "data", NameZH: "绍兴市数据局", NameEN: "Data Bureau"},
	}
	for i := range list {
		list[i].Division = CityDivision
		// Class 11 is a state organ registered by the staffing office (GB 32100-2015).
		list[i].USCC = creditCode("11", CityDivision, "QQ33060"+string(rune('1'+i)))
	}
	return list
}

func departmentByKey(key string) Department {
	for _, d := range Departments() {
		if d.Key == key {
			return d
		}
	}
	return Department{}
}

// Database is one source database of the city.
type Database struct {
	BaseDatabase string // Code of the base database: population, legal_person, geospatial, credit, certificate, macro_economy.
	Name         string // Name of the PostgreSQL database.
	Owner        string // Role that owns it; the caller creates both.
	Department   string // Key of the lead department.
	NameZH       string
	NameEN       string
	Tables       []Table // The first table is the one the base database is registered with.
}

// Table is one table of a source database, in schema public.
type Table struct {
	Name      string
	NameZH    string
	NameEN    string
	Template  string   // Identifier of the resource template it feeds, for example base_population.
	Rows      int      // Rows at scale 1.
	MaxRows   int      // Rows that exist at most, whatever the scale; 0 = no bound.
	RowColumn string   // The system's own row number (bigint, unique in fact, declared nowhere); identifies wrong rows.
	KeyItems  []string // Key items of the template, in the template's order.
	Columns   []Column // In table order, RowColumn first.
	Missing   []string // Template items this source does not hold.
	// Codes are the local code lists by template item: lists of this city that no national standard fixes.
	Codes map[string][]Code
}

// Column is one column of a source table.
type Column struct {
	Name    string
	Type    string // PostgreSQL type.
	Comment string // Column comment, Chinese, as the system carries it.
	Item    string // Identifier of the template item it feeds; empty when the template has none.
}

// Code is one value of a local code list: a list of this city that no national standard fixes.
type Code struct{ Value, NameZH, NameEN string }

// RowsAt returns how many rows the table has at a scale.
func (t Table) RowsAt(scale float64) int {
	n := scaled(t.Rows, scale)
	if t.MaxRows > 0 {
		n = min(n, t.MaxRows)
	}
	return n
}

func scaled(rows int, scale float64) int { return int(float64(rows)*scale + 0.5) }

// Mapping returns template item identifier → source column, for every item the table feeds.
func (t Table) Mapping() map[string]string {
	m := make(map[string]string, len(t.Columns))
	for _, c := range t.Columns {
		if c.Item != "" {
			m[c.Item] = c.Name
		}
	}
	return m
}

// column returns the position of the column that feeds item, or -1.
func (t Table) column(item string) int {
	for i, c := range t.Columns {
		if c.Item == item {
			return i
		}
	}
	return -1
}

// keyColumns returns the positions of the key columns in the template's order.
func (t Table) keyColumns() []int {
	list := make([]int, 0, len(t.KeyItems))
	for _, item := range t.KeyItems {
		list = append(list, t.column(item))
	}
	return list
}

// Databases describes the six source databases; it is the same for every seed and scale.
func Databases() []Database {
	list := systems()
	out := make([]Database, 0, len(list))
	for _, s := range list {
		d := s.Database
		for _, t := range s.tables {
			d.Tables = append(d.Tables, t.Table)
		}
		out = append(out, d)
	}
	return out
}

// system is a database together with what fills its tables.
type system struct {
	Database
	tables []table
}

type table struct {
	Table
	// open prepares the producer of n rows. The producer appends the columns after RowColumn to rec, in table order.
	open  func(w *world, n int) (func(i int, rec []string) []string, error)
	flaws []flaw
}

func systems() []system {
	return []system{
		populationSystem(), legalPersonSystem(), geospatialSystem(), certificateSystem(), creditSystem(), macroSystem(),
	}
}
