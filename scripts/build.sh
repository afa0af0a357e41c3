#!/usr/bin/env bash
# Builds everything from source: the codecs, the native programs, TypeScript, the bundles that bin/ runs.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -f scripts/generate.mjs ]; then node scripts/generate.mjs; else bash scripts/generate.sh; fi
make --no-print-directory --silent -C shim/native -j2
npx --no-install tsc -b
node scripts/bundle.mjs
