package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// problemType is the media type of every error (RFC 9457).
const problemType = "application/problem+json"

// Problem is the body of every answer that is not a success (RFC 9457). It never repeats submitted values.
type Problem struct {
	Type      string            `json:"type" doc:"Always about:blank; code says what happened."`
	Title     string            `json:"title" doc:"The HTTP status in words."`
	Status    int               `json:"status" doc:"The HTTP status."`
	Detail    string            `json:"detail" doc:"One sentence for people: what is wrong and what to do next."`
	Code      string            `json:"code" doc:"Stable code for machines."`
	Layer     string            `json:"layer,omitempty" doc:"The layer that failed, such as policy, source or store."`
	Errors    []fault.Field     `json:"errors,omitempty" doc:"What is wrong with the input, field by field."`
	Allowed   []string          `json:"allowed,omitempty" doc:"The moves that are allowed now."`
	Facts     map[string]string `json:"facts,omitempty" doc:"Further facts for machines."`
	RequestID string            `json:"request_id,omitempty" doc:"Id of the request, as in X-Request-Id."`
}

// Error, GetStatus and ContentType make a Problem what huma writes as it is.
func (p *Problem) Error() string { return p.Code }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problems.
func (p *Problem) ContentType(string) string { return problemType }

// statuses maps each kind of fault to its HTTP status. It is complete over fault.Kinds.
func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         http.StatusBadRequest,
		fault.NotFound:        http.StatusNotFound,
		fault.Conflict:        http.StatusConflict,
		fault.Forbidden:       http.StatusForbidden,
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Precondition:    http.StatusPreconditionFailed,
		fault.Gone:            http.StatusGone,
		fault.TooLarge:        http.StatusRequestEntityTooLarge,
		fault.Exhausted:       http.StatusTooManyRequests,
		fault.Unavailable:     http.StatusServiceUnavailable,
		fault.Internal:        http.StatusInternalServerError,
	}
}

// hidden is what callers are told about errors that are not theirs to act on.
const hidden = "something went wrong inside the hub; report the request id to its operator"

// newProblem turns an error into a problem. Errors without a fault, and faults of kind Internal, keep their cause to
// themselves.
func newProblem(err error, requestID string) *Problem {
	p := &Problem{Type: "about:blank", Code: string(fault.Internal), Detail: hidden, RequestID: requestID}
	kind := fault.Internal
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind != fault.Internal {
		kind = f.Kind
		p.Code, p.Detail, p.Layer, p.Errors = f.Code, f.Message, f.Layer, f.Fields
		for key, value := range f.Detail {
			if key == "allowed" {
				p.Allowed = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
				continue
			}
			if p.Facts == nil {
				p.Facts = map[string]string{}
			}
			p.Facts[key] = value
		}
	}
	p.Status = statuses()[kind]
	p.Title = http.StatusText(p.Status)
	return p
}

// retryAfter returns the seconds after which a caller should try again, or "" when trying again makes no sense.
func retryAfter(p *Problem) string {
	if seconds, ok := p.Facts["retry_after"]; ok {
		return seconds
	}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		return "1"
	}
	return ""
}

// plainProblem is a problem that no service makes: about the request as HTTP.
func plainProblem(status int, code, detail, requestID string) *Problem {
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, RequestID: requestID,
	}
}

// safeMessages are the beginnings of huma's messages that hold nothing but words of the schema, with the code of each.
// Every other message is replaced, since it may repeat what was submitted.
var safeMessages = []struct{ prefix, code string }{
	{"expected required property", "required"},
	{"required ", "required"},
	{"request body is required", "required"},
	{"unexpected property", "unknown_field"},
	{"unknown query parameter", "unknown_field"},
	{"expected boolean", "wrong_type"},
	{"expected number >", "out_of_range"},
	{"expected number <", "out_of_range"},
	{"expected number", "wrong_type"},
	{"expected integer", "wrong_type"},
	{"expected string to be RFC 3339", "wrong_format"},
	{"expected string to be RFC 4122 uuid", "wrong_format"},
	{"expected string", "wrong_type"},
	{"expected array length", "out_of_range"},
	{"expected array", "wrong_type"},
	{"expected object", "wrong_type"},
	{"expected value to be one of", "not_allowed"},
	{"expected length", "out_of_range"},
	{"invalid integer", "wrong_type"},
	{"invalid boolean", "wrong_type"},
	{"invalid date/time", "wrong_format"},
}

// field turns what huma found into a field error, without the submitted value. A location is kept as far as every segment
// is a name of the contract: names of unknown fields are the caller's text.
func (a *API) field(d *huma.ErrorDetail) fault.Field {
	f := fault.Field{Name: a.knownPath(d.Location), Code: "malformed", Message: "this value is not well-formed"}
	message, _, _ := strings.Cut(d.Message, ": ")
	for _, safe := range safeMessages {
		if strings.HasPrefix(message, safe.prefix) {
			f.Code, f.Message = safe.code, message
			if safe.code == "unknown_field" {
				f.Message = "there is a name here that this call does not know; /openapi.json lists those it takes"
			}
			break
		}
	}
	if f.Name == "" {
		if f.Name = "body"; strings.HasPrefix(d.Location, "query") {
			f.Name = "query"
		}
	}
	return f
}

// knownPath returns the longest beginning of a location whose segments are names of the contract or list positions,
// without the leading "body.".
func (a *API) knownPath(location string) string {
	var kept []string
	for i, segment := range strings.Split(location, ".") {
		name, index, _ := strings.Cut(segment, "[")
		if i == 0 && (name == "path" || name == "query" || name == "header" || name == "body") {
			if index != "" && validIndex(index) {
				kept = append(kept, segment)
			}
			continue
		}
		if !a.names[name] || (index != "" && !validIndex(index)) {
			break
		}
		kept = append(kept, segment)
	}
	return strings.Join(kept, ".")
}

func validIndex(text string) bool {
	for _, part := range strings.Split(text, "[") {
		n, found := strings.CutSuffix(part, "]")
		if _, err := strconv.Atoi(n); !found || err != nil {
			return false
		}
	}
	return true
}

// rewrite is huma's transformer: it turns huma's own errors into problems.
func (a *API) rewrite(ctx huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	requestID := requestIDOf(ctx.Context())
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		return plainProblem(e.Status, string(fault.TooLarge), "the body is larger than this route accepts", requestID), nil
	case http.StatusUnsupportedMediaType:
		return plainProblem(e.Status, "unsupported_media_type", "send the body as application/json", requestID), nil
	case http.StatusRequestTimeout:
		return plainProblem(e.Status, "body_timeout", "the body did not arrive in time; send it again", requestID), nil
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		fields := make([]fault.Field, 0, len(e.Errors))
		for _, d := range e.Errors {
			fields = append(fields, a.field(d))
		}
		if len(fields) == 0 {
			fields = []fault.Field{{Name: "body", Code: "required", Message: "send a JSON body"}}
		}
		slices.SortStableFunc(fields, func(x, y fault.Field) int { return strings.Compare(x.Name, y.Name) })
		return newProblem(fault.InvalidFields(slices.Compact(fields)), requestID), nil
	}
	p := newProblem(nil, requestID)
	a.log.ErrorContext(ctx.Context(), "request failed", "request_id", requestID, "status", e.Status, "error", e.Detail)
	return p, nil
}
