package postgres

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// readBuffer is how much is taken off the socket at once; PostgreSQL sends 8 KiB pieces.
const readBuffer = 64 << 10

// cleanupWait bounds how long closing a broken connection may take: the server is asked to cancel meanwhile.
const cleanupWait = 2 * time.Second

// source is one database. It keeps at most one idle connection; every Read and Lookup has its own.
type source struct {
	target *target

	mu     sync.Mutex
	idle   *pgconn.PgConn
	closed bool
}

// session is a connection inside a read-only transaction with the fixed settings.
type session struct {
	source *source
	conn   *pgconn.PgConn
	schema string // Of objects named without one.
}

// begin opens a transaction: the snapshot is taken by the first query. limited applies the statement timeout.
func (s *source) begin(ctx context.Context, limited bool) (*session, error) {
	conn, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	var timeout time.Duration
	if limited {
		timeout = s.target.statementTimeout
	}
	if err := execute(ctx, conn, preface(s.target.schema, timeout)); err != nil {
		discard(conn)
		return nil, err
	}
	return &session{source: s, conn: conn, schema: s.target.schema}, nil
}

// preface starts the transaction and fixes every setting that shapes the text of values or bounds the session. Times
// are in milliseconds. search_path serves views whose functions name objects without a schema; pg_catalog still comes
// first, so nothing in the source can stand in for a built-in name used here.
func preface(schema string, statementTimeout time.Duration) string {
	return fmt.Sprintf(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL default_transaction_read_only = on;
SET LOCAL client_encoding = 'UTF8';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL timezone = 'UTC';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL extra_float_digits = 3;
SET LOCAL bytea_output = 'hex';
SET LOCAL xmloption = 'content';
SET LOCAL statement_timeout = %d;
SET LOCAL lock_timeout = 10000;
SET LOCAL idle_in_transaction_session_timeout = 600000;
SET LOCAL search_path = %s, public`, statementTimeout.Milliseconds(), quoteIdentifier(schema))
}

// inSnapshot runs a few short queries in one transaction.
func (s *source) inSnapshot(ctx context.Context, run func(*session) error) error {
	q, err := s.begin(ctx, true)
	if err != nil {
		return err
	}
	if err := run(q); err != nil {
		q.abandon()
		return err
	}
	return q.end(ctx)
}

// end finishes the transaction and hands the connection back.
func (q *session) end(ctx context.Context) error {
	if err := execute(ctx, q.conn, "COMMIT"); err != nil {
		discard(q.conn)
		return err
	}
	q.source.give(q.conn)
	return nil
}

// abandon gives up the transaction together with its connection.
func (q *session) abandon() { discard(q.conn) }

// rows runs one query with text parameters and text results and returns all its rows; nil is NULL. It serves the
// catalogue only, whose answers are small.
func (q *session) rows(ctx context.Context, sql string, args ...string) ([][][]byte, error) {
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = []byte(arg)
	}
	result := q.conn.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	return result.Rows, result.Err
}

// Close closes the idle connection.
func (s *source) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	if idle != nil {
		discard(idle)
	}
	return nil
}

// take returns the idle connection if it still answers, else a new one.
func (s *source) take(ctx context.Context) (*pgconn.PgConn, error) {
	s.mu.Lock()
	conn := s.idle
	s.idle = nil
	s.mu.Unlock()
	if conn != nil {
		if conn.Ping(ctx) == nil {
			return conn, nil
		}
		discard(conn)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	config := s.target.config.Copy()
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, readBuffer), w)
	}
	return pgconn.ConnectConfig(ctx, config)
}

// give keeps a connection for the next call, or closes it.
func (s *source) give(conn *pgconn.PgConn) {
	s.mu.Lock()
	keep := s.idle == nil && !s.closed
	if keep {
		s.idle = conn
	}
	s.mu.Unlock()
	if !keep {
		discard(conn)
	}
}

// execute runs statements without results.
func execute(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return err
}

// discard closes a connection in any state. pgconn closes a broken connection in the background, where it asks the server
// to cancel; discard waits for that, so that nothing is left behind at either end.
func discard(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupWait)
	defer cancel()
	_ = conn.Close(ctx)
	select {
	case <-conn.CleanupDone():
	case <-ctx.Done():
		_ = conn.Conn().Close()
	}
}
