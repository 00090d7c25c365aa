package hub

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/shuqiao/shuqiao/audit"
	"github.com/shuqiao/shuqiao/internal/backup"
	"github.com/shuqiao/shuqiao/internal/config"
	"github.com/shuqiao/shuqiao/internal/db"
)

// Backup writes the hub of cfg into one file, beside a running hub or without one, and leaves an event that names the file's
// digest. Database, DataDir and Log of opt are filled in.
func Backup(ctx context.Context, cfg config.Config, opt backup.Options, log *slog.Logger) (backup.Report, error) {
	dir, err := DataDir(cfg)
	if err != nil {
		return backup.Report{}, err
	}
	if err := checkComplete(dir); err != nil {
		return backup.Report{}, err
	}
	url, release, err := Database(ctx, cfg, log)
	if err != nil {
		return backup.Report{}, err
	}
	defer release()
	opt.Database, opt.DataDir, opt.Log = url, dir, log
	report, err := backup.Create(ctx, opt)
	if err != nil {
		return backup.Report{}, err
	}
	d, err := db.Open(ctx, db.Options{URL: url, ApplicationName: "shuqiao backup", MaxConns: 2})
	if err != nil {
		return backup.Report{}, err
	}
	defer d.Close()
	err = d.InTx(ctx, func(tx *db.Tx) error {
		_, err := audit.WriteTx(ctx, tx, audit.Event{
			Actor: audit.Actor{Kind: audit.ActorSystem, ID: "backup"}, Action: "hub.backup", Object: audit.Object{Kind: "hub", ID: "database"},
			Detail: map[string]any{
				"sha256": report.SHA256, "bytes": report.Size, "keys": report.Manifest.Keys, "policy_n": report.Manifest.PolicyN,
				"sealed_events": report.Manifest.Sealed, "rows": report.Manifest.Rows(),
			},
		})
		return err
	})
	if err != nil {
		return report, fmt.Errorf("noting the backup in the log: %w", err)
	}
	return report, nil
}
