package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// settings checks what is stated against the driver's specification and parts it into what may be shown and what is
// sealed. Defaults are left to the driver.
func (s *Service) settings(in SourceInput) (open, secrets map[string]string, err error) {
	var wrong []fault.Field
	if f, bad := checkTitle("name", strings.TrimSpace(in.Name)); bad {
		wrong = append(wrong, f)
	}
	for _, path := range nulls(in) {
		wrong = append(wrong, fault.Field{Name: path, Code: "bad_character", Message: "texts cannot hold the NUL character"})
	}
	driver, err := s.connectors.Driver(in.Driver)
	if err != nil {
		return nil, nil, joinFields(wrong, err, "")
	}
	spec := driver.Spec()
	if _, err := spec.Parse(in.Settings); err != nil {
		return nil, nil, joinFields(wrong, err, "settings.")
	}
	if err := fault.InvalidFields(wrong); err != nil {
		return nil, nil, err
	}
	open, secrets = map[string]string{}, map[string]string{}
	for key, value := range in.Settings {
		field, _ := spec.Field(key)
		switch {
		case value == "":
		case field.Kind == connectors.FieldSecret:
			secrets[key] = value
		default:
			open[key] = value
		}
	}
	return open, secrets, nil
}

// reachable refuses settings that lead to a host the hub must not connect to. The settings have passed the driver's
// specification.
func (s *Service) reachable(ctx context.Context, in SourceInput) error {
	driver, err := s.connectors.Driver(in.Driver)
	if err != nil {
		return err
	}
	addressed, ok := driver.(connectors.Addressed)
	if !ok || s.checkHost == nil {
		return nil
	}
	config, err := driver.Spec().Parse(in.Settings)
	if err != nil {
		return err
	}
	if s.checkHost(ctx, addressed.Host(config)) != nil {
		return fault.InvalidFields([]fault.Field{{
			Name: "settings", Code: "address_refused", Message: "the hub may not connect to this host; its operator names the networks of sources in the setting source-networks",
		}})
	}
	return nil
}

// joinFields adds the fields of an Invalid fault, below prefix, to those found before.
func joinFields(found []fault.Field, err error, prefix string) error {
	var f *fault.Fault
	if !errors.As(err, &f) || len(f.Fields) == 0 {
		return err
	}
	for _, field := range f.Fields {
		field.Name = prefix + field.Name
		found = append(found, field)
	}
	return fault.InvalidFields(found)
}

// seal encrypts the secrets of a source; nil when it has none.
func (s *Service) seal(id uuid.UUID, secrets map[string]string) ([]byte, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(secrets)
	if err != nil {
		return nil, errors.New("encoding credentials") // The cause could quote them.
	}
	sealed, err := s.keyring.Seal(sealPurpose, raw, id[:])
	if err != nil {
		return nil, fmt.Errorf("sealing credentials: %w", err)
	}
	return sealed, nil
}

// secrets opens the sealed credentials of a source.
func (s *Service) secrets(row sourceRow) (map[string]string, error) {
	if row.Sealed == nil {
		return nil, nil
	}
	raw, err := s.keyring.Open(sealPurpose, row.Sealed, row.ID[:])
	if err != nil {
		return nil, fault.New(fault.Conflict, "source_credentials", "the stored credentials cannot be opened with this hub's keys; enter them again").At("source").Wrap(err)
	}
	var secrets map[string]string
	if err := json.Unmarshal(raw, &secrets); err != nil {
		return nil, errors.New("decoding credentials") // The cause could quote them.
	}
	return secrets, nil
}

func (s *Service) openConnection(ctx context.Context, row sourceRow) (*connectors.Connection, error) {
	source, err := row.source()
	if err != nil {
		return nil, err
	}
	settings, err := s.secrets(row)
	if err != nil {
		return nil, err
	}
	if settings == nil {
		settings = map[string]string{}
	}
	maps.Copy(settings, source.Settings)
	return connectors.Open(ctx, s.connectors, source.Driver, settings, s.connect)
}

// withConnection opens a source for one question.
func withConnection[T any](ctx context.Context, s *Service, row sourceRow, ask func(*connectors.Connection, context.Context) (T, error)) (T, error) {
	var none T
	c, err := s.openConnection(ctx, row)
	if err != nil {
		return none, err
	}
	answer, err := ask(c, ctx)
	if closing := c.Close(); closing != nil {
		s.log.WarnContext(ctx, "closing a source failed", "source", row.ID, "error", closing)
	}
	return answer, err
}

func sourceFault(err error) error {
	switch {
	case db.IsUnique(err, "source_department_id_name_key"):
		return fault.InvalidFields([]fault.Field{{Name: "name", Code: "taken", Message: "another source of your department has this name"}})
	case db.IsForeignKey(err, "source_department_id_fkey"):
		return fault.InvalidFields([]fault.Field{{Name: "department_id", Code: "unknown", Message: "your account belongs to no registered department"}})
	}
	return err
}
