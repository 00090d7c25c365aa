package console

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/shuqiao/shuqiao/alarm"
	"github.com/shuqiao/shuqiao/catalog/mask"
)

//go:embed messages/*/*.json
var messageFiles embed.FS

// The languages of the console. The first is the one of a reader who has not chosen.
const (
	chinese = "zh-CN"
	english = "en"
)

// languages returns every language once, the default first.
func languages() []string { return []string{chinese, english} }

// messages are the sentences of one language by key. {name} in a sentence is a place for a value.
type messages struct {
	language string
	text     map[string]string
}

// loadMessages reads all files of a language. A key that two files have is an error.
func loadMessages(language string) (messages, error) {
	files, err := fs.Glob(messageFiles, "messages/"+language+"/*.json")
	if err != nil || len(files) == 0 {
		return messages{}, fmt.Errorf("listing messages of %q: %w", language, cmp.Or(err, fs.ErrNotExist))
	}
	m := messages{language: language, text: map[string]string{}}
	for _, file := range files {
		raw, err := messageFiles.ReadFile(file)
		if err != nil {
			return messages{}, fmt.Errorf("reading messages: %w", err)
		}
		var text map[string]string
		if err := json.Unmarshal(raw, &text); err != nil {
			return messages{}, fmt.Errorf("reading messages of %q: %w", file, err)
		}
		for key, sentence := range text {
			if m.has(key) {
				return messages{}, fmt.Errorf("reading messages of %q: %q is in another file, too", file, key)
			}
			m.text[key] = sentence
		}
	}
	return m, nil
}

// say returns the sentence of a key with values put in: pairs of a name and its value. A key that does not exist is
// returned as it is, which tests find.
func (m messages) say(key string, pairs ...any) string {
	s, ok := m.text[key]
	if !ok {
		return key
	}
	if len(pairs) == 0 {
		return s
	}
	old := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		old = append(old, "{"+fmt.Sprint(pairs[i])+"}", fmt.Sprint(pairs[i+1]))
	}
	return strings.NewReplacer(old...).Replace(s)
}

// word returns what people say for a code of a group, and the code itself where there is no word. Masks are called as the
// registry of masks calls them; actions of the log are an object and what was done to it.
func (m messages) word(group string, code any) string {
	c := fmt.Sprint(code)
	if s, ok := m.text[group+"."+c]; ok {
		return s
	}
	switch group {
	case "mask":
		if rule, ok := mask.Find(c); ok {
			return m.pick(rule.ZH, rule.EN)
		}
	case "alarm_rule":
		if rule, ok := alarm.FindRule(c); ok {
			return m.pick(rule.ZH, rule.EN)
		}
	case "alarm_advice":
		if rule, ok := alarm.FindRule(c); ok {
			return m.pick(rule.AdviceZH, rule.AdviceEN)
		}
	case "action":
		if object, verb, ok := strings.Cut(c, "."); ok {
			return m.word("object", object) + " \u00b7 " + m.word("verb", verb)
		}
	}
	return c
}

// pick returns the Chinese or the English name of something that has both.
func (m messages) pick(zh, en string) string {
	if m.language == english && en != "" {
		return en
	}
	return zh
}

func (m messages) has(key string) bool {
	_, ok := m.text[key]
	return ok
}

const languageCookie = "sq_language"

// languageOf is what the reader chose, or the default.
func languageOf(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil && c.Value == english {
		return english
	}
	return chinese
}
