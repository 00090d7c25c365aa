package pglocal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strconv"
)

// RolePassword returns the password of a role other than the superuser, making one at the first call. It lies beside the
// superuser's, mode 0600. The role itself is the caller's to make, with this password at each start.
func (c *Cluster) RolePassword(role string) (string, error) {
	dir, name := filepath.Join(c.dir, "postgres"), role+".password"
	password, err := readTrimmed(filepath.Join(dir, name))
	if err == nil && password != "" {
		return password, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the password of role %s: %w", role, err)
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // Never fails: crypto/rand ends the program instead.
	password = base64.RawURLEncoding.EncodeToString(random)
	if err := writeFile(dir, name, []byte(password+"\n")); err != nil {
		return "", err
	}
	acct, err := serverAccount()
	if err != nil {
		return "", err
	}
	return password, acct.own(filepath.Join(dir, name))
}

// RoleURL is SocketURL as another role.
func (c *Cluster) RoleURL(db, role, password string) string {
	query := url.Values{"host": {c.socketDir}, "port": {strconv.Itoa(c.port)}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + db, RawQuery: query.Encode()}
	return u.String()
}
