package console

// chart is what data-chart of console.js takes.
type chart struct {
	Kind    string        `json:"kind"` // "bar" or "line".
	X       []string      `json:"x"`
	Series  []chartSeries `json:"series"`
	Unit    string        `json:"unit,omitempty"`
	Stacked bool          `json:"stacked,omitempty"`
}

type chartSeries struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
	Tone   string    `json:"tone,omitempty"` // A colour of the table of tones.
}
