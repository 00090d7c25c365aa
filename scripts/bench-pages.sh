#!/usr/bin/env bash
# Measures how long the console's pages take, in a demonstration of ten times the usual size (SCALE), see test/browser/timing.mjs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh
scripts/deps.sh test
scripts/browser.sh --deps
CGO_ENABLED=0 "${GO:-go}" build -trimpath -buildvcs=false -o bin/shuqiao ./cmd/shuqiao
exec scripts/with-demo.sh "${SCALE:-10}" bin/shuqiao scripts/browser.sh --play timing.mjs "$@"
