#!/usr/bin/env bash
# Sets up and builds what is missing, then starts the daemon with a demo pod that serves a web page.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/setup.sh
bash scripts/build.sh
exec node build/deploy/demo/demo.js "$@"
