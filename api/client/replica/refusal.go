package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/shuqiao/shuqiao/api/client"
)

// Refusal is an error that a caller can act on.
type Refusal struct {
	Code    string
	Message string // One sentence for people: what is wrong and what to do.
	cause   error
}

// Error is the sentence.
func (r *Refusal) Error() string { return r.Message }

// Unwrap returns what caused it.
func (r *Refusal) Unwrap() error { return r.cause }

// ErrBusy says that another process writes the copy.
var ErrBusy = errors.New("another process keeps this copy; stop it first")

// errStartOver says that the hub cannot continue from the cursor: everything has to be read again.
var errStartOver = errors.New("everything has to be read again")

// startOver marks the problems after which only a new snapshot helps.
func startOver(err error) error {
	switch client.Code(err) {
	case "terms_changed", "cursor_expired", "resync_required", "cursor_invalid":
		return fmt.Errorf("%w: %w", errStartOver, err)
	}
	return err
}

// Over reports whether an error says that the grant is no longer in force: what was copied must be disposed of.
func Over(err error) bool {
	code := client.Code(err)
	return code == "no_grant" || code == "grant_expired"
}

// Waiting reports whether an error may pass without anybody changing the copy: a suspended grant may be resumed, a busy or
// unreachable hub comes back, a used-up quota begins anew.
func Waiting(err error) bool {
	var p *client.Problem
	if !errors.As(err, &p) {
		var refusal *Refusal
		return err != nil && !errors.As(err, &refusal) && !errors.Is(err, ErrBusy)
	}
	return p.Code == "grant_suspended" || p.Status == 429 || p.Status >= 500
}

// notice stores why the copy is not kept up, and returns err.
func (c *Copier) notice(ctx context.Context, s *State, err error) error {
	code := client.Code(err)
	if s == nil || s.Visible == nil && s.Side == nil || code == "" {
		return err
	}
	next := s.clone()
	next.NoticeCode = code
	switch {
	case Over(err):
		next.Notice = "the grant is over: dispose of this copy with shuqiao pull dispose"
	case code == "grant_suspended":
		next.Notice = "the grant is suspended: the copy stays as it was until the grant is resumed"
	default:
		next.Notice = "the hub refuses: " + code
	}
	if next.Notice == s.Notice {
		return err
	}
	if failed := c.target.note(ctx, next); failed != nil {
		return fmt.Errorf("%w (and noting it failed: %w)", err, failed)
	}
	*s = *next
	return err
}
