#!/usr/bin/env bash
# Runs every fuzz test of the given packages for FUZZTIME each (5m, some three hours in all; FUZZTIME=30s for a short look), and
# ends with 1 when one of them found something.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh
GO=${GO:-go}
scripts/deps.sh demo
[ $# -gt 0 ] || set -- ./...
CGO_ENABLED=0 "$GO" build -buildvcs=false -o bin/withpg ./internal/pgtest/withpg

code=0
for pkg in $("$GO" list "$@"); do
	dir=$("$GO" list -f '{{.Dir}}' "$pkg")
	for name in $(cd "$dir" && cat -- *_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' | sort -u); do
		echo "==> $pkg $name"
		bin/withpg "$GO" test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-5m}" "$pkg" || code=1
	done
done
exit $code
