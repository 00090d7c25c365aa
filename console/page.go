package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// visit is one request of a signed-in reader.
type visit struct {
	*console
	look
	w         http.ResponseWriter
	r         *http.Request
	principal authz.Principal
}

// frame is what every page is drawn with; Body is the page's own.
type frame struct {
	Title   string // Key of the title, or the name of the thing shown.
	Path    string // Where the reader is, to come back to after a change of language.
	Reader  *reader
	Nav     []navGroup
	Done    string   // Key of the sentence that says what was just done, or "".
	Problem *problem // What went wrong with the last input, or nil.
	Charts  bool     // The page draws charts, and loads what they need.
	Grid    bool     // The page has a grid of items, and loads what it needs.
	Body    any
}

// reader is who is signed in, for the header.
type reader struct {
	ID         uuid.UUID
	Name       string
	Department string
	Roles      []authz.Role
}

// tab is one part of a page under its own address.
type tab struct {
	Key, Icon, Href string
	Active          bool
	Count           int
}

// problem is a fault as a page shows it.
type problem struct {
	Title  string // The sentence at the top of the page.
	Advice string // What may help, or "".
	Code   string
	fields map[string]string
}

// Wrong is the sentence at an input field, "" when nothing is wrong with it. A name that ends in "*" stands for every field
// below it.
func (f frame) Wrong(name string) string {
	if f.Problem == nil {
		return ""
	}
	if below, ok := strings.CutSuffix(name, "*"); ok {
		for field, sentence := range f.Problem.fields {
			if strings.HasPrefix(field, below) {
				return sentence
			}
		}
		return ""
	}
	return f.Problem.fields[name]
}

// statuses says with which HTTP status a page of each kind of fault is answered.
var statuses = map[fault.Kind]int{
	fault.Invalid: http.StatusUnprocessableEntity, fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict,
	fault.Forbidden: http.StatusForbidden, fault.Unauthenticated: http.StatusUnauthorized,
	fault.Precondition: http.StatusPreconditionFailed, fault.Gone: http.StatusGone,
	fault.TooLarge: http.StatusRequestEntityTooLarge, fault.Exhausted: http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable, fault.Internal: http.StatusInternalServerError,
}

func notFound() error { return fault.New(fault.NotFound, "not_found", "there is no such page") }

// page turns a page function into a handler: it finds out who reads, draws the error page for what the function returns,
// and sends readers without a session to sign in.
func (c *console) page(show func(*visit) error) http.Handler { return c.pageUpTo(maxForm, show) }

// pageUpTo is page for forms that may send more.
func (c *console) pageUpTo(most int64, show func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := c.authenticate(r)
		if fault.Is(err, fault.Unauthenticated) {
			c.toSignIn(w, r)
			return
		}
		v := &visit{console: c, look: c.looks[languageOf(r)], w: w, r: r, principal: p}
		if err == nil && p.Limit != "" && !unfinished(r.URL.Path) {
			http.Redirect(w, r, accountPath, http.StatusSeeOther)
			return
		}
		if err == nil {
			r.Body = http.MaxBytesReader(w, r.Body, most)
			err = show(v)
		}
		if err == nil || r.Context().Err() != nil {
			return
		}
		if fault.Is(err, fault.Internal) {
			c.Logger.ErrorContext(r.Context(), "drawing a page", "route", r.Pattern, "error", err)
		}
		if drawn := v.draw(statuses[fault.KindOf(err)], "error", "error.title", nil, err); drawn != nil {
			c.Logger.ErrorContext(r.Context(), "drawing the error page", "error", drawn)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		}
	})
}

// maxForm bounds what a form may send.
const maxForm = 256 << 10

// toSignIn sends a reader without a session to the sign-in page, to come back to a page that was only read.
func (c *console) toSignIn(w http.ResponseWriter, r *http.Request) {
	to := prefix + "/sign-in"
	if r.Method == http.MethodGet && r.Header.Get("HX-Request") == "" {
		to += "?back=" + url.QueryEscape(r.URL.RequestURI())
	} else if r.Method == http.MethodPost {
		// Back to the page of the form, where the browser puts in again what was typed.
		to += "?ended=1&back=" + url.QueryEscape(cameFrom(r))
	}
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// cameFrom is the page of this console whose form was sent, "" when that is not known.
func cameFrom(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		return ""
	}
	return backTo(from.RequestURI())
}

// show draws a page that was asked for.
func (v *visit) show(page, title string, body any) error {
	return v.draw(http.StatusOK, page, title, body, nil)
}

// again draws a form once more with what was typed and what is wrong with it. Faults that no input can mend are returned
// for the error page.
func (v *visit) again(page, title string, body any, err error) error {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Unauthenticated, fault.NotFound:
		return err
	}
	return v.draw(statuses[fault.KindOf(err)], page, title, body, err)
}

func (v *visit) draw(status int, page, title string, body any, err error) error {
	f := frame{Title: v.say(title), Path: v.r.URL.RequestURI(), Body: body, Problem: v.problem(err)}
	if b, ok := body.(interface{ charts() bool }); ok {
		f.Charts = b.charts()
	}
	if b, ok := body.(interface{ grid() bool }); ok {
		f.Grid = b.grid()
	}
	if v.r.Method != http.MethodGet {
		f.Path = prefix + "/"
	}
	if unfinished(v.r.URL.Path) {
		f.Path = accountPath
	}
	switch {
	case v.principal.Session == uuid.Nil:
	case v.principal.Limit != "":
		f.Reader = &reader{ID: v.principal.ID, Name: v.principal.Name, Roles: v.principal.Roles} // Nothing else may be read yet.
	default:
		f.Reader, f.Nav = v.reader(), v.nav()
	}
	if done := "done." + v.r.URL.Query().Get("done"); v.has(done) {
		f.Done = done
	}
	return v.write(status, page, "frame", f)
}

// part draws a piece of a page that htmx puts in place.
func (v *visit) part(page, name string, body any) error {
	return v.write(http.StatusOK, page, name, body)
}

func (v *visit) write(status int, page, name string, data any) error {
	var out bytes.Buffer // Whole before the first byte leaves: a template that fails must not leave half a page.
	read, ok := v.pages[page]
	if !ok {
		return errors.New("there is no page " + page)
	}
	t, err := read()
	if err != nil {
		return fmt.Errorf("putting page %q together: %w", page, err)
	}
	if err := t.ExecuteTemplate(&out, name, data); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, err = out.WriteTo(v.w)
	return err
}

// to sends the reader on after something was done; done names the sentence that says so.
func (v *visit) to(path, done string) error {
	if done != "" {
		path += "?done=" + done
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// id reads the id in the address; what is no id is a page that does not exist.
func (v *visit) id() (uuid.UUID, error) {
	id, err := uuid.Parse(v.r.PathValue("id"))
	if err != nil {
		return uuid.Nil, notFound()
	}
	return id, nil
}

// field returns what was typed into a field, without blanks around it.
func (v *visit) field(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// query returns a parameter of the address, without blanks around it.
func (v *visit) query(name string) string { return strings.TrimSpace(v.r.URL.Query().Get(name)) }

// may says whether to show what leads to an action.
func (v *visit) may(a authz.Action, t authz.Target) bool {
	return v.Enforcer.Allowed(v.principal, a, t)
}

// problem says a fault in the reader's language: by its code where there is a sentence for it, else by its kind.
func (v *visit) problem(err error) *problem { return v.look.problem(err) }

func (l look) problem(err error) *problem {
	if err == nil {
		return nil
	}
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		f = fault.New(fault.Internal, string(fault.Internal), "internal")
	}
	p := &problem{Code: f.Code, fields: map[string]string{}}
	switch {
	case l.has("fault." + f.Code):
		p.Title = l.say("fault." + f.Code)
	default:
		p.Title = l.say("fault." + string(f.Kind))
		if f.Kind != fault.Internal {
			p.Advice = f.Message
		}
	}
	if allowed := f.Detail["allowed"]; allowed != "" {
		p.Advice = l.say("fault.allowed_now", "moves", l.listed("move", allowed))
	}
	for _, field := range f.Fields {
		if p.fields[field.Name] != "" {
			continue
		}
		p.fields[field.Name] = l.finding(field)
	}
	return p
}

// listed says the codes of a comma-separated list.
func (l look) listed(group, codes string) string {
	parts := strings.FieldsFunc(codes, func(r rune) bool { return r == ',' || r == ' ' })
	for i, code := range parts {
		parts[i] = l.word(group, code)
	}
	return strings.Join(parts, l.say("list.comma"))
}
