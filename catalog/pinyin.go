package catalog

import (
	"strings"

	"github.com/mozillazg/go-pinyin"
)

// readings are words in which a character is not read as it is alone, as far as titles of entries and names of departments have them.
var readings = []struct{ word, sounds string }{
	{"银行", "yin hang"},
	{"行业", "hang ye"},
	{"行长", "hang zhang"},
	{"行情", "hang qing"},
	{"会计", "kuai ji"},
	{"调解", "tiao jie"},
	{"调整", "tiao zheng"},
	{"调度", "diao du"},
	{"调查", "diao cha"},
	{"重复", "chong fu"},
	{"重建", "chong jian"},
	{"重庆", "chong qing"},
	{"长期", "chang qi"},
	{"长江", "chang jiang"},
	{"成长", "cheng zhang"},
	{"校长", "xiao zhang"},
	{"都市", "du shi"},
	{"首都", "shou du"},
	{"参数", "can shu"},
	{"参保", "can bao"},
	{"省份", "sheng fen"},
	{"差额", "cha e"},
	{"出差", "chu chai"},
	{"提供", "ti gong"},
	{"单位", "dan wei"},
	{"供应", "gong ying"},
	{"应急", "ying ji"},
	{"处罚", "chu fa"},
	{"处理", "chu li"},
	{"办事处", "ban shi chu"},
	{"厦门", "xia men"},
	{"音乐", "yin yue"},
	{"给水", "ji shui"},
	{"供给", "gong ji"},
	{"强制", "qiang zhi"},
	{"便民", "bian min"},
	{"不动产", "bu dong chan"},
	{"大夫", "dai fu"},
	{"发展", "fa zhan"},
	{"理发", "li fa"},
	{"数据", "shu ju"},
	{"好转", "hao zhuan"},
}

// sounds returns how the Chinese part of a text is written in pinyin without tones: the first letters of its syllables, and all of
// them; both "" where there is none. Other letters and digits stand in both as they are.
func sounds(text string) (initials, full string) {
	var first, whole strings.Builder
	chinese := false
	say := func(syllable string) {
		chinese = true
		first.WriteByte(syllable[0])
		whole.WriteString(syllable)
	}
	for text = plain(text); text != ""; {
		if word, syllables := readAt(text); word != "" {
			for _, syllable := range strings.Fields(syllables) {
				say(syllable)
			}
			text = text[len(word):]
			continue
		}
		var r rune
		for _, r = range text {
			break
		}
		text = text[len(string(r)):]
		if latin(r) {
			first.WriteRune(r)
			whole.WriteRune(r)
		} else if syllable := reading(r); syllable != "" {
			say(syllable)
		}
	}
	if !chinese {
		return "", ""
	}
	return first.String(), whole.String()
}

// toneless takes the tones off a syllable.
var toneless = strings.NewReplacer(
	"ā", "a", "á", "a", "ǎ", "a", "à", "a", "ē", "e", "é", "e", "ě", "e", "è", "e", "ê", "e", "ī", "i", "í", "i", "ǐ", "i", "ì", "i",
	"ō", "o", "ó", "o", "ǒ", "o", "ò", "o", "ū", "u", "ú", "u", "ǔ", "u", "ù", "u", "ü", "v", "ǖ", "v", "ǘ", "v", "ǚ", "v", "ǜ", "v",
	"ń", "n", "ň", "n", "ǹ", "n", "ḿ", "m",
)

// reading returns how a character alone is read, "" where it is not Chinese or its reading has other letters.
func reading(r rune) string {
	first, _, _ := strings.Cut(pinyin.PinyinDict[int(r)], ",")
	syllable := toneless.Replace(first)
	for _, letter := range syllable {
		if letter < 'a' || letter > 'z' {
			return ""
		}
	}
	return syllable
}

// readAt returns the word of readings that text begins with, and its syllables.
func readAt(text string) (word, syllables string) {
	for _, r := range readings {
		if strings.HasPrefix(text, r.word) {
			return r.word, r.sounds
		}
	}
	return "", ""
}
