#!/bin/sh
# Says in one sentence when Go is missing or older than go.mod asks for.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}

need=$(awk '$1 == "go" { print $2; exit }' go.mod)
if ! command -v "$GO" >/dev/null 2>&1; then
	echo "Shuqiao is built with Go $need or newer, and there is no '$GO' in PATH: install it from https://go.dev/dl/ (packages of distributions are often too old)." >&2
	exit 3
fi
# Asked outside the module: inside, an old Go stops at go.mod before it says its own version.
have=$(cd / && GOTOOLCHAIN=local "$GO" version | sed -n 's/^go version go\([0-9][0-9.]*\).*/\1/p')

# number MAJOR.MINOR.PATCH as one integer
number() {
	echo "$1" | awk -F. '{ printf "%d", ($1 * 1000 + $2) * 1000 + $3 }'
}
if [ -z "$have" ]; then
	echo "Shuqiao is built with Go $need or newer; '$GO version' names no release, so let us try." >&2
elif [ "$(number "$have")" -lt "$(number "$need")" ]; then
	echo "Shuqiao is built with Go $need or newer, and '$GO' is $have: install a newer one from https://go.dev/dl/ and put it first in PATH." >&2
	exit 3
fi
