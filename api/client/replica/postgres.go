package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ApplicationName is how the connections of copiers call themselves in pg_stat_activity.
const ApplicationName = "shuqiao pull"

// stateTables are where PostgreSQL keeps the states of all copies in one schema, and the records of those that were removed.
const stateTables = `
	CREATE TABLE IF NOT EXISTS shuqiao_copy (
		table_name text PRIMARY KEY, resource text NOT NULL, grant_id text NOT NULL, hub text NOT NULL,
		phase text NOT NULL, terms bigint NOT NULL, rows bigint NOT NULL, as_of timestamptz, cursor text NOT NULL,
		notice text NOT NULL, checked_at timestamptz, updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), state json NOT NULL);
	COMMENT ON TABLE shuqiao_copy IS 'Copies that shuqiao pull keeps here; written in the transactions of their rows.';
	CREATE TABLE IF NOT EXISTS shuqiao_disposal (table_name text NOT NULL, disposed_at timestamptz NOT NULL, record json NOT NULL);
	COMMENT ON TABLE shuqiao_disposal IS 'Records of copies that were removed from here.'`

// postgres keeps a copy in one table. Everything goes over one connection, which holds the lock, so that a copier that has
// lost the lock cannot write.
type postgres struct {
	conn   *pgx.Conn
	table  string
	wait   time.Duration
	locked bool
}

func openPostgres(ctx context.Context, opt Options) (*postgres, error) {
	table, err := tableName(opt)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(opt.Into)
	if err != nil {
		// The cause repeats the URL with its password.
		return nil, &Refusal{Code: "usage", Message: "the URL of the database to copy to cannot be read; write postgres://user:password@host/database"}
	}
	for key, value := range map[string]string{"application_name": ApplicationName, "timezone": "UTC", "datestyle": "ISO", "extra_float_digits": "1"} {
		cfg.RuntimeParams[key] = value
	}
	connect, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(connect, cfg)
	if err != nil {
		return nil, &Refusal{Code: "target_unreachable", Message: "the database to copy to cannot be reached with this URL; check host, name and password", cause: err}
	}
	return &postgres{conn: conn, table: table, wait: opt.LockWait}, nil
}

func (p *postgres) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.conn.Close(ctx) // The server ends the session and its locks in any case.
}

func (p *postgres) groupLimit() int { return 1_000_000 }

func (p *postgres) method() string { return "DROP TABLE " + p.table }

func (p *postgres) lock(ctx context.Context) error {
	if p.locked {
		return nil
	}
	deadline := time.Now().Add(p.wait)
	for {
		err := p.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('shuqiao pull ' || current_schema() || '.' || $1, 0))`, p.table).Scan(&p.locked)
		if err != nil {
			return fmt.Errorf("locking the copy: %w", err)
		}
		if p.locked {
			break
		}
		if time.Now().After(deadline) {
			return ErrBusy
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	// IF NOT EXISTS is no protection against two copiers of different tables that begin at once.
	return p.inTx(ctx, "making the tables of states", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('shuqiao pull', 0))`); err != nil {
			return err
		}
		var have bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass('shuqiao_disposal') IS NOT NULL`).Scan(&have); err != nil || have {
			return err
		}
		_, err := tx.Exec(ctx, stateTables)
		return err
	})
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (p *postgres) inTx(ctx context.Context, doing string, do func(tx pgx.Tx) error) error {
	if err := pgx.BeginFunc(ctx, p.conn, do); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (p *postgres) load(ctx context.Context) (*State, error) { return p.loadFrom(ctx, p.conn) }

func (p *postgres) loadFrom(ctx context.Context, q querier) (*State, error) {
	var raw []byte
	var visible, beside bool
	err := q.QueryRow(ctx, `
		SELECT state, to_regclass(quote_ident($1)) IS NOT NULL, to_regclass(quote_ident($2)) IS NOT NULL FROM shuqiao_copy WHERE table_name = $1`,
		p.table, p.side()).Scan(&raw, &visible, &beside)
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows), errors.As(err, &pg) && pg.Code == "42P01": // undefined_table: nothing was ever copied here.
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the state of the copy: %w", err)
	}
	s := &State{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("reading the state of the copy: %w", err)
	}
	// A table that somebody dropped is filled anew.
	if !visible {
		s.Visible = nil
	}
	if !beside {
		s.Side = nil
	}
	return s, nil
}

// storeState writes the state within the transaction of its rows.
func (p *postgres) storeState(ctx context.Context, tx pgx.Tx, s *State) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	var terms, rows int64
	var cursor string
	var asOf, checked *time.Time
	if v := s.Visible; v != nil {
		terms, rows, cursor, asOf = v.Terms, v.Rows, v.Cursor, &v.AsOf
	}
	if !s.CheckedAt.IsZero() {
		checked = &s.CheckedAt
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO shuqiao_copy (table_name, resource, grant_id, hub, phase, terms, rows, as_of, cursor, notice, checked_at, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (table_name) DO UPDATE SET resource = excluded.resource, grant_id = excluded.grant_id, hub = excluded.hub,
			phase = excluded.phase, terms = excluded.terms, rows = excluded.rows, as_of = excluded.as_of, cursor = excluded.cursor,
			notice = excluded.notice, checked_at = excluded.checked_at, updated_at = clock_timestamp(), state = excluded.state`,
		p.table, s.Resource, s.Grant, s.Hub, string(s.Phase()), terms, rows, asOf, cursor, s.Notice, checked, raw)
	return err
}

func (p *postgres) note(ctx context.Context, s *State) error {
	return p.inTx(ctx, "storing the state of the copy", func(tx pgx.Tx) error { return p.storeState(ctx, tx, s) })
}

// side is the table that is filled beside the copy.
func (p *postgres) side() string { return p.table + "__next" }

func (p *postgres) begin(ctx context.Context, s *State) error {
	return p.inTx(ctx, "making a table beside the copy", func(tx pgx.Tx) error {
		if s.Visible == nil {
			var taken bool
			err := tx.QueryRow(ctx, `SELECT to_regclass(quote_ident($1)) IS NOT NULL`, p.table).Scan(&taken)
			if err != nil {
				return err
			}
			if taken {
				return &Refusal{Code: "table_taken", Message: "the database has a table " + p.table + " that is no copy; name another one with --table"}
			}
		}
		_, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+quoted(p.side()))
		if err == nil {
			_, err = tx.Exec(ctx, createTable(p.side(), s.Side.Shape))
		}
		if err != nil {
			return err
		}
		for _, c := range s.Side.Columns {
			if _, err := tx.Exec(ctx, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", quoted(p.side()), quoted(c.Identifier), literal(c.Title))); err != nil {
				return err
			}
		}
		return p.storeState(ctx, tx, s)
	})
}

func (p *postgres) addPage(ctx context.Context, s *State, rows []cells) error {
	return p.inTx(ctx, "writing a page beside the copy", func(tx pgx.Tx) error {
		added, err := upsert(ctx, tx, p.side(), s.Side.Shape, rows)
		if err != nil {
			return err
		}
		s.Side.Rows += added
		return p.storeState(ctx, tx, s)
	})
}

// pgGroup is a group of changes in one transaction.
type pgGroup struct {
	p     *postgres
	tx    pgx.Tx
	table string
	shape Shape
	delta int64
}

func (p *postgres) changes(ctx context.Context, s *State) (group, error) {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("applying changes: %w", err)
	}
	g := &pgGroup{p: p, tx: tx, table: p.table}
	g.shape, _ = s.shape()
	if s.Side != nil {
		g.table = p.side()
	}
	return g, nil
}

func (g *pgGroup) apply(ctx context.Context, upserts []cells, deletes [][]string) error {
	removed, err := remove(ctx, g.tx, g.table, g.shape, deletes)
	if err != nil {
		return fmt.Errorf("applying deletes: %w", err)
	}
	added, err := upsert(ctx, g.tx, g.table, g.shape, upserts)
	if err != nil {
		return fmt.Errorf("applying changes: %w", err)
	}
	g.delta += added - removed
	return nil
}

func (g *pgGroup) commit(ctx context.Context, s *State) error {
	if s.Side != nil {
		s.Side.Rows += g.delta
	} else {
		s.Visible.Rows += g.delta
	}
	err := g.p.storeState(ctx, g.tx, s)
	if err == nil {
		err = g.tx.Commit(ctx)
	}
	if err != nil {
		g.rollback()
		return fmt.Errorf("making changes visible: %w", err)
	}
	return nil
}

func (g *pgGroup) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = g.tx.Rollback(ctx) // A transaction that cannot be rolled back is so by the server, with its session.
}

func (p *postgres) read(ctx context.Context, yield func(Shape, cells) error) (*State, error) {
	var s *State
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, p.conn, options, func(tx pgx.Tx) (err error) {
		if s, err = p.loadFrom(ctx, tx); err != nil || s == nil || s.Visible == nil {
			return err
		}
		shape := s.Visible.Shape
		var list []string
		for _, c := range shape.Columns {
			list = append(list, quoted(c.Identifier)+"::text")
		}
		rows, err := tx.Query(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+quoted(p.table))
		if err != nil {
			return err
		}
		defer rows.Close()
		row := make(cells, len(list))
		into := make([]any, len(list))
		for i := range row {
			into[i] = &row[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			if err := yield(shape, row); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the copy: %w", err)
	}
	return s, nil
}

func (p *postgres) dispose(ctx context.Context, _ *State, d Disposal) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return p.inTx(ctx, "removing the copy", func(tx pgx.Tx) error {
		for _, statement := range []string{"DROP TABLE IF EXISTS " + quoted(p.table), "DROP TABLE IF EXISTS " + quoted(p.side())} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return dependents(err)
			}
		}
		if _, err := tx.Exec(ctx, `DELETE FROM shuqiao_copy WHERE table_name = $1`, p.table); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO shuqiao_disposal (table_name, disposed_at, record) VALUES ($1, $2, $3)`, p.table, d.DisposedAt, raw)
		return err
	})
}

func (p *postgres) disposal(ctx context.Context) (*Disposal, error) {
	var raw []byte
	err := p.conn.QueryRow(ctx, `SELECT record FROM shuqiao_disposal WHERE table_name = $1 ORDER BY disposed_at DESC LIMIT 1`, p.table).Scan(&raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	d := &Disposal{}
	if err == nil {
		err = json.Unmarshal(raw, d)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record of the disposal: %w", err)
	}
	return d, nil
}
