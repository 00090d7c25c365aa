package city

import (
	"fmt"
	"time"
)

// populationRows is the number of people at scale 1.
const populationRows = 200_000

// mobilePrefix opens every telephone number: no operator was ever assigned the 154 block, while its numbers have the
// general form of a mobile number (eleven digits, 13 to 19).
const mobilePrefix = "154"

// person is what several databases know about one inhabitant. All values are right.
type person struct {
	id       string // 18 characters, on the city-level code
	name     string
	female   bool
	birth    time.Time
	town     int // index into world.towns
	home     place
	house    int    // household number
	relation string // GB/T 4761
}

// idBook hands out identity numbers: per day, odd sequence numbers to men and even ones to women (GB 11643).
type idBook map[int]*[2]int

func (b idBook) issue(birth time.Time, female bool) (string, bool) {
	day := int(birth.Unix() / 86400)
	used := b[day]
	if used == nil {
		used = &[2]int{}
		b[day] = used
	}
	sequence := 2*used[0] + 1
	if female {
		sequence = 2*used[1] + 2
	}
	if sequence > 999 {
		return "", false
	}
	if female {
		used[1]++
	} else {
		used[0]++
	}
	first17 := CityDivision + birth.Format("20060102") + fmt.Sprintf("%03d", sequence)
	return first17 + string(citizenCheck(first17)), true
}

// makePeople makes n people in households, in the order of their row numbers.
func makePeople(w *world, n int) []person {
	people := make([]person, 0, n)
	book := idBook{}
	for house := 1; len(people) < n; house++ {
		r := randomAt(w.seed, "household", house)
		town, home := r.intN(len(w.towns)), makePlace(&r)
		headAge := r.between(22, 84)
		headFemale := r.chance(25)
		surname := pick(&r, surnames)
		member := func(relation, family string, female bool, age int) {
			if len(people) == n || age < 0 {
				return
			}
			p := person{
				name: family + givenName(&r, female), female: female, town: town, home: home, house: house, relation: relation,
			}
			for issued := false; !issued; {
				p.birth = daysBack(&r, age*365, age*365+364)
				p.id, issued = book.issue(p.birth, female)
			}
			people = append(people, p)
		}
		member("02", surname, headFemale, headAge)
		if r.chance(70) {
			member("10", pick(&r, surnames), !headFemale, max(20, headAge+r.between(-5, 5)))
			for range pick(&r, []int{0, 1, 1, 1, 2, 2}) {
				female := r.chance(49)
				relation := "20"
				if female {
					relation = "30"
				}
				member(relation, surname, female, headAge-r.between(22, 34))
			}
		}
		if r.chance(15) && headAge < 62 {
			member("50", surname, r.chance(55), headAge+r.between(22, 34))
		}
	}
	return people
}

func givenName(r *random, female bool) string {
	if r.intN(1000) == 0 {
		return pick(r, givenRare)
	}
	list := givenMale
	if female {
		list = givenFemale
	}
	name := pick(r, list)
	if r.chance(65) {
		name += pick(r, list)
	}
	return name
}

// age is the age in full years on the reference day, within a day or two.
func (p person) age() int { return int(referenceDay.Sub(p.birth).Hours() / 24 / 365.25) }

// someone draws a person who is at least minAge years old; minAge must be one that many people have reached.
func (w *world) someone(r *random, minAge int) int {
	people := w.people()
	at := r.intN(len(people))
	for people[at].age() < minAge {
		at = r.intN(len(people))
	}
	return at
}

func mobile(r *random) string { return fmt.Sprintf("%s%08d", mobilePrefix, r.intN(100_000_000)) }
