package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/db"
	"github.com/shuqiao/shuqiao/internal/hub"
)

// openDatabase opens the hub's database for a command that needs no hub: the one named, the running private one of the
// data folder, or the private one, which it starts. close gives it back.
func openDatabase(t *terminal, cfg config.Config, log *slog.Logger) (d *db.DB, closeAll func(), err error) {
	url, release, err := hub.Database(t.ctx, cfg, log)
	if err != nil {
		return nil, nil, err
	}
	d, err = db.Open(t.ctx, db.Options{URL: url, ApplicationName: "shuqiao command", MaxConns: 4})
	if err != nil {
		release()
		return nil, nil, err
	}
	return d, func() { d.Close(); release() }, nil
}

// failure is an outcome that is no fault: the command did its work and the answer is no.
var errNotVerified = errors.New("the evidence does not verify")

func plural(n int64, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
