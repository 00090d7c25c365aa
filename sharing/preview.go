package sharing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
)

// PreviewApproval returns the grant that Approve would make of a request now, without making it, for those who may approve.
// What is wrong with the conditions is the same fault; a request may be looked at so before it is accepted.
func (s *Service) PreviewApproval(ctx context.Context, p authz.Principal, id uuid.UUID, c Conditions) (Grant, error) {
	if _, err := s.ask(ctx, p, id, authz.RequestApprove, ProviderSide); err != nil {
		return Grant{}, err
	}
	var g Grant
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		r, err := loadRequest(ctx, tx, id, "")
		if err != nil {
			return err
		}
		resource, err := s.offered(ctx, tx, r)
		if err != nil {
			return err
		}
		var wrong findings
		g, wrong = c.grant(r, resource.Version, tx.Now())
		g.ClientName, g.ConsumerName, g.ProviderName, g.ResourceName = r.ClientName, r.ConsumerName, r.ProviderName, r.ResourceName
		return wrong.fault()
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// WorkingDaysLeft counts the working days after today up to the day of a limit; it is negative by the working days that have
// passed since a limit that is over, at least -1.
func (s *Service) WorkingDaysLeft(due time.Time) int {
	now := s.enforcer.Follower().Now()
	if now.After(due) {
		return min(-1, -s.workingDays(due, now))
	}
	return s.workingDays(now, due)
}

// workingDays counts the working days after the day of from up to that of to.
func (s *Service) workingDays(from, to time.Time) int {
	n, c := 0, s.calendar.Now()
	last := to.In(c.Zone()).Format(time.DateOnly)
	for day := from.In(c.Zone()); day.Format(time.DateOnly) < last; {
		day = day.AddDate(0, 0, 1)
		if working, _ := c.Working(day); working {
			n++
		}
	}
	return n
}
