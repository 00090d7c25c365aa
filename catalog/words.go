package catalog

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// PostgreSQL has no parser for Chinese, and what people look for is often two characters long. So the program cuts texts up itself:
// a run of Chinese (or any other) letters into all its pairs, a run of Latin letters and digits into all its triples, and the end of
// each run into what is shorter. Whatever stands in the text is then found by an exact piece, or as the beginning of one. The pieces
// say which rows may hold a text; the row's text itself is asked before it counts as found.

// builtBy numbers the rules of this file and of indexing. Rows that other rules built are built again.
const builtBy = 2

const (
	// maxBody bounds what is searched of one version, in bytes: beyond it the pieces would not fit into a tsvector.
	maxBody = 64 << 10
	// maxTerms and maxTerm bound what one search looks for; the rest of it does not narrow.
	maxTerms = 8
	maxTerm  = 64
)

// plain is the form in which texts are compared: compatibility forms (full width) unified, lower case, no control characters.
func plain(text string) string {
	text = norm.NFKC.String(strings.ToValidUTF8(text, ""))
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return unicode.ToLower(r)
	}, text)
}

func latin(r rune) bool { return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }

// runs calls do with each longest run of letters and digits of one kind, and the length of its pieces.
func runs(text string, do func(run []rune, size int)) {
	var run []rune
	size := 0
	flush := func() {
		if len(run) > 0 {
			do(run, size)
			run = run[:0]
		}
	}
	for _, r := range text {
		now := 0
		switch {
		case latin(r):
			now = 3
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r):
			now = 2
		}
		if now != size {
			flush()
			size = now
		}
		if now != 0 {
			run = append(run, r)
		}
	}
	flush()
}

// pieces cuts a plain text up, each piece once, sorted.
func pieces(text string) []string {
	seen := map[string]struct{}{}
	runs(text, func(run []rune, size int) {
		for i := range run {
			seen[string(run[i:min(i+size, len(run))])] = struct{}{}
		}
	})
	out := make([]string, 0, len(seen))
	for piece := range seen {
		out = append(out, piece)
	}
	slices.Sort(out)
	return out
}

// sought is one of the texts a search looks for, all of which a hit must hold.
type sought struct {
	text string // Plain.
	// match is a tsquery that every text that holds it satisfies; "" where nothing can be looked up, and so nothing is found.
	match string
	named string // match, for the marks of names.
}

// inName is the kind of mark for the pieces of a name.
const inName = "n"

// terms takes apart what somebody typed. Blanks separate.
func terms(text string) []sought {
	var out []sought
	for _, word := range strings.Fields(plain(text)) {
		if len(out) == maxTerms {
			break
		}
		if letters := []rune(word); len(letters) > maxTerm {
			word = string(letters[:maxTerm])
		}
		t := sought{text: word}
		if slices.ContainsFunc(out, func(o sought) bool { return o.text == word }) {
			continue
		}
		var all, named []string
		add := func(piece, sign string) {
			all, named = append(all, quoted(piece)+sign), append(named, quoted(mark(inName, piece))+sign)
		}
		runs(word, func(run []rune, size int) {
			if len(run) < size {
				add(string(run), ":*")
				return
			}
			for i := 0; i+size <= len(run); i++ {
				add(string(run[i:i+size]), "")
			}
		})
		t.match, t.named = strings.Join(all, " & "), strings.Join(named, " & ")
		out = append(out, t)
	}
	return out
}

// What quoted and like put in place of signs that mean something there.
var (
	lexemeSigns  = strings.NewReplacer(`\`, `\\`, `'`, `''`)
	patternSigns = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
)

// quoted writes a lexeme of a tsquery.
func quoted(lexeme string) string { return "'" + lexemeSigns.Replace(lexeme) + "'" }

// mark is the lexeme that stands for a column's value. No piece of a text begins like it.
func mark(kind, value string) string { return "=" + kind + ":" + upTo(value, 200) }

// anyOf is the tsquery of one of several lexemes.
func anyOf(lexemes []string) string {
	all := make([]string, len(lexemes))
	for i, lexeme := range lexemes {
		all[i] = quoted(lexeme)
	}
	return "(" + strings.Join(all, " | ") + ")"
}

// like is the pattern of a LIKE that finds a plain text anywhere.
func like(text string) string { return "%" + patternSigns.Replace(text) + "%" }
