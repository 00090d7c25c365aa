#!/usr/bin/env bash
# Plays the demonstration and takes the pictures of the documents, docs/images/*.png. Everything it starts is stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
scripts/check-go.sh
scripts/deps.sh demo test
scripts/browser.sh --deps
CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -o bin/shuqiao ./cmd/shuqiao

taken=$(mktemp -d)
trap 'rm -rf "$taken"' EXIT
scripts/with-demo.sh "${SCALE:-0.2}" bin/shuqiao scripts/browser.sh --play screenshots.mjs --to "$taken"
total=$(cat "$taken"/*.png | wc -c)
echo "==> $(ls "$taken"/*.png | wc -l) pictures, $((total / 1024)) KB"
[ "$total" -le $((4 << 20)) ] || { echo "that is more than 4 MB" >&2; exit 1; }
mkdir -p docs/images
rm -f docs/images/*.png
cp "$taken"/*.png docs/images/
