package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Completion prints what a shell needs to complete commands.
type Completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script, made from the command line as it is.
func (c *Completion) Run(t *Terminal, line *kong.Context) error {
	words := map[string][]string{}
	collectWords(words, line.Model.Node, "")
	if c.Shell == "fish" {
		return printFish(t.Out, words)
	}
	return printBash(t.Out, c.Shell, words)
}

// collectWords enters what may follow each path: commands and flags.
func collectWords(words map[string][]string, node *kong.Node, path string) {
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			words[path] = append(words[path], "--"+flag.Name)
		}
	}
	for _, child := range node.Children {
		if child.Hidden || child.Type != kong.CommandNode {
			continue
		}
		words[path] = append(words[path], child.Name)
		collectWords(words, child, strings.TrimSpace(path+" "+child.Name))
	}
	slices.Sort(words[path])
	words[path] = slices.Compact(words[path])
}

func paths(words map[string][]string) []string {
	var out []string
	for path := range words {
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

func printBash(w io.Writer, shell string, words map[string][]string) error {
	var b strings.Builder
	if shell == "zsh" {
		b.WriteString("autoload -U +X bashcompinit && bashcompinit\n")
	}
	b.WriteString("_shuqiao() {\n  local word at='' words=''\n  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"${at:+$at }$word\" in\n")
	var known []string
	for _, path := range paths(words) {
		if path != "" {
			known = append(known, "'"+path+"'")
		}
	}
	fmt.Fprintf(&b, "    %s) at=\"${at:+$at }$word\" ;;\n    esac\n  done\n  case \"$at\" in\n", strings.Join(known, "|"))
	for _, path := range paths(words) {
		fmt.Fprintf(&b, "  '%s') words='%s' ;;\n", path, strings.Join(words[path], " "))
	}
	b.WriteString("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _shuqiao shuqiao\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func printFish(w io.Writer, words map[string][]string) error {
	var b strings.Builder
	b.WriteString("function __shuqiao_at\n  set -l at ''\n  for word in (commandline -opc)[2..-1]\n    switch (string trim \"$at $word\")\n")
	var known []string
	for _, path := range paths(words) {
		if path != "" {
			known = append(known, "'"+path+"'")
		}
	}
	fmt.Fprintf(&b, "      case %s\n        set at (string trim \"$at $word\")\n    end\n  end\n  echo $at\nend\n", strings.Join(known, " "))
	for _, path := range paths(words) {
		fmt.Fprintf(&b, "complete -c shuqiao -f -n 'test \"$(__shuqiao_at)\" = \"%s\"' -a '%s'\n", path, strings.Join(words[path], " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
