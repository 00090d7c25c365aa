package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/shuqiao/shuqiao/api/client"
	"github.com/shuqiao/shuqiao/internal/fault"
)

const (
	// maxInput bounds what is read from files and standard input.
	maxInput = 16 << 20
	// maxSheet bounds a file of entries as the hub does.
	maxSheet = 32 << 20
)

// Call is a command with what people gave it.
type Call struct {
	command Command
	shared  shared
	args    []string
	values  []reflect.Value // In the order of the command's inputs.
	file    string
}

func newCall(c Command, target reflect.Value) *Call {
	target = reflect.Indirect(target)
	out := &Call{command: c, shared: target.FieldByName("Shared").Interface().(shared)}
	for i := range c.arguments() {
		out.args = append(out.args, target.FieldByName(fmt.Sprintf("A%d", i)).String())
	}
	for i := range c.inputs() {
		out.values = append(out.values, target.FieldByName(fmt.Sprintf("I%d", i)))
	}
	if c.File {
		out.file = target.FieldByName("File").String()
	}
	return out
}

// path fills the arguments into the route.
func (c *Call) path() string {
	path := c.command.Route
	for i, name := range c.command.arguments() {
		path = strings.Replace(path, "{"+name+"}", url.PathEscape(c.args[i]), 1)
	}
	return path
}

// query is what flags and the place in a list add to the path.
func (c *Call) query() url.Values {
	q := url.Values{}
	for i, in := range c.command.inputs() {
		if in.query && c.values[i].String() != "" {
			q.Set(in.name, c.values[i].String())
		}
	}
	if c.command.Columns != "" && c.shared.Limit > 0 {
		q.Set("limit", strconv.Itoa(c.shared.Limit))
	}
	if c.command.Columns != "" && c.shared.Cursor != "" {
		q.Set("cursor", c.shared.Cursor)
	}
	return q
}

// body is the JSON body: that of the file, with the flags in it. nil where the command sends none.
func (c *Call) body(t *Terminal) (any, error) {
	body := map[string]any{}
	if c.file != "" {
		raw, err := readInput(t, c.file)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &body); err != nil || body == nil {
			return nil, fault.New(fault.Invalid, "usage", "the file is no JSON object: %v", err)
		}
	}
	put := func(in input, value any) { nest(body, strings.Split(in.name, "."), value) }
	for i, in := range c.command.inputs() {
		v := c.values[i]
		switch {
		case in.query:
		case in.secret:
			password, err := password(t, v.String(), "Password: ")
			if err != nil {
				return nil, err
			}
			put(in, password)
		case in.list:
			// An empty list says none, except where leaving it out says as it is.
			if v.Len() > 0 || c.command.Path != "client edit" {
				put(in, append([]string{}, v.Interface().([]string)...))
			}
		case v.String() == "":
		case in.number:
			n, err := strconv.Atoi(v.String())
			if err != nil {
				return nil, fault.New(fault.Invalid, "usage", "--%s takes a whole number", in.flag)
			}
			put(in, n)
		default:
			put(in, v.String())
		}
	}
	// Moves take no body at all where nothing is said; those that take one accept an empty one.
	if len(body) == 0 && !c.command.File && c.command.Path != "client key add" {
		return nil, nil
	}
	return body, nil
}

// nest sets a value in an object, or in one inside it.
func nest(object map[string]any, names []string, value any) {
	for ; len(names) > 1; names = names[1:] {
		inner, ok := object[names[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[names[0]] = inner
		}
		object = inner
	}
	object[names[0]] = value
}

func readInput(t *Terminal, name string) ([]byte, error) { return readFile(t, name, maxInput) }

// readFile reads a file, or standard input for -, of at most so many bytes.
func readFile(t *Terminal, name string, most int64) ([]byte, error) {
	var from io.Reader = t.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fault.New(fault.Invalid, "usage", "the file cannot be read: %s", err).Wrap(err)
		}
		defer file.Close()
		from = file
	}
	raw, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(raw)) > most {
		return nil, fault.New(fault.TooLarge, "usage", "the file is larger than %d MiB", most>>20)
	}
	return raw, nil
}

// headers are the options of the request.
func (c *Call) headers() []func(*http.Request) {
	var out []func(*http.Request)
	if c.shared.IfMatch != "" {
		out = append(out, func(r *http.Request) { r.Header.Set("If-Match", c.shared.IfMatch) })
	}
	if c.command.Once {
		key := c.shared.Key
		if key == "" {
			key = client.NewKey()
		}
		out = append(out, client.Once(key))
	}
	return out
}

// Run calls the route and prints the answer.
func (c *Call) Run(t *Terminal) error {
	hub, err := c.shared.signedIn(t)
	if err != nil {
		return err
	}
	body, err := c.body(t)
	if err != nil {
		return err
	}
	// One page as JSON is the hub's answer as it is.
	if c.command.Columns != "" && (c.shared.All || c.shared.Output != "json") {
		return c.list(t, hub)
	}
	path := c.path()
	if q := c.query(); len(q) > 0 {
		path += "?" + q.Encode()
	}
	var answer json.RawMessage
	if err := hub.Call(t.Ctx, c.command.Method, path, body, &answer, c.headers()...); err != nil {
		return err
	}
	return printObject(t.Out, c.shared.Output, answer)
}

// list prints one page, or all of them as they come.
func (c *Call) list(t *Terminal, hub *client.Client) error {
	columns := strings.Fields(c.command.Columns)
	out := newListPrinter(t.Out, c.shared.Output, columns)
	for q := c.query(); ; {
		path := c.path()
		if len(q) > 0 {
			path += "?" + q.Encode()
		}
		var page client.List[json.RawMessage]
		if err := hub.Call(t.Ctx, c.command.Method, path, nil, &page, c.headers()...); err != nil {
			return err
		}
		if err := out.page(page.Data); err != nil {
			return err
		}
		if page.NextCursor == "" || !c.shared.All {
			return out.end(page.NextCursor, t.Err)
		}
		q.Set("cursor", page.NextCursor)
	}
}
