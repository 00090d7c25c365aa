#!/usr/bin/env bash
# Plays the demonstration in a small city and the stories of test/browser in it, in a real browser. Everything it starts is stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

scripts/browser.sh --deps
binary=${SHUQIAO_TEST_BINARY:-}
if [ -z "$binary" ]; then
	binary=bin/shuqiao
	CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -o "$binary" ./cmd/shuqiao
fi
exec scripts/with-demo.sh 0.02 "$binary" scripts/browser.sh "$@"
