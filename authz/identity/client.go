package identity

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// Client is a consuming system of a department.
type Client struct {
	ID              uuid.UUID `json:"id"`
	DepartmentID    uuid.UUID `json:"department_id"`
	Name            string    `json:"name"`
	AllowedNetworks []string  `json:"allowed_networks"` // CIDR prefixes or addresses; empty means any.
	SignedOnly      bool      `json:"signed_only"`      // Bearer keys are refused.
	Certificates    []string  `json:"certificates"`     // SHA-256 of public keys in hexadecimal; empty means that none is needed.
	State           State     `json:"state"`
	RowVersion      int64     `json:"row_version"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
}

// NewClient is a client to create.
type NewClient struct {
	DepartmentID    uuid.UUID
	Name            string
	AllowedNetworks []string
	SignedOnly      bool
	Certificates    []string
}

// ClientChange is an edit of a client. A nil field is left as it is.
type ClientChange struct {
	Name            *string
	AllowedNetworks *[]string
	SignedOnly      *bool
	Certificates    *[]string
}

// ClientFilter narrows Clients. A nil field does not narrow.
type ClientFilter struct {
	Department *uuid.UUID
	State      *State
	Text       string // Part of the name; "" does not narrow.
	Page       db.Page
}

// maxNetworks bounds the networks of a client: each request walks them.
const maxNetworks = 50

func nameFields(name string) []fault.Field {
	if n := utf8.RuneCountInString(name); n == 0 || n > 200 {
		return []fault.Field{{Name: "name", Code: "invalid", Message: "give a name of at most 200 characters"}}
	}
	return nil
}

// networks brings allowed networks into their canonical form; single addresses become prefixes.
func networks(list []string) ([]string, []fault.Field) {
	out := []string{}
	if len(list) > maxNetworks {
		return nil, []fault.Field{{Name: "allowed_networks", Code: "too_many", Message: fmt.Sprintf("name at most %d networks", maxNetworks)}}
	}
	var wrong []fault.Field
	for i, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil && a.Zone() == "" {
				prefix, err = a.Unmap().Prefix(a.Unmap().BitLen())
			}
		}
		if err != nil || !prefix.IsValid() || prefix.Addr().Is4In6() {
			wrong = append(wrong, fault.Field{
				Name: fmt.Sprintf("allowed_networks[%d]", i), Code: "invalid",
				Message: "give an address or a network such as 10.1.0.0/16",
			})
			continue
		}
		out = append(out, prefix.Masked().String())
	}
	return out, wrong
}

// CreateClient registers a consuming system. It needs client.write for its department. A client opens nothing until it has a
// key and a grant.
func (s *Service) CreateClient(ctx context.Context, p authz.Principal, n NewClient) (Client, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.ClientWrite, authz.Target{Kind: "client", Department: n.DepartmentID}); err != nil {
		return Client{}, err
	}
	name := strings.TrimSpace(n.Name)
	allowed, wrong := networks(n.AllowedNetworks)
	pinned, bad := certificates(n.Certificates)
	if err := fault.InvalidFields(append(append(nameFields(name), wrong...), bad...)); err != nil {
		return Client{}, err
	}
	var c Client
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		var err error
		if err = seatOf(ctx, tx, n.DepartmentID, nil); err != nil {
			return err
		}
		c, err = one[Client](ctx, tx, `
			INSERT INTO client (id, department_id, name, allowed_networks, signed_only, certificates, state, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $7) RETURNING `+clientColumns,
			db.NewID(), n.DepartmentID, name, allowed, n.SignedOnly, pinned, tx.Now())
		if err != nil {
			return clientError(err)
		}
		return record(ctx, tx, p.Actor(), authz.ClientWrite, authz.KindClient, c.ID.String(),
			map[string]any{
				"change": "create", "department": c.DepartmentID, "allowed_networks": c.AllowedNetworks,
				"signed_only": c.SignedOnly, "certificates": c.Certificates,
			})
	})
	return c, err
}

// Client returns one client. It needs client.read for its department.
func (s *Service) Client(ctx context.Context, p authz.Principal, id uuid.UUID) (Client, error) {
	c, err := findClient(ctx, s.db.Pool, id, "")
	if err != nil {
		return Client{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ClientRead, clientTarget(c)); err != nil {
		return Client{}, err
	}
	return c, nil
}

// ClientTx reads a client inside the caller's transaction and, with lock, keeps it unchanged until the commit. It checks no
// right: the caller decides what it reads it for.
func ClientTx(ctx context.Context, tx *db.Tx, id uuid.UUID, lock bool) (Client, error) {
	if lock {
		return findClient(ctx, tx, id, " FOR SHARE")
	}
	return findClient(ctx, tx, id, "")
}

// Clients lists clients by name and id, with a cursor for the next page ("" after the last). It needs client.read;
// departmental roles see their own department only.
func (s *Service) Clients(ctx context.Context, p authz.Principal, f ClientFilter) ([]Client, string, error) {
	department, err := s.narrow(ctx, p, authz.ClientRead, "client", f.Department)
	if err != nil {
		return nil, "", err
	}
	var name string
	var id uuid.UUID
	if _, err := f.Page.After(&name, &id); err != nil {
		return nil, "", err
	}
	clients, err := many[Client](ctx, s.db.Pool, `
		SELECT `+clientColumns+` FROM client
		WHERE (name, id) > ($1, $2) AND ($3::uuid IS NULL OR department_id = $3) AND ($4::text IS NULL OR state = $4)
			AND ($6 = '%%' OR name ILIKE $6)
		ORDER BY name, id LIMIT $5`, name, id, department, f.State, f.Page.Size()+1, db.Containing(f.Text))
	if err != nil {
		return nil, "", fmt.Errorf("listing clients: %w", err)
	}
	clients, next := db.Cut(clients, f.Page, func(c Client) string { return db.Next(c.Name, c.ID) })
	return clients, next, nil
}

// UpdateClient changes a client's name, or from where and how it may call. It needs client.write for its department.
func (s *Service) UpdateClient(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, change ClientChange) (Client, error) {
	return s.changeClient(ctx, p, id, ifMatch, func(tx *db.Tx, c Client) (map[string]any, error) {
		var wrong []fault.Field
		if change.Name != nil {
			c.Name = strings.TrimSpace(*change.Name)
			wrong = append(wrong, nameFields(c.Name)...)
		}
		if change.AllowedNetworks != nil {
			allowed, bad := networks(*change.AllowedNetworks)
			c.AllowedNetworks, wrong = allowed, append(wrong, bad...)
		}
		if change.SignedOnly != nil {
			c.SignedOnly = *change.SignedOnly
		}
		if change.Certificates != nil {
			pinned, bad := certificates(*change.Certificates)
			c.Certificates, wrong = pinned, append(wrong, bad...)
		}
		if err := fault.InvalidFields(wrong); err != nil {
			return nil, err
		}
		_, err := tx.Exec(ctx, "UPDATE client SET name = $2, allowed_networks = $3, signed_only = $4, certificates = $5 WHERE id = $1",
			c.ID, c.Name, c.AllowedNetworks, c.SignedOnly, c.Certificates)
		return map[string]any{
			"change": "update", "allowed_networks": c.AllowedNetworks, "signed_only": c.SignedOnly, "certificates": c.Certificates,
		}, clientError(err)
	})
}

// DisableClient refuses all keys of a client from now on. It needs client.write for its department.
func (s *Service) DisableClient(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Client, error) {
	return s.changeClient(ctx, p, id, ifMatch, func(tx *db.Tx, c Client) (map[string]any, error) {
		return map[string]any{"change": "disable"}, move(ctx, tx, "client", c.ID, Active, Disabled)
	})
}

// EnableClient accepts a disabled client's keys again. It needs client.write for its department.
func (s *Service) EnableClient(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64) (Client, error) {
	return s.changeClient(ctx, p, id, ifMatch, func(tx *db.Tx, c Client) (map[string]any, error) {
		return map[string]any{"change": "enable"}, move(ctx, tx, "client", c.ID, Disabled, Active)
	})
}

// changeClient runs one change of a client: the right, the version, the change, the new version, the record.
func (s *Service) changeClient(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64,
	change func(tx *db.Tx, c Client) (map[string]any, error),
) (Client, error) {
	// The department of a client never changes, so the right can be checked before the row is locked.
	seen, err := findClient(ctx, s.db.Pool, id, "")
	if err != nil {
		return Client{}, err
	}
	if _, err := s.enforcer.Check(ctx, p, authz.ClientWrite, clientTarget(seen)); err != nil {
		return Client{}, err
	}
	var c Client
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		before, err := findClient(ctx, tx, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if err := db.Matches(ifMatch, before.RowVersion); err != nil {
			return err
		}
		detail, err := change(tx, before)
		if err != nil {
			return err
		}
		c, err = one[Client](ctx, tx, `
			UPDATE client SET row_version = row_version + 1, updated_at = $2 WHERE id = $1 RETURNING `+clientColumns, id, tx.Now())
		if err != nil {
			return fmt.Errorf("changing client: %w", err)
		}
		return record(ctx, tx, p.Actor(), authz.ClientWrite, authz.KindClient, id.String(), detail)
	})
	return c, err
}

func findClient(ctx context.Context, q db.Querier, id uuid.UUID, lock string) (Client, error) {
	c, err := one[Client](ctx, q, "SELECT "+clientColumns+" FROM client WHERE id = $1"+lock, id)
	switch {
	case db.NoRows(err):
		return Client{}, unknown("client")
	case err != nil:
		return Client{}, fmt.Errorf("reading client: %w", err)
	}
	return c, nil
}

func clientError(err error) error {
	switch {
	case db.IsUnique(err, "client_department_id_name_key"):
		return fault.New(fault.Conflict, "name_taken", "this department has a client of this name; choose another")
	case err != nil:
		return fmt.Errorf("writing client: %w", err)
	}
	return nil
}

func clientTarget(c Client) authz.Target {
	return authz.Target{Kind: "client", ID: c.ID.String(), Department: c.DepartmentID}
}
