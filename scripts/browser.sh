#!/usr/bin/env bash
# Runs the browser test against a hub that serves the demonstration. Chromium, fonts, Node.js and npm are seen to by
# deps.sh; the test's own packages are installed here.
#
#   scripts/browser.sh --deps                                     only install packages
#   scripts/browser.sh [--play screenshots.mjs] --demo <data-dir>/demo.json [ARGUMENT…]   see test/browser/walk.mjs, screenshots.mjs
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/test/browser

# find_chromium prints the path of a Chromium or Chrome.
find_chromium() {
	for name in chromium chromium-browser google-chrome; do
		command -v "$name" 2>/dev/null && return 0
	done
	return 1
}

# new_enough: the given node is one that playwright-core runs on.
new_enough() {
	[ -x "$(command -v "$1" 2>/dev/null)" ] && [ "$("$1" -p 'process.versions.node.split(".")[0]')" -ge 20 ]
}

# install_packages puts the pinned packages beside the test; their lock files say what they must hash to.
install_packages() {
	if [ ! -e "$here/node_modules/.package-lock.json" ] || [ "$here/package-lock.json" -nt "$here/node_modules/.package-lock.json" ]; then
		echo "==> installing the browser test's pinned packages"
		npm ci --prefix "$here" --ignore-scripts --no-audit --no-fund --silent
	fi
	new_enough node && return 0
	# Debian 12's own Node.js is too old for playwright-core: a newer one comes as a package, for this test alone.
	if [ -z "$(bundled)" ]; then
		echo "==> installing a newer Node.js for the browser test alone"
		npm ci --prefix "$here/node" --ignore-scripts --no-audit --no-fund --silent
	fi
}

bundled() { find "$here/node/node_modules" -path '*/node-linux-*/bin/node' 2>/dev/null | head -n 1; }

install_packages
[ "${1:-}" = --deps ] && exit 0
play=walk.mjs
[ "${1:-}" != --play ] || { play=$2; shift 2; }
node=node
new_enough node || node=$(bundled)
exec "$node" "$here/$play" --chromium "$(find_chromium)" "$@"
