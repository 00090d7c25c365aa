package catalog

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// CodeBook is what the code tables hold, as of one version of them. It is shared and never changed; the nil CodeBook knows no table.
type CodeBook struct {
	version int64
	tables  map[string]map[string][]CodeValue // By table and code; the earliest first.
	sorted  map[string][]CodeValue            // By table, in the order of the lists.
}

// codeCache is the book that a node remembers.
type codeCache struct {
	mu   sync.Mutex
	book *CodeBook
}

// codeBook returns the book in force. The versions of the tables tell whether the one remembered still is: they are read each time,
// the values only after a change.
func (s *Service) codeBook(ctx context.Context, q Querier) (*CodeBook, error) {
	var version int64
	if err := q.QueryRow(ctx, "SELECT coalesce(sum(row_version), 0)::bigint FROM code_table").Scan(&version); err != nil {
		return nil, fmt.Errorf("reading the version of the code tables: %w", err)
	}
	s.codes.mu.Lock()
	book := s.codes.book
	s.codes.mu.Unlock()
	if book != nil && book.version == version {
		return book, nil
	}
	book, err := readBook(ctx, q, version)
	if err != nil {
		return nil, err
	}
	s.codes.mu.Lock()
	defer s.codes.mu.Unlock()
	// Versions only rise: a reader that was slower does not bring back an older book.
	if s.codes.book == nil || s.codes.book.version < version {
		s.codes.book = book
	}
	return book, nil
}

func readBook(ctx context.Context, q Querier, version int64) (*CodeBook, error) {
	all, err := many(ctx, q, codeValueRow.value, "SELECT "+codeColumns+" FROM code_value ORDER BY table_name, sort, code, valid_from")
	if err != nil {
		return nil, fmt.Errorf("reading the code tables: %w", err)
	}
	book := &CodeBook{version: version, tables: map[string]map[string][]CodeValue{}, sorted: map[string][]CodeValue{}}
	for _, v := range all {
		if book.tables[v.Table] == nil {
			book.tables[v.Table] = map[string][]CodeValue{}
		}
		book.tables[v.Table][v.Code] = append(book.tables[v.Table][v.Code], v)
		book.sorted[v.Table] = append(book.sorted[v.Table], v)
	}
	return book, nil
}

// Has reports whether the book knows the table.
func (b *CodeBook) Has(table string) bool { return b != nil && len(b.tables[table]) > 0 }

// Find returns the value of a code that is valid on a day, else the last one that was valid before it. ok is false when the table
// never had the code by then.
func (b *CodeBook) Find(table, code, day string) (v CodeValue, ok bool) {
	if b == nil {
		return CodeValue{}, false
	}
	return latest(b.tables[table][code], day)
}

// FindName is Find by the name of a value.
func (b *CodeBook) FindName(table, name, day string) (v CodeValue, ok bool) {
	if b == nil {
		return CodeValue{}, false
	}
	var named []CodeValue
	for _, v := range b.sorted[table] {
		if v.Name == name {
			named = append(named, v)
		}
	}
	return latest(named, day)
}

// latest returns the value valid on a day, else the one that ended last before it.
func latest(values []CodeValue, day string) (best CodeValue, ok bool) {
	for _, v := range values {
		switch {
		case v.ValidOn(day):
			return v, true
		case v.ValidFrom <= day && (!ok || v.ValidTo > best.ValidTo):
			best, ok = v, true
		}
	}
	return best, ok
}

// Valid returns the values of a table that are valid on a day, in the order of the lists.
func (b *CodeBook) Valid(table, day string) []CodeValue {
	if b == nil {
		return nil
	}
	var out []CodeValue
	for _, v := range b.sorted[table] {
		if v.ValidOn(day) {
			out = append(out, v)
		}
	}
	return out
}

// Division returns the value of the longest part of a division code that the book knows.
func (b *CodeBook) Division(code, day string) (v CodeValue, ok bool) {
	for _, n := range []int{12, 9, 6} {
		if len(code) >= n && !ok {
			v, ok = b.Find(TableDivision, code[:n], day)
		}
	}
	return v, ok
}

// parentCode is the code of the value above, "" for a value at the top. A county that belongs to no city is under its province.
func (b *CodeBook) parentCode(table, code, day string) string {
	switch {
	case table == TableClassification:
		return classParent(code)
	case table == TableFormat:
		category, _, _ := strings.Cut(code, "/")
		return category
	case table != TableDivision:
		return ""
	case len(code) > 6:
		return code[:len(code)-3]
	case strings.HasSuffix(code, "00"):
		return code[:2] + "0000"
	}
	if city := code[:4] + "00"; b.known(city, day) {
		return city
	}
	return code[:2] + "0000"
}

func (b *CodeBook) known(division, day string) bool {
	_, ok := b.Find(TableDivision, division, day)
	return ok
}

// classParent cuts a classification before its last level.
func classParent(code string) string {
	switch n := len(code); {
	case n > 6:
		return code[:6]
	case n > 3:
		return code[:3]
	case n > 1:
		return code[:1]
	}
	return ""
}
