#!/usr/bin/env bash
# Installs what is missing to build and run lighter, and says what and why. Does nothing when all is there.
#   scripts/setup.sh           to build and run
#   scripts/setup.sh --test    also what the end-to-end tests need: crictl, critest, the CRI definition and a
#                              Kubernetes to run, built with Go; a CRIU, fetched from Debian sid
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian package | a program, header or file that tells that it is there | what for
packages='
runc|/usr/sbin/runc|starts containers (OCI runtime)
containernetworking-plugins|/usr/lib/cni/bridge|gives pods their network (CNI plugins bridge, host-local, portmap)
iptables|iptables|host ports and masquerading, used by the CNI plugins
iproute2|ip|network namespaces in the tests
busybox-static|busybox|content of the demo and test images
gcc|gcc|compiles lighter-unpack
libc6-dev|/usr/include/stdio.h|the C library to compile against
make|make|builds the native programs
musl-tools|musl-gcc|compiles the small static programs: lighter-shim, lighter-host, lighter-pause
libisal-dev|/usr/include/isa-l.h|inflates gzip layers
libzstd-dev|/usr/include/zstd.h|inflates zstd layers
libssl-dev|/usr/include/openssl/evp.h|hashes layers
zstd|zstd|makes zstd layers for the tests
openssl|openssl|makes certificates for the tests
attr|getfattr|reads extended attributes in the tests
'

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# has NAME_OR_PATH: is the program in PATH (or an sbin directory), or the file there?
has() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

missing_packages() {
  local name probe reason
  while IFS='|' read -r name probe reason; do
    if [ -n "$name" ] && ! has "$probe"; then echo "$name|$probe|$reason"; fi
  done <<<"$packages"
}

install_packages() {
  local missing names=() name probe reason root=()
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  while IFS='|' read -r name probe reason; do
    names+=("$name")
    say "needs $name ($probe): $reason"
  done <<<"$missing"
  if ! has apt-get; then
    die "this is not a Debian system: install the above with your package manager, then run this again"
  fi
  if [ "$(id -u)" != 0 ]; then
    has sudo || die "not root and no sudo: run as root: apt-get install ${names[*]}"
    root=(sudo)
  fi
  say "installing ${names[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${names[@]}" >/dev/null
  missing=$(missing_packages)
  [ -z "$missing" ] || die "still missing after the installation: ${missing//$'\n'/, }"
}

check_node() {
  has node || die 'needs Node.js 20.11 or newer: https://nodejs.org/en/download'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 11) ? 0 : 1)' ||
    die "Node.js $(node --version) is too old: needs 20.11 or newer"
}

# Are the installed packages exactly those of package-lock.json?
has_node_modules() {
  node -e '
    const read = file => JSON.parse(require("fs").readFileSync(file, "utf8")).packages
    const wanted = read("package-lock.json")
    const installed = read("node_modules/.package-lock.json")
    const differs = Object.entries(wanted).some(([path, want]) =>
      path !== "" && !want.optional && installed[path]?.version !== want.version)
    const isForeign = Object.entries(installed).some(([path, have]) => wanted[path]?.version !== have.version)
    process.exit(differs || isForeign ? 1 : 0)' 2>/dev/null
}

install_node_modules() {
  if has_node_modules; then return 0; fi
  say 'npm ci: installed packages differ from package-lock.json'
  npm ci --loglevel=error --no-progress
}

# The tools of e2e/tools at their pinned versions; built again only when a version changes.
install_go_tools() {
  if ! has go; then
    say 'Go is not installed: tests that need crictl, critest or the CRI definition will be skipped'
    return 0
  fi
  local stamp=.cache/bin/go-tools.sum wanted
  wanted=$(cat e2e/tools/go.sum e2e/tools/cri-api/go.sum e2e/tools/go.mod e2e/tools/cri-api/go.mod | sha256sum)
  if [ -x .cache/bin/crictl ] && [ -x .cache/bin/critest ] && [ -x .cache/bin/ginkgo ] &&
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return 0; fi
  say 'go build crictl, critest and ginkgo: client and conformance suite of the end-to-end tests (two minutes, once)'
  mkdir -p .cache/bin
  local version flags
  version=$(cd e2e/tools && go list -m -f '{{.Version}}' sigs.k8s.io/cri-tools)
  flags=(-trimpath -ldflags "-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$version")
  (cd e2e/tools && go build "${flags[@]}" -o ../../.cache/bin/crictl sigs.k8s.io/cri-tools/cmd/crictl)
  # critest is a test binary; it starts itself several times through ginkgo when it runs in parallel.
  (cd e2e/tools && go test -c "${flags[@]}" -o ../../.cache/bin/critest sigs.k8s.io/cri-tools/cmd/critest)
  (cd e2e/tools && go build "${flags[@]}" -o ../../.cache/bin/ginkgo github.com/onsi/ginkgo/v2/ginkgo)
  (cd e2e/tools/cri-api && go mod download k8s.io/cri-api)
  echo "$wanted" >"$stamp"
}

# The plugin of e2e/tools/nri-plugin, on the upstream stub.
install_nri_plugin() {
  if ! has go; then return 0; fi
  local stamp=.cache/bin/nri-plugin.sum wanted
  wanted=$(cat e2e/tools/nri-plugin/{go.mod,go.sum,main.go} | sha256sum)
  if [ -x .cache/bin/nri-plugin ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return 0; fi
  say 'go build nri-plugin: an NRI plugin for the end-to-end tests'
  mkdir -p .cache/bin
  (cd e2e/tools/nri-plugin && go build -trimpath -ldflags '-s -w' -o ../../../.cache/bin/nri-plugin .)
  echo "$wanted" >"$stamp"
}

# The kubelet and the rest of Kubernetes (e2e/tools/kube) and etcd, at their pinned versions; LIGHTER_KUBE_BIN names a
# directory that has them already.
install_kube() {
  if [ -n "${LIGHTER_KUBE_BIN:-}" ] || ! has go; then return 0; fi
  local stamp=.cache/kube/kube.sum wanted out=$PWD/.cache/kube
  wanted=$(cat e2e/tools/{kube,etcd}/go.{mod,sum} | sha256sum)
  if [ -x .cache/kube/kubelet ] && [ -x .cache/kube/etcd ] &&
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return 0; fi
  say 'go build etcd, kubelet and the rest of Kubernetes: for the end-to-end tests with a cluster (nine minutes, once)'
  mkdir -p .cache/kube
  local version major minor at=k8s.io/component-base/version name programs=()
  version=$(cd e2e/tools/kube && go list -m -f '{{.Version}}' k8s.io/kubernetes)
  IFS=. read -r major minor _ <<<"${version#v}"
  for name in kube-apiserver kube-controller-manager kube-scheduler kubectl kubelet; do
    programs+=("k8s.io/kubernetes/cmd/$name")
  done
  (cd e2e/tools/etcd && go build -trimpath -ldflags '-s -w' -o "$out/etcd" go.etcd.io/etcd/server/v3)
  (cd e2e/tools/kube && go build -trimpath -o "$out/" \
    -ldflags "-s -w -X $at.gitVersion=$version -X $at.gitMajor=$major -X $at.gitMinor=$minor" "${programs[@]}")
  echo "$wanted" >"$stamp"
}

# Prometheus and promtool of Debian's package, without its service.
install_prometheus() {
  if [ -x .cache/bin/prometheus ] && [ -x .cache/bin/promtool ]; then return 0; fi
  local work
  work=$(mktemp -d)
  if has apt-get && (cd "$work" && apt-get download -qq prometheus >/dev/null 2>&1 && dpkg-deb -x prometheus_*.deb .); then
    say 'prometheus and promtool: read the metrics in the end-to-end tests'
    mkdir -p .cache/bin
    mv "$work/usr/bin/prometheus" "$work/usr/bin/promtool" .cache/bin/
  else
    say 'the package prometheus cannot be had: tests that need it will be skipped'
  fi
  rm -rf "$work"
}

install_packages
check_node
install_node_modules
if [ "${1:-}" = --test ]; then
  install_go_tools
  install_nri_plugin
  install_prometheus
  install_kube
  bash scripts/setup-criu.sh
fi
