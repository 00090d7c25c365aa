package city

import (
	"bytes"
	"embed"
	"encoding/csv"
	"fmt"
	"sync"
	"time"
)

//go:embed data
var data embed.FS

// referenceDay is the day the city's data were "taken"; no date in them lies after it except ends of validity. It is
// fixed so that the content does not depend on the day of building.
var referenceDay = time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)

// endless is the end of validity of what is valid without limit.
const endless = "99991231"

// town is a township or street office.
type town struct {
	code   string // nine digits
	name   string
	county string // six digits
}

// world holds what several databases must agree on: towns, people and firms.
type world struct {
	seed     uint64
	towns    []town
	counties map[string]string // six digits → name
	people   func() []person
	firms    func() []firm
}

func newWorld(seed uint64, scale float64) (*world, error) {
	w := &world{seed: seed, counties: map[string]string{}}
	areas, err := readCSV("data/divisions/areas.csv")
	if err != nil {
		return nil, err
	}
	for _, rec := range areas {
		w.counties[rec[0]] = rec[1]
	}
	streets, err := readCSV("data/divisions/streets.csv")
	if err != nil {
		return nil, err
	}
	for _, rec := range streets {
		w.towns = append(w.towns, town{code: rec[0], name: rec[1], county: rec[2]})
	}
	w.people = sync.OnceValue(func() []person { return makePeople(w, scaled(populationRows, scale)) })
	w.firms = sync.OnceValue(func() []firm { return makeFirms(w, scaled(firmRows, scale)) })
	return w, nil
}

// readCSV returns the records of an embedded file without its header line.
func readCSV(name string) ([][]string, error) {
	raw, err := data.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading embedded %s: %w", name, err)
	}
	records, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("parsing embedded %s: %w", name, err)
	}
	return records[1:], nil
}

// daysBack returns a day between low and high days before the reference day.
func daysBack(r *random, low, high int) time.Time {
	return referenceDay.AddDate(0, 0, -r.between(low, high))
}

// place is an address made up on a real township: the roads do not exist.
type place struct {
	road, estate                 string
	number, building, unit, room int
}

func makePlace(r *random) place {
	return place{
		road: "示例" + pick(r, plants) + pick(r, roadKinds), estate: pick(r, plants) + pick(r, estateKinds),
		number: r.between(1, 399), building: r.between(1, 28), unit: r.between(1, 4), room: r.between(1, 18)*100 + r.between(1, 4),
	}
}

func (p place) text(w *world, t town) string {
	return fmt.Sprintf("%s%s%s%d号%s%d幢%d单元%d室", w.counties[t.county], t.name, p.road, p.number, p.estate, p.building, p.unit, p.room)
}
