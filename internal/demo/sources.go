package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/internal/demo/city"
)

// SQLSTATE codes the set-up of the databases answers to.
const (
	duplicateObject       = "42710"
	duplicateDatabase     = "42P04"
	uniqueViolation       = "23505" // Two creations of one role at the same time.
	insufficientPrivilege = "42501"
)

func sqlState(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// sources are the six databases of the departments on one server.
type sources struct {
	server func(database string) string // Connection URL with the right to create databases.
	roles  map[string]string            // Password by role.
	shared bool                         // The server lets us create no roles: all databases belong to the connecting one.
}

// readerOf is the role by which the hub reads a database: it may select from the department's tables and nothing else.
func readerOf(d city.Database) string { return d.Department + "_hub_reader" }

// owner is the connection URL of a database as its owner.
func (s *sources) owner(database string) string {
	for _, d := range city.Databases() {
		if d.Name == database {
			return s.as(d.Owner, database)
		}
	}
	return ""
}

// reader is the connection URL of a database for the hub.
func (s *sources) reader(d city.Database) string { return s.as(readerOf(d), d.Name) }

func (s *sources) as(role, database string) string {
	if s.shared {
		return s.server(database)
	}
	u, err := url.Parse(s.server(database))
	if err != nil {
		return "" // The server's own URL was parsed before.
	}
	u.User = url.UserPassword(role, s.roles[role])
	return u.String()
}

// create makes the roles and the empty databases that are not there yet. Doing it again changes nothing but the
// passwords, which become the kept ones.
func (s *sources) create(ctx context.Context, hubDatabase string) error {
	admin, err := pgx.Connect(ctx, s.server(hubDatabase))
	if err != nil {
		return fmt.Errorf("connecting to the database server: %w", err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	for _, d := range city.Databases() {
		for _, role := range []string{d.Owner, readerOf(d)} {
			if s.shared {
				break
			}
			err := s.createRole(ctx, admin, role)
			if sqlState(err) == insufficientPrivilege {
				s.shared = true
			} else if err != nil {
				return err
			}
		}
		if err := s.createDatabase(ctx, admin, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *sources) createRole(ctx context.Context, admin *pgx.Conn, role string) error {
	name, word := pgx.Identifier{role}.Sanitize(), "'"+s.roles[role]+"'" // Made by newPassword: no character needs quoting.
	_, err := admin.Exec(ctx, "CREATE ROLE "+name+" LOGIN PASSWORD "+word)
	if state := sqlState(err); state == duplicateObject || state == uniqueViolation {
		_, err = admin.Exec(ctx, "ALTER ROLE "+name+" LOGIN PASSWORD "+word)
	}
	if err != nil {
		return fmt.Errorf("creating role %s: %w", role, err)
	}
	return nil
}

func (s *sources) createDatabase(ctx context.Context, admin *pgx.Conn, d city.Database) error {
	name := pgx.Identifier{d.Name}.Sanitize()
	create := "CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8'"
	if !s.shared {
		create += " OWNER " + pgx.Identifier{d.Owner}.Sanitize()
	}
	_, err := admin.Exec(ctx, create)
	if err != nil && sqlState(err) != duplicateDatabase {
		return fmt.Errorf("creating database %s: %w", d.Name, err)
	}
	if s.shared {
		return nil
	}
	// By default everybody may connect everywhere; departments do not see each other's databases.
	for _, statement := range []string{
		"REVOKE ALL ON DATABASE " + name + " FROM PUBLIC",
		"GRANT CONNECT ON DATABASE " + name + " TO " + pgx.Identifier{readerOf(d)}.Sanitize(),
	} {
		if _, err := admin.Exec(ctx, statement); err != nil {
			return fmt.Errorf("fencing database %s: %w", d.Name, err)
		}
	}
	return nil
}

// fill builds the city's data and lets the hub's roles read them. What is there already stays, changes since included.
func (s *sources) fill(ctx context.Context, scale float64, log func(database string, done, total int)) ([]city.Wrong, error) {
	wrong, err := city.Build(ctx, city.Options{Scale: scale, Log: log}, s.owner)
	if err != nil {
		return nil, err
	}
	if s.shared {
		return wrong, nil
	}
	for _, d := range city.Databases() {
		if err := s.letRead(ctx, d); err != nil {
			return nil, fmt.Errorf("letting the hub read %s: %w", d.Name, err)
		}
	}
	return wrong, nil
}

func (s *sources) letRead(ctx context.Context, d city.Database) error {
	conn, err := pgx.Connect(ctx, s.owner(d.Name))
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	reader := pgx.Identifier{readerOf(d)}.Sanitize()
	for _, statement := range []string{
		"GRANT USAGE ON SCHEMA public TO " + reader,
		"GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + reader,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// settings are what the hub is told about a database: an address, and the role that may only read.
func (s *sources) settings(d city.Database) (map[string]string, error) {
	u, err := url.Parse(s.reader(d))
	if err != nil {
		return nil, fmt.Errorf("parsing the address of %s: %w", d.Name, err)
	}
	password, _ := u.User.Password()
	host, port := u.Hostname(), u.Port()
	if host == "" { // A socket folder.
		host, port = u.Query().Get("host"), u.Query().Get("port")
	}
	if port == "" {
		port = "5432"
	}
	if _, err := strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("parsing the port of %s: %w", d.Name, err)
	}
	out := map[string]string{
		"host": host, "port": port, "database": d.Name, "user": u.User.Username(), "password": password, "schema": "public",
	}
	if mode := u.Query().Get("sslmode"); mode != "" {
		out["sslmode"] = mode
	}
	return out, nil
}
