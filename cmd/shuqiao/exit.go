package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// The exit codes.
const (
	exitOK          = 0
	exitRuntime     = 1 // It was tried and failed, or evidence does not verify.
	exitValidation  = 2 // The command line or the settings are wrong; trying again as it is changes nothing.
	exitEnvironment = 3 // The machine lacks something: a database, a port, a folder; or the hub is not there or busy.
	exitRefused     = 4 // The hub refuses: not signed in, not allowed, suspended.
	exitOver        = 5 // What was there is gone for good: a grant that is over, whose copy must be disposed of.
)

// exitCodes maps each kind of fault to the exit code. It is complete over fault.Kinds.
func exitCodes() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         exitValidation,
		fault.NotFound:        exitValidation,
		fault.TooLarge:        exitValidation,
		fault.Precondition:    exitValidation,
		fault.Conflict:        exitRuntime,
		fault.Forbidden:       exitRefused,
		fault.Unauthenticated: exitRefused,
		fault.Gone:            exitOver,
		fault.Exhausted:       exitRuntime,
		fault.Internal:        exitRuntime,
		fault.Unavailable:     exitEnvironment,
	}
}

// fail says what went wrong, in one sentence where there is one for people and a line for each wrong field, and returns the exit code.
func fail(w io.Writer, err error) int {
	if err == nil || errors.Is(err, context.Canceled) {
		return exitOK
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		fmt.Fprintln(w, "shuqiao: "+f.Message)
		for _, field := range f.Fields {
			fmt.Fprintf(w, "  %s: %s\n", field.Name, field.Message)
		}
		return exitCodes()[f.Kind]
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return failProblem(w, p)
	}
	var unreachable *url.Error
	if errors.As(err, &unreachable) {
		fmt.Fprintln(w, "shuqiao: the hub cannot be reached: "+unreachable.Err.Error()+"; check --url and that it runs")
		return exitEnvironment
	}
	fmt.Fprintln(w, "shuqiao: "+err.Error())
	return exitRuntime
}

// failProblem says what a hub answered: the sentence, the code for machines, the request id for the hub's operator, and a
// line for each wrong field.
func failProblem(w io.Writer, p *client.Problem) int {
	fmt.Fprintf(w, "shuqiao: %s\n", p.Detail)
	for _, field := range p.Errors {
		fmt.Fprintf(w, "  %s: %s\n", field.Name, field.Message)
	}
	if len(p.Allowed) > 0 {
		fmt.Fprintf(w, "  allowed now: %s\n", strings.Join(p.Allowed, ", "))
	}
	fmt.Fprintf(w, "  %d %s, code %s, request %s\n", p.Status, p.Title, p.Code, p.RequestID)
	return exitCodes()[kindOf(p.Status)]
}

// kindOf is the kind of fault behind an HTTP status.
func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fault.Invalid
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusGone:
		return fault.Gone
	case http.StatusPreconditionFailed:
		return fault.Precondition
	case http.StatusRequestEntityTooLarge:
		return fault.TooLarge
	case http.StatusTooManyRequests:
		return fault.Exhausted
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return fault.Unavailable
	}
	return fault.Internal
}
