package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Comment is a remark on a version of an entry, or an answer to one.
type Comment struct {
	ID         uuid.UUID  `json:"id"`
	Version    int        `json:"version"`
	Round      int        `json:"round"`  // Of the review in which it was made.
	Field      string     `json:"field"`  // JSON name of a field, "items." and the identifier of an item, or "" for the whole.
	Thread     uuid.UUID  `json:"thread"` // The first remark of its thread: itself, or what it answers.
	Said       string     `json:"said"`
	AuthorID   uuid.UUID  `json:"author_id"`
	Author     string     `json:"author"` // "" for people who are not registered any more.
	Department string     `json:"department"`
	At         time.Time  `json:"at"`
	ResolvedBy *uuid.UUID `json:"resolved_by,omitempty"` // Of the thread: set on its first remark.
	ResolvedAt *time.Time `json:"resolved_at,omitempty"`
}

// NewComment is what somebody remarks.
type NewComment struct {
	Field  string    `json:"field"`
	Thread uuid.UUID `json:"thread,omitempty"` // The remark it answers; its field then counts.
	Said   string    `json:"said"`
}

// maxComments bounds the remarks on one version, and maxField the name of what one is about.
const (
	maxComments = 1000
	maxField    = 128
)

// commentSQL selects Comment of a resource ($1); what follows narrows it.
const commentSQL = `
	SELECT c.id, c.version, c.round, c.field, c.thread, c.said, c.author_id,
		coalesce((SELECT display_name FROM hub_user u WHERE u.id = c.author_id), '') AS author,
		coalesce((SELECT name FROM department d WHERE d.id = c.author_dept), '') AS department, c.at, c.resolved_by, c.resolved_at
	FROM review_comment c WHERE c.resource_id = $1 `

func (c Comment) comment() (Comment, error) {
	c.At, c.ResolvedAt = c.At.UTC(), db.UTC(c.ResolvedAt)
	return c, nil
}

// Comments lists the remarks on a version, the oldest first. Version 0 is the newest.
func (s *Service) Comments(ctx context.Context, p authz.Principal, id uuid.UUID, version int, page db.Page) ([]Comment, string, error) {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return nil, "", err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ResourceReadDraft, resourceTarget(r)); err != nil {
		return nil, "", err
	}
	if version == 0 {
		version = r.Newest
	}
	var at time.Time
	var after uuid.UUID
	more, err := page.After(&at, &after)
	if err != nil {
		return nil, "", err
	}
	out, err := many(ctx, s.db.Pool, Comment.comment, commentSQL+`
		AND c.version = $2 AND (NOT $3 OR (c.at, c.id) > ($4, $5)) ORDER BY c.at, c.id LIMIT $6`,
		id, version, more, at, after, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing comments: %w", err)
	}
	out, next := db.Cut(out, page, func(c Comment) string { return db.Next(c.At, c.ID) })
	return out, next, nil
}

// AddComment remarks something on the newest version of an entry, or answers a remark on it, while it is compiled or reviewed.
func (s *Service) AddComment(ctx context.Context, p authz.Principal, id uuid.UUID, n NewComment) (Comment, error) {
	var out Comment
	err := s.onComments(ctx, p, id, func(tx *db.Tx, p authz.Principal, r Resource, v Version) error {
		c := &checker{}
		c.said("said", n.Said, "write the remark")
		var thread uuid.UUID
		if n.Thread != uuid.Nil {
			first, err := loadComment(ctx, tx, id, n.Thread)
			switch {
			case err != nil && !fault.Is(err, fault.NotFound):
				return err
			case err != nil || first.Version != v.Number:
				c.block("thread", "unknown", "there is no such remark on this version")
			}
			n.Field, thread = first.Field, first.Thread
		} else if !v.states(n.Field) {
			c.block("field", "unknown", `name a field of the entry, "items." and the identifier of an item, or nothing for the whole`)
		}
		if err := fault.InvalidFields(c.blocks); err != nil {
			return err
		}
		var said int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM review_comment WHERE resource_id = $1 AND version = $2", id, v.Number).Scan(&said); err != nil {
			return fmt.Errorf("counting comments: %w", err)
		}
		if said >= maxComments {
			return fault.New(fault.Conflict, "too_many_comments", "this version has %d remarks; return or discard it", maxComments)
		}
		comment := db.NewID()
		if thread == uuid.Nil {
			thread = comment
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO review_comment (id, resource_id, version, round, field, thread, said, author_id, author_dept, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			comment, id, v.Number, v.Round, n.Field, thread, strings.TrimSpace(n.Said), p.ID, optional(p.Department), tx.Now())
		if err != nil {
			return fmt.Errorf("writing a comment: %w", err)
		}
		if out, err = loadComment(ctx, tx, id, comment); err != nil {
			return err
		}
		return record(ctx, tx, p, "resource.comment", "resource", id.String(), map[string]any{"version": v.Number, "round": v.Round, "field": n.Field, "comment": comment})
	})
	return out, err
}

// ResolveComment says that what a thread is about is settled. comment is any remark of the thread.
func (s *Service) ResolveComment(ctx context.Context, p authz.Principal, id, comment uuid.UUID) (Comment, error) {
	var out Comment
	err := s.onComments(ctx, p, id, func(tx *db.Tx, p authz.Principal, _ Resource, v Version) error {
		c, err := loadComment(ctx, tx, id, comment)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE review_comment SET resolved_by = $2, resolved_at = $3 WHERE id = $1 AND version = $4 AND resolved_at IS NULL`,
			c.Thread, p.ID, tx.Now(), v.Number)
		if err != nil {
			return fmt.Errorf("resolving a comment: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Conflict, "already_resolved", "this remark is settled, or belongs to an earlier version")
		}
		if out, err = loadComment(ctx, tx, id, c.Thread); err != nil {
			return err
		}
		return record(ctx, tx, p, "resource.resolve_comment", "resource", id.String(), map[string]any{"version": c.Version, "field": c.Field, "comment": c.Thread})
	})
	return out, err
}

// onComments does something with the remarks on the newest version, which is locked against moves meanwhile.
func (s *Service) onComments(ctx context.Context, p authz.Principal, id uuid.UUID, work func(*db.Tx, authz.Principal, Resource, Version) error) error {
	r, err := s.known(ctx, p, id)
	if err != nil {
		return err
	}
	decision, err := s.enforcer.Check(ctx, p, authz.ResourceComment, resourceTarget(r))
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		r, err := loadResource(ctx, tx, id, "FOR NO KEY UPDATE")
		if err != nil {
			return err
		}
		v, err := loadVersion(ctx, tx, id, r.Newest)
		if err != nil {
			return err
		}
		if !editable(v.State) && v.State != DeptReview && v.State != PlatformReview {
			return illegalMove("version", string(v.State), "comment", stepNames(Next(v.State)))
		}
		return work(tx, decision.Principal(), r, v)
	})
}

func loadComment(ctx context.Context, q Querier, resource, id uuid.UUID) (Comment, error) {
	return one(ctx, q, Comment.comment, notFound("comment"), commentSQL+"AND c.id = $2", resource, id)
}

// states reports whether a version has a field of that name: "" for the whole, a JSON name such as "summary", or "items." with the
// identifier of one of its items.
func (v Version) states(field string) bool {
	if identifier, isItem := strings.CutPrefix(field, "items."); isItem {
		_, ok := v.Item(identifier)
		return ok
	}
	if field == "" {
		return true
	}
	if utf8.RuneCountInString(field) > maxField {
		return false
	}
	for _, name := range fieldNames() {
		if field == name {
			return true
		}
	}
	return false
}
