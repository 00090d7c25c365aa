package cli

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// shared is what every command of the table takes beside its own flags.
type shared struct {
	Connection
	Profile string `help:"The sign-in to use, as named at shuqiao login." default:"${default_profile}" placeholder:"NAME"`
	Output  string `short:"o" help:"table for people; json or csv for programs." enum:"table,json,csv" default:"table"`
	All     bool   `help:"Of a list: all pages."`
	Limit   int    `help:"Of a list: the most entries of a page." placeholder:"N"`
	Cursor  string `help:"Of a list: go on behind the page that gave this cursor." placeholder:"CURSOR"`
	IfMatch string `name:"if-match" help:"Change only if the row_version is still this one." placeholder:"N"`
	Key     string `name:"idempotency-key" help:"Of commands that create: the same key never creates twice." placeholder:"KEY"`
}

// input is one flag of a command.
type input struct {
	flag, name string
	query      bool
	required   bool
	list       bool
	number     bool
	secret     bool // Given by --<flag>-file, or asked for.
}

// inputs reads the specifications of a command's flags.
func (c Command) inputs() []input {
	var out []input
	for i, spec := range []string{c.Query, c.Body} {
		for token := range strings.FieldsSeq(spec) {
			in := input{query: i == 0}
			for _, mark := range []struct {
				sign string
				set  *bool
			}{{"#", &in.number}, {"!", &in.required}, {"[]", &in.list}, {"?", &in.secret}, {"!", &in.required}} {
				token, *mark.set = trim(token, mark.sign, *mark.set)
			}
			flag, name, renamed := strings.Cut(token, ":")
			if !renamed {
				name = flag
			}
			in.flag, in.name = flag, name
			out = append(out, in)
		}
	}
	return out
}

func trim(token, sign string, set bool) (string, bool) {
	rest, found := strings.CutSuffix(token, sign)
	return rest, set || found
}

// arguments are the names in braces of the route.
func (c Command) arguments() []string {
	var out []string
	for part := range strings.SplitSeq(c.Route, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			out = append(out, strings.TrimSuffix(name, "}"))
		}
	}
	return out
}

// helps are the texts of flags by their name.
var helps = map[string]string{
	"q": "Text to look for.", "state": "Only those in this state.", "side": "consumer or provider.", "reason": "Why; people read it in the history.",
	"opinion": "What the signer remarks.", "code": "One of request refusal-codes.", "days": "Working days.", "resource": "Id of a resource.",
	"client": "Id of a consuming system.", "department": "Id of a department.", "task": "Id of a task.", "grant": "Id of a grant.", "parent": "Id of the department above.",
	"spec": "Five cron fields, @hourly and its like, or @every 10s.", "time-zone": "IANA name.", "overlap": "skip or queue.", "missed": "run_once or skip.",
	"network": "CIDR prefix the system calls from; may be given several times.", "role": "A role; may be given several times.",
	"expires-at": "When the key ends, as 2027-01-31T00:00:00+08:00; a year from now when not given.", "object": "As source tables names it, or the id of an object.",
	"from": "Not before, as 2026-01-31T00:00:00+08:00.", "to": "Before.", "password": "File with the password; it is asked for when not given.",
	"negotiation": "What was negotiated with the consumer, with whom and when.", "filing-no": "Number of the filing with the authority.",
	"filing-date": "Of the filing, YYYY-MM-DD.", "filing": "The filing after negotiation, where grants exist.", "kind": "Which kind.", "priority": "1 is served first, 9 last.",
	"severity": "info, warning or critical.", "least-severity": "info, warning or critical.", "rule": "Key of a rule.", "until": "As 2026-01-31T00:00:00+08:00, at most 90 days on.",
	"note": "What is being done about it.", "threshold": "In the unit of the rule.", "webhook": "Its address.", "secret": "File with the secret; it is asked for when not given.",
	"by": "The head of the provider's sharing office.", "date": "YYYY-MM-DD.", "document": "Number or title of the document.",
	"year": "As 2027.", "missing": "true: only those that did neither.", "statement": "Why the department holds no data.",
}

// leaf is the type of a command's flags: A0… for arguments, I0… for flags, File.
func (c Command) leaf(withShared bool) reflect.Type {
	text := reflect.TypeFor[string]()
	var fields []reflect.StructField
	if withShared {
		fields = append(fields, reflect.StructField{Name: "Shared", Type: reflect.TypeFor[shared](), Tag: `embed:""`})
	}
	for i, name := range c.arguments() {
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("A%d", i), Type: text, Tag: reflect.StructTag(fmt.Sprintf(`arg:"" name:%q help:"Its %s."`, name, name)),
		})
	}
	for i, in := range c.inputs() {
		kind, name, placeholder := text, in.flag, "TEXT"
		if in.list {
			kind = reflect.TypeFor[[]string]()
		}
		if in.secret {
			name, placeholder = in.flag+"-file", "FILE"
		}
		tag := fmt.Sprintf(`name:%q help:%q placeholder:%q`, name, helps[in.flag], placeholder)
		if in.required {
			tag += ` required:""`
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("I%d", i), Type: kind, Tag: reflect.StructTag(tag)})
	}
	if c.File {
		fields = append(fields, reflect.StructField{
			Name: "File", Type: text, Tag: `name:"file" short:"f" help:"The body as JSON; - reads standard input." placeholder:"FILE"`,
		})
	}
	return reflect.StructOf(fields)
}

// groupHelps are the texts of groups of commands.
var groupHelps = map[string]string{
	"resource": "Directory entries.", "mount": "Where the rows of entries come from.", "source": "Connections to departments' systems.", "request": "Sharing requests.",
	"grant": "Approved requests.", "task": "What the engine does.", "run": "Executions of tasks.", "schedule": "When tasks run by themselves.",
	"alarm":      "What is wrong, and who hears of it.",
	"department": "Departments.", "system": "Information systems.", "calendar": "Working days.", "base-database": "Base and theme databases.", "client": "Consuming systems and their keys.",
	"client key": "Keys of consuming systems.", "user": "Accounts.", "policy": "The rules.", "audit": "Evidence.",
}

// Options adds the commands of the table to a command line whose grammar may have some of the groups already. When args name
// groups or commands of the table only those are added, since a grammar of all takes a while; else all are.
func Options(args []string) []kong.Option {
	var out []kong.Option
	var groups []string
	named := slices.ContainsFunc(Commands(), func(c Command) bool { return slices.Contains(args, c.group()) })
	for _, c := range Commands() {
		group, nested := c.group(), c.group() != c.Path
		switch {
		case named && !slices.Contains(args, group):
		case !nested:
			out = append(out, kong.DynamicCommand(c.Path, c.Help, "", reflect.New(c.leaf(true)).Interface()))
		case !slices.Contains(groups, group):
			groups = append(groups, group)
			out = append(out, kong.DynamicCommand(group+grafted, groupHelps[group], "", reflect.New(groupType(group)).Interface()))
		}
	}
	return append(out, kong.PostBuild(graft))
}

// group is the first word of the command.
func (c Command) group() string {
	group, _, _ := strings.Cut(c.Path, " ")
	return group
}

// grafted ends the names of the table's groups while the command line is built, since another group may have their name.
const grafted = "+"

// groupType is the type of a group of commands: a field for each, and one for each group inside.
func groupType(group string) reflect.Type {
	var fields []reflect.StructField
	var inner []string
	add := func(name, help string, kind reflect.Type) {
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("C%d", len(fields)), Type: kind, Tag: reflect.StructTag(fmt.Sprintf(`cmd:"" name:%q help:%q`, name, help)),
		})
	}
	for _, c := range Commands() {
		rest, ours := strings.CutPrefix(c.Path, group+" ")
		if !ours {
			continue
		}
		name, _, nested := strings.Cut(rest, " ")
		if !nested {
			add(name, c.Help, c.leaf(true))
		} else if !slices.Contains(inner, name) {
			inner = append(inner, name)
			add(name, groupHelps[group+" "+name], groupType(group+" "+name))
		}
	}
	return reflect.StructOf(fields)
}

// graft gives the table's groups their names. Where the grammar has a group of that name, it takes the commands over.
func graft(k *kong.Kong) error {
	var kept []*kong.Node
	for _, node := range k.Model.Children {
		name, ours := strings.CutSuffix(node.Name, grafted)
		if !ours {
			kept = append(kept, node)
			continue
		}
		node.Name = name
		at := slices.IndexFunc(k.Model.Children, func(n *kong.Node) bool { return n.Name == name && n != node })
		if at < 0 {
			kept = append(kept, node)
			continue
		}
		for _, child := range node.Children {
			child.Parent = k.Model.Children[at]
		}
		k.Model.Children[at].Children = append(k.Model.Children[at].Children, node.Children...)
	}
	k.Model.Children = kept
	return nil
}

// pathOf is what people typed to get to a node.
func pathOf(node *kong.Node) string {
	var names []string
	for ; node != nil && node.Type == kong.CommandNode; node = node.Parent {
		names = append(names, node.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, " ")
}

// Find returns the command of the table that a command line selected, nil when it selected another.
func Find(line *kong.Context) *Call {
	node := line.Selected()
	if node == nil {
		return nil
	}
	for _, c := range Commands() {
		if c.Path == pathOf(node) {
			return newCall(c, node.Target)
		}
	}
	return nil
}
