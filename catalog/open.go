package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// OpenEntry is a published entry that is marked as open to the public, with what outside catalogues tell of it. Contact
// persons are not in it: they are shown to people who sign in.
type OpenEntry struct {
	ID               uuid.UUID
	Code             string
	Version          int
	Metadata         Metadata // Without items, contact person and the records of its review.
	Provider         Department
	Base             BaseDatabase // The zero value where it belongs to none.
	RelatedOpen      []string     // Codes of the related entries that are open themselves.
	FirstPublishedAt *time.Time
	PublishedAt      *time.Time
	ArrivedAt        *time.Time // When the source was last read to its end.
}

// OpenPage is a part of the open directory, in the order of the entries' codes.
type OpenPage struct {
	Publisher Department // The authority of the hub.
	Entries   []OpenEntry
	Next      string // Cursor of the next page, "" after the last.
}

// openEntries reads the entries that are open to the public. Its parameters are a code, "" for every one, and where to go on. What
// has arrived is read as the search does.
const openEntries = `
	SELECT r.id, r.code, v.version, v.body,
		d.id AS department_id, d.name AS department, d.name_en AS department_en, d.level, d.division_code,
		coalesce(b.code, '') AS base, coalesce(b.name, '') AS base_name, coalesce(b.name_en, '') AS base_name_en,
		coalesce((SELECT array_agg(o.code ORDER BY o.code) FROM resource o JOIN resource_version w ON w.resource_id = o.id AND w.version = o.published
			WHERE o.code IN (SELECT jsonb_array_elements_text(CASE jsonb_typeof(v.body->'related_codes') WHEN 'array' THEN v.body->'related_codes' ELSE '[]' END))
				AND o.state = 'published' AND w.open), '{}') AS related_open,
		(SELECT min(f.published_at) FROM resource_version f WHERE f.resource_id = r.id) AS first_published_at, v.published_at,
		(SELECT greatest(h.changed_at, (SELECT k.at FROM task t JOIN store.shuqiao_cursor k ON k.task = t.id
			WHERE t.resource_id = r.id AND t.kind = 'collect')) FROM store.store_head h WHERE h.resource = r.id AND h.layout > 0) AS arrived_at
	FROM resource r
	JOIN resource_version v ON v.resource_id = r.id AND v.version = r.published
	JOIN department d ON d.id = r.provider_dept_id
	LEFT JOIN base_database b ON b.code = v.base_database
	WHERE r.state = 'published' AND v.state = 'published' AND v.open AND r.code IS NOT NULL
		AND ($1 = '' OR r.code = $1) AND r.code > $2
	ORDER BY r.code LIMIT $3`

type openRow struct {
	ID                                       uuid.UUID
	Code                                     string
	Version                                  int
	Body                                     json.RawMessage
	DepartmentID                             uuid.UUID
	Department                               string
	DepartmentEN                             string `db:"department_en"`
	Level, DivisionCode                      string
	Base, BaseName                           string
	BaseNameEN                               string `db:"base_name_en"`
	RelatedOpen                              []string
	FirstPublishedAt, PublishedAt, ArrivedAt *time.Time
}

func (r openRow) entry() (OpenEntry, error) {
	e := OpenEntry{
		ID: r.ID, Code: r.Code, Version: r.Version, RelatedOpen: r.RelatedOpen,
		Provider: Department{
			ID: r.DepartmentID, Name: r.Department, NameEN: r.DepartmentEN, Level: r.Level, DivisionCode: r.DivisionCode,
		},
		Base:             BaseDatabase{Code: r.Base, Name: r.BaseName, NameEN: r.BaseNameEN},
		FirstPublishedAt: db.UTC(r.FirstPublishedAt), PublishedAt: db.UTC(r.PublishedAt), ArrivedAt: db.UTC(r.ArrivedAt),
	}
	if err := decode(r.Body, &e.Metadata); err != nil {
		return OpenEntry{}, err
	}
	e.Metadata.ContactName, e.Metadata.ContactPhone = "", ""
	e.Metadata.SecrecyAssess, e.Metadata.PIAssess, e.Metadata.HeadSignoff = nil, nil, nil
	return e, nil
}

// OpenEntries lists what is open to the public. Anyone may read it where Options.OpenToPublic says so, p may then be the zero
// value; elsewhere whoever may read the directory.
func (s *Service) OpenEntries(ctx context.Context, p authz.Principal, page db.Page) (OpenPage, error) {
	var after string
	if _, err := page.After(&after); err != nil {
		return OpenPage{}, err
	}
	out, err := s.openPage(ctx, p, "", after, page.Size()+1)
	if err != nil {
		return OpenPage{}, err
	}
	out.Entries, out.Next = db.Cut(out.Entries, page, func(e OpenEntry) string { return db.Next(e.Code) })
	return out, nil
}

// OpenEntry returns one entry that is open to the public, for those for whom OpenEntries lists it. name is its id, or its code
// with the slash as a dash. It is NotFound for entries that are not open.
func (s *Service) OpenEntry(ctx context.Context, p authz.Principal, name string) (OpenPage, error) {
	if err := s.mayReadOpen(ctx, p); err != nil {
		return OpenPage{}, err
	}
	code, err := s.codeOf(ctx, name)
	if err != nil {
		return OpenPage{}, err
	}
	out, err := s.openPage(ctx, p, code, "", 1)
	if err == nil && len(out.Entries) == 0 {
		err = notFound("open resource")
	}
	return out, err
}

// mayReadOpen decides who is told what is open to the public.
func (s *Service) mayReadOpen(ctx context.Context, p authz.Principal) error {
	switch {
	case s.openToPublic:
		return nil
	case p.ID == uuid.Nil:
		return fault.New(fault.Unauthenticated, "unauthenticated", "sign in to read what is open: this hub shows it to nobody else")
	}
	return s.mayRead(ctx, p)
}

func (s *Service) openPage(ctx context.Context, p authz.Principal, code, after string, most int) (OpenPage, error) {
	if err := s.mayReadOpen(ctx, p); err != nil {
		return OpenPage{}, err
	}
	var out OpenPage
	var err error
	// A hub has one authority; of several, in a hub of several divisions, the first stands for it.
	out.Publisher, err = one(ctx, s.db.Pool, departmentRow.department, notFound("authority"), "SELECT * FROM department WHERE authority ORDER BY created_at, id LIMIT 1")
	if err != nil {
		return OpenPage{}, err
	}
	out.Entries, err = many(ctx, s.db.Pool, openRow.entry, openEntries, code, after, most)
	if err != nil {
		return OpenPage{}, fmt.Errorf("reading what is open: %w", err)
	}
	return out, nil
}

// codePath is what a code looks like in an address.
var codePath = regexp.MustCompile(`^[0-9A-Za-z-]{1,80}-[0-9]{1,18}$`)

// codeOf returns the code of an entry by its name in an address: its id, or its code with the slash as a dash. It is NotFound
// for what names no entry that has a code.
func (s *Service) codeOf(ctx context.Context, name string) (string, error) {
	if id, err := uuid.Parse(name); err == nil {
		var code *string
		err := s.db.Pool.QueryRow(ctx, "SELECT code FROM resource WHERE id = $1", id).Scan(&code)
		switch {
		case errors.Is(err, pgx.ErrNoRows) || err == nil && code == nil:
			return "", notFound("resource")
		case err != nil:
			return "", fmt.Errorf("reading a code: %w", err)
		}
		return *code, nil
	}
	at := strings.LastIndexByte(name, '-')
	if at < 0 || !codePath.MatchString(name) {
		return "", notFound("resource")
	}
	return name[:at] + "/" + name[at+1:], nil
}

// ByCode returns the id of an entry by its code with the slash as a dash, for those who may read it.
func (s *Service) ByCode(ctx context.Context, p authz.Principal, name string) (uuid.UUID, error) {
	code, err := s.codeOf(ctx, name)
	if err != nil {
		return uuid.Nil, err
	}
	var id uuid.UUID
	err = s.db.Pool.QueryRow(ctx, "SELECT id FROM resource WHERE code = $1", code).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, notFound("resource")
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("finding an entry by its code: %w", err)
	}
	_, err = s.readable(ctx, p, id)
	return id, err
}
