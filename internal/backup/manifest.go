package backup

import (
	"time"

	"github.com/shuqiao/shuqiao/exchange/store"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// format is the version of the archive's layout.
const format = 1

// Names of the parts.
const (
	manifestName = "manifest.json"
	digestsName  = "digests.json"
	keysPrefix   = "keys/"
	filesPrefix  = "files/"
	databaseName = "database"
)

// Manifest says what an archive holds. It is the first entry.
type Manifest struct {
	Format     int             `json:"format"`
	Program    string          `json:"program"`    // Version of the program that made it.
	Schema     int64           `json:"schema"`     // Newest migration of the database.
	PostgreSQL int             `json:"postgresql"` // Major version of the server.
	CreatedAt  time.Time       `json:"created_at"` // Of the snapshot, by the database's clock, UTC.
	PolicyN    int64           `json:"policy_n"`   // Number of the newest policy change.
	Sealed     int64           `json:"sealed"`     // Events in the sealed log.
	Keys       bool            `json:"keys"`       // Whether the key files are in it.
	Contents   []store.Content `json:"contents"`   // What the rows of each resource add up to.
}

// Part is one part of an archive.
type Part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // Bytes.
	SHA256 string `json:"sha256"`
}

// digests is the last entry.
type digests struct {
	Parts []Part `json:"parts"`
}

// Rows returns how many rows of shared resources the archive holds.
func (m Manifest) Rows() int64 {
	var rows int64
	for _, c := range m.Contents {
		rows += c.Rows
	}
	return rows
}

// Match compares what rows add up to with the manifest. A difference is the Conflict fault "backup_content", with the number
// of resources that differ.
func (m Manifest) Match(got []store.Content) error {
	want := map[string]store.Content{}
	for _, c := range m.Contents {
		want[c.Resource.String()] = c
	}
	wrong := 0
	for _, c := range got {
		if want[c.Resource.String()] != c {
			wrong++
		}
		delete(want, c.Resource.String())
	}
	if wrong += len(want); wrong > 0 {
		return fault.New(fault.Conflict, "backup_content", "the rows of %d resources are not those that were backed up", wrong)
	}
	return nil
}

func (m Manifest) check() error {
	if m.Format < 1 || m.Format > format {
		return fault.New(fault.Invalid, "backup_newer", "this archive has format %d; this program reads up to %d: use the program that made it (%s) or a newer one",
			m.Format, format, m.Program)
	}
	return nil
}

// damaged is the fault for an archive that is not what was written.
func damaged(cause error) error {
	return fault.New(fault.Invalid, "backup_damaged", "the archive is damaged or cut short; nothing was taken from it: use another copy").Wrap(cause)
}
