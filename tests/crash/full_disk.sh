#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# full_disk.sh PROGRAMS
# Pulls onto a small ext4 that is full: of bytes and of inodes, from the start, and filled by somebody else while the
# run stages, after any part of what the server sends. The old tree has to stay, with nothing left behind and the
# cause named; or, once the journal is there, nothing may be torn. When there is space again, the next run has to come
# to the new tree by itself. PROGRAMS is the directory of pull_once, serve_once and oracle. XS_LONG=yes: more moments.
# Needs root and loop devices; exits 77 without.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: full_disk.sh PROGRAMS" >&2
  exit 1
fi
programs=$(readlink -f "$1")
moments=8
[ "${XS_LONG:-no}" != yes ] || moments=100

skip() {
  echo "full_disk: skipped: $*" >&2
  exit 77
}
[ "$(id -u)" -eq 0 ] || skip "needs root, to mount"
[ -e /dev/loop-control ] || skip "needs loop devices"
for tool in losetup mkfs.ext4; do
  command -v "$tool" >/dev/null || skip "needs $tool (util-linux, e2fsprogs)"
done
# Mounts of our own, which no other new mount namespace can hold a copy of.
if [ "${XS_OWN_MOUNTS:-no}" != yes ]; then
  unshare -m true 2>/dev/null || skip "needs a mount namespace"
  XS_OWN_MOUNTS=yes exec unshare -m --propagation private "$0" "$@"
fi
grep -qw ext4 /proc/filesystems || modprobe -q ext4 2>/dev/null || skip "this kernel has no ext4"

work=$(mktemp -d "${TMPDIR:-/tmp}/xs-full.XXXXXX")
loop=

# Whatever state we are in: nothing mounted and no loop device is left.
clean_up() {
  local status=$?
  trap - EXIT
  if mountpoint -q "$work/mnt"; then umount "$work/mnt" || umount -l "$work/mnt"; fi
  [ -z "$loop" ] || losetup -d "$loop" || true
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mkdir "$work/mnt"
live=$work/mnt/live
truncate -s 12M "$work/disk"
loop=$(losetup -f --show "$work/disk") || skip "cannot attach a loop device"
mkfs.ext4 -q -F -b 1024 -J size=1 -m 0 -N 400 -E nodiscard "$loop"
mount -t ext4 "$loop" "$work/mnt" || skip "cannot mount ext4"

# fill SIZE WORD: bytes that do not compress, the same for the same word.
fill() { head -c "$1" < <(openssl enc -aes-128-ctr -nosalt -pbkdf2 -pass "pass:$2" -in /dev/zero 2>/dev/null); }

# The old and the new tree: files that stay, change, go and come; some are fetched whole, one as a delta.
for g in old new; do
  mkdir -p "$work/$g"/{signer/softtoken,conf.d,"only-$g/deep"}
  echo "keys of $g" >"$work/$g/signer/keyconf.xml"
  for i in $(seq 12); do fill 60000 "$g $i" >"$work/$g/signer/softtoken/$i.p12"; done
  for i in $(seq 20); do fill 300 "same $i" >"$work/$g/conf.d/$i.ini"; done
  { fill 150000 head; fill 3000 "$g"; fill 150000 tail; } >"$work/$g/big.bin"
  for i in $(seq 30); do fill $((i * 40)) "$g only $i" >"$work/$g/only-$g/deep/$i"; done
  ln -s "$g" "$work/$g/current"
done

# As SERVE_ONCE of a run: after about so many bytes of the server's words, somebody fills the disk. (dd, because head
# keeps back what it has until its buffer is full, and the client waits for it.)
cat >"$work/serve" <<'EOS'
#!/usr/bin/env bash
"$XS_SERVE" "$1" | { dd bs=512 count=$((XS_MOMENT / 512)) status=none; "$XS_FILL" >/dev/null 2>&1; cat; }
EOS
cat >"$work/fill-bytes" <<'EOS'
#!/usr/bin/env bash
cat /dev/zero >"$XS_DISK/filler"
EOS
cat >"$work/fill-inodes" <<'EOS'
#!/usr/bin/env bash
mkdir -p "$XS_DISK/filler"
for i in $(seq 1000); do : >"$XS_DISK/filler/$i" || exit 0; done
EOS
chmod +x "$work/serve" "$work/fill-bytes" "$work/fill-inodes"
export XS_SERVE=$programs/serve_once XS_DISK=$work/mnt

cases=0 refused=0 unfinished=0 unharmed=0
fail() {
  echo "full_disk: $*" >&2
  cat "$work/said" >&2
  exit 1
}
ask() {
  local verdict=0
  "$programs/oracle" "$work/old" "$work/new" "$live" >"$work/verdict" || verdict=$?
  echo "$verdict"
}
begin() {
  rm -rf "$work/mnt/filler" "$live"
  mkdir "$live"
  "$programs/pull_once" "$programs/serve_once" "$work/old" "$live" >"$work/said" 2>&1 || fail "the first pull failed"
  [ "$(ask)" -eq 0 ] || fail "the first pull is no copy: $(<"$work/verdict")"
}

# attempt WHAT SERVE: a run that may meet a full disk, the judgement, and the next run when there is space again.
attempt() {
  local status=0 now
  cases=$((cases + 1))
  timeout -k 5 120 "$programs/pull_once" "$2" "$work/new" "$live" >"$work/said" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    [ "$status" -eq 11 ] || fail "$1: exit $status"
    grep -qE 'No space left on device|not enough (space|inodes)' "$work/said" || fail "$1: the cause is not named"
  fi
  if [ -e "$live/.xroad-sync/journal" ]; then
    [ "$status" -ne 0 ] || fail "$1: it says that it succeeded, and there is a journal"
    "$programs/oracle" --between signer/keyconf.xml "$work/old" "$work/new" "$live" >"$work/verdict" ||
      fail "$1: in the middle of the commit: $(<"$work/verdict")"
    unfinished=$((unfinished + 1))
  else
    now=$(ask)
    case $status.$now in
      0.1) unharmed=$((unharmed + 1)) ;;
      11.0) refused=$((refused + 1)) ;;
      *) fail "$1: exit $status, and the oracle says $now: $(<"$work/verdict")" ;;
    esac
  fi
  rm -rf "$work/mnt/filler"
  "$programs/pull_once" "$programs/serve_once" "$work/new" "$live" >"$work/said" 2>&1 ||
    fail "$1: the next run fails although there is space"
  now=$(ask)
  [ "$now" -eq 1 ] || fail "$1: after the next run the oracle says $now: $(<"$work/verdict")"
}

# How much the server says in a run that nobody disturbs.
begin
cat >"$work/listen" <<'EOS'
#!/usr/bin/env bash
"$XS_SERVE" "$1" | tee "$XS_DISK/../heard"
EOS
chmod +x "$work/listen"
attempt "an undisturbed run" "$work/listen"
said=$(stat -c %s "$work/heard")
[ "$unharmed" -eq 1 ] || fail "an undisturbed run did not succeed"

for kind in bytes inodes; do
  export XS_FILL=$work/fill-$kind
  begin
  "$XS_FILL" >/dev/null 2>&1 || true
  attempt "full of $kind from the start" "$programs/serve_once"
  before=$refused
  for i in $(seq 0 "$moments"); do
    export XS_MOMENT=$((said * i / moments))
    [ "$i" -ne "$moments" ] || XS_MOMENT=$((said - 60))
    begin
    attempt "full of $kind after $XS_MOMENT of $said bytes" "$work/serve"
  done
  [ "$((refused + unfinished))" -gt "$before" ] || fail "the disk never ran full of $kind in a run"
done
echo "full_disk: $cases runs: $refused kept the old tree, $unfinished left a journal, $unharmed succeeded, 0 bad"
