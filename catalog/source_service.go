package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/authz"
	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// sealPurpose names the key that seals credentials of sources. The id of the source is bound in, so that a sealed value
// copied to another row does not open.
const sealPurpose = "source"

// SourceInput is what people state about a source. Settings are those of the driver's specification, secrets among them.
type SourceInput struct {
	Name     string            `json:"name"`
	Driver   string            `json:"driver"`
	Settings map[string]string `json:"settings"`
}

// Drivers returns what sources can be, by name. It asks no policy: what a driver wants to know is no secret.
func (s *Service) Drivers() []DriverSpec { return s.connectors.Specs() }

// Sources lists the sources of a department by name; those of every department for uuid.Nil, which only roles that act for the
// whole platform may ask for.
func (s *Service) Sources(ctx context.Context, p authz.Principal, department uuid.UUID, page db.Page) ([]Source, string, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SourceRead, authz.Target{Kind: "source", Department: department}); err != nil {
		return nil, "", err
	}
	var name string
	var id uuid.UUID
	if _, err := page.After(&name, &id); err != nil {
		return nil, "", err
	}
	out, err := many(ctx, s.db.Pool, sourceRow.source,
		"SELECT * FROM source WHERE ($1 = '00000000-0000-0000-0000-000000000000'::uuid OR department_id = $1) AND (name, id) > ($2, $3) ORDER BY name, id LIMIT $4",
		department, name, id, page.Size()+1)
	if err != nil {
		return nil, "", fmt.Errorf("listing sources: %w", err)
	}
	out, next := db.Cut(out, page, func(s Source) string { return db.Next(s.Name, s.ID) })
	return out, next, nil
}

// Source returns one source, without its secrets.
func (s *Service) Source(ctx context.Context, p authz.Principal, id uuid.UUID) (Source, error) {
	row, err := s.sourceFor(ctx, p, authz.SourceRead, id)
	if err != nil {
		return Source{}, err
	}
	return row.source()
}

// CreateSource registers a connection of the caller's department. The settings must pass the driver's specification;
// secrets are sealed and never given out again.
func (s *Service) CreateSource(ctx context.Context, p authz.Principal, in SourceInput) (Source, error) {
	if _, err := s.enforcer.Check(ctx, p, authz.SourceWrite, authz.Target{Kind: "source", Department: p.Department}); err != nil {
		return Source{}, err
	}
	source := Source{ID: db.NewID(), DepartmentID: p.Department, Name: strings.TrimSpace(in.Name), Driver: in.Driver, RowVersion: 1}
	open, secrets, err := s.settings(in)
	if err == nil {
		err = s.reachable(ctx, in)
	}
	if err != nil {
		return Source{}, err
	}
	source.Settings = open
	sealed, err := s.seal(source.ID, secrets)
	if err != nil {
		return Source{}, err
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		source.CreatedAt, source.UpdatedAt = tx.Now(), tx.Now()
		row, err := newSourceRow(source, sealed)
		if err != nil {
			return err
		}
		if err := insert(ctx, tx, &row); err != nil {
			return sourceFault(err)
		}
		return record(ctx, tx, p, "source.create", "source", source.ID.String(), map[string]any{"name": source.Name, "driver": source.Driver})
	})
	if err != nil {
		return Source{}, err
	}
	return source, nil
}

// UpdateSource replaces name and settings of a source. Secrets that are left out stay as they are, unless any other
// setting changes: a stored password must not be sent to a server its owner never meant it for.
func (s *Service) UpdateSource(ctx context.Context, p authz.Principal, id uuid.UUID, ifMatch int64, in SourceInput) (Source, error) {
	if _, err := s.sourceFor(ctx, p, authz.SourceWrite, id); err != nil {
		return Source{}, err
	}
	var source Source
	err := s.db.InTx(ctx, func(tx *db.Tx) error {
		row, err := loadSource(ctx, tx, id, "FOR UPDATE")
		if err != nil {
			return err
		}
		if source, err = row.source(); err != nil {
			return err
		}
		if err := db.Matches(ifMatch, source.RowVersion); err != nil {
			return err
		}
		if in.Driver != source.Driver {
			return fault.InvalidFields([]fault.Field{{Name: "driver", Code: "fixed", Message: "a source keeps its driver; register a new source instead"}})
		}
		kept, err := s.secrets(row)
		if err != nil {
			return err
		}
		if in, err = s.keepSecrets(source, in, kept); err != nil {
			return err
		}
		open, secrets, err := s.settings(in)
		if err == nil {
			err = s.reachable(ctx, in)
		}
		if err != nil {
			return err
		}
		sealed, err := s.seal(id, secrets)
		if err != nil {
			return err
		}
		source.Name, source.Settings = strings.TrimSpace(in.Name), open
		source.RowVersion, source.UpdatedAt = source.RowVersion+1, tx.Now()
		settings, err := json.Marshal(open)
		if err != nil {
			return fmt.Errorf("encoding settings: %w", err)
		}
		_, err = tx.Exec(ctx, "UPDATE source SET name = $2, settings = $3, sealed = $4, row_version = $5, updated_at = $6 WHERE id = $1",
			id, source.Name, settings, sealed, source.RowVersion, source.UpdatedAt)
		if err != nil {
			return sourceFault(err)
		}
		return record(ctx, tx, p, "source.update", "source", id.String(), map[string]any{"name": source.Name})
	})
	if err != nil {
		return Source{}, err
	}
	return source, nil
}

// keepSecrets fills in the secrets that in leaves out. It refuses when another setting changes at the same time.
func (s *Service) keepSecrets(before Source, in SourceInput, kept map[string]string) (SourceInput, error) {
	driver, err := s.connectors.Driver(before.Driver)
	if err != nil {
		return in, err
	}
	settings := maps.Clone(in.Settings)
	if settings == nil {
		settings = map[string]string{}
	}
	var left []string
	for _, key := range driver.Spec().SecretKeys() {
		if settings[key] == "" && kept[key] != "" {
			left = append(left, key)
		}
	}
	stated := map[string]string{}
	for key, value := range settings {
		if value != "" && !slices.Contains(driver.Spec().SecretKeys(), key) {
			stated[key] = value
		}
	}
	if len(left) > 0 && !maps.Equal(stated, before.Settings) {
		var fields []fault.Field
		for _, key := range left {
			fields = append(fields, fault.Field{Name: "settings." + key, Code: "required", Message: "give this again: other settings of the connection change"})
		}
		return in, fault.InvalidFields(fields)
	}
	for _, key := range left {
		settings[key] = kept[key]
	}
	in.Settings = settings
	return in, nil
}

// Probe connects to a source, compares what it feeds with what was mounted, stores what answered and returns it. A source that does not answer is a result, not an
// error: OK is then false, with a code and what to do.
func (s *Service) Probe(ctx context.Context, p authz.Principal, id uuid.UUID) (ProbeResult, error) {
	row, err := s.sourceFor(ctx, p, authz.SourceProbe, id)
	if err != nil {
		return ProbeResult{}, err
	}
	started := time.Now()
	mounts, objects, err := s.activeMounts(ctx, id)
	if err != nil {
		return ProbeResult{}, err
	}
	var live map[string]connectors.Schema
	answer, err := withConnection(ctx, s, row, func(c *connectors.Connection, ctx context.Context) (connectors.Probe, error) {
		answer, err := c.Probe(ctx)
		if err == nil {
			live, err = c.DescribeAll(ctx, objects)
		}
		return answer, err
	})
	if ctx.Err() != nil {
		return ProbeResult{}, ctx.Err()
	}
	if err == nil {
		if err := s.compareSource(ctx, p, mounts, live); err != nil {
			return ProbeResult{}, err
		}
	}
	result := ProbeResult{OK: err == nil, Millis: time.Since(started).Milliseconds(), Product: answer.Product, Version: answer.Version, Advice: advice(answer), Warnings: answer.Warnings}
	if err != nil {
		result.Code, result.Advice = fault.CodeOf(err), explain(err)
	}
	err = s.db.InTx(ctx, func(tx *db.Tx) error {
		result.At = tx.Now()
		raw, err := json.Marshal(result)
		if err != nil {
			return fmt.Errorf("encoding answer: %w", err)
		}
		if _, err := tx.Exec(ctx, "UPDATE source SET last_probe = $2, probed_at = $3 WHERE id = $1", id, raw, result.At); err != nil {
			return fmt.Errorf("writing answer of source: %w", err)
		}
		return record(ctx, tx, p, "source.probe", "source", id.String(), map[string]any{"ok": result.OK, "code": result.Code, "product": result.Product})
	})
	return result, err
}

// advice puts what a source warns of into plain words, "" when there is nothing to do.
func advice(p connectors.Probe) string {
	words := map[connectors.Warning]string{
		connectors.WarnPrivileged:   "the account may do more than read: give the hub one with SELECT only",
		connectors.WarnStandby:      "this is a replica: it may lag, and it may cancel long reads",
		connectors.WarnNotEncrypted: "the connection is not encrypted: switch TLS on",
	}
	var parts []string
	for _, w := range p.Warnings {
		if text, ok := words[w]; ok {
			parts = append(parts, text)
		} else {
			parts = append(parts, string(w))
		}
	}
	return strings.Join(parts, "; ")
}

// explain is the sentence of a fault for people, never the text of its cause.
func explain(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) && f.Kind != fault.Internal {
		return f.Message
	}
	return "the source could not be asked; see the hub's log"
}

// Tables lists at most limit objects of a source that can be mounted; 0 means 500.
func (s *Service) Tables(ctx context.Context, p authz.Principal, id uuid.UUID, limit int) ([]connectors.Table, error) {
	row, err := s.sourceFor(ctx, p, authz.SourceProbe, id)
	if err != nil {
		return nil, err
	}
	if limit <= 0 || limit > 10_000 {
		limit = db.MaxPage
	}
	return withConnection(ctx, s, row, func(c *connectors.Connection, ctx context.Context) ([]connectors.Table, error) {
		return c.Tables(ctx, limit)
	})
}

// Describe returns columns and key of an object of a source.
func (s *Service) Describe(ctx context.Context, p authz.Principal, id uuid.UUID, object string) (connectors.Schema, error) {
	row, err := s.sourceFor(ctx, p, authz.SourceProbe, id)
	if err != nil {
		return connectors.Schema{}, err
	}
	return s.describe(ctx, row, object)
}

func (s *Service) describe(ctx context.Context, row sourceRow, object string) (connectors.Schema, error) {
	return withConnection(ctx, s, row, func(c *connectors.Connection, ctx context.Context) (connectors.Schema, error) {
		return c.Describe(ctx, clean(object))
	})
}

// OpenSource opens a source for collecting. d must be a decision that allows collecting; where it is about a resource,
// the source must feed that resource. The caller closes the connection.
func (s *Service) OpenSource(ctx context.Context, d authz.Decision, id uuid.UUID) (*connectors.Connection, error) {
	if !d.Allows(authz.DataCollect) {
		return nil, fault.New(fault.Forbidden, "forbidden", "reading a source needs a decision that allows to collect").At("policy")
	}
	row, err := loadSource(ctx, s.db.Pool, id, "")
	if err != nil {
		return nil, err
	}
	if target := d.Target(); target.Kind == "resource" {
		var feeds bool
		err := s.db.Pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM mount WHERE source_id = $1 AND resource_id::text = $2 AND state <> 'removed')",
			id, target.ID).Scan(&feeds)
		if err != nil {
			return nil, fmt.Errorf("reading mounts: %w", err)
		}
		if !feeds {
			return nil, fault.New(fault.Forbidden, "forbidden", "the source does not feed the resource that was decided on").At("policy")
		}
	}
	return s.openConnection(ctx, row)
}

// sourceFor returns a source when p may do a to it. Who may not read it is not told that it exists.
func (s *Service) sourceFor(ctx context.Context, p authz.Principal, a authz.Action, id uuid.UUID) (sourceRow, error) {
	row, err := loadSource(ctx, s.db.Pool, id, "")
	if err != nil {
		return sourceRow{}, err
	}
	target := authz.Target{Kind: "source", ID: id.String(), Department: row.DepartmentID}
	if !s.enforcer.Allowed(p, authz.SourceRead, target) {
		return sourceRow{}, notFound("source")
	}
	if _, err := s.enforcer.Check(ctx, p, a, target); err != nil {
		return sourceRow{}, err
	}
	return row, nil
}

func loadSource(ctx context.Context, q Querier, id uuid.UUID, lock string) (sourceRow, error) {
	return one(ctx, q, func(r sourceRow) (sourceRow, error) { return r, nil }, notFound("source"), "SELECT * FROM source WHERE id = $1 "+lock, id)
}
