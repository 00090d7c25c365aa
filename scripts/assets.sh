#!/usr/bin/env bash
# Copies what the console serves from pinned npm packages into console/static, where it is committed: style sheets, htmx,
# charts, the item grid, a sprite of the icons in use, and the licences. Needs npm; nothing else of the hub does.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/console/static
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp console/assets/package.json console/assets/package-lock.json "$work"
echo "==> installing pinned front-end packages"
npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
modules=$work/node_modules

# The source map comment would make browsers ask for a file that is not served.
sed '/^\/\*# sourceMappingURL=.*\*\/$/d' "$modules/@tabler/core/dist/css/tabler.min.css" >"$out/tabler.min.css"
cp "$modules/htmx.org/dist/htmx.min.js" "$out/htmx.min.js"
cp "$modules/echarts/dist/echarts.common.min.js" "$out/echarts.min.js"
sed '/^\/\/# sourceMappingURL=/d' "$modules/tabulator-tables/dist/js/tabulator.min.js" >"$out/tabulator.min.js"
sed '/^\/\*# sourceMappingURL=.*\*\/$/d' "$modules/tabulator-tables/dist/css/tabulator_bootstrap5.min.css" >"$out/tabulator.min.css"

# One file with every icon that icons.txt names, to be used as icons.svg#name.
{
	printf '<svg xmlns="http://www.w3.org/2000/svg">\n'
	while read -r name; do
		printf '<symbol id="%s" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">' "$name"
		grep -o '<path[^>]*>' <(tr '\n' ' ' <"$modules/@tabler/icons/icons/outline/$name.svg") | tr -d '\n'
		printf '</symbol>\n'
	done <console/assets/icons.txt
	printf '</svg>\n'
} >"$out/icons.svg"

mkdir -p "$out/licences"
cp "$modules/htmx.org/LICENSE" "$out/licences/htmx.txt"
cat "$modules/echarts/LICENSE" "$modules/echarts/NOTICE" >"$out/licences/echarts.txt"
cp "$modules/tabulator-tables/LICENSE" "$out/licences/tabulator.txt"
cp "$modules/@tabler/icons/LICENSE" "$out/licences/tabler-icons.txt"
# @tabler/core is published without its licence file; console/assets/tabler-core.txt is the project's own text.
cp console/assets/tabler-core.txt "$out/licences/tabler-core.txt"
du -sh "$out"
