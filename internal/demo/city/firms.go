package city

import (
	"fmt"
	"time"
)

// firmRows is the number of legal persons at scale 1.
const firmRows = 50_000

// firm is what several databases know about one legal person. All values are right.
type firm struct {
	uscc        string
	name        string
	town        int // index into world.towns
	industry    int // index into industries
	established time.Time
	legalRep    int // index into world.people
}

const (
	// Organisation code bodies are QQ and six characters, the first a letter: 21 × 31^5 of them. The step is a prime that
	// does not divide this number, so consecutive firms get different bodies spread over the whole range.
	bodies   = 21 * 31 * 31 * 31 * 31 * 31
	bodyStep = 536_870_909
)

// organisationBody returns the n-th body of an organisation code. No registrar assigns bodies that start with QQ.
func organisationBody(seed uint64, n int) string {
	v := (seed%bodies + uint64(n)*bodyStep) % bodies
	b := []byte("QQ000000")
	for i := 7; i > 2; i-- {
		b[i] = usccAlphabet[v%31]
		v /= 31
	}
	b[2] = usccAlphabet[10+v]
	return string(b)
}

func makeFirms(w *world, n int) []firm {
	firms := make([]firm, n)
	for i := range firms {
		r := randomAt(w.seed, "firm", i)
		f := firm{
			town: r.intN(len(w.towns)), industry: r.intN(len(industries)), established: daysBack(&r, 30, 9000),
		}
		// Of full age on the day of establishment.
		f.legalRep = w.someone(&r, 19+int(referenceDay.Sub(f.established).Hours()/24/365))
		class, form := "91", "有限公司"
		switch {
		case r.chance(25):
			class, form = "92", "店" // sole trader
		case r.chance(4):
			class, form = "93", "专业合作社" // farmers' cooperative
		}
		t := w.towns[f.town]
		f.uscc = creditCode(class, t.county, organisationBody(w.seed, i))
		f.name = fmt.Sprintf("%s示例%s%s%s%s%s", w.counties[t.county], pick(&r, firmWords), pick(&r, firmWords), pick(&r, firmWords),
			industries[f.industry].word, form)
		firms[i] = f
	}
	return firms
}
