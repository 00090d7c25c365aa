#!/usr/bin/env bash
# Builds the hub and plays its story on a private PostgreSQL. Arguments go to "shuqiao demo".
set -euo pipefail
cd "$(dirname "$0")/.."

echo "Shuqiao's demo needs Go (to compile), a PostgreSQL server (it starts a private one, or uses SHUQIAO_DATABASE_URL),"
echo "about 1 GB of disk and 2 GB of memory. It opens no port to other machines."
scripts/check-go.sh
scripts/deps.sh demo
scripts/build.sh
exec bin/shuqiao demo "$@"
