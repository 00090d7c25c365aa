package cli

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/shuqiao/shuqiao/internal/fault"
)

// Raw calls any route, for what has no command of its own.
type Raw struct {
	Connection
	Method  string `arg:"" enum:"GET,POST,PUT,DELETE" help:"GET, POST, PUT or DELETE."`
	Path    string `arg:"" help:"Path below /api/v1, such as /runs?state=failed."`
	File    string `name:"file" short:"f" help:"The body as JSON; - reads standard input." placeholder:"FILE"`
	IfMatch string `name:"if-match" help:"Change only if the row_version is still this one." placeholder:"N"`
	Profile string `help:"The sign-in to use." default:"${default_profile}" placeholder:"NAME"`
}

// Run calls the route and prints the answer as JSON.
func (r *Raw) Run(t *Terminal) error {
	hub, err := shared{Connection: r.Connection, Profile: r.Profile}.signedIn(t)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(r.Path, "/") || strings.HasPrefix(r.Path, "//") {
		return fault.New(fault.Invalid, "usage", "begin the path with /")
	}
	var body any
	if r.File != "" {
		raw, err := readInput(t, r.File)
		if err != nil {
			return err
		}
		if !json.Valid(raw) {
			return fault.New(fault.Invalid, "usage", "the file is no JSON")
		}
		body = json.RawMessage(raw)
	}
	var answer json.RawMessage
	err = hub.Call(t.Ctx, r.Method, strings.TrimPrefix(r.Path, "/api/v1"), body, &answer, func(q *http.Request) {
		if r.IfMatch != "" {
			q.Header.Set("If-Match", r.IfMatch)
		}
	})
	if err != nil {
		return err
	}
	return printObject(t.Out, "json", answer)
}
