package postgres

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/shuqiao/shuqiao/connectors"
	"github.com/shuqiao/shuqiao/internal/fault"
)

// applicationName is what administrators of the source see in pg_stat_activity.
const applicationName = "shuqiao"

// maxMessage bounds one protocol message. A row is one message; the rest is room for its lengths.
const maxMessage = connectors.MaxRowBytes + 1<<16

// address is where and as whom to connect, in text form.
type address struct {
	host, port, database, user, password, sslmode, options string
}

// target is a source's settings, ready to connect.
type target struct {
	config           *pgconn.Config
	schema           string
	statementTimeout time.Duration
}

// checkSettings judges what the fields cannot judge alone.
func checkSettings(config connectors.Config) []fault.Field {
	var wrong []fault.Field
	add := func(key, code, message string) {
		wrong = append(wrong, fault.Field{Name: key, Code: code, Message: message})
	}
	if config.Has(keyDSN) {
		for _, key := range []string{keyHost, keyDatabase, keyUser, keyPassword} {
			if config.Has(key) {
				add(key, "contradictory", "must be empty when dsn is given")
			}
		}
		if len(wrong) == 0 {
			if _, problem := parseURL(config.String(keyDSN)); problem != "" {
				add(keyDSN, "malformed", problem)
			}
		}
	} else {
		for _, key := range []string{keyHost, keyDatabase, keyUser} {
			if !config.Has(key) {
				add(key, "required", "is required unless dsn is given")
			}
		}
	}
	for _, key := range []string{keyHost, keyDatabase, keyUser, keyPassword, keySchema, keyOptions} {
		if strings.ContainsRune(config.String(key), 0) {
			add(key, "malformed", "must not contain a zero character")
		}
	}
	if strings.Contains(config.String(keyHost), ",") {
		add(keyHost, "malformed", "must be a single host")
	}
	return wrong
}

// parseURL reads a connection URL and returns a sentence on what is wrong with it, or "". It is strict about the
// parameters: libpq's can name files of the hub's own machine (certificates, password and service files).
func parseURL(dsn string) (address, string) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return address{}, "must be a URL that starts with postgres://"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, "has malformed parameters"
	}
	password, _ := u.User.Password()
	a := address{
		host: u.Hostname(), port: u.Port(), database: strings.TrimPrefix(u.Path, "/"),
		user: u.User.Username(), password: password,
	}
	fields := map[string]*string{
		"host": &a.host, "port": &a.port, "user": &a.user, "password": &a.password, "dbname": &a.database,
		"database": &a.database, "sslmode": &a.sslmode, "options": &a.options,
	}
	for key, values := range query {
		field, ok := fields[key]
		if !ok {
			return address{}, "may have only the parameters host, port, user, password, dbname, sslmode, options"
		}
		*field = values[len(values)-1]
	}
	if a.sslmode != "" && !slices.Contains(sslModes(), a.sslmode) {
		return address{}, "has an unknown sslmode"
	}
	if a.port != "" {
		if n, err := strconv.ParseUint(a.port, 10, 16); err != nil || n == 0 {
			return address{}, "has a malformed port"
		}
	}
	if a.host == "" || a.database == "" || a.user == "" {
		return address{}, "must name host, database and user"
	}
	if strings.Contains(a.host, ",") || strings.ContainsRune(a.host+a.database+a.user+a.password+a.options, 0) {
		return address{}, "must name a single host and contain no zero character"
	}
	return a, ""
}

func newTarget(config connectors.Config) (*target, error) {
	a := address{
		host: config.String(keyHost), port: strconv.FormatInt(config.Int(keyPort), 10), database: config.String(keyDatabase),
		user: config.String(keyUser), password: config.String(keyPassword),
	}
	if config.Has(keyDSN) {
		var problem string
		if a, problem = parseURL(config.String(keyDSN)); problem != "" {
			return nil, fault.InvalidFields([]fault.Field{{Name: keyDSN, Code: "malformed", Message: problem}})
		}
		if a.port == "" {
			a.port = strconv.FormatInt(config.Int(keyPort), 10)
		}
	}
	if a.sslmode == "" {
		a.sslmode = config.String(keySSLMode)
	}
	if config.Has(keyOptions) {
		a.options = strings.TrimSpace(a.options + " " + config.String(keyOptions))
	}
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	cfg.ConnectTimeout = config.ConnectTimeout
	dialer := &net.Dialer{KeepAlive: 15 * time.Second}
	cfg.DialFunc = dialer.DialContext
	if config.Dial != nil {
		cfg.DialFunc = pgconn.DialFunc(config.Dial)
	}
	return &target{
		config: cfg, schema: config.String(keySchema), statementTimeout: config.Duration(keyStatementTimeout),
	}, nil
}

// config builds pgconn's configuration. Every setting that pgconn would otherwise take from PG* variables or from files
// of the user that runs the hub is given here, so that a source gets only what its owner wrote.
func (a address) config() (*pgconn.Config, error) {
	settings := [][2]string{
		{"host", a.host},
		{"port", a.port},
		{"database", a.database},
		{"user", a.user},
		{"password", a.password},
		{"sslmode", a.sslmode},
		{"passfile", ""},
		{"sslcert", ""},
		{"sslkey", ""},
		{"sslpassword", ""},
		{"sslrootcert", ""},
		{"sslcertmode", "allow"},
		{"sslsni", "1"},
		{"sslnegotiation", "postgres"},
		{"target_session_attrs", "any"},
		{"min_protocol_version", "3.0"},
		{"max_protocol_version", "3.0"},
		{"channel_binding", "prefer"},
		{"require_auth", ""},
	}
	var b strings.Builder
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, s := range settings {
		b.WriteString(s[0] + "='" + quote.Replace(s[1]) + "' ")
	}
	cfg, err := pgconn.ParseConfig(b.String())
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams = map[string]string{"application_name": applicationName, "client_encoding": "UTF8"}
	if a.options != "" {
		cfg.RuntimeParams["options"] = a.options
	}
	cfg.MaxProtocolMessageBodyLen = maxMessage
	return cfg, nil
}
