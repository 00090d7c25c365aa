package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/shuqiao/shuqiao/api/client"
)

// hub is the public API as the people of the story use it: each call names the account that makes it.
type hub struct {
	api       *client.Client
	passwords map[string]string // By user name.

	mu     sync.Mutex
	tokens map[string]string // By user name.
}

func newHub(base string, passwords map[string]string) *hub {
	return &hub{api: client.New(base, ""), passwords: passwords, tokens: map[string]string{}}
}

// as returns the API for an account, which signs in the first time.
func (h *hub) as(ctx context.Context, username string) (*client.Client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if token := h.tokens[username]; token != "" {
		return h.api.As(token), nil
	}
	var session struct {
		Token string `json:"token"`
	}
	credentials := map[string]string{"username": username, "password": h.passwords[username]}
	if err := h.api.Call(ctx, http.MethodPost, "/sessions", credentials, &session); err != nil {
		return nil, fmt.Errorf("signing in as %s (was this hub set up by someone else?): %w", username, err)
	}
	h.tokens[username] = session.Token
	return h.api.As(session.Token), nil
}

func (h *hub) call(ctx context.Context, username, method, path string, in, out any) error {
	c, err := h.as(ctx, username)
	if err != nil {
		return err
	}
	return c.Call(ctx, method, path, in, out)
}

// get, post and put decode the answer into out; nil drops it. in nil sends no body.
func (h *hub) get(ctx context.Context, username, path string, out any) error {
	return h.call(ctx, username, http.MethodGet, path, nil, out)
}

func (h *hub) post(ctx context.Context, username, path string, in, out any) error {
	return h.call(ctx, username, http.MethodPost, path, in, out)
}

func (h *hub) put(ctx context.Context, username, path string, in, out any) error {
	return h.call(ctx, username, http.MethodPut, path, in, out)
}

// all reads a whole list. path may carry a query.
func all[T any](ctx context.Context, h *hub, username, path string) ([]T, error) {
	c, err := h.as(ctx, username)
	if err != nil {
		return nil, err
	}
	return client.All[T](ctx, c, path)
}

// page reads the beginning of a list. path carries its limit.
func page[T any](ctx context.Context, h *hub, username, path string) ([]T, error) {
	var list client.List[T]
	err := h.get(ctx, username, path, &list)
	return list.Data, err
}

// refused returns the problem when err is one with that code, else an error that says what came instead.
func refused(err error, code string) (*client.Problem, error) {
	problem, ok := errors.AsType[*client.Problem](err)
	switch {
	case err == nil:
		return nil, untrue("the hub allowed what it must refuse with %s", code)
	case !ok:
		return nil, err
	case problem.Code != code:
		return nil, untrue("the hub refused with %s instead of %s: %w", problem.Code, code, problem)
	}
	return problem, nil
}

// fields are the names of the fields a problem complains about.
func fields(p *client.Problem) []string {
	var names []string
	for _, e := range p.Errors {
		names = append(names, e.Name)
	}
	return names
}

// isProblem returns the problem of an error when it has that code.
func isProblem(err error, code string) (*client.Problem, bool) {
	problem, ok := errors.AsType[*client.Problem](err)
	return problem, ok && problem.Code == code
}
