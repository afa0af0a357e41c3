#!/usr/bin/env bash
# Makes the machine that `npm run e2e:vm` boots, from Debian packages only: a kernel, an initrd, the image of a root
# file system with systemd, cgroup v2 and AppArmor. They stay in .cache/vm/KEY, where KEY is made of the package lists,
# of the kernel's version and of this script; nothing is made again until one of them changes. Prints that directory.
#   e2e/vm/make-machine.sh [KERNEL]     two minutes and 200 MB over the network when it is made, no time afterwards;
#                                       KERNEL is a package, linux-image-cloud-amd64 if not given
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=bookworm
mirror=http://deb.debian.org/debian
security=http://deb.debian.org/debian-security
image_mb=900
# Machines that were not booted for so long are removed when another one is made.
keep_days=30
# What the guest has: an init with D-Bus, an OCI runtime, CNI plugins, a packet filter, AppArmor's parser, busybox (the
# content of the test images). Node.js comes with the job, since Debian 12 has 18.
guest_packages=systemd,systemd-sysv,dbus,udev,kmod,runc,crun,iptables,nftables,iproute2,containernetworking-plugins
guest_packages+=,apparmor,apparmor-utils,busybox-static,libisal2,libzstd1,libssl3,attr,zstd,procps,openssl

# Debian package | a program that tells that it is there | what for
host_packages='
qemu-system-x86|qemu-system-x86_64|runs the machine (emulated: no KVM is needed)
qemu-utils|qemu-img|makes disks
seabios|/usr/share/seabios/bios.bin|firmware of the machine
mmdebstrap|mmdebstrap|makes its root file system
cpio|cpio|packs the initrd
kmod|depmod|lists the dependencies of kernel modules
e2fsprogs|mke2fs|makes its file system
xz-utils|xz|unpacks kernel modules
busybox-static|/bin/busybox|the first program of the initrd
'

say() { printf 'e2e:vm: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

has() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

install_host_packages() {
  local missing=() name probe reason
  while IFS='|' read -r name probe reason; do
    if [ -z "$name" ] || has "$probe"; then continue; fi
    say "needs $name ($probe): $reason"
    missing+=("$name")
  done <<<"$host_packages"
  if [ ${#missing[@]} = 0 ]; then return 0; fi
  has apt-get || die 'this is not a Debian system: install the above with your package manager, then run this again'
  say "installing ${missing[*]}"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The package with the files, of one that only depends on the newest.
kernel_package() {
  apt-cache depends "$1" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*-cloud-amd64\)$/\1/p' | head -1
}

# The package of the kernel is unpacked, not installed: modules for disk, network and file systems, without signatures.
unpack_kernel() {
  local work=$1 kernel=$2 version
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$kernel" >&2 && dpkg -x ./linux-image-*.deb kernel)
  version=$(ls "$work/kernel/lib/modules")
  cp "$work/kernel/boot/vmlinuz-$version" "$work/machine/kernel"
  local from=$work/kernel/lib/modules/$version to=$work/modules/lib/modules/$version part
  mkdir -p "$to/kernel/drivers"
  cp "$from"/modules.{builtin,builtin.modinfo,order} "$to/"
  for part in fs net crypto lib drivers/block drivers/virtio drivers/net drivers/md drivers/char; do
    if [ -d "$from/kernel/$part" ]; then mkdir -p "$to/kernel/$part" && cp -r "$from/kernel/$part/." "$to/kernel/$part"; fi
  done
  find "$to" -name '*.ko.xz' -exec xz -d {} +
  depmod -b "$work/modules" "$version"
}

# busybox, the modules of a virtio disk in the order of their dependencies, and an init that goes on to the real one.
make_initrd() {
  local work=$1 root=$work/initrd name path
  mkdir -p "$root"/{bin,dev,proc,sys,new,modules}
  cp /bin/busybox "$root/bin/busybox"
  {
    echo '#!/bin/busybox sh'
    echo '/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t sysfs sys /sys'
    echo '/bin/busybox mount -t devtmpfs dev /dev'
    for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk crc16 mbcache jbd2 crc32c_generic ext4; do
      path=$(find "$work/modules" -name "$name.ko" | head -1)
      if [ -z "$path" ]; then continue; fi
      cp "$path" "$root/modules/"
      echo "/bin/busybox insmod /modules/$name.ko"
    done
    echo 'tries=0'
    echo 'until [ -b /dev/vda ] && /bin/busybox mount -t ext4 /dev/vda /new 2>/dev/null; do'
    echo '  tries=$((tries + 1)); [ $tries -lt 100 ] || { echo "no root file system"; echo o > /proc/sysrq-trigger; }'
    echo '  /bin/busybox sleep 0.1'
    echo 'done'
    echo '/bin/busybox umount /proc /sys; /bin/busybox mount --move /dev /new/dev'
    echo 'exec /bin/busybox switch_root /new /sbin/init'
  } >"$root/init"
  chmod +x "$root/init"
  (cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/machine/initrd"
}

make_root() {
  local work=$1 root=$work/root unit
  mmdebstrap --quiet --mode=root --variant=minbase --include="$guest_packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='APT::Install-Recommends "false"' \
    "$suite" "$root" \
    "deb $mirror $suite main" "deb $security $suite-security main" >&2
  mkdir -p "$root/lib/modules"
  cp -r "$work/modules/lib/modules/." "$root/lib/modules/"
  for unit in systemd-timesyncd systemd-networkd-wait-online getty@tty1 serial-getty@ttyS0 apt-daily.timer \
    apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap fstrim.timer systemd-pstore \
    systemd-update-utmp systemd-random-seed systemd-journal-flush apparmor; do
    case $unit in *.*) ;; *) unit=$unit.service ;; esac
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
  cp -r e2e/vm/guest/files/. "$root/"
  echo lighter >"$root/etc/hostname"
  : >"$root/etc/machine-id"
  mke2fs -q -t ext4 -d "$root" -O ^has_journal "$work/root.img" "${image_mb}M" >&2
  qemu-img convert -O qcow2 "$work/root.img" "$work/machine/root.qcow2"
}

main() {
  install_host_packages
  local wanted=${1:-linux-image-cloud-amd64} kernel key target work
  kernel=$(kernel_package "$wanted")
  if [ -z "$kernel" ]; then
    apt-get update -qq >&2
    kernel=$(kernel_package "$wanted")
  fi
  [ -n "$kernel" ] || die "apt knows no package $wanted: is this Debian 12?"
  key=$( (echo "$kernel" && find e2e/vm/make-machine.sh e2e/vm/guest/files -type f | sort | xargs cat) | sha256sum | cut -c1-16)
  target=$PWD/.cache/vm/$key
  if [ -e "$target/root.qcow2" ]; then
    touch "$target"
    echo "$target"
    return 0
  fi
  say "making the machine: $kernel, a root file system from Debian $suite (a minute or two, once)"
  local begin=$SECONDS
  mkdir -p .cache/vm
  work=$(mktemp -d "$PWD/.cache/vm/making.XXXXXX")
  # shellcheck disable=SC2064  # the directory of now
  trap "rm -rf '$work'" EXIT
  chmod 755 "$work"
  mkdir "$work/machine"
  unpack_kernel "$work" "$kernel"
  make_initrd "$work"
  make_root "$work"
  find .cache/vm -mindepth 1 -maxdepth 1 -type d -mtime "+$keep_days" -exec rm -rf {} +
  mv "$work/machine" "$target"
  say "$(du -sm "$target" | cut -f1) MB in $((SECONDS - begin)) s"
  echo "$target"
}

main "$@"
