package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// DataElementFilter narrows a list of data elements. Empty fields do not narrow.
type DataElementFilter struct {
	Text  string // Part of code, names, standard or a synonym.
	State string
}

// DataElements lists the data elements by their code.
func (s *Service) DataElements(ctx context.Context, p authz.Principal, f DataElementFilter, page db.Page) ([]DataElement, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DataElementRead, authz.Target{Kind: "data_element"}); err != nil {
		return nil, "", err
	}
	var code string
	if _, err := page.After(&code); err != nil {
		return nil, "", err
	}
	out, err := many(ctx, s.db.Pool, dataElementRow.element, `
		SELECT * FROM data_element WHERE code > $1 AND ($2 = '' OR state = $2)
			AND ($3 = '%%' OR definition ILIKE $3 OR EXISTS (SELECT FROM unnest(terms) t WHERE t ILIKE $3))
		ORDER BY code LIMIT $4`, clean(code), clean(f.State), db.Containing(clean(f.Text)), page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing data elements: %w", err)
	}
	out, next := db.Cut(out, page, func(e DataElement) string { return db.Next(e.Code) })
	return out, next, nil
}

// DataElement returns one data element.
func (s *Service) DataElement(ctx context.Context, p authz.Principal, code string) (DataElement, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DataElementRead, authz.Target{Kind: "data_element", ID: clean(code)}); err != nil {
		return DataElement{}, err
	}
	return loadDataElement(ctx, s.db.Pool, code, "")
}

// CreateDataElement adds a data element to the register.
func (s *Service) CreateDataElement(ctx context.Context, p authz.Principal, e DataElement) (DataElement, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DataElementWrite, authz.Target{Kind: "data_element"}); err != nil {
		return DataElement{}, err
	}
	e.tidy()
	if err := e.check(); err != nil {
		return DataElement{}, err
	}
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		e.RowVersion, e.CreatedAt, e.UpdatedAt = 1, tx.Now(), tx.Now()
		_, err := tx.Exec(ctx, `
			INSERT INTO data_element (code, name, name_en, definition, data_type, length, code_set, standard, synonyms, terms, state, row_version, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $12)`,
			e.Code, e.Name, e.NameEN, e.Definition, string(e.DataType), e.Length, e.CodeSet, e.Standard, e.Synonyms, e.terms(), e.State, tx.Now())
		if err != nil {
			return dataElementFault(err)
		}
		return record(ctx, tx, p, "data_element.create", "data_element", e.Code, map[string]any{"name": e.Name, "standard": e.Standard})
	})
	if err != nil {
		return DataElement{}, err
	}
	return e, nil
}

// UpdateDataElement replaces what the register says of a data element; its code stays.
func (s *Service) UpdateDataElement(ctx context.Context, p authz.Principal, code string, ifMatch int64, e DataElement) (DataElement, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.DataElementWrite, authz.Target{Kind: "data_element", ID: clean(code)}); err != nil {
		return DataElement{}, err
	}
	e.Code = code
	e.tidy()
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		before, err := loadDataElement(ctx, tx, code, "FOR UPDATE")
		if err != nil {
			return err
		}
		if err := db.Matches(ifMatch, before.RowVersion); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return err
		}
		e.RowVersion, e.CreatedAt, e.UpdatedAt = before.RowVersion+1, before.CreatedAt, tx.Now()
		_, err = tx.Exec(ctx, `
			UPDATE data_element SET name = $2, name_en = $3, definition = $4, data_type = $5, length = $6, code_set = $7, standard = $8,
				synonyms = $9, terms = $10, state = $11, row_version = $12, updated_at = $13 WHERE code = $1`,
			e.Code, e.Name, e.NameEN, e.Definition, string(e.DataType), e.Length, e.CodeSet, e.Standard, e.Synonyms, e.terms(), e.State, e.RowVersion, tx.Now())
		if err != nil {
			return dataElementFault(err)
		}
		return record(ctx, tx, p, "data_element.update", "data_element", e.Code, map[string]any{"name": e.Name, "standard": e.Standard, "state": e.State})
	})
	if err != nil {
		return DataElement{}, err
	}
	return e, nil
}

// dataElementRow mirrors the table column by column.
type dataElementRow struct {
	Code       string
	Name       string
	NameEN     string `db:"name_en"`
	Definition string
	DataType   string
	Length     int
	CodeSet    string
	Standard   string
	Synonyms   []string
	Terms      []string
	State      string
	RowVersion int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

func (r dataElementRow) element() (DataElement, error) {
	return DataElement{
		Code: r.Code, Name: r.Name, NameEN: r.NameEN, Definition: r.Definition, DataType: DataType(r.DataType), Length: r.Length,
		CodeSet: r.CodeSet, Standard: r.Standard, Synonyms: filled(r.Synonyms), State: r.State, RowVersion: r.RowVersion,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}

func loadDataElement(ctx context.Context, q Querier, code, lock string) (DataElement, error) {
	return one(ctx, q, dataElementRow.element, notFound("data element"), "SELECT * FROM data_element WHERE code = $1 "+lock, clean(code))
}

func dataElementFault(err error) error {
	switch {
	case db.IsUnique(err, "data_element_pkey"):
		return fault.InvalidFields([]fault.Field{{Name: "code", Code: "taken", Message: "there is a data element of this code"}})
	case db.IsUnique(err, "data_element_name_key"):
		return fault.InvalidFields([]fault.Field{{Name: "name", Code: "taken", Message: "another data element has this name"}})
	}
	return err
}
