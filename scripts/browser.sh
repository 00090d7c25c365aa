#!/usr/bin/env bash
# Sees to what the browser test needs and runs it: Chromium with Chinese fonts, Node.js 20 or newer and npm. As root on
# Debian and Ubuntu what is missing is installed by apt; else the one line to run is printed and the script ends with 3.
#
#   scripts/browser.sh --deps                                     only install
#   scripts/browser.sh --demo <data-dir>/demo.json [--url URL] [--shots FOLDER]
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

has_fonts() { command -v fc-list >/dev/null 2>&1 && fc-list :lang=zh family | grep -q .; }

# new_enough: the given node is one that playwright-core runs on.
new_enough() {
	[ -x "$(command -v "$1" 2>/dev/null)" ] && [ "$("$1" -p 'process.versions.node.split(".")[0]')" -ge 20 ]
}

install_system() {
	local packages=()
	find_chromium >/dev/null || packages+=(chromium)
	has_fonts || packages+=(fonts-noto-cjk fontconfig)
	command -v node >/dev/null 2>&1 || packages+=(nodejs)
	command -v npm >/dev/null 2>&1 || packages+=(npm)
	[ ${#packages[@]} -gt 0 ] || return 0
	local command="apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ${packages[*]}"
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "==> installing ${packages[*]} by apt"
		sh -c "$command" || { echo "apt could not install ${packages[*]}: see its messages above." >&2; exit 3; }
	else
		echo "The browser test needs ${packages[*]}. Run this one line as root (or with sudo before it), then try again:" >&2
		echo "  sh -c \"$command\"" >&2
		exit 3
	fi
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

install_system
install_packages
[ "${1:-}" = --deps ] && exit 0
node=node
new_enough node || node=$(bundled)
exec "$node" "$here/walk.mjs" --chromium "$(find_chromium)" "$@"
