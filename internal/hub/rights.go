package hub

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/pglocal"
)

// The roles of the private PostgreSQL beside its superuser, who only starts, stops, arranges and backs it up: the one that the
// tables belong to, under which migrations run and nobody signs in, and the one of the hub's own sessions.
const (
	ownerRole = "shuqiao_owner"
	appRole   = "shuqiao_app"
)

// appendOnly are the tables of evidence and of what decisions rested on: rows are added and never changed.
const appendOnly = "event, leaf, checkpoint, tree_hash, grant_history, client_history, resource_history, user_history, policy_rule_history"

// protect takes the right to change evidence from whoever owns its tables, as the migrations do. A superuser is not bound by
// it.
func protect(ctx context.Context, d *db.DB) error {
	if _, err := d.Pool.Exec(ctx, "REVOKE UPDATE, DELETE, TRUNCATE ON "+appendOnly+" FROM PUBLIC, CURRENT_USER"); err != nil {
		return fmt.Errorf("protecting the evidence: %w", err)
	}
	return nil
}

// Grant gives a role the rights that the hub's own sessions need, and no more: to read and write rows, to make tables of rows
// in schema store, and to add evidence but not to change it. d connects as the role that the tables belong to.
func Grant(ctx context.Context, d *sql.DB, role string) error {
	to := pgx.Identifier{role}.Sanitize()
	for _, statement := range []string{
		"GRANT USAGE ON SCHEMA public, store TO " + to,
		"GRANT CREATE ON SCHEMA store TO " + to,
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + to,
		"REVOKE UPDATE, DELETE, TRUNCATE ON " + appendOnly + " FROM PUBLIC, CURRENT_USER, " + to,
		"REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM " + to,
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, store TO " + to,
		"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO " + to,
		grantStore(to),
	} {
		if _, err := d.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("granting the hub's rights (%.60s): %w", statement, err)
		}
	}
	return nil
}

// grantStore gives the rights on the store's own tables, and tables of rows, which a restore made, to the role whose sessions
// alter and drop them.
func grantStore(to string) string {
	return `DO $$ DECLARE t record; BEGIN
		FOR t IN SELECT oid::regclass AS name, relname ~ '^[rs]_[0-9a-f]' AS rows FROM pg_class
			WHERE relnamespace = 'store'::regnamespace AND relkind IN ('r', 'p') AND relowner = current_user::regrole LOOP
			IF t.rows THEN
				EXECUTE format('ALTER TABLE %s OWNER TO %s', t.name, ` + literal(to) + `);
			ELSE
				EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s', t.name, ` + literal(to) + `);
			END IF;
		END LOOP; END $$`
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// arrange brings the private database up and returns the URL of the hub's own sessions. It makes the roles, gives tables of
// earlier versions and of backups, which belong to the superuser, to them, migrates as the owner, and grants the hub its
// rights. The caller holds the data folder's lock.
func arrange(ctx context.Context, cluster *pglocal.Cluster) (string, error) {
	password, err := cluster.RolePassword(appRole)
	if err != nil {
		return "", environment("private_postgresql", err)
	}
	conn, err := pgx.Connect(ctx, cluster.SocketURL(database)+"&application_name=shuqiao-start")
	if err != nil {
		return "", fmt.Errorf("connecting to the private PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := makeRoles(ctx, conn, password); err != nil {
		return "", err
	}
	owner, err := db.Open(ctx, db.Options{URL: cluster.SocketURL(database) + "&role=" + ownerRole, ApplicationName: "shuqiao migrate", MaxConns: 2})
	if err != nil {
		return "", err
	}
	defer owner.Close()
	if err := Migrate(ctx, owner, true); err != nil {
		return "", err
	}
	if err := Grant(ctx, owner.SQL(), appRole); err != nil {
		return "", err
	}
	return cluster.RoleURL(database, appRole, password), nil
}

func makeRoles(ctx context.Context, conn *pgx.Conn, password string) error {
	for _, role := range []string{ownerRole + " NOLOGIN", appRole + " LOGIN"} {
		name, _, _ := strings.Cut(role, " ")
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&exists); err != nil {
			return fmt.Errorf("looking for role %s: %w", name, err)
		}
		if exists {
			continue
		}
		if _, err := conn.Exec(ctx, "CREATE ROLE "+role+" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"); err != nil {
			return fmt.Errorf("making role %s: %w", name, err)
		}
	}
	for _, statement := range []string{
		"ALTER ROLE " + appRole + " PASSWORD " + literal(password),
		// Whatever a hub of before has left open belongs to the superuser, whose sessions the hub's own role cannot end.
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = current_database()
			AND application_name ~ '^shuqiao [0-9a-f]{8}-'`,
		"GRANT CREATE ON DATABASE " + database + " TO " + ownerRole,
		own,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("arranging the private PostgreSQL: %w", err)
		}
	}
	return nil
}

// own gives what belongs to the superuser to the owner, and tables of rows to the role whose sessions make and drop them.
// REASSIGN OWNED refuses what belongs to the cluster's first superuser.
const own = `DO $$ DECLARE o record; BEGIN
	ALTER SCHEMA public OWNER TO ` + ownerRole + `;
	IF to_regnamespace('store') IS NOT NULL THEN
		ALTER SCHEMA store OWNER TO ` + ownerRole + `;
	END IF;
	FOR o IN
		SELECT format('ALTER %s %I.%I OWNER TO %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
			n.nspname, c.relname, CASE WHEN n.nspname = 'store' AND c.relname ~ '^[rs]_[0-9a-f]' THEN '` + appRole + `' ELSE '` + ownerRole + `' END) AS sql
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('public', 'store') AND c.relkind IN ('r', 'p', 'S', 'v', 'm') AND c.relowner = current_user::regrole
			-- Sequences of columns follow their tables.
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass AND c.relkind = 'S')
		UNION ALL
		SELECT format('ALTER ROUTINE %s OWNER TO ` + ownerRole + `', p.oid::regprocedure)
		FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'store')) AND p.proowner = current_user::regrole
	LOOP
		EXECUTE o.sql;
	END LOOP;
END $$`

// mayAlterEvidence reports whether the hub's own sessions have the right to change evidence, as those of a superuser do.
func mayAlterEvidence(ctx context.Context, d *db.DB) (bool, error) {
	var may bool
	if err := d.Pool.QueryRow(ctx, "SELECT has_table_privilege('event', 'UPDATE') OR has_table_privilege('leaf', 'UPDATE')").Scan(&may); err != nil {
		return false, fmt.Errorf("asking for the hub's rights: %w", err)
	}
	return may, nil
}
