package console

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/shuqiao/shuqiao/catalog"
)

// suggested is the list below the search box.
type suggested struct {
	Text string
	All  []suggestion
}

type suggestion struct {
	Href   string
	Name   string
	Beside string // Code and provider of an entry; what it is for a department.
}

// showSuggestions is what the reader may mean who is typing; htmx puts it below the search box.
func (c *console) showSuggestions(v *visit) error {
	text := v.query(byText)
	found, err := v.Catalog.Suggest(v.r.Context(), v.principal, text)
	if err != nil {
		return err
	}
	names := v.names()
	out := suggested{Text: text}
	for _, s := range found {
		if s.Kind == catalog.SuggestDepartment {
			out.All = append(out.All, suggestion{
				Href: directoryAddress(url.Values{"department": {s.ID.String()}}), Name: names.called(s.ID.String(), s.Name), Beside: v.say("directory.of_department"),
			})
			continue
		}
		out.All = append(out.All, suggestion{Href: prefix + "/resources/" + s.ID.String(), Name: s.Name, Beside: strings.TrimSpace(s.Code + " " + s.Department)})
	}
	return v.part("directory", "suggested", frame{Body: out})
}

// piece is part of a text that is shown.
type piece struct {
	Text string
	Hit  bool // It is what was looked for.
}

// Marked takes a text apart by where what was looked for stands in it.
func (d directory) Marked(text string) []piece { return marked(text, d.Text) }

// Marked is likewise.
func (s suggested) Marked(text string) []piece { return marked(text, s.Text) }

func marked(text, looked string) []piece {
	letters := []rune(text)
	lower := slices.Clone(letters)
	for i, r := range lower {
		lower[i] = unicode.ToLower(r)
	}
	hit := make([]bool, len(letters))
	for word := range strings.FieldsSeq(strings.ToLower(looked)) {
		w := []rune(word)
		for i := 0; i+len(w) <= len(lower); i++ {
			if slices.Equal(lower[i:i+len(w)], w) {
				for j := range w {
					hit[i+j] = true
				}
			}
		}
	}
	var out []piece
	for i := range letters {
		if i == 0 || hit[i] != hit[i-1] {
			out = append(out, piece{Hit: hit[i]})
		}
		out[len(out)-1].Text += string(letters[i])
	}
	return out
}
