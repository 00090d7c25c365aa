package pull

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/catalog"
	"github.com/shuqiao/shuqiao/sharing"
)

// schemaBody is what Schema answers.
type schemaBody struct {
	Resource uuid.UUID    `json:"resource"`
	Version  int          `json:"version"`
	Grant    uuid.UUID    `json:"grant"`
	Terms    int64        `json:"terms_version"`
	RowID    bool         `json:"row_id"` // Whether rows carry _rid.
	ByKey    bool         `json:"by_key"` // Whether rows can be asked for by key.
	Key      []string     `json:"key"`    // The key items in the order in which keys are written; empty where rows carry _rid.
	Items    []SchemaItem `json:"items"`
}

// SchemaItem is one granted item and how it may be used.
type SchemaItem struct {
	Name       string           `json:"name"`
	Identifier string           `json:"identifier"`
	DataType   catalog.DataType `json:"data_type"`
	Length     int              `json:"length"`
	Scale      int              `json:"scale"`
	Format     string           `json:"format,omitempty"`
	Key        bool             `json:"is_key"`
	Required   bool             `json:"required"`
	Masked     bool             `json:"masked"`
	Mask       string           `json:"mask,omitempty"`
	Lookup     bool             `json:"lookup"`
	Filterable bool             `json:"filterable"`
	Definition string           `json:"definition,omitempty"`
	Unit       string           `json:"unit,omitempty"`
	CodeSet    string           `json:"code_set,omitempty"`
	// Answered is the data type of what is answered: DataType, or M where a mask gives text.
	Answered catalog.DataType `json:"-"`
}

// Schema returns the granted items and how each may be used; items outside the grant are not mentioned. It discloses no
// rows, so that there is no usage record and EvidenceID is zero. The faults are those of sharing.Decide and rate_limited.
func (s *Service) Schema(ctx context.Context, client authz.Principal, call Call) (*Page, error) {
	c, err := s.begin(ctx, client, call, authz.DataPull)
	if err != nil {
		return nil, err
	}
	t := c.terms
	out := schemaBody{
		Resource: t.grant.ResourceID, Version: t.version, Grant: t.grant.ID, Terms: t.grant.TermsVersion,
		RowID: !t.keyClear, ByKey: t.keyAsk, Key: []string{}, Items: t.schemaItems(),
	}
	if t.keyClear {
		for _, item := range t.key {
			out.Key = append(out.Key, item.Identifier)
		}
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encoding the schema: %w", err)
	}
	sum := sha256.Sum256(body)
	return &Page{Body: slices.Clip(body), Digest: contentDigest(sum[:]), Rows: 0, Limits: c.limits}, nil
}

// schemaItems lists the granted items.
func (t *terms) schemaItems() []SchemaItem {
	items := make([]SchemaItem, 0, len(t.columns))
	for i := range t.columns {
		col := &t.columns[i]
		item := SchemaItem{
			Name: col.item.Name, Identifier: col.item.Identifier, DataType: col.item.DataType, Length: col.item.Length,
			Scale: col.item.Scale, Format: col.item.Format, Key: col.item.Key, Required: col.item.Required, Masked: col.masked,
			Lookup: col.lookup, Filterable: t.callers[col.item.Identifier].Ops != 0, Definition: col.item.Definition,
			Unit: col.item.Unit, CodeSet: col.item.CodeSet, Answered: catalog.DataType(col.letter),
		}
		if col.masked {
			item.Mask = t.grant.Masks[col.item.No]
		}
		items = append(items, item)
	}
	return items
}

// Description is what a grant allows, for those who write programs that use it.
type Description struct {
	Grant    sharing.Grant
	Resource string // Name of the resource.
	Code     string // Of the resource, with "/" written "-".
	Version  int    // Of the resource.
	RowID    bool   // Whether rows carry _rid.
	ByKey    bool   // Whether rows can be asked for by key.
	Items    []SchemaItem
}

// Describe describes a grant to its client and to people who may see it. It discloses no rows. The faults are those of
// sharing.Describe.
func (s *Service) Describe(ctx context.Context, p authz.Principal, grant uuid.UUID) (Description, error) {
	g, resource, err := s.sharing.Describe(ctx, p, grant)
	if err != nil {
		return Description{}, err
	}
	// No row is read under these terms, so that any key of _rid will do; they are never kept.
	t, err := compile(sharing.Permit{Grant: g, Resource: resource, RidKey: make([]byte, sha256.Size)})
	if err != nil {
		return Description{}, err
	}
	return Description{
		Grant: g, Resource: resource.Version.Name, Code: strings.ReplaceAll(resource.Code, "/", "-"), Version: t.version,
		RowID: !t.keyClear, ByKey: t.keyAsk, Items: t.schemaItems(),
	}, nil
}
