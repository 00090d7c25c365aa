package replica

import (
	"time"
)

// Phase is what a copy is at.
type Phase string

// The phases of a copy, in their order.
const (
	Snapshot  Phase = "snapshot"  // Pages are read beside the copy.
	CatchUp   Phase = "catchup"   // What changed meanwhile is applied there.
	Swap      Phase = "swap"      // The copy is about to take over what was read.
	Following Phase = "following" // Changes are applied to the copy.
)

// Column is one column of a copy.
type Column struct {
	Identifier string `json:"identifier"`
	Title      string `json:"title"`         // The item's name in the directory.
	Letter     string `json:"letter"`        // Type letter of the directory; M (text) for masked items.
	Key        int    `json:"key,omitempty"` // Place in the key, from 1; 0 outside it.
}

// Shape is what rows look like under one version of the terms.
type Shape struct {
	Terms   int64    `json:"terms"`
	Version int      `json:"version"` // Of the resource.
	RowID   bool     `json:"row_id"`  // The first column is _rid.
	Columns []Column `json:"columns"`
}

// Side is what is read beside the copy.
type Side struct {
	Shape
	Next   string    `json:"next"`   // Cursor of the next page; "" before the first and after the last.
	Cursor string    `json:"cursor"` // Of the changes behind what was read; "" while pages are left.
	Ready  bool      `json:"ready"`  // Caught up: it may take the copy's place.
	AsOf   time.Time `json:"as_of"`
	Rows   int64     `json:"rows"`
	File   string    `json:"file,omitempty"` // In folders.
	Bytes  int64     `json:"bytes,omitempty"`
}

// Copy is what readers see.
type Copy struct {
	Shape
	Cursor string    `json:"cursor"` // Of the changes behind it.
	AsOf   time.Time `json:"as_of"`  // The moment whose rows it holds.
	Rows   int64     `json:"rows"`
	File   string    `json:"file,omitempty"` // In folders.
}

// State is where a copy is. It is stored with the rows.
type State struct {
	Hub        string    `json:"hub"`
	Resource   string    `json:"resource"`
	Grant      string    `json:"grant"`
	Visible    *Copy     `json:"visible,omitempty"` // nil until the first snapshot is complete.
	Side       *Side     `json:"side,omitempty"`    // nil while changes are followed.
	Notice     string    `json:"notice"`            // Why the copy is not kept up, for people; "" while it is.
	NoticeCode string    `json:"notice_code"`       // The problem code of the hub.
	CheckedAt  time.Time `json:"checked_at"`        // When the hub was last asked for changes with success.
}

// Phase returns what the copy is at.
func (s *State) Phase() Phase {
	switch {
	case s.Side == nil:
		return Following
	case s.Side.Ready:
		return Swap
	case s.Side.Cursor != "":
		return CatchUp
	}
	return Snapshot
}

// clone is a copy that can be changed while the stored state is still s.
func (s *State) clone() *State {
	c := *s
	if s.Visible != nil {
		v := *s.Visible
		c.Visible = &v
	}
	if s.Side != nil {
		d := *s.Side
		c.Side = &d
	}
	return &c
}

// keys returns the places of the key columns in the order in which keys are written.
func (s Shape) keys() []int {
	var out []int
	for n := 1; n <= len(s.Columns); n++ {
		for i, c := range s.Columns {
			if c.Key == n {
				out = append(out, i)
			}
		}
	}
	return out
}
