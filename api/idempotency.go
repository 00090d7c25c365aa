package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const idempotencyHeader = "Idempotency-Key"

// pending is the status of a key whose write has committed and whose answer is not stored yet.
const pending = 0

// repeated is what is known about a key.
type repeated struct {
	route  string
	hash   []byte
	status int
	answer []byte
}

// once runs a write at most once per caller and key. The row of the key commits in the transaction of the write, so that a
// crash between the two cannot happen: either both are there or neither. The answer is stored right after; a repetition that
// comes in between is told that the write is done or under way, never does it again.
func (a *API) once(c *gin.Context, r Route, p authz.Principal, ctx huma.Context, next func(huma.Context)) {
	key := c.GetHeader(idempotencyHeader)
	if err := checkKey(key); err != nil {
		a.writeProblem(c, err)
		return
	}
	raw, _ := c.Get(bodyKey)
	body, _ := raw.([]byte)
	want := repeated{route: r.Method + " " + r.Path, hash: hashOf(c.Request, body)}

	known, err := a.findAnswer(ctx.Context(), p, key)
	if err == nil && known != nil {
		a.repeat(c, *known, want)
		return
	}
	if err != nil {
		a.writeProblem(c, err)
		return
	}
	committed := false
	joined := db.BeforeCommit(ctx.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO idempotency (actor_id, key, route, body_hash, status, answer) VALUES ($1, $2, $3, $4, $5, '')`,
			p.ID.String(), key, want.route, want.hash, pending)
		if db.IsUnique(err, "") {
			return errRepeated().Wrap(err)
		}
		committed = err == nil
		return err
	})
	kept := &keptAnswer{humaContext: huma.WithContext(ctx, joined)}
	next(kept)
	if !committed && kept.status >= http.StatusBadRequest {
		// Another request under the key may have been first, and this one failed on what that one wrote.
		if known, err := a.findAnswer(ctx.Context(), p, key); err == nil && known != nil {
			a.repeat(c, *known, want)
			return
		}
	}
	if committed {
		a.storeAnswer(ctx.Context(), p, key, kept)
	}
	kept.send(ctx)
}

// maxKey is the most bytes of a key.
const maxKey = 200

func checkKey(key string) error {
	if len(key) > maxKey {
		return fault.InvalidFields([]fault.Field{{Name: idempotencyHeader, Code: "too_long", Message: "use at most 200 bytes"}})
	}
	return nil
}

// hashOf tells requests under one key apart. What a consuming system says about its call is as much a part of it as the body.
func hashOf(req *http.Request, body []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n%s\n", req.Method, req.URL.RequestURI(), req.Header.Get("If-Match"))
	for _, name := range []string{"X-Grant", "X-Purpose", "X-Case-Number"} {
		if value := req.Header.Get(name); value != "" {
			fmt.Fprintf(h, "%s: %s\n", name, value)
		}
	}
	_, _ = h.Write(body) // A hash never fails to take bytes.
	return h.Sum(nil)
}

func errRepeated() *fault.Fault {
	return fault.New(fault.Conflict, "already_sent", "a request with this Idempotency-Key is done or under way; ask again for its answer in a second").
		With("retry_after", "1")
}

func (a *API) findAnswer(ctx context.Context, p authz.Principal, key string) (*repeated, error) {
	var k repeated
	err := a.opt.DB.Pool.QueryRow(ctx, `SELECT route, body_hash, status, answer FROM idempotency WHERE actor_id = $1 AND key = $2`,
		p.ID.String(), key).Scan(&k.route, &k.hash, &k.status, &k.answer)
	if db.NoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for an idempotency key: %w", err)
	}
	return &k, nil
}

// repeat answers a key that is known.
func (a *API) repeat(c *gin.Context, known, want repeated) {
	switch {
	case known.route != want.route || !bytes.Equal(known.hash, want.hash):
		a.writeProblem(c, fault.New(fault.Conflict, "idempotency_mismatch", "this Idempotency-Key was used for another request; use a new one"))
	case known.status == pending:
		a.writeProblem(c, errRepeated())
	default:
		c.Header("Idempotency-Replayed", "true")
		c.Data(known.status, "application/json", known.answer)
	}
}

// storeAnswer keeps a success. A refusal frees the key: what committed was the note about it, not the write. When something
// failed after the commit, the key stays without an answer and the caller has to look at what is there.
func (a *API) storeAnswer(ctx context.Context, p authz.Principal, key string, kept *keptAnswer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var err error
	switch {
	case kept.status >= http.StatusInternalServerError:
		return
	case kept.status >= http.StatusBadRequest:
		_, err = a.opt.DB.Pool.Exec(ctx, `DELETE FROM idempotency WHERE actor_id = $1 AND key = $2`, p.ID.String(), key)
	default:
		_, err = a.opt.DB.Pool.Exec(ctx, `UPDATE idempotency SET status = $3, answer = $4 WHERE actor_id = $1 AND key = $2`,
			p.ID.String(), key, kept.status, kept.body.Bytes())
	}
	if err != nil {
		a.log.ErrorContext(ctx, "an answer could not be kept for repetition", "request_id", requestIDOf(ctx), "error", err)
	}
}

// keptAnswer holds an answer back until it is stored.
type keptAnswer struct {
	humaContext
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) SetStatus(status int)  { k.status = status }
func (k *keptAnswer) Status() int           { return k.status }
func (k *keptAnswer) BodyWriter() io.Writer { return &k.body }
func (k *keptAnswer) Unwrap() huma.Context  { return k.humaContext }

func (k *keptAnswer) send(ctx huma.Context) {
	ctx.SetStatus(k.status)
	_, _ = ctx.BodyWriter().Write(k.body.Bytes())
}
