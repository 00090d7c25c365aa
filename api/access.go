package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/sharing"
)

// AccessInput asks who can see what.
type AccessInput struct {
	IDInput
	PageInput
	At      time.Time `query:"at" doc:"The moment; now when not given."`
	Refused bool      `query:"refused" doc:"Also tell of grants that let nothing be seen, and why not."`
	Format  string    `query:"format" enum:"json,csv" doc:"csv is the whole answer as a table; so is Accept: text/csv."`
	Accept  string    `header:"Accept"`
}

type resourceAccessInput struct {
	AccessInput
	Item string `query:"item" maxLength:"64" doc:"Identifier of one item; any when not given."`
}

type clientAccessInput struct{ AccessInput }

func (in AccessInput) query(item string) sharing.AccessQuery {
	return sharing.AccessQuery{At: in.At, Item: item, Refused: in.Refused, Page: in.page()}
}

// accessFormats are the forms of an answer.
var accessFormats = []format{jsonFormat, {media: "text/csv", what: "The whole answer, a line for each grant and item."}}

func (a *API) accessRoutes() {
	s := a.opt.Sharing
	handleAccess(a, get("/resources/{id}/access", "Who can see a resource or one of its items, now or at a moment, and why", authz.AccessRead),
		func(ctx context.Context, p authz.Principal, in *resourceAccessInput) (sharing.AccessReport, error) {
			return s.ResourceAccess(ctx, p, in.ID, in.query(in.Item))
		}, func(ctx context.Context, p authz.Principal, in *resourceAccessInput, w io.Writer) error {
			return s.WriteResourceAccess(ctx, p, in.ID, in.query(in.Item), w)
		}, func(in *resourceAccessInput) AccessInput { return in.AccessInput })
	handleAccess(a, get("/clients/{id}/access", "What a consuming system can see, now or at a moment, and why", authz.AccessRead),
		func(ctx context.Context, p authz.Principal, in *clientAccessInput) (sharing.AccessReport, error) {
			return s.ClientAccess(ctx, p, in.ID, in.query(""))
		}, func(ctx context.Context, p authz.Principal, in *clientAccessInput, w io.Writer) error {
			return s.WriteClientAccess(ctx, p, in.ID, in.query(""), w)
		}, func(in *clientAccessInput) AccessInput { return in.AccessInput })
}

// handleAccess registers a route that answers a page as JSON or the whole as a table. What is sent is whole before its
// first byte leaves.
func handleAccess[I any](a *API, r Route,
	page func(ctx context.Context, p authz.Principal, in *I) (sharing.AccessReport, error),
	table func(ctx context.Context, p authz.Principal, in *I, w io.Writer) error,
	asked func(in *I) AccessInput,
) {
	op := a.operation(r)
	schema := a.huma.OpenAPI().Components.Schemas.Schema(typeOf[sharing.AccessReport](), true, "AccessReport")
	op.Responses["200"] = &huma.Response{Description: r.Summary, Content: map[string]*huma.MediaType{
		jsonFormat.media: {Schema: schema}, "text/csv": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		var out bytes.Buffer
		media, err := accessMedia(ctx, asked(in))
		switch {
		case err != nil:
		case media == jsonFormat.media:
			var report sharing.AccessReport
			if report, err = page(ctx, principalOf(ctx), in); err == nil {
				encoder := json.NewEncoder(&out)
				encoder.SetEscapeHTML(false)
				err = encoder.Encode(report)
			}
		default:
			err = table(ctx, principalOf(ctx), in, &out)
		}
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			if media != jsonFormat.media {
				media += "; charset=utf-8; header=present"
				c.SetHeader("Content-Disposition", `attachment; filename="access.csv"`)
			}
			c.SetHeader("Content-Type", media)
			c.SetStatus(http.StatusOK)
			_, _ = c.BodyWriter().Write(out.Bytes())
		}}, nil
	})
}

// accessMedia is the form that was asked for: by the parameter, else by the header.
func accessMedia(ctx context.Context, in AccessInput) (string, error) {
	switch in.Format {
	case "csv":
		return accessFormats[1].media, nil
	case "json":
		return jsonFormat.media, nil
	}
	if chosen, ok := negotiate(in.Accept, accessFormats); ok {
		return chosen.media, nil
	}
	return "", notAcceptable(accessFormats, requestIDOf(ctx))
}
