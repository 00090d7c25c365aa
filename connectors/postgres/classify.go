package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/shuqiao/shuqiao/connectors"
)

// Classify judges an error by its SQLSTATE or by its type, never by its text.
func (Driver) Classify(err error) connectors.Failure {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyState(pgErr.Code)
	}
	if _, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		return connectors.Failure{Code: connectors.CodeRowTooLarge}
	}
	if isCertificate(err) {
		return connectors.Failure{Code: connectors.CodeAuth, Text: "the server's certificate is not accepted"}
	}
	if pgconn.Timeout(err) || isTimeout(err) {
		return connectors.Failure{Code: connectors.CodeTimeout, Text: "no answer to the attempt to connect"}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return connectors.Failure{Code: connectors.CodeDown, Text: errno.Error()}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return connectors.Failure{Code: connectors.CodeDown, Text: "the host name cannot be resolved"}
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return connectors.Failure{Code: connectors.CodeDown, Text: "the server did not accept the connection"}
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, pgconn.ErrConnClosed) {
		return connectors.Failure{Code: connectors.CodeDown, Text: "the connection was closed"}
	}
	for _, own := range []error{errNoColumns, errKeyWidth, errNoArray} {
		if errors.Is(err, own) {
			return connectors.Failure{Code: connectors.CodeReadFailed, Text: own.Error()}
		}
	}
	return connectors.Failure{Code: connectors.CodeReadFailed, Text: fmt.Sprintf("%T", err)}
}

// states maps SQLSTATEs, or their two-character classes, to codes. Source: PostgreSQL 15 documentation, appendix A.
var states = []struct {
	prefix, code, meaning string
	passing               bool
}{
	{"08", connectors.CodeDown, "connection exception", true},
	{"28", connectors.CodeAuth, "the account is not accepted", false},
	{"3D000", connectors.CodeObjectMissing, "the database does not exist", false},
	{"3F000", connectors.CodeObjectMissing, "the schema does not exist", false},
	{"40", connectors.CodeReadFailed, "the transaction was rolled back", true},
	{"42501", connectors.CodePermission, "privilege missing", false},
	{"42703", connectors.CodeColumnMissing, "undefined column", false},
	{"42P01", connectors.CodeObjectMissing, "undefined table", false},
	{"25P03", connectors.CodeTimeout, "the transaction was idle for too long", true},
	{"25P04", connectors.CodeTimeout, "the transaction took too long", true},
	{"53", connectors.CodeDown, "the server lacks resources or connections", true},
	{"55P03", connectors.CodeTimeout, "a lock was not granted in time", true},
	{"57014", connectors.CodeTimeout, "the statement was cancelled or took too long", true},
	{"57P", connectors.CodeDown, "the server is shutting down, starting or ended the session", true},
	{"58", connectors.CodeReadFailed, "system error at the server", false},
}

func classifyState(state string) connectors.Failure {
	for _, s := range states {
		if strings.HasPrefix(state, s.prefix) {
			return connectors.Failure{Code: s.code, Text: "SQLSTATE " + state + ", " + s.meaning, Passing: s.passing}
		}
	}
	return connectors.Failure{Code: connectors.CodeReadFailed, Text: "SQLSTATE " + state}
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}

func isCertificate(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verification || authority || host || invalid
}
