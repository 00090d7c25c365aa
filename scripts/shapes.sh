#!/usr/bin/env bash
# Checks what the hub says of open data, as the tests of catalog/dcat keep it, against the shapes of DCAT-AP 3.0.1, which lie
# beside the check. Node.js and npm are seen to by deps.sh; the check's own packages are installed here.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/test/shapes

if [ ! -e "$here/node_modules/.package-lock.json" ] || [ "$here/package-lock.json" -nt "$here/node_modules/.package-lock.json" ]; then
	echo "==> installing the pinned packages that check shapes"
	npm ci --prefix "$here" --ignore-scripts --no-audit --no-fund --silent
fi
echo "==> checking DCAT against its shapes"
exec node "$here/check.mjs" "${1:-catalog/dcat/testdata}"
