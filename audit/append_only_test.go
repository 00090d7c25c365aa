package audit

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/shuqiao/shuqiao/internal/pgtest"
	"github.com/shuqiao/shuqiao/migrations"
)

// asOwner returns the URL of an empty database owned by an ordinary role, as that role.
func asOwner(t *testing.T) string {
	t.Helper()
	super := pgtest.Empty(t)
	admin := open(t, super)
	role := "audit_owner_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, admin, "CREATE ROLE "+role+" LOGIN PASSWORD 'test'")
	t.Cleanup(func() {
		// Registered after the database's own clean-up, so it runs while the database is still there.
		cleaner, err := pgx.Connect(context.Background(), super)
		if err != nil {
			t.Errorf("connecting to drop the role: %v", err)
			return
		}
		defer cleaner.Close(context.Background())
		if _, err := cleaner.Exec(context.Background(), "DROP OWNED BY "+role+" CASCADE; REASSIGN OWNED BY "+role+" TO CURRENT_USER; DROP ROLE "+role); err != nil {
			t.Errorf("dropping the role: %v", err)
		}
	})
	name := value[string](t, admin, "SELECT current_database()")
	exec(t, admin, "ALTER DATABASE "+name+" OWNER TO "+role)
	exec(t, admin, "ALTER SCHEMA public OWNER TO "+role)
	u, err := url.Parse(super)
	noError(t, err)
	u.User = url.UserPassword(role, "test")
	return u.String()
}

// Not even the role that owns the tables can change or remove evidence by accident: the database refuses it, while the
// sealer works under the same role.
func TestEvidenceIsAppendOnlyForItsOwner(t *testing.T) {
	t.Parallel()
	owner := asOwner(t)
	conn, err := sql.Open("pgx", owner)
	noError(t, err)
	noError(t, migrations.Up(t.Context(), conn))
	noError(t, conn.Close())
	d := open(t, owner)
	signer, _ := newSigner(t)
	writeEvents(t, d, 5)
	sealNow(t, d, signer)
	for _, table := range []struct{ name, column string }{
		{"event", "action"},
		{"leaf", "sealed_at"},
		{"checkpoint", "note"},
		{"tree_hash", "hash"},
		{"grant_history", "at"},
		{"client_history", "at"},
		{"resource_history", "at"},
		{"user_history", "at"},
		{"policy_rule_history", "at"},
	} {
		for _, statement := range []string{
			"UPDATE " + table.name + " SET " + table.column + " = " + table.column,
			"DELETE FROM " + table.name,
			"TRUNCATE " + table.name,
		} {
			_, err := d.Pool.Exec(t.Context(), statement)
			var pgErr *pgconn.PgError
			if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
				t.Errorf("%s: got %v, want permission denied", statement, err)
			}
		}
	}
	report, err := Verify(t.Context(), d.Pool, VerifyOptions{})
	if err != nil || !report.OK() || report.Leaves != 5 {
		t.Errorf("got %+v, err %v", report, err)
	}
	noError(t, MakePartitions(t.Context(), d))
}
