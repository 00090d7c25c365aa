package catalog

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog/codes"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

func codeTableTarget(table string) authz.Target {
	return authz.Target{Kind: "code_table", ID: clean(table)}
}

const selectCodeTables = `
	SELECT t.name, t.title, t.title_en, t.basis, t.editable, t.row_version, t.updated_at,
		count(v.id) FILTER (WHERE v.valid_from <= $1::date AND (v.valid_to IS NULL OR v.valid_to >= $1::date)) AS values,
		count(v.id) FILTER (WHERE v.valid_to < $1::date) AS ended
	FROM code_table t LEFT JOIN code_value v ON v.table_name = t.name`

// CodeTables lists the code tables, those that are fixed by law first.
func (s *Service) CodeTables(ctx context.Context, p authz.Principal) ([]CodeTable, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CodeTableRead, authz.Target{Kind: "code_table"}); err != nil {
		return nil, err
	}
	return many(ctx, s.db.Pool, codeTableRow.table, selectCodeTables+" GROUP BY t.name ORDER BY t.sort, t.name", s.today())
}

// CodeTable returns one code table.
func (s *Service) CodeTable(ctx context.Context, p authz.Principal, name string) (CodeTable, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CodeTableRead, codeTableTarget(name)); err != nil {
		return CodeTable{}, err
	}
	return one(ctx, s.db.Pool, codeTableRow.table, notFound("code table"), selectCodeTables+" WHERE t.name = $2 GROUP BY t.name", s.today(), clean(name))
}

// CodeValues lists the values of a code table by their code, those of the program's lists in the order of the standard.
func (s *Service) CodeValues(ctx context.Context, p authz.Principal, table string, f CodeFilter, page db.Page) ([]CodeValue, string, error) {
	if _, err := s.CodeTable(ctx, p, table); err != nil {
		return nil, "", err
	}
	if f.Day == "" {
		f.Day = s.today()
	}
	if _, err := time.Parse(time.DateOnly, f.Day); err != nil {
		return nil, "", fault.InvalidFields([]fault.Field{{Name: "day", Code: "bad_date", Message: "give a day of the calendar as YYYY-MM-DD"}})
	}
	var sort int
	var code, from string
	after, err := page.After(&sort, &code, &from)
	if err != nil {
		return nil, "", err
	}
	if _, err := time.Parse(time.DateOnly, from); err != nil {
		from = "-infinity"
	}
	out, err := many(ctx, s.db.Pool, codeValueRow.value, `
		SELECT `+codeColumns+` FROM code_value
		WHERE table_name = $1 AND (NOT $2 OR (sort, code, valid_from) > ($3, $4, $5::date))
			AND ($6 = '' OR strpos(lower(code), lower($6)) > 0 OR strpos(title, $6) > 0 OR strpos(lower(title_en), lower($6)) > 0)
			AND ($7 = '' OR parent = $7) AND ($8 OR (valid_from <= $9::date AND (valid_to IS NULL OR valid_to >= $9::date)))
		ORDER BY sort, code, valid_from LIMIT $10`,
		table, after, sort, clean(code), from, clean(f.Text), clean(f.Parent), f.Ended, f.Day, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing values: %w", err)
	}
	out, next := db.Cut(out, page, func(v CodeValue) string { return db.Next(v.sort, v.Code, v.ValidFrom) })
	return out, next, nil
}

// CodeHistory lists what was added to a code table and ended in it since the hub began, the last first.
func (s *Service) CodeHistory(ctx context.Context, p authz.Principal, table string, page db.Page) ([]CodeChange, string, error) {
	if _, err := s.CodeTable(ctx, p, table); err != nil {
		return nil, "", err
	}
	var at time.Time
	var id uuid.UUID
	var kind string
	after, err := page.After(&at, &id, &kind)
	if err != nil {
		return nil, "", err
	}
	type row struct {
		codeValueRow
		Kind   string
		At     time.Time
		By     uuid.UUID
		Reason string
	}
	out, err := many(ctx, s.db.Pool, func(r row) (CodeChange, error) {
		v, err := r.value()
		return CodeChange{Value: v, Kind: r.Kind, At: r.At.UTC(), By: r.By, Reason: r.Reason}, err
	}, `
		SELECT * FROM (
			SELECT `+codeColumns+`, 'added' AS kind, added_at AS at, added_by AS by, note AS reason
			FROM code_value WHERE table_name = $1 AND added_at IS NOT NULL
			UNION ALL
			SELECT `+codeColumns+`, 'ended', ended_at, ended_by, end_reason
			FROM code_value WHERE table_name = $1 AND ended_at IS NOT NULL) c
		WHERE NOT $2 OR (at, id, kind) < ($3, $4, $5) ORDER BY at DESC, id DESC, kind DESC LIMIT $6`,
		table, after, at, id, clean(kind), page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing changes of a code table: %w", err)
	}
	out, next := db.Cut(out, page, func(c CodeChange) string { return db.Next(c.At, c.Value.ID, c.Kind) })
	return out, next, nil
}

// CodeChoices returns the code tables as of today, for forms that offer values.
func (s *Service) CodeChoices(ctx context.Context, p authz.Principal) (book *CodeBook, today string, err error) {
	if _, err := s.enforcer.Check(ctx, p, authz.CodeTableRead, authz.Target{Kind: "code_table"}); err != nil {
		return nil, "", err
	}
	book, err = s.codeBook(ctx, s.db.Pool)
	return book, s.today(), err
}

// AddCodeValue adds a value to an editable code table. Its code must have the form of the table and stand under a value that is valid
// when it begins; neither its code nor its name under that value may be valid at the same time.
func (s *Service) AddCodeValue(ctx context.Context, p authz.Principal, table string, n NewCodeValue) (CodeValue, error) {
	for _, text := range []*string{&n.Code, &n.Name, &n.NameEN, &n.Note} {
		*text = strings.TrimSpace(clean(*text))
	}
	if n.ValidFrom == "" {
		n.ValidFrom = s.today()
	}
	var v CodeValue
	err := s.changeCodes(ctx, p, table, func(tx *db.Tx, book *CodeBook) error {
		if err := fault.InvalidFields(checkNewCode(table, n)); err != nil {
			return err
		}
		now := tx.Now()
		v = CodeValue{
			ID: db.NewID(), Table: table, Code: n.Code, Name: n.Name, NameEN: n.NameEN, Parent: book.parentCode(table, n.Code, n.ValidFrom),
			ValidFrom: n.ValidFrom, Note: n.Note, AddedBy: p.ID, AddedAt: &now,
		}
		if err := fault.InvalidFields(book.checkPlace(v)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO code_value (id, table_name, code, title, title_en, parent, sort, valid_from, note, added_by, added_at)
			SELECT $1, $2, $3, $4, $5, $6, coalesce(max(sort), 0), $7::date, $8, $9, $10 FROM code_value WHERE table_name = $2`,
			v.ID, v.Table, v.Code, v.Name, v.NameEN, v.Parent, v.ValidFrom, v.Note, v.AddedBy, now)
		if err != nil {
			return fmt.Errorf("adding a value: %w", err)
		}
		return record(ctx, tx, p, "code_table.add", "code_table", table, map[string]any{"code": v.Code, "name": v.Name, "valid_from": v.ValidFrom})
	})
	return v, err
}

// EndCodeValue ends a value of an editable code table on a day, which may lie in the past: notices arrive late. Entries that state the
// value keep it and are told at their next version. A value with others below it ends after those: Conflict "values_below".
func (s *Service) EndCodeValue(ctx context.Context, p authz.Principal, table string, id uuid.UUID, end CodeEnd) (CodeValue, error) {
	end.Successor, end.Reason = strings.TrimSpace(clean(end.Successor)), strings.TrimSpace(clean(end.Reason))
	var v CodeValue
	err := s.changeCodes(ctx, p, table, func(tx *db.Tx, book *CodeBook) (err error) {
		v, err = one(ctx, tx, codeValueRow.value, notFound("value"), "SELECT "+codeColumns+" FROM code_value WHERE table_name = $1 AND id = $2", table, id)
		if err != nil {
			return err
		}
		if v.Fixed {
			return codesFixed()
		}
		if v.ValidTo != "" {
			return fault.New(fault.Conflict, "already_ended", "this value has ended already")
		}
		if err := fault.InvalidFields(book.checkEnd(v, end)); err != nil {
			return err
		}
		for _, below := range book.sorted[table] {
			if below.Parent == v.Code && (below.ValidTo == "" || below.ValidTo > end.ValidTo) {
				return fault.New(fault.Conflict, "values_below", "there are values below this one that are valid longer; end those first")
			}
		}
		now := tx.Now()
		v.ValidTo, v.Successor, v.EndReason, v.EndedBy, v.EndedAt = end.ValidTo, end.Successor, end.Reason, p.ID, &now
		_, err = tx.Exec(ctx, "UPDATE code_value SET valid_to = $2::date, successor = $3, end_reason = $4, ended_by = $5, ended_at = $6 WHERE id = $1",
			id, v.ValidTo, v.Successor, v.EndReason, v.EndedBy, now)
		if err != nil {
			return fmt.Errorf("ending a value: %w", err)
		}
		return record(ctx, tx, p, "code_table.end", "code_table", table, map[string]any{
			"code": v.Code, "valid_to": v.ValidTo, "successor": v.Successor, "reason": v.EndReason,
		})
	})
	return v, err
}

// changeCodes lets work change the values of an editable table, one change at a time, and tells every node by the table's version.
func (s *Service) changeCodes(ctx context.Context, p authz.Principal, table string, work func(*db.Tx, *CodeBook) error) error {
	if _, err := s.enforcer.Check(ctx, p, authz.CodeTableWrite, codeTableTarget(table)); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		var editable bool
		err := tx.QueryRow(ctx, "SELECT editable FROM code_table WHERE name = $1 FOR UPDATE", clean(table)).Scan(&editable)
		switch {
		case db.NoRows(err):
			return notFound("code table")
		case err != nil:
			return fmt.Errorf("reading a code table: %w", err)
		case !editable:
			return codesFixed()
		}
		book, err := s.codeBook(ctx, tx)
		if err != nil {
			return err
		}
		if err := work(tx, book); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE code_table SET row_version = row_version + 1, updated_at = $2 WHERE name = $1", table, tx.Now()); err != nil {
			return fmt.Errorf("writing the version of a code table: %w", err)
		}
		return nil
	})
}

func codesFixed() error {
	return fault.New(fault.Conflict, "fixed_by_law", "a law or a standard fixes this; the hub shows it and works with it, and nobody changes it here")
}

// codeForms are the forms of the codes of the editable tables.
var codeForms = map[string]*regexp.Regexp{
	TableClassification: regexp.MustCompile(`^[123][0-9]{2}([0-9]{3}([0-9A-Za-z]{1,20})?)?$`),
	TableTheme:          regexp.MustCompile(`^[0-9A-Za-z_]{1,20}$`),
	TableFormat:         regexp.MustCompile(`^[1-7]/[^/\s][^/]{0,39}$`),
	TableDivision:       regexp.MustCompile(`^[0-9]{6}([0-9]{3}([0-9]{3})?)?$`),
}

// checkNewCode judges what is stated by itself.
func checkNewCode(table string, n NewCodeValue) []fault.Field {
	c := &checker{}
	for _, text := range []struct {
		name, value string
		most        int
	}{{"code", n.Code, 64}, {"name", n.Name, maxName}, {"name_en", n.NameEN, maxName}, {"note", n.Note, maxSummary}} {
		if utf8.RuneCountInString(text.value) > text.most {
			c.block(text.name, "too_long", "shorten this to at most %d characters", text.most)
		}
	}
	c.required("name", n.Name, "give the value a name")
	c.day("valid_from", n.ValidFrom)
	if form := codeForms[table]; form == nil || !form.MatchString(n.Code) {
		c.block("code", "bad_form", "the code does not have the form of this table")
	} else if table == TableDivision && !codes.Contains(codes.ListProvince, n.Code[:2]) {
		c.block("code", codes.CodeUnknownProvince, "the first two digits are no province of GB/T 2260")
	}
	return c.blocks
}

// day blocks unless s is a day of the calendar.
func (c *checker) day(name, s string) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		c.block(name, "bad_date", "give a day of the calendar as YYYY-MM-DD")
	}
}

// checkPlace judges a new value among those there are: it is valid without end, so nothing of its code or name may be valid later.
func (b *CodeBook) checkPlace(v CodeValue) (out []fault.Field) {
	if v.Table == TableClassification && len(v.Code) == 3 && v.Code[0] != '2' {
		return []fault.Field{{Name: "code", Code: "closed", Message: "the categories of classes 1 and 3 are a closed list"}}
	}
	if v.Parent != "" {
		if above, ok := b.Find(v.Table, v.Parent, v.ValidFrom); !ok || !above.ValidOn(v.ValidFrom) {
			out = append(out, fault.Field{Name: "code", Code: "no_parent", Message: "the value above this code is not valid on the day it begins; add that first"})
		}
	}
	for _, other := range b.sorted[v.Table] {
		if other.ValidTo != "" && other.ValidTo < v.ValidFrom {
			continue
		}
		switch {
		case other.Code == v.Code:
			out = append(out, fault.Field{Name: "code", Code: "taken", Message: "the code is valid on that day or later; end it before the new value begins"})
		case other.Parent == v.Parent && other.Name == v.Name:
			out = append(out, fault.Field{Name: "name", Code: "taken", Message: "another value of the same place has this name"})
		}
	}
	return out
}

// checkEnd judges how a value is to end.
func (b *CodeBook) checkEnd(v CodeValue, end CodeEnd) []fault.Field {
	c := &checker{}
	if c.day("valid_to", end.ValidTo); len(c.blocks) == 0 && end.ValidTo < v.ValidFrom {
		c.block("valid_to", "before_start", "the value is not valid yet on that day")
	}
	if c.required("reason", end.Reason, "give the reason, such as the document by which it ended") && utf8.RuneCountInString(end.Reason) > maxSummary {
		c.block("reason", "too_long", "shorten this to at most %d characters", maxSummary)
	}
	if end.Successor == "" || len(c.blocks) > 0 {
		return c.blocks
	}
	next, _ := time.Parse(time.DateOnly, end.ValidTo) // A day: checked above.
	begins := next.AddDate(0, 0, 1).Format(time.DateOnly)
	if successor, ok := b.Find(v.Table, end.Successor, begins); !ok || end.Successor == v.Code || !successor.ValidOn(begins) {
		c.block("successor", "unknown", "the value that takes its place must be another one that is valid on the day after; add it first")
	}
	return c.blocks
}
