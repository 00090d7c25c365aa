package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
)

// document is what resource_search keeps of one version, besides what PostgreSQL counts.
type document struct {
	Resource     uuid.UUID
	Version      int
	State        State
	Department   uuid.UUID
	Code         string
	Name         string
	Summary      string
	BaseDatabase string
	ShareType    string
	UpdateCycle  string
	Grade        string
	Open         bool
	Body         json.RawMessage
	UpdatedAt    time.Time
	PublishedAt  *time.Time
	metadata     Metadata
	items        []documentItem
}

type documentItem struct {
	Resource   uuid.UUID
	Version    int
	Name       string
	Identifier string
	Defined    bool // Says what it means.
	Bound      bool // Has a code list, a validator or a data element.
}

// shownVersions is the condition on resource r that a version's number is one that a search may find: the visible one and the newest.
const shownVersions = "IN (r.newest, r.published)"

// index writes the rows of resource_search of some entries anew, in the transaction that changed them. Entries that are gone lose theirs.
func index(ctx context.Context, tx *db.Tx, ids ...uuid.UUID) error {
	documents, err := readDocuments(ctx, tx, ids)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM resource_search s WHERE s.resource_id = ANY($1)
		AND NOT EXISTS (SELECT FROM resource r WHERE r.id = s.resource_id AND s.version `+shownVersions+`)`, ids)
	for _, d := range documents {
		name, body := d.texts()
		batch.Queue(`
			WITH known AS (SELECT signals, least($5 + signals, $6) AS rank FROM (SELECT coalesce(max(signals), 0) AS signals FROM resource_search WHERE resource_id = $1) s)
			INSERT INTO resource_search (resource_id, version, state, department_id, rank, tier, complete, signals, base_database, share_type, share_methods,
				update_cycle, grade, open, themes, items, updated_at, published_at, name, body, words, built)
			SELECT $1, $2, $3, $4, rank, search_tier_of($3, rank, $1), $5, signals, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
				array_to_tsvector($19::text[]), $20 FROM known
			ON CONFLICT (resource_id, version) DO UPDATE SET
				state = excluded.state, department_id = excluded.department_id, rank = excluded.rank, tier = excluded.tier, complete = excluded.complete,
				base_database = excluded.base_database, share_type = excluded.share_type, share_methods = excluded.share_methods,
				update_cycle = excluded.update_cycle, grade = excluded.grade, open = excluded.open, themes = excluded.themes, items = excluded.items,
				updated_at = excluded.updated_at, published_at = excluded.published_at, name = excluded.name, body = excluded.body,
				words = excluded.words, built = excluded.built`,
			d.Resource, d.Version, string(d.State), d.Department, d.complete(), maxRank, d.BaseDatabase, d.ShareType, d.methods(),
			d.UpdateCycle, d.Grade, d.Open, d.themes(), len(d.items), d.UpdatedAt, d.PublishedAt, name, body, d.words(name, body), builtBy)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("writing what searches read: %w", err)
	}
	return nil
}

func readDocuments(ctx context.Context, q Querier, ids []uuid.UUID) ([]document, error) {
	found, err := q.Query(ctx, `
		SELECT r.id, v.version, v.state, r.provider_dept_id, coalesce(r.code, ''), v.name, v.summary, coalesce(v.base_database, ''), v.share_type,
			v.update_cycle, v.grade, v.open, v.body, v.updated_at, v.published_at
		FROM resource r JOIN resource_version v ON v.resource_id = r.id AND v.version `+shownVersions+` WHERE r.id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading what searches read: %w", err)
	}
	type key struct {
		id      uuid.UUID
		version int
	}
	at := map[key]int{}
	var out []document
	documents, err := pgx.CollectRows(found, func(row pgx.CollectableRow) (d document, err error) {
		err = row.Scan(&d.Resource, &d.Version, &d.State, &d.Department, &d.Code, &d.Name, &d.Summary, &d.BaseDatabase, &d.ShareType,
			&d.UpdateCycle, &d.Grade, &d.Open, &d.Body, &d.UpdatedAt, &d.PublishedAt)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what searches read: %w", err)
	}
	for _, d := range documents {
		if err := decode(d.Body, &d.metadata); err != nil {
			return nil, err
		}
		at[key{d.Resource, d.Version}] = len(out)
		out = append(out, d)
	}
	found, err = q.Query(ctx, `
		SELECT i.resource_id, i.version, i.name, i.identifier, i.definition <> '', i.validator <> '' OR i.code_set <> '' OR i.data_element <> ''
		FROM resource r JOIN item i ON i.resource_id = r.id AND i.version `+shownVersions+` WHERE r.id = ANY($1) ORDER BY i.ordinal`, ids)
	if err != nil {
		return nil, fmt.Errorf("reading what searches read: %w", err)
	}
	items, err := pgx.CollectRows(found, pgx.RowToStructByPos[documentItem])
	if err != nil {
		return nil, fmt.Errorf("reading what searches read: %w", err)
	}
	for _, item := range items {
		if n, ok := at[key{item.Resource, item.Version}]; ok {
			out[n].items = append(out[n].items, item)
		}
	}
	return out, nil
}

// texts returns what suggestions and searches look at.
func (d document) texts() (name, body string) {
	initials, full := sounds(d.Name)
	name = strings.Join([]string{plain(d.Name), initials, full, plain(d.Code)}, "\n")
	var b strings.Builder
	b.WriteString(name)
	add := func(text string) {
		if b.Len() < maxBody && text != "" {
			b.WriteByte('\n')
			b.WriteString(plain(text))
		}
	}
	add(d.Summary)
	for _, list := range [][]string{d.metadata.Tags, d.metadata.Themes} {
		for _, text := range list {
			add(text)
		}
	}
	for _, item := range d.items {
		add(item.Name)
		add(item.Identifier)
	}
	return name, upTo(b.String(), maxBody)
}

// words are the lexemes of a row: the pieces of its body, those of its name once more as marks, for suggestions, and the marks of what
// searches are narrowed by.
func (d document) words(name, body string) []string {
	out := append(pieces(body),
		mark("s", string(d.State)), mark("d", d.Department.String()), mark("b", d.BaseDatabase), mark("h", d.ShareType), mark("c", d.UpdateCycle),
		mark("g", d.Grade), mark("o", fmt.Sprint(d.Open)))
	for _, piece := range pieces(name) {
		out = append(out, mark(inName, piece))
	}
	for _, method := range d.methods() {
		out = append(out, mark("m", method))
	}
	for _, theme := range d.themes() {
		out = append(out, mark("t", theme))
	}
	return out
}

// methods and themes leave out what is empty, as drafts may have it.
func (d document) methods() []string {
	out := []string{}
	for _, method := range d.metadata.ShareMethods {
		if method != "" {
			out = append(out, string(method))
		}
	}
	return out
}

func (d document) themes() []string {
	out := []string{}
	for _, theme := range d.metadata.Themes {
		if theme != "" {
			out = append(out, theme)
		}
	}
	return out
}

// upTo cuts a text to at most n bytes, between two characters.
func upTo(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// rebuildChunk is how many entries are indexed in one transaction.
const rebuildChunk = 200

// RebuildSearch indexes entries that no row of resource_search speaks for, or one that an older program built; with all, every entry.
// It goes on where it was interrupted, except with all. progress, which may be nil, hears after each chunk how many entries there were.
func RebuildSearch(ctx context.Context, d *db.DB, all bool, progress func(done int)) (int, error) {
	done := 0
	after := uuid.Nil
	for {
		var ids []uuid.UUID
		err := d.InTx(ctx, func(tx *db.Tx) (err error) {
			// The lock orders this against whoever changes an entry, so that no older text replaces a newer one.
			ids, err = column[uuid.UUID](ctx, tx, `
				SELECT r.id FROM resource r
				WHERE r.id > $1 AND ($2 OR EXISTS (SELECT FROM unnest(ARRAY[r.newest, r.published]) n WHERE n IS NOT NULL AND NOT EXISTS (
					SELECT FROM resource_search s WHERE s.resource_id = r.id AND s.version = n AND s.built = $3)))
				ORDER BY r.id LIMIT $4 FOR SHARE OF r`, after, all, builtBy, rebuildChunk)
			if err != nil || len(ids) == 0 {
				return err
			}
			return index(ctx, tx, ids...)
		})
		if err != nil {
			return done, err
		}
		if len(ids) == 0 {
			return done, nil
		}
		done += len(ids)
		after = ids[len(ids)-1]
		if progress != nil {
			progress(done)
		}
	}
}
