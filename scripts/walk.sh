#!/usr/bin/env bash
# Plays the demonstration in a small city and walks through its pages in a real browser. Everything it starts is stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

scripts/browser.sh --deps
binary=${SHUQIAO_TEST_BINARY:-}
if [ -z "$binary" ]; then
	binary=bin/shuqiao
	CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -o "$binary" ./cmd/shuqiao
fi

# As root PostgreSQL runs as another user, who must be able to enter the folder.
data=$(mktemp -d /var/tmp/shuqiao-walk.XXXXXX)
chmod 755 "$data"
log=$data.log
demo=
finish() {
	code=$?
	[ -z "$demo" ] || { kill -INT "$demo" 2>/dev/null && wait "$demo" || true; }
	[ "$code" -eq 0 ] || { echo "==> the demonstration said at its end:"; tail -n 20 "$log"; } >&2
	rm -rf "$data" "$log"
}
trap finish EXIT

echo "==> playing the demonstration in a small city for the browser test"
"$binary" demo --data-dir "$data" --listen 127.0.0.1:0 --scale 0.02 >"$log" 2>&1 &
demo=$!
for _ in $(seq 1 240); do
	[ -s "$data/demo.json" ] && break
	kill -0 "$demo" 2>/dev/null || { echo "the demonstration ended early" >&2; demo=; exit 1; }
	sleep 0.5
done
[ -s "$data/demo.json" ] || { echo "the demonstration was not ready in two minutes" >&2; exit 1; }
echo "==> walking through the pages in a browser"
scripts/browser.sh --demo "$data/demo.json"
kill -INT "$demo"
wait "$demo" || { echo "the demonstration did not end well" >&2; demo=; exit 1; }
demo=
echo "==> the browser test passed"
