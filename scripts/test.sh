#!/usr/bin/env bash
# Runs go test with its arguments on a real PostgreSQL. A run of everything has the race detector where a C compiler is at hand,
# except in tests that watch other processes, and plays the browser test at its end. The exit code is 0 only when all passed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh
GO=${GO:-go}
scripts/deps.sh test

# Tests of these packages start the program, kill it and time it: the race detector would only slow down the watcher.
processes=(./cmd/shuqiao ./internal/demo)
race=()
if scripts/has-gcc.sh; then
	race=(-race)
	export CGO_ENABLED=1
else
	echo "==> no C compiler: the tests run without the race detector"
fi
[ $# -gt 0 ] || set -- ./...

echo "==> compiling the tests (the first time, Go downloads modules and this takes some minutes)"
CGO_ENABLED=0 "$GO" build -buildvcs=false -o bin/withpg ./internal/pgtest/withpg
CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -o bin/shuqiao ./cmd/shuqiao
SHUQIAO_TEST_BINARY=$PWD/bin/shuqiao # Processes that are killed or timed are ordinary builds.
(cd internal/openidtest && CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -o ../../bin/openid-provider .)
SHUQIAO_TEST_OPENID_PROVIDER=$PWD/bin/openid-provider
SHUQIAO_TEST_FIGURES=$(mktemp)
export SHUQIAO_TEST_BINARY SHUQIAO_TEST_OPENID_PROVIDER SHUQIAO_TEST_FIGURES
echo "==> running the tests on a private PostgreSQL"
code=0
# More at once than a small machine has processors: many tests wait for a clock, a lease or a lost connection.
at_once=$(nproc 2>/dev/null || echo 4)
check() { bin/withpg "$GO" test -trimpath -timeout 15m -parallel $((at_once > 4 ? at_once : 4)) "$@"; }
if [ "$*" = ./... ]; then
	# Beside the others, one package at a time: whoever watches a process mostly waits for it. So does the demonstration of the
	# browser test; the browser has to wait for its turn, since it takes all of a small machine, and tests of leases and
	# deadlines need their share.
	turns=$(mktemp -d)
	trap 'rm -rf "$turns"' EXIT
	(
		code=0
		check -p 1 "${processes[@]}" || code=1
		TURN=$turns/browser scripts/walk.sh || { echo "==> the browser test FAILED"; code=1; }
		exit "$code"
	) &
	beside=$!
	trap 'kill "$beside" 2>/dev/null || true; rm -rf "$turns"' EXIT
	mapfile -t others < <("$GO" list ./... | grep -vxF "$("$GO" list "${processes[@]}")")
	check "${race[@]}" "${others[@]}" || code=1
	scripts/shapes.sh || { echo "==> the check of DCAT FAILED"; code=1; }
	touch "$turns/browser"
	wait "$beside" || code=1
else
	check "${race[@]}" "$@" || code=1
fi
echo "==> measured on the way:"
cat "$SHUQIAO_TEST_FIGURES"
rm -f "$SHUQIAO_TEST_FIGURES"
exit "$code"
