#!/usr/bin/env bash
# Runs the benchmarks of the given packages on a real PostgreSQL, and no tests.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh
GO=${GO:-go}
scripts/deps.sh demo
[ $# -gt 0 ] || set -- ./...
CGO_ENABLED=0 "$GO" build -buildvcs=false -o bin/withpg ./internal/pgtest/withpg
exec bin/withpg "$GO" test -run '^$' -bench . -benchmem -p 1 -timeout 60m "$@"
