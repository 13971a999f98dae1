#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# power_cut.sh PROGRAMS ext4|xfs|btrfs [--forget]
# Records every block that three pulls write to a disk, cuts the power in that recording thousands of times, recovers
# each disk that could be left, and checks it: no file torn or missing even before recovery, then exactly one
# generation, the last acknowledged one or the next. Then the same for a recovery: a cut in it changes nothing. PROGRAMS
# is the directory of pull_once, serve_once, block_recorder, block_replay, block_check, sync_after_calls and
# libforget_sync.so. With --forget the pulls run without any sync, and it fails if that goes unnoticed. XS_LONG=yes:
# the numbers of a release. XS_SEED=N: the same cuts again. XS_KEEP=DIRECTORY: keeps the recordings there.
# Needs root, loop devices and FUSE; exits 77 without.
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: power_cut.sh PROGRAMS ext4|xfs|btrfs [--forget]" >&2
  exit 1
fi
programs=$(readlink -f "$1")
type=$2
forget=${3:-}
seed=${XS_SEED:-$((SRANDOM % 1000000 + 1))}

skip() {
  echo "power_cut: skipped: $*" >&2
  exit 77
}
[ "$(id -u)" -eq 0 ] || skip "needs root, to mount"
[ -e /dev/loop-control ] || skip "needs loop devices"
[ -c /dev/fuse ] || skip "needs /dev/fuse"
for tool in fusermount3 losetup "mkfs.$type"; do
  command -v "$tool" >/dev/null || skip "needs $tool (fuse3, util-linux, xfsprogs, btrfs-progs)"
done
# Mounts of our own: somebody else's new mount namespace would hold a copy of ours, and so the file system that we
# unmount and mount again would still be there: with the old contents (ext4), or as a duplicate that is refused (xfs).
if [ "${XS_OWN_MOUNTS:-no}" != yes ]; then
  unshare -m true 2>/dev/null || skip "needs a mount namespace"
  XS_OWN_MOUNTS=yes exec unshare -m --propagation private "$0" "$@"
fi
modprobe -q "$type" 2>/dev/null || true
grep -qw "$type" /proc/filesystems || skip "this kernel has no $type"

# Chances in percent that a system call of the pull is followed by a syncfs, and how many states each gets.
case $type in
  ext4) megabytes=24 short='0:300 30:200 100:200' long='0:1500 30:3300 100:3300' ;;
  xfs) megabytes=48 short='0:80 30:60 100:60' long='0:450 30:400 100:400' ;;
  btrfs) megabytes=120 short='0:40 30:30 100:30' long='0:200 30:200 100:200' ;;
  *) echo "power_cut: unknown file system $type" >&2 && exit 1 ;;
esac
rounds=$short
[ "${XS_LONG:-no}" != yes ] || rounds=$long
[ "$forget" != --forget ] || rounds=${rounds%% *}

work=$(mktemp -d "${TMPDIR:-/tmp}/xs-power.XXXXXX")
loop=

# Whatever state we are in: nothing mounted, no loop device and no recorder is left.
clean_up() {
  local status=$?
  trap - EXIT
  if mountpoint -q "$work/mnt"; then umount "$work/mnt" || umount -l "$work/mnt"; fi
  [ -z "$loop" ] || losetup -d "$loop" || true
  if mountpoint -q "$work/fuse"; then fusermount3 -u "$work/fuse" || fusermount3 -uz "$work/fuse"; fi
  if mountpoint -q "$work"; then umount "$work" || umount -l "$work"; fi
  rmdir "$work" || true
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mount -t tmpfs -o size=1g,mode=700 xs-power "$work"
mkdir "$work/fuse" "$work/mnt"

# fill SIZE WORD: bytes, with no two lines alike.
fill() { head -c "$1" < <(seq -f "$2 %g" 1 1000000); }

# Four generations of a security server's configuration, which differ in every way that two trees can: files added,
# replaced in part and whole, removed, with another mode or owner; directories the same; each kind turned into others.
# From 0 to 1 it is few files and no link, from 1 to 2 links too, from 2 to 3 many: each is made durable in its own way.
make_tree() {
  local g=$1 t=$work/gen$1 i
  mkdir -p "$t"/{signer/softtoken,conf.d/addons,ssl}
  fill 6000 "keyconf $g" >"$t/signer/keyconf.xml"
  fill 300 "token" >"$t/signer/softtoken/.softtoken.p12"
  for i in 1 2 3; do fill 2500 "key $((i + g))" >"$t/signer/softtoken/$((i + g)).p12"; done
  for i in $(seq 1 12); do fill $((i * 700)) "ini $i" >"$t/conf.d/$i.ini"; done
  { fill 60000 big; fill 5000 "middle $g"; fill 90000 tail; } >"$t/big.bin"
  ln -s "ssl/internal.$((g / 2))" "$t/current"
  fill 1500 "certificate $g" >"$t/ssl/internal.$g"
  fill 900 "pair $((g / 2))" >"$t/first"
  ln "$t/first" "$t/second"
  case $g in
    0)
      fill 5000 swap >"$t/swap"
      mkdir -p "$t/gone/deep"
      fill 4097 gone >"$t/gone/deep/file"
      ;;
    1)
      mkdir "$t/swap"
      fill 100 inside >"$t/swap/inside"
      chmod 600 "$t/conf.d/1.ini"
      chmod 750 "$t/ssl"
      rm "$t/conf.d/2.ini"
      ;;
    2)
      ln -s conf.d "$t/swap"
      mkdir -p "$t/new/deep/deeper"
      for i in 1 2 3 4 5 6; do fill $((i * 900)) "new $i" >"$t/new/deep/deeper/$i"; done
      chown 1000:1000 "$t/conf.d/3.ini" "$t/conf.d/addons"
      : >"$t/conf.d/4.ini"
      ;;
    3)
      fill 70000 "swap again" >"$t/swap"
      fill 10 small >"$t/new"
      rmdir "$t/conf.d/addons"
      fill 20 file >"$t/conf.d/addons"
      for i in $(seq 70); do
        mkdir -p "$t/many/$i"
        fill 50 "late $i" >"$t/many/$i/file"
      done
      ;;
  esac
}
for g in 0 1 2 3; do make_tree "$g"; done

make_filesystem() {
  case $type in
    ext4) mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0,nodiscard -J size=4 "$loop" ;;
    xfs) mkfs.xfs -q -K --unsupported -d "size=${megabytes}m" -l size=8m "$loop" ;;
    btrfs) mkfs.btrfs -q -K "$loop" ;;
  esac
}

# pull GENERATION CHANCE: one run of the client, and its acknowledgement on the recording.
pull() {
  local word _ preload=
  [ "$forget" != --forget ] || preload=$programs/libforget_sync.so
  LD_PRELOAD=$preload "$programs/sync_after_calls" "$2" "$seed" "$work/mnt" \
    "$programs/pull_once" "$programs/serve_once" "$work/gen$1" "$live" >"$work/said"
  read -r word _ <"$work/said"
  [ "$word" = committed ] || { echo "power_cut: generation $1 was not committed: $word" >&2 && return 1; }
  echo "ack $1" >"$work/fuse/mark"
}

plug_in() { loop=$(losetup -f --show "$1"); }
unplug() {
  losetup -d "$loop"
  loop=
}

# record CHANCE
record() {
  "$programs/block_recorder" "$work/fuse" "$megabytes" "$work/log"
  plug_in "$work/fuse/disk"
  make_filesystem >"$work/mkfs" 2>&1 || { cat "$work/mkfs" >&2 && return 1; }
  mount -t "$type" "$loop" "$work/mnt"
  mkdir "$live"
  "$programs/pull_once" "$programs/serve_once" "$work/gen0" "$live" >/dev/null
  rm -r "$live/.xroad-sync"  # so that the first pull has to make its staging area
  sync -f "$work/mnt"
  echo start >"$work/fuse/mark"
  for g in 1 2 3; do pull "$g" "$1"; done
  end_recording
}

# record_recovery CHANCE: what recovery writes on the disk that replay() kept. Its journal is durable there, so the
# generation after the acknowledged one counts as promised.
record_recovery() {
  "$programs/block_recorder" "$work/fuse" "$megabytes" "$work/log" "$work/saved"
  plug_in "$work/fuse/disk"
  echo "ack $(($(<"$work/saved.acknowledged") + 1))" >"$work/fuse/mark"
  echo start >"$work/fuse/mark"
  mount -t "$type" "$loop" "$work/mnt"
  "$programs/sync_after_calls" "$1" "$seed" "$work/mnt" "${recover[@]}"
  end_recording
}

end_recording() {
  umount "$work/mnt"
  unplug
  fusermount3 -u "$work/fuse"
  [ "$type" != btrfs ] || btrfs device scan --forget
}

# replay STATES BEFORE [OPTION]...: adds to $bad when it finds one. BEFORE is the generation that is surely there.
replay() {
  local status=0
  truncate -s 0 "$work/disk"
  truncate -s "${megabytes}M" "$work/disk"
  plug_in "$work/disk"
  "$programs/block_replay" --seed "$seed" --states "$1" "${@:3}" \
    "$work/log" "$loop" "$work/disk" "$type" "$work/mnt" \
    -- "$programs/block_check" --between "$2" "$live" "$work"/gen{0,1,2,3} \
    -- "${recover[@]}" \
    -- "$programs/block_check" "$live" "$work"/gen{0,1,2,3} || status=$?
  unplug
  [ "$status" -le 1 ] || return "$status"
  bad=$((bad + status))
}

# round CHANCE STATES: the pulls, and then the recovery from one of the disks that they left.
round() {
  record "$1"
  [ -z "${XS_KEEP:-}" ] || cp "$work/log" "$XS_KEEP/$type.$1.log"
  echo "power_cut: $type, syncfs after $1 % of the calls"
  rm -f "$work/saved" "$work/saved.acknowledged"
  replay "$2" '{}' --save "$work/saved"
  [ -e "$work/saved" ] || return 0
  record_recovery "$1"
  [ -z "${XS_KEEP:-}" ] || cp "$work/log" "$XS_KEEP/$type.$1.recovery.log"
  echo "power_cut: $type, the same, and again in the recovery from one of them"
  replay $(($2 / 4)) "$(<"$work/saved.acknowledged")"
}

bad=0
live=$work/mnt/live
recover=("$programs/pull_once" --recover "$programs/serve_once" "$work/gen0" "$live")
for chance_and_states in $rounds; do
  round "${chance_and_states%:*}" "${chance_and_states#*:}"
done
if [ "$forget" = --forget ]; then
  [ "$bad" -gt 0 ] || { echo "power_cut: pulls that never sync went unnoticed" >&2 && exit 1; }
  echo "power_cut: pulls that never sync are caught"
else
  [ "$bad" -eq 0 ]
fi
