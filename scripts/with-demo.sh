#!/usr/bin/env bash
# Plays the demonstration in a city of a given scale, and then a command with --demo <data-dir>/demo.json. Everything it starts
# is stopped, and the data folder is removed. Where TURN names a file, the command waits until the file is there, and is not
# played when the file's folder is gone.
#
#   scripts/with-demo.sh SCALE BINARY COMMAND [ARGUMENT…]
set -euo pipefail
scale=$1 binary=$2
shift 2

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

echo "==> playing the demonstration in a city of scale $scale"
"$binary" demo --data-dir "$data" --listen 127.0.0.1:0 --scale "$scale" >"$log" 2>&1 &
demo=$!
for _ in $(seq 1 1800); do
	[ -s "$data/demo.json" ] && break
	kill -0 "$demo" 2>/dev/null || { echo "the demonstration ended early" >&2; demo=; exit 1; }
	sleep 0.5
done
[ -s "$data/demo.json" ] || { echo "the demonstration was not ready in a quarter of an hour" >&2; exit 1; }
while [ -n "${TURN:-}" ] && [ ! -e "$TURN" ]; do
	[ -d "$(dirname "$TURN")" ] || { echo "nobody waits for the command any more" >&2; exit 1; }
	sleep 0.5
done
"$@" --demo "$data/demo.json"
kill -INT "$demo"
wait "$demo" || { echo "the demonstration did not end well" >&2; demo=; exit 1; }
demo=
