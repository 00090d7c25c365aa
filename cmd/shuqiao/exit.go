package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// The exit codes.
const (
	exitOK          = 0
	exitRuntime     = 1 // It was tried and failed, or evidence does not verify.
	exitValidation  = 2 // The command line or the settings are wrong; trying again as it is changes nothing.
	exitEnvironment = 3 // The machine lacks something: a database, a port, a folder.
)

// exitCodes maps each kind of fault to the exit code. It is complete over fault.Kinds.
func exitCodes() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         exitValidation,
		fault.NotFound:        exitValidation,
		fault.TooLarge:        exitValidation,
		fault.Precondition:    exitValidation,
		fault.Conflict:        exitRuntime,
		fault.Forbidden:       exitRuntime,
		fault.Unauthenticated: exitRuntime,
		fault.Gone:            exitRuntime,
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
	fmt.Fprintln(w, "shuqiao: "+err.Error())
	return exitRuntime
}
