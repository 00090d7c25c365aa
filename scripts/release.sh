#!/usr/bin/env bash
# Makes the release in dist/: for each platform an archive with the static binary, the documents, deploy/ and the licences of
# what is linked in, a CycloneDX list of that, and SHA256SUMS over all. The same commit and Go release give the same bytes.
#
#   VERSION=v1.0.0 scripts/release.sh            the version is git's description of the commit unless it is given
#   VERSION=v1.0.0 scripts/release.sh --check    makes it a second time, elsewhere and with an empty build cache, and compares
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/check-go.sh
export GO=${GO:-go} VERSION=${VERSION:-$(git describe --tags --always --dirty)}
COMMIT_TIME=${COMMIT_TIME:-$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)}
export COMMIT_TIME
# Whatever the caller's environment says, these are the builds.
export CGO_ENABLED=0 GOFLAGS= GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT= LC_ALL=C TZ=UTC
umask 022
out=${OUT:-$PWD/dist}
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = --check ]; then
	# Before anything is built: who edits a file meanwhile compares two different trees.
	mkdir "$work/copy"
	git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf - | tar -C "$work/copy" -xf -
fi

for arch in amd64 arm64; do
	name=shuqiao-$VERSION-linux-$arch
	dir=$work/$name
	mkdir -p "$dir/licenses"
	echo "==> $name"
	GOOS=linux GOARCH=$arch "$GO" build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X main.version=$VERSION -X main.commitTime=$COMMIT_TIME" -o "$dir/shuqiao" ./cmd/shuqiao
	"$GO" run -buildvcs=false ./internal/sbom -version "$VERSION" -time "$COMMIT_TIME" -assets console/assets/package.json "$dir/shuqiao" >"$out/$name.cdx.json"
	cp -R LICENSE README.md CHANGELOG.md docs deploy "$dir"
	cp console/static/licences/* "$dir/licenses"
	"$GO" version -m "$dir/shuqiao" | awk '$1 == "dep" { print $2 }' | while read -r module; do
		from=$("$GO" list -m -f '{{.Dir}}' "$module")
		mkdir -p "$dir/licenses/$module"
		find "$from" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) -exec cp {} "$dir/licenses/$module" \;
	done
	cp "$("$GO" env GOROOT)/LICENSE" "$dir/licenses/go.txt"
	find "$dir" -type d -exec chmod 755 {} +
	find "$dir" -type f -exec chmod 644 {} +
	chmod 755 "$dir/shuqiao"
	tar -C "$work" --sort=name --mtime="$COMMIT_TIME" --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
done
(cd "$out" && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS && cat SHA256SUMS)

if [ "${1:-}" = --check ]; then
	echo "==> the same again from a copy, with an empty build cache"
	GOCACHE=$work/cache OUT=$work/again "$work/copy/scripts/release.sh" >/dev/null
	cmp "$out/SHA256SUMS" "$work/again/SHA256SUMS"
	echo "==> both builds are equal, byte for byte"
fi
