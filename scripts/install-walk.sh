#!/usr/bin/env bash
# Plays the installation chapter of docs/operations.md in a minimal Debian root, as it is written there, and checks what comes
# out: a hub that serves HTTPS, run by the unit's own command line as the unit's user.
#
#   make release && scripts/install-walk.sh ROOT      (root; ROOT as mmdebstrap --variant=minbase bookworm makes it)
#
# ROOT is changed and may be thrown away afterwards. It needs the network for apt, and takes about a minute.
set -euo pipefail
[ $# = 1 ] && [ -d "$1/usr" ] || { echo "usage: scripts/install-walk.sh ROOT" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "chroot needs root" >&2; exit 3; }
cd "$(dirname "$0")/.."
root=$(cd "$1" && pwd)
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) echo "no release for this machine" >&2; exit 3 ;; esac
archive=$(ls dist/shuqiao-*-linux-$arch.tar.gz)
(cd dist && sha256sum --quiet -c SHA256SUMS)

mounted=()
cleanup() { for m in "${mounted[@]}"; do umount -R "$m" 2>/dev/null || umount -l "$m"; done; }
trap cleanup EXIT
mountpoint -q "$root/proc" || { mount -t proc proc "$root/proc"; mounted+=("$root/proc"); }
mountpoint -q "$root/dev" || { mount --rbind /dev "$root/dev"; mount --make-rslave "$root/dev"; mounted+=("$root/dev"); }
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/root/walk"
cp "$archive" "$root/root/walk/"

cat >"$root/root/walk/walk.sh" <<'WALK'
set -euo pipefail
step() { printf '==> %s\n' "$*"; }
cd /root/walk

step "what the hub needs: PostgreSQL's programs, and openssl and curl for this walk"
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt-get update -q >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql openssl curl ca-certificates >/dev/null

step "the release"
tar -xzf shuqiao-*.tar.gz
cd shuqiao-*/
install -m 0755 shuqiao /usr/local/bin/shuqiao
mkdir -p /usr/local/share/doc/shuqiao /etc/systemd/system
cp -R docs licenses LICENSE README.md CHANGELOG.md /usr/local/share/doc/shuqiao/
shuqiao version

step "its user and folders"
useradd --system --user-group --home-dir /var/lib/shuqiao --no-create-home --shell /usr/sbin/nologin shuqiao
install -d -m 0700 -o shuqiao -g shuqiao /var/lib/shuqiao
install -d -m 0750 -o root -g shuqiao /etc/shuqiao /etc/shuqiao/tls
install -m 0644 deploy/shuqiao.service /etc/systemd/system/shuqiao.service

step "a certificate"
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=hub.example.org" \
		-addext "subjectAltName=DNS:hub.example.org,DNS:localhost,IP:127.0.0.1" \
		-keyout /etc/shuqiao/tls/key.pem -out /etc/shuqiao/tls/cert.pem 2>/dev/null
	chown root:shuqiao /etc/shuqiao/tls/*.pem
	chmod 0640 /etc/shuqiao/tls/key.pem
}
certificate

step "settings"
install -m 0640 -o root -g shuqiao deploy/shuqiao.conf /etc/shuqiao/shuqiao.conf

step "the authority and the first accounts"
as=(setpriv --reuid shuqiao --regid shuqiao --init-groups --no-new-privs --inh-caps=-all --bounding-set=-all
	env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/var/lib/shuqiao)
cd /
"${as[@]}" shuqiao setup --config=/etc/shuqiao/shuqiao.conf --data-dir=/var/lib/shuqiao --name 示例市数据局 --uscc "$USCC" --division 330600 >/root/walk/accounts
wc -l </root/walk/accounts | xargs echo "lines with accounts:"

step "the unit's command line, as its user"
command=$(sed -n 's/^ExecStart=//p' /etc/systemd/system/shuqiao.service)
echo "$command"
"${as[@]}" sh -c "umask 0077; exec $command" >/root/walk/out 2>/root/walk/log &
pid=$! # Each program of the line becomes the next, the hub at the end.
trap 'kill "$pid" 2>/dev/null || true' EXIT
waited=0
until curl -fsS --cacert /etc/shuqiao/tls/cert.pem https://localhost:8443/readyz 2>/dev/null; do
	waited=$((waited + 1))
	if [ $waited = 300 ] || ! kill -0 "$pid"; then
		cat /root/walk/out /root/walk/log
		exit 1
	fi
	sleep 0.2
done
echo "process $pid: $(awk '/^(Uid|NoNewPrivs|CapEff|CapBnd)/ { printf "%s %s  ", $1, $2 }' "/proc/$pid/status")"

step "what it answers"
curl -fsSI --cacert /etc/shuqiao/tls/cert.pem https://localhost:8443/ui/sign-in | grep -i '^HTTP\|^strict-transport'
curl -sS --tls-max 1.1 --cacert /etc/shuqiao/tls/cert.pem https://localhost:8443/healthz 2>&1 | head -1 || true

step "a new certificate"
before=$(openssl x509 -noout -serial -in /etc/shuqiao/tls/cert.pem)
certificate
kill -HUP "$pid"
for _ in $(seq 50); do
	shown=$(openssl s_client -connect localhost:8443 </dev/null 2>/dev/null | openssl x509 -noout -serial)
	[ "$shown" = "$(openssl x509 -noout -serial -in /etc/shuqiao/tls/cert.pem)" ] && break
	sleep 0.1
done
[ "$shown" != "$before" ] && [ "$shown" = "$(openssl x509 -noout -serial -in /etc/shuqiao/tls/cert.pem)" ]
echo "$before, now $shown"

step "the evidence, beside the running hub"
"${as[@]}" shuqiao audit verify --data-dir=/var/lib/shuqiao

step "the end"
kill -TERM "$pid"
wait "$pid"
echo "exit code $?"
trap - EXIT
grep -c '^{"time"' /root/walk/log | xargs echo "log records:"
if grep -v '^{"time"' /root/walk/log; then
	echo "these lines are no records" >&2
	exit 1
fi
if [ -e /var/lib/shuqiao/postgres/data/postmaster.pid ]; then
	echo "the private PostgreSQL was left running" >&2
	exit 1
fi
WALK
echo "==> in $root"
# A made-up authority: no organisation's code starts with QQ.
chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	USCC="${USCC:-11330600QQ0000004R}" bash /root/walk/walk.sh
echo "==> the installation works as written"
