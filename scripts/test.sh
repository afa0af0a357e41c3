#!/usr/bin/env bash
# Runs all tests, or one part of them:
#   npm test                            everything
#   npm test -- lint|native|unit|e2e    one part
#   npm test -- unit|e2e FILTER         the test files whose path contains FILTER; if there is none, all files,
#                                       but only the tests whose name matches it
# Ends with one line that sums up all parts, and fails when something failed. With CI=true a skipped test is a
# failure, unless its reason starts with "machine cannot:".
set -euo pipefail
cd "$(dirname "$0")/.."

part=${1:-all}
filter=${2:-}
case $part in
  all | lint | native | unit | e2e) ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

passed=0 failed=0 skipped=0
notes=()
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

wants() { [ "$part" = all ] || [ "$part" = "$1" ]; }
heading() { printf '\n== %s ==\n' "$1"; }

# One check that either passes or fails as a whole.
check() {
  printf '%s\n' "-- $1"
  if "${@:2}"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    notes+=("failed: $1")
  fi
}

native_tests() {
  local source name
  for source in shim/native/tests/*-test.c; do
    name=build/native/tests/$(basename "$source" .c)
    check "$name" native_test "$name"
  done
}

native_test() {
  make --no-print-directory --silent -C shim/native "../../$1" && (cd shim/native && "../../$1")
}

# source_tests DIRECTORY...: the compiled files of the tests that exist as source.
source_tests() {
  find "$@" -name '*.test.ts' -not -path '*/node_modules/*' | sort | sed 's|^|build/|; s|\.ts$|.js|'
}

# node_tests CONCURRENCY FILE...: adds up what the reporter counted.
node_tests() {
  local concurrency=$1 chosen=() all=("${@:2}") options=() file
  for file in "${all[@]}"; do
    if [[ -z $filter || $file == *"$filter"* ]]; then chosen+=("$file"); fi
  done
  if [ ${#chosen[@]} = 0 ]; then
    chosen=("${all[@]}")
    options=(--test-name-pattern="$filter")
  fi
  local status=0
  node --enable-source-maps --test --test-concurrency="$concurrency" "${options[@]}" \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=./scripts/count-tests.mjs --test-reporter-destination="$counts" "${chosen[@]}" || status=$?
  local p=0 f=1 s=0 rest
  read -r p f s rest < <(node -e '
    const count = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))
    console.log(count.passed, count.failed, count.skipped, JSON.stringify(count.notes))' "$counts") || true
  if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ -n "${rest:-}" ] && [ "$rest" != '[]' ]; then
    while IFS= read -r file; do notes+=("$file"); done < <(node -e 'JSON.parse(process.argv[1]).forEach(n => console.log(n))' "$rest")
  fi
}

bash scripts/setup.sh --test
bash scripts/build.sh

if wants lint; then
  heading 'lint'
  check eslint npx --no-install eslint --max-warnings 0 .
  check biome npx --no-install biome check .
  check dependency-cruiser npx --no-install depcruise --config .dependency-cruiser.cjs runtime cni shim nri cri deploy e2e
  check knip npx --no-install knip
fi
if wants native; then
  heading 'native'
  native_tests
fi
if wants unit; then
  heading 'unit'
  mapfile -t files < <(source_tests runtime cni shim/client nri cri deploy)
  node_tests 2 "${files[@]}"
fi
if wants e2e; then
  heading 'e2e'
  # One file at a time: each looks at the whole machine for what it left behind.
  mapfile -t files < <(source_tests e2e)
  node_tests 1 "${files[@]}"
fi

printf '\n'
for note in "${notes[@]}"; do printf '%s\n' "$note"; done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
