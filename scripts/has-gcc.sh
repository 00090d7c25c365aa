#!/bin/sh
# Ends with 0 when there is a C compiler with the C library's headers, which Go's race detector is linked with.
set -eu
command -v "${CC:-gcc}" >/dev/null 2>&1 || exit 1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | "${CC:-gcc}" -x c -o "$out" - 2>/dev/null
