#!/usr/bin/env bash
# Puts a CRIU that is newer than the system's into .cache/criu, for the checkpoint tests: Debian 12's 3.17 does not
# work on newer kernels. Takes it, with every library that it needs (glibc, too), from Debian sid
# into a directory of its own; nothing is installed on the system. .cache/criu/bin/criu runs it with these libraries.
# Answers 0 also when it could not be had, saying so: then the tests of checkpoints are skipped.
#   scripts/setup-criu.sh           once; does nothing when it is there (25 MB over the network, 17 MB on disk)
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
give_up() {
  say "no CRIU: $*: tests of checkpoint and restore will be skipped"
  exit 0
}

target=$PWD/.cache/criu
if [ -x "$target/bin/criu" ]; then exit 0; fi
for tool in apt-get dpkg-deb dpkg; do
  command -v "$tool" >/dev/null || give_up "$tool is not installed"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || give_up "there is no $keyring"

say 'CRIU from Debian sid into .cache/criu: checkpoint and restore in the tests (25 MB, half a minute, once)'
begin=$SECONDS
mkdir -p .cache
work=$(mktemp -d "$PWD/.cache/criu.XXXXXX")
trap 'rm -rf "$work"' EXIT

# An apt of its own that knows of no installed package, so that it fetches all that criu depends on.
mkdir -p "$work"/state/lists/partial "$work"/cache/archives/partial
: >"$work/status"
echo "deb [signed-by=$keyring] http://deb.debian.org/debian sid main" >"$work/sources.list"
own_apt() {
  apt-get -qq -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" \
    -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root \
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o APT::Install-Recommends=false \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}
own_apt update >"$work/log" 2>&1 || give_up "the package list of Debian sid cannot be had: $(tail -1 "$work/log")"
own_apt --yes --download-only install criu >"$work/log" 2>&1 ||
  give_up "the packages of Debian sid cannot be had: $(tail -1 "$work/log")"

mkdir -p "$work/tree/root" "$work/tree/bin"
for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$work/tree/root"; done
rm -rf "$work"/tree/root/usr/share "$work"/tree/root/usr/lib/*/gconv
loader=$(cd "$work/tree/root" && find . -name 'ld-linux*.so.*' | sort | head -1)
program=$(cd "$work/tree/root" && find . -path '*/sbin/criu' | head -1)
[ -n "$loader" ] && [ -n "$program" ] || give_up 'its packages hold no criu or no loader'
cat >"$work/tree/bin/criu" <<END
#!/bin/sh
# CRIU with libraries of its own.
exec "$target/root/${loader#./}" --library-path "$target/root/usr/lib:$target/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)" "$target/root/${program#./}" "\$@"
END
chmod +x "$work/tree/bin/criu"
rm -rf "$target"
mv "$work/tree" "$target"
say "$("$target/bin/criu" --version | head -1), $(du -sm "$target" | cut -f1) MB, in $((SECONDS - begin)) s"
