#!/bin/sh
# restic and borg as Debian has them, with all they depend on, unpacked into a folder of their own; nothing is installed on this machine.
#
#   tools.sh CACHE        prints  tools=DIR
#
# As test/lab/build.sh does it for the lab: an apt with state of its own downloads, dpkg-deb unpacks. A crash leaves only a `.new-tools`, which
# the next run removes.
set -eu
cache=$1
suite=bookworm
key=$(sha256sum "$0" | cut -c1-16)
mkdir -p "$cache"
exec 9>"$cache/build.lock"
flock 9
tools=$cache/tools-$key
if [ ! -e "$tools" ]; then
  new=$cache/.new-tools
  rm -rf "$new" "$cache"/tools-*
  mkdir -p "$new/state/lists/partial" "$new/cache/archives/partial" "$new/tmp" "$new/root"
  chmod 1777 "$new/tmp"
  : >"$new/status"
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1)
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "${mirror:-http://deb.debian.org/debian}" "$suite" >"$new/tools.sources"
  apt() {
    TMPDIR=$new/tmp LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq -o APT::Sandbox::User=root \
      -o Dir::State="$new/state" -o Dir::State::status="$new/status" -o Dir::Cache="$new/cache" \
      -o Dir::Etc::sourcelist="$new/tools.sources" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
      -o APT::Install-Recommends=false -o APT::Architecture=amd64 -o Acquire::Languages=none -o Acquire::Retries=2 "$@" >&2
  }
  apt update
  apt -y --download-only install restic borgbackup usr-is-merged
  # /bin and its like stay links into /usr.
  for name in bin sbin lib lib64; do
    mkdir -p "$new/root/usr/$name"
    ln -s "usr/$name" "$new/root/$name"
  done
  for deb in "$new"/cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$new/root"; done
  rm -rf "$new/state" "$new/cache" "$new/tmp"
  mv "$new/root" "$tools"
  rm -rf "$new"
fi
echo "tools=$tools"
