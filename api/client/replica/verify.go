package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
)

// verifyAttempts is how often a comparison is repeated because rows changed while it read them.
const verifyAttempts = 5

// Comparison is what a copy and a fresh read of all pages have.
type Comparison struct {
	Resource string    `json:"resource"`
	Grant    string    `json:"grant"`
	AsOf     time.Time `json:"as_of"` // The moment whose rows were compared.
	Rows     int64     `json:"rows"`  // Of the copy.
	Hash     string    `json:"hash"`
	HubRows  int64     `json:"hub_rows"`
	HubHash  string    `json:"hub_hash"`
	Equal    bool      `json:"equal"`
}

// Verify brings the copy to the head of the hub, unless another process does, and compares it with a fresh read of all pages:
// how many rows there are, and their content hash. The read counts as a disclosure like any other.
//
// When rows change faster than they can be read, it is the Refusal always_changing.
func (c *Copier) Verify(ctx context.Context) (Comparison, error) {
	busy := false // Another process keeps the copy up.
	for range verifyAttempts {
		if !busy {
			_, err := c.Once(ctx)
			if busy = errors.Is(err, ErrBusy); err != nil && !busy {
				return Comparison{}, err
			}
		}
		var own, fresh Hash
		s, err := c.target.read(ctx, func(shape Shape, row cells) error { own.add(shape, row); return nil })
		if err != nil {
			return Comparison{}, err
		}
		if s == nil || s.Visible == nil {
			return Comparison{}, noCopy()
		}
		shape := s.Visible.Shape
		for page, err := range client.Pages[client.RawRow](ctx, c.opt.Client, c.pull(s), client.Query{Limit: c.opt.PageRows}) {
			if err != nil {
				return Comparison{}, err
			}
			for _, raw := range page.Rows {
				row, err := shape.row(raw)
				if err != nil {
					return Comparison{}, err
				}
				fresh.add(shape, row)
			}
		}
		// Nothing has changed since the copy's cursor: then the pages, too, are of that state.
		changes, err := client.ChangesSince[client.RawRow](ctx, c.opt.Client, c.pull(s), client.Query{Limit: 1, Cursor: s.Visible.Cursor})
		if err = startOver(err); err != nil && !errors.Is(err, errStartOver) {
			return Comparison{}, err
		}
		if err == nil && len(changes.Changes) == 0 && changes.Resync == "" {
			return Comparison{
				Resource: s.Resource, Grant: s.Grant, AsOf: changes.AsOf, Rows: own.Rows, Hash: own.String(),
				HubRows: fresh.Rows, HubHash: fresh.String(), Equal: own == fresh,
			}, nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return Comparison{}, err
		}
	}
	return Comparison{}, &Refusal{Code: "always_changing", Message: "rows changed each time while they were read; compare when the hub is quieter"}
}

func noCopy() error {
	return &Refusal{Code: "no_copy", Message: "there is no copy here"}
}

// Disposal is the record of a copy that was removed.
type Disposal struct {
	Resource   string    `json:"resource"`
	Grant      string    `json:"grant"`
	Terms      int64     `json:"terms"`
	Rows       int64     `json:"rows"` // Before it was removed.
	Hash       string    `json:"content_hash"`
	AsOf       time.Time `json:"as_of"`
	DisposedAt time.Time `json:"disposed_at"`
	By         string    `json:"by"`
	Method     string    `json:"method"`
	Note       string    `json:"note"`
}

// Dispose removes the copy and returns the record of it, which stays where the copy was. It asks the hub nothing: the grant
// may be over. A second call returns the first one's record.
func (c *Copier) Dispose(ctx context.Context, by string) (Disposal, error) {
	if err := c.target.lock(ctx); err != nil {
		return Disposal{}, err
	}
	// A disposal that was interrupted is finished first.
	earlier, err := c.target.disposal(ctx)
	if err != nil {
		return Disposal{}, err
	}
	s, err := c.target.load(ctx)
	switch {
	case err != nil:
		return Disposal{}, err
	case s == nil && earlier != nil:
		return *earlier, nil
	case s == nil:
		return Disposal{}, noCopy()
	}
	var own Hash
	if s, err = c.target.read(ctx, func(shape Shape, row cells) error { own.add(shape, row); return nil }); err != nil {
		return Disposal{}, err
	}
	d := Disposal{
		Resource: s.Resource, Grant: s.Grant, Rows: own.Rows, Hash: own.String(), DisposedAt: c.clock().UTC(), By: by,
		Method: c.target.method(),
		Note:   "Backups, exports and other systems that took rows from this copy are not covered by this record.",
	}
	if s.Visible != nil {
		d.Terms, d.AsOf = s.Visible.Terms, s.Visible.AsOf
	}
	if err := c.target.dispose(ctx, s, d); err != nil {
		return Disposal{}, err
	}
	return d, nil
}

// Keep runs Once again and again, every so often, until ctx ends. What may pass is told to the log and waited out; what will
// not is returned, first of all a grant that is over.
func (c *Copier) Keep(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		_, err := c.Once(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !Waiting(err):
			return err
		case err != nil:
			c.log.Warn("the copy stays as it is for now", "error", err.Error())
			if err := c.reopen(ctx); err != nil {
				c.log.Warn("the place of the copy cannot be reached", "error", err.Error())
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// reopen replaces a connection that may be broken. One that works is kept, and with it the lock.
func (c *Copier) reopen(ctx context.Context) error {
	if _, err := c.target.load(ctx); err == nil {
		return nil
	}
	fresh, err := openTarget(ctx, c.opt)
	if err != nil {
		return fmt.Errorf("opening the place of the copy again: %w", err)
	}
	c.target.close()
	c.target = fresh
	return nil
}
