package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// CreateRequest drafts a sharing request.
func (c *Client) CreateRequest(ctx context.Context, a Application, changes ...Change) (Request, error) {
	return create[Request](ctx, c, "/requests", a, changes...)
}

// Request returns one request.
func (c *Client) Request(ctx context.Context, id string) (Request, error) {
	return fetch[Request](ctx, c, http.MethodGet, "/requests/"+id, nil)
}

// Requests lists the requests the caller may see.
func (c *Client) Requests(ctx context.Context) ([]Request, error) {
	return All[Request](ctx, c, "/requests")
}

// MoveRequest takes one step that needs no reason: submit, sign or accept.
func (c *Client) MoveRequest(ctx context.Context, id, step string, changes ...Change) (Request, error) {
	return fetch[Request](ctx, c, http.MethodPost, "/requests/"+id+"/"+step, nil, changes...)
}

// MoveRequestFor takes one step that needs a reason: return, withdraw or supplement.
func (c *Client) MoveRequestFor(ctx context.Context, id, step, why string, changes ...Change) (Request, error) {
	return fetch[Request](ctx, c, http.MethodPost, "/requests/"+id+"/"+step, reason{why}, changes...)
}

// Approve grants a request on its terms as narrowed by the conditions.
func (c *Client) Approve(ctx context.Context, id string, conditions Conditions, changes ...Change) (Request, error) {
	return fetch[Request](ctx, c, http.MethodPost, "/requests/"+id+"/approve", conditions, changes...)
}

// Refuse answers a request with code and reason.
func (c *Client) Refuse(ctx context.Context, id, code, why string, changes ...Change) (Request, error) {
	return fetch[Request](ctx, c, http.MethodPost, "/requests/"+id+"/refuse", map[string]string{"code": code, "reason": why}, changes...)
}

// Grant returns one grant.
func (c *Client) Grant(ctx context.Context, id string) (Grant, error) {
	return fetch[Grant](ctx, c, http.MethodGet, "/grants/"+id, nil)
}

// GrantChanges lists the publications that touch a grant, the newest first.
func (c *Client) GrantChanges(ctx context.Context, id string) ([]GrantChange, error) {
	return All[GrantChange](ctx, c, "/grants/"+id+"/changes")
}

// AcknowledgeChange takes note of a publication that touches a grant, which ends the time of the old version for it.
func (c *Client) AcknowledgeChange(ctx context.Context, id string, version int, note string) (GrantChange, error) {
	return fetch[GrantChange](ctx, c, http.MethodPost, "/grants/"+id+"/changes/"+strconv.Itoa(version)+"/acknowledge", map[string]string{"note": note})
}

// Grants lists the grants the caller may see.
func (c *Client) Grants(ctx context.Context) ([]Grant, error) { return All[Grant](ctx, c, "/grants") }

// Suspend stops a grant: every node refuses within a second of the commit.
func (c *Client) Suspend(ctx context.Context, id, why string, changes ...Change) (Grant, error) {
	return fetch[Grant](ctx, c, http.MethodPost, "/grants/"+id+"/suspend", reason{why}, changes...)
}

// Resume lets a suspended grant be used again.
func (c *Client) Resume(ctx context.Context, id, why string, changes ...Change) (Grant, error) {
	return fetch[Grant](ctx, c, http.MethodPost, "/grants/"+id+"/resume", reason{why}, changes...)
}

// Terminate ends a grant for good.
func (c *Client) Terminate(ctx context.Context, id, why string, filing Filing, changes ...Change) (Grant, error) {
	return fetch[Grant](ctx, c, http.MethodPost, "/grants/"+id+"/terminate", map[string]any{"reason": why, "filing": filing}, changes...)
}

// GrantsSuspendedBy lists the suspended grants whose last suspension came from "provider", "authority" or "restore".
func (c *Client) GrantsSuspendedBy(ctx context.Context, origin string) ([]Grant, error) {
	return All[Grant](ctx, c, "/grants?suspended_by="+url.QueryEscape(origin))
}

// ConfirmRestored resumes the grants that a restore suspended, 200 at a time: only those of ids, or all without.
func (c *Client) ConfirmRestored(ctx context.Context, why string, ids ...string) (Confirmation, error) {
	body := map[string]any{"reason": why}
	if len(ids) > 0 {
		body["grant_ids"] = ids
	}
	return fetch[Confirmation](ctx, c, http.MethodPost, "/grants/confirm-restored", body)
}
