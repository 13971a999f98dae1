# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What ./demo and ./check share. Sourced, with the repository as the working directory.

# To build and to show: the demo makes a tree with real keys, and measures rsync beside us.
build_packages=(
  build-essential cmake ninja-build pkg-config python3
  libssh-dev librsync-dev libxxhash-dev libzstd-dev libssl-dev
  libboost-filesystem-dev libspdlog-dev libfmt-dev libcli11-dev libpugixml-dev nlohmann-json3-dev catch2
  libmicrohttpd-dev libpq-dev
  openssh-server openssh-client openssl rsync
)
# To test.
check_packages=(
  clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-19 shellcheck universal-ctags binutils
  iproute2 iptables procps util-linux patch mandoc systemd logrotate openjdk-17-jdk-headless
  fuse3 libfuse3-dev xfsprogs btrfs-progs e2fsprogs
  postgresql sudo wrk haproxy keepalived
)

say() { printf '\n== %s\n' "$*"; }

# Prints a command, then runs it.
run() {
  printf '+ %s\n' "$*"
  "$@"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs those of the named packages that are missing. Nothing is started by that: a policy file forbids it for
# as long as it takes, unless the machine has one of its own.
need_packages() {
  local missing=() package policy=/usr/sbin/policy-rc.d made=no
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Installing ${missing[*]}"
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made=yes
  fi
  local status=0
  run as_root apt-get update -q || status=$?
  run as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
    status=$?
  [ "$made" = no ] || as_root rm -f "$policy"
  return "$status"
}

# Configures and builds a preset.
build() {
  printf '+ cmake --preset %s\n' "$1"
  cmake --preset "$1" -Wno-dev >"build/$1.configure.log" 2>&1 || { cat "build/$1.configure.log"; return 1; }
  run cmake --build --preset "$1" "${@:2}"
}
