package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/retain"
)

// Line says how long one kind is kept, and what became of what was older.
type Line struct {
	Kind        retain.Kind `json:"kind"`
	What        string      `json:"what"`         // In English.
	Since       string      `json:"since"`        // From when the days count.
	How         string      `json:"how"`          // How it is removed.
	Days        int         `json:"days"`         // The setting in force; 0: as soon as nobody needs it.
	Least       int         `json:"least"`        // The setting may not be shorter.
	Basis       retain.Law  `json:"basis"`        // Of the least period.
	Months      bool        `json:"months"`       // Whole months are dropped, so the last one stays up to a month longer.
	OldestKept  *time.Time  `json:"oldest_kept"`  // As of the last run; null: nothing is kept, or it says nothing.
	LastRunAt   *time.Time  `json:"last_run_at"`  // null: not yet.
	LastRemoved int64       `json:"last_removed"` // By the last run.
	RemovedAt   *time.Time  `json:"removed_at"`   // When something was removed last.
	Total       int64       `json:"total"`        // Removed since the hub was installed.
	Error       string      `json:"error"`        // Of the last run, for people; "" when it went well.
}

// Report lists every kind, in the order of the table.
func (s *Service) Report(ctx context.Context, p authz.Principal) ([]Line, error) {
	if _, err := s.opt.Enforcer.Check(ctx, p, authz.RetentionRead, authz.Target{Kind: "retention"}); err != nil {
		return nil, err
	}
	return lines(ctx, s.db, s.opt.Days)
}

// done is a row of retention.
type done struct {
	Kind               retain.Kind
	LastRunAt          *time.Time
	LastRemoved, Total int64
	RemovedAt, Oldest  *time.Time
	Error              string
}

func lines(ctx context.Context, d *db.DB, days retain.Days) ([]Line, error) {
	found, err := d.Pool.Query(ctx, "SELECT kind, last_run_at, last_removed, total, removed_at, oldest, error FROM retention")
	if err != nil {
		return nil, fmt.Errorf("reading what was removed: %w", err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[done])
	if err != nil {
		return nil, fmt.Errorf("reading what was removed: %w", err)
	}
	byKind := make(map[retain.Kind]done, len(all))
	for _, one := range all {
		byKind[one.Kind] = one
	}
	rules := retain.Rules()
	out := make([]Line, 0, len(rules))
	for _, r := range rules {
		was := byKind[r.Kind]
		out = append(out, Line{
			Kind: r.Kind, What: r.What, Since: r.Since, How: r.How, Days: days.Of(r.Kind), Least: r.Least, Basis: r.Basis, Months: r.Months,
			OldestKept: db.UTC(was.Oldest), LastRunAt: db.UTC(was.LastRunAt), LastRemoved: was.LastRemoved, RemovedAt: db.UTC(was.RemovedAt),
			Total: was.Total, Error: was.Error,
		})
	}
	return out, nil
}
