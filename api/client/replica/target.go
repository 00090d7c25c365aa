package replica

import (
	"context"
	"regexp"
	"strings"
)

// openTarget opens the place that Options.Into names.
func openTarget(ctx context.Context, opt Options) (target, error) {
	if opt.Into == "" {
		return nil, &Refusal{Code: "usage", Message: "say where to copy to: postgres://… or a folder"}
	}
	scheme, _, isURL := strings.Cut(opt.Into, "://")
	switch {
	case !isURL:
		return openFolder(opt)
	case scheme == "postgres" || scheme == "postgresql":
		return openPostgres(ctx, opt)
	}
	return nil, &Refusal{Code: "usage", Message: "copies are kept in PostgreSQL (postgres://…) or in a folder"}
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// tableNames are those that need no quotes anywhere, and leave room for suffixes in PostgreSQL's 63 bytes.
var tableNames = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,50}$`)

// tableName is the name of the table that holds a copy.
func tableName(opt Options) (string, error) {
	name := opt.Table
	if name == "" {
		name = "copy_" + strings.Trim(notInNames.ReplaceAllString(strings.ToLower(opt.Pull.Resource), "_"), "_")
		name = name[:min(len(name), 50)]
	}
	if !tableNames.MatchString(name) || name == "copy_" || strings.HasPrefix(name, "shuqiao_") {
		return "", &Refusal{Code: "usage", Message: "name the table with --table: small letters, digits and _, at most 50, not beginning with shuqiao_"}
	}
	return name, nil
}
