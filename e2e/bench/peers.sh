#!/usr/bin/env bash
# Builds the runtimes that `npm run bench` starts beside lighter into .cache/peers, at the versions that
# e2e/tools/peers/go.mod pins. Needs Go; takes some minutes, once.
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=$(cat e2e/tools/peers/go.mod e2e/tools/peers/go.sum | sha256sum)
if [ "$(cat .cache/peers/go.sum.stamp 2>/dev/null)" = "$wanted" ]; then exit 0; fi
mkdir -p .cache/peers
module=github.com/containerd/containerd/v2
version=$(cd e2e/tools/peers && go list -m -f '{{.Version}}' "$module")
for name in containerd-shim-runc-v2 containerd; do
  (cd e2e/tools/peers && CGO_ENABLED=0 nice go build -trimpath -ldflags "-s -w -X $module/version.Version=$version" \
    -o "../../../.cache/peers/$name" "$module/cmd/$name")
done
echo "$wanted" >.cache/peers/go.sum.stamp
