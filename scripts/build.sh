#!/usr/bin/env bash
# Compiles bin/shuqiao, showing that something is going on. It needs no C compiler, and the binary no C library.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh
GO=${GO:-go}

echo "==> compiling bin/shuqiao (the first time, Go downloads modules and this takes a minute or two)"
# go build -v names each package as it is compiled: a counter of them says enough.
CGO_ENABLED=0 "$GO" build -v -trimpath -buildvcs=false -o bin/shuqiao ./cmd/shuqiao 2>&1 |
	awk -v tty="$([ -t 1 ] && echo 1 || echo 0)" '
		/^[a-zA-Z0-9_.~\/-]+$/ {
			compiled++
			if (tty) printf "\r    compiled %d packages", compiled
			else if (compiled % 100 == 0) printf "    compiled %d packages\n", compiled
			fflush(); next
		}
		{ if (tty && compiled) print ""; print "    " $0; fflush() }
		END { if (tty && compiled) print "" }'
echo "==> bin/shuqiao is ready"
