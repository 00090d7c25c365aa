package mask

import (
	"strings"
	"unicode/utf8"
)

// The longest names that addressPattern takes, in characters, without their endings.
const (
	maxProvince = 8
	maxCity     = 10
	maxCounty   = 10
)

// addressWindow is how many characters the three names can have in all, with their endings (特别行政区, 自治州).
const addressWindow = (maxProvince + 5) + (1 + maxCity + 3) + (1 + maxCounty + 2)

// address is the start of an address, prepared for matching.
type address struct {
	runes  [addressWindow]rune
	offset [addressWindow + 1]int // Of each character in bytes, then the end of the last.
	n      int
}

// addressPrefix returns the length in bytes of the longest match of addressPattern, 0 for none. Because all endings but
// 自治州 end in a character that no name contains, each name can end in very few places; following them costs a tenth of the
// expression.
func addressPrefix(s string) int {
	var a address
	for i, r := range s {
		if a.n == addressWindow {
			break
		}
		if r == utf8.RuneError {
			// Not UTF-8, or a character that stands for it: what stands there is not known, so no name is read.
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				break
			}
		}
		a.runes[a.n] = r
		a.n++
		a.offset[a.n] = i + utf8.RuneLen(r)
	}
	longest := a.afterCity(0)
	if province := a.province(); province > 0 {
		longest = max(longest, a.afterCity(province))
	}
	return a.offset[longest]
}

// stop returns the place of the first character from i on that no name contains, a.n for none.
func (a *address) stop(i int) int {
	for i < a.n && !addressStops(a.runes[i]) {
		i++
	}
	return i
}

// is reports whether the characters before place i are these.
func (a *address) before(i int, text string) bool {
	n := utf8.RuneCountInString(text)
	return i >= n && string(a.runes[i-n:i]) == text
}

// province returns the end of a province at the start, 0 for none.
func (a *address) province() int {
	p := a.stop(0)
	if p == a.n {
		return 0
	}
	within := func(length int) bool { return length >= 1 && length <= maxProvince }
	switch a.runes[p] {
	case '省':
		if within(p) {
			return p + 1
		}
	case '区':
		if a.before(p, "自治") && within(p-2) || a.before(p, "特别行政") && within(p-4) {
			return p + 1
		}
	}
	return 0
}

// afterCity returns the farthest end of a city and a county from i on, i for neither.
func (a *address) afterCity(i int) int {
	longest := a.county(i)
	if i >= a.n || addressNoFirst(a.runes[i]) {
		return longest
	}
	start := i + 1
	p := a.stop(start)
	for j := start + 1; j <= start+maxCity && j+3 <= p; j++ {
		if a.before(j+3, "自治州") {
			longest = max(longest, a.county(j+3))
		}
	}
	if p == a.n {
		return longest
	}
	length := p - start
	switch a.runes[p] {
	case '区':
		if !a.before(p, "地") || length < 1 {
			return longest
		}
		length--
	case '市', '盟':
	default:
		return longest
	}
	if length >= 1 && length <= maxCity {
		longest = max(longest, a.county(p+1))
	}
	return longest
}

// county returns the end of a county at i, i for none.
func (a *address) county(i int) int {
	if i >= a.n || addressNoFirst(a.runes[i]) {
		return i
	}
	start := i + 1
	p := a.stop(start)
	if p == a.n {
		return i
	}
	length := p - start
	switch a.runes[p] {
	case '区':
		if length < 1 || strings.ContainsRune("小校厂库", a.runes[p-1]) {
			return i
		}
		length--
	case '县', '旗', '市':
	default:
		return i
	}
	if length > maxCounty {
		return i
	}
	return p + 1
}

// addressStops is addressStop by hand.
func addressStops(r rune) bool {
	return asciiOrWide(r) || strings.ContainsRune("省市区县旗盟路街道巷弄里村镇乡号幢栋楼室组社", r)
}

// addressNoFirst is the opposite of addressFirst by hand.
func addressNoFirst(r rune) bool {
	return asciiOrWide(r) || strings.ContainsRune("省区县号幢栋楼室", r)
}

func asciiOrWide(r rune) bool {
	return r >= 1 && r < utf8.RuneSelf || r >= '０' && r <= '９' || r == '　'
}
