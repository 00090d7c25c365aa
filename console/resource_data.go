package console

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/shuqiao/shuqiao/exchange"
)

// dataTab is what has arrived of a resource.
type dataTab struct {
	Chart string // The last days as a chart, "" when nothing ran in them.
	Days  []exchange.Arrivals
	Runs  int64
	Sheet string
}

// arrivalDays is how far back arrivals are shown.
const arrivalDays = 30

func (v *visit) fillData(page *resourcePage) error {
	days, err := v.Exchange.Arrivals(v.r.Context(), v.principal, page.Resource.ID, arrivalDays)
	if err != nil {
		return err
	}
	t := &dataTab{Sheet: v.sheetAddress()}
	changed := chartSeries{Name: v.say("arrivals.changed"), Tone: "blue"}
	rejected := chartSeries{Name: v.say("arrivals.rejected"), Tone: "orange"}
	drawn := chart{Kind: "bar", Unit: v.say("arrivals.unit"), Stacked: true}
	for _, d := range days {
		drawn.X = append(drawn.X, d.Day[5:])
		changed.Values, rejected.Values = append(changed.Values, float64(d.Changed)), append(rejected.Values, float64(d.Rejected))
		t.Runs += d.Runs
		if d.Runs > 0 {
			t.Days = append(t.Days, d)
		}
	}
	slices.Reverse(t.Days)
	drawn.Series = []chartSeries{changed}
	if page.Fresh != nil && page.Fresh.ShowRejects {
		drawn.Series = append(drawn.Series, rejected)
	}
	if t.Runs > 0 {
		raw, err := json.Marshal(drawn)
		if err != nil {
			return err
		}
		t.Chart = string(raw)
	}
	page.Data = t
	return nil
}

// dataSheet sends the days as a table.
func (v *visit) dataSheet(page *resourcePage) error {
	fresh := v.freshness(page.Resource)
	columns := []string{"arrivals.day", "arrivals.runs", "arrivals.failed", "arrivals.changed"}
	if fresh != nil && fresh.ShowRejects {
		columns = append(columns, "arrivals.rejected")
	}
	return v.sheet("arrivals", columns, func(string) ([][]string, string, error) {
		days, err := v.Exchange.Arrivals(v.r.Context(), v.principal, page.Resource.ID, arrivalDays)
		if err != nil {
			return nil, "", err
		}
		rows := make([][]string, len(days))
		for i, d := range days {
			rows[i] = []string{d.Day, strconv.FormatInt(d.Runs, 10), strconv.FormatInt(d.Failed, 10), strconv.FormatInt(d.Changed, 10), strconv.FormatInt(d.Rejected, 10)}[:len(columns)]
		}
		return rows, "", nil
	})
}
