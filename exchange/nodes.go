package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
)

// ListedNode is a process of the hub as the list of nodes knows it.
type ListedNode struct {
	ID        uuid.UUID
	Role      string
	Address   string
	Build     string
	StartedAt time.Time
	SeenAt    time.Time
	Silent    bool   // Not seen for longer than DefaultSilence.
	PolicyN   int64  // The newest policy change it has applied.
	DiskFree  *int64 // Bytes; nil until it has reported.
	DiskSize  *int64
}

// maxNodes bounds the list: a hub has a handful.
const maxNodes = 200

// Nodes lists the processes of the hub, those that were seen last first. It needs node.read.
func (s *Service) Nodes(ctx context.Context, p authz.Principal) ([]ListedNode, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.NodeRead, authz.Target{Kind: "node"}); err != nil {
		return nil, err
	}
	rows, err := s.db.Pool.Query(ctx, `
		SELECT n.node_id, n.role, n.address, n.build, n.started_at, n.seen_at, n.seen_at < clock_timestamp() - $1::interval, n.policy_n,
			r.disk_free, r.disk_size
		FROM node n LEFT JOIN node_report r ON r.node_id = n.node_id ORDER BY n.seen_at DESC, n.node_id LIMIT $2`, DefaultSilence, maxNodes)
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ListedNode])
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	return nodes, nil
}
