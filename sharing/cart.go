package sharing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// CartSize is how many entries one person may lay aside for a request.
const CartSize = 50

// CartEntry is an entry of the directory that a person has laid aside to ask for.
type CartEntry struct {
	ResourceID     uuid.UUID
	Code, Name     string
	ProviderDeptID uuid.UUID
	ShareType      catalog.ShareType
	Items          int // How many of its items can be asked for.
	AddedAt        time.Time
	Obstacle       Obstacle
}

// Obstacle says why an entry cannot be asked for now; "" where it can.
type Obstacle string

// The obstacles. Entries that have one are not taken into a cart; they may come to have one in it.
const (
	NotPublished Obstacle = "not_published"
	AllWithheld  Obstacle = "withheld"
	OwnResource  Obstacle = "own_resource"
)

// Obstacles returns every obstacle once.
func Obstacles() []Obstacle { return []Obstacle{NotPublished, AllWithheld, OwnResource} }

// cartOwner refuses whoever may not ask for anything.
func (s *Service) cartOwner(ctx context.Context, p authz.Principal) error {
	_, err := s.enforcer.Check(ctx, p, authz.RequestCreate, authz.Target{Kind: "request", Department: p.Department})
	return err
}

// Cart lists what p has laid aside, in the order in which it was added. Nobody sees another person's.
func (s *Service) Cart(ctx context.Context, p authz.Principal) ([]CartEntry, error) {
	if err := s.cartOwner(ctx, p); err != nil {
		return nil, err
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT r.id, coalesce(r.code, ''), coalesce(v.name, r.name), r.provider_dept_id, coalesce(v.share_type, ''),
			(SELECT count(*) FROM item i WHERE i.resource_id = r.id AND i.version = r.published AND i.share_type <> 'withheld')::int,
			c.added_at,
			CASE WHEN r.state <> 'published' THEN 'not_published' WHEN v.share_type = 'withheld' THEN 'withheld'
				WHEN r.provider_dept_id = $2 THEN 'own_resource' ELSE '' END
		FROM request_cart c JOIN resource r ON r.id = c.resource_id
		LEFT JOIN resource_version v ON v.resource_id = r.id AND v.version = r.published
		WHERE c.user_id = $1 ORDER BY c.added_at, r.id LIMIT $3`, p.ID, p.Department, CartSize)
	if err != nil {
		return nil, fmt.Errorf("reading a cart: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[CartEntry])
	if err != nil {
		return nil, fmt.Errorf("reading a cart: %w", err)
	}
	return out, nil
}

// CountCart returns how much p has laid aside; 0 for those who may not ask for anything.
func (s *Service) CountCart(ctx context.Context, p authz.Principal) (n int, err error) {
	if !s.enforcer.Allowed(p, authz.RequestCreate, authz.Target{Kind: "request", Department: p.Department}) {
		return 0, nil
	}
	if err := s.db.Pool.QueryRow(ctx, "SELECT count(*) FROM request_cart WHERE user_id = $1", p.ID).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting a cart: %w", err)
	}
	return n, nil
}

// AddToCart lays an entry aside for p; one that lies there already stays. Entries that cannot be asked for are refused as by
// CreateRequest; the 51st is the Conflict fault "cart_full".
func (s *Service) AddToCart(ctx context.Context, p authz.Principal, resource uuid.UUID) error {
	if err := s.cartOwner(ctx, p); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		r, err := s.catalog.PublishedTx(ctx, tx, resource, false)
		if err != nil {
			return err
		}
		if err := requestable(r, p.Department); err != nil {
			return err
		}
		// The person's row orders those who add at once; the count after it sees what the others added.
		if _, err := tx.Exec(ctx, "SELECT FROM hub_user WHERE id = $1 FOR NO KEY UPDATE", p.ID); err != nil {
			return fmt.Errorf("counting a cart: %w", err)
		}
		var n int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM request_cart WHERE user_id = $1 AND resource_id <> $2", p.ID, resource).Scan(&n); err != nil {
			return fmt.Errorf("counting a cart: %w", err)
		}
		if n >= CartSize {
			return fault.New(fault.Conflict, "cart_full", "at most %d entries can be laid aside; ask for some of them first", CartSize)
		}
		tag, err := tx.Exec(ctx, "INSERT INTO request_cart (user_id, resource_id, added_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			p.ID, resource, tx.Now())
		if err != nil {
			return fmt.Errorf("adding to a cart: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		return record(ctx, tx, p, "cart.add", "resource", resource, nil)
	})
}

// RemoveFromCart takes entries out of p's cart; those that are not in it are passed over.
func (s *Service) RemoveFromCart(ctx context.Context, p authz.Principal, resources ...uuid.UUID) error {
	if err := s.cartOwner(ctx, p); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, "DELETE FROM request_cart WHERE user_id = $1 AND resource_id = ANY ($2) RETURNING resource_id", p.ID, resources)
		if err != nil {
			return fmt.Errorf("taking out of a cart: %w", err)
		}
		gone, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("taking out of a cart: %w", err)
		}
		for _, id := range gone {
			if err := record(ctx, tx, p, "cart.remove", "resource", id, nil); err != nil {
				return err
			}
		}
		return nil
	})
}
