#!/usr/bin/env bash
# Measures searches, counts and single entries in a directory of BENCH_RESOURCES entries on a PostgreSQL of its own, whose data folder
# BENCH_DATA (by default in the user's cache) is kept for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh
scripts/deps.sh demo
exec "${GO:-go}" test ./catalog -run '^$' -bench '^BenchmarkCatalog$' -benchtime 1x -timeout 180m -v
