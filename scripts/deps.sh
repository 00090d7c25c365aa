#!/bin/sh
# Sees to what "demo" and "test" need beyond Go: installs it by apt as root on Debian and Ubuntu, and otherwise prints
# the one line to run and ends with 3. What is only nice to have is asked for but its absence is no failure.
# usage: deps.sh [demo] [test]
set -eu
cd "$(dirname "$0")/.."

oldest=14 # internal/pglocal.MinVersion

# has_postgres: a PostgreSQL server is where internal/pglocal looks for one.
has_postgres() {
	for bin in "$(command -v postgres 2>/dev/null || true)" /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres \
		/opt/homebrew/opt/postgresql@*/bin/postgres /usr/local/opt/postgresql@*/bin/postgres; do
		[ -n "$bin" ] && [ -x "$bin" ] && [ -x "$(dirname "$(readlink -f "$bin" 2>/dev/null || echo "$bin")")/initdb" ] || continue
		version=$("$bin" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
		[ "${version:-0}" -ge "$oldest" ] && return 0
	done
	return 1
}

# browser_packages prints what the browser test lacks: Chromium, a Chinese font, Node.js with npm.
browser_packages() {
	command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || printf 'chromium '
	{ command -v fc-list >/dev/null 2>&1 && fc-list :lang=zh family | grep -q .; } || printf 'fontconfig fonts-noto-cjk '
	command -v node >/dev/null 2>&1 || printf 'nodejs '
	command -v npm >/dev/null 2>&1 || printf 'npm '
}

needs=""     # packages without which the target cannot run
wants=""     # packages that make it better
for target in "$@"; do
	case $target in
	demo) [ -n "${SHUQIAO_DATABASE_URL:-}" ] || has_postgres || needs="postgresql" ;;
	test)
		[ -n "${SHUQIAO_TEST_DATABASE_URL:-}" ] || has_postgres || needs="postgresql"
		scripts/has-gcc.sh || wants="gcc libc6-dev"
		needs="$needs $(browser_packages)"
		;;
	*)
		echo "deps.sh: unknown target $target" >&2
		exit 2
		;;
	esac
done
needs=$(echo $needs)
[ -n "$needs$wants" ] || exit 0

# Debian's server package creates and starts a cluster of its own unless this file tells it not to. It is written only
# when we are the ones who install, and never changed when it already says something.
conf=/etc/postgresql-common/createcluster.conf
quiet_conf="mkdir -p /etc/postgresql-common && { grep -qs '^ *create_main_cluster' $conf || echo 'create_main_cluster = false' >>$conf; }"
install="apt-get update -q && UCF_FORCE_CONFFOLD=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends"
packages=$(echo $needs $wants)
command="$install $packages"
case $needs in *postgresql*) command="$quiet_conf && $command" ;; esac

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "==> installing $packages by apt"
	if sh -c "$command"; then
		exit 0
	fi
	[ -n "$needs" ] && { echo "apt could not install $packages: see its messages above." >&2; exit 3; }
	echo "apt could not install $packages; going on without." >&2
	exit 0
fi

if command -v apt-get >/dev/null 2>&1; then
	line="sh -c \"$command\""
	who=" as root (or with sudo before it)"
elif command -v brew >/dev/null 2>&1; then
	line="brew install postgresql@17 node chromium"
else
	line="install PostgreSQL $oldest or newer (the server), gcc, Chromium, Node.js and npm with your system's package manager"
fi
if [ -n "$needs" ]; then
	echo "Missing: $needs. Run this one line${who:-}, then try again:" >&2
	echo "  $line" >&2
	exit 3
fi
echo "Nice to have, not needed: $wants (for Go's race detector). To install, run${who:-}: $line" >&2
