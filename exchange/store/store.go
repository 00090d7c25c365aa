package store

import (
	"sync"

	"github.com/shuqiao/shuqiao/internal/db"
)

// Store reads and writes the rows of all resources.
type Store struct {
	db      *db.DB
	layouts sync.Map // Resource to the Layout that was active when it was last looked for.
}

// New returns the store that lies in schema store of d.
func New(d *db.DB) *Store { return &Store{db: d} }

// Counts is what a run did. Read = Inserted + Updated + Unchanged + Rejected + Superseded + Filtered; Deleted and Held
// stand beside it.
type Counts struct {
	Read       int64 `json:"read"`
	Inserted   int64 `json:"inserted"`
	Updated    int64 `json:"updated"`
	Unchanged  int64 `json:"unchanged"`
	Rejected   int64 `json:"rejected"`
	Superseded int64 `json:"superseded"`
	Filtered   int64 `json:"filtered"`
	Deleted    int64 `json:"deleted"`
	Held       int64 `json:"held"`
}

// Balanced reports whether every row read is accounted for.
func (c Counts) Balanced() bool {
	return c.Read == c.Inserted+c.Updated+c.Unchanged+c.Rejected+c.Superseded+c.Filtered
}
