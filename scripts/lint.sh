#!/usr/bin/env bash
# Formatting, go vet and staticcheck. The tools are pinned in internal/tools, a module of its own, so that their
# dependencies are not the hub's.
set -uo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh || exit
GO=${GO:-go}
tools=$PWD/bin/tools

echo "==> building the pinned tools"
GOBIN=$tools CGO_ENABLED=0 "$GO" install -C internal/tools -buildvcs=false tool || exit
code=0

echo "==> gofumpt"
unformatted=$(git ls-files -z --cached --others --exclude-standard '*.go' |
	while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done | xargs -0 -r "$tools/gofumpt" -l) || code=1
if [ -n "$unformatted" ]; then
	printf 'not formatted; run gofumpt -w on:\n%s\n' "$unformatted"
	code=1
fi

echo "==> go vet"
"$GO" vet ./... || code=1

echo "==> staticcheck"
"$tools/staticcheck" ./... || code=1
exit $code
