#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh DIRECTORY: shows the main job with the programs of that directory over a real sshd of its own: private
# configuration, keys and port on loopback, a forced command, nothing outside a temporary directory. Each step says
# what happened, and ends the script if it did not.
set -euo pipefail
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)

umask 077
work=$(mktemp -d "${TMPDIR:-/tmp}/xroad-sync-demo.XXXXXX")
sshd_pid=
cleanup() {
  [ -z "$sshd_pid" ] || kill "$sshd_pid" 2>/dev/null || true
  [ -z "$sshd_pid" ] || wait "$sshd_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

step() { printf '\n-- %s\n' "$*"; }
fail() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}
now_ms() { date +%s%3N; }

# The primary: an sshd whose only key runs xroad-sync-server, whatever the client asks for.
free_port() {
  local port
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 30000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  fail "no free port on loopback"
}

start_primary() {
  ssh-keygen -q -t ed25519 -N '' -C primary -f "$work/host_key"
  ssh-keygen -q -t ed25519 -N '' -C secondary -f "$work/id"
  ssh-keygen -q -t ed25519 -N '' -C stranger -f "$work/stranger"
  "$bin/xroad-sync" authorize --server "$bin/xroad-sync-server" "$work/id.pub" >"$work/authorized_keys"
  port=$(free_port)
  cat >"$work/sshd_config" <<CONFIG
ListenAddress 127.0.0.1:$port
HostKey $work/host_key
AuthorizedKeysFile $work/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv SHLVL=1
CONFIG
  # sshd wants its own empty directory when it is root's.
  [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
  /usr/sbin/sshd -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
  sshd_pid=$!
  local deadline=$((SECONDS + 10))
  until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$sshd_pid" 2>/dev/null || fail "sshd did not start: $(cat "$work/sshd.log")"
    [ "$SECONDS" -lt "$deadline" ] || fail "sshd does not answer: $(cat "$work/sshd.log")"
    read -r -t 0.05 <> <(:) || true
  done
}

primary="$(id -un)@127.0.0.1"
shell_for() { printf 'ssh -p %s -i %s -o UserKnownHostsFile=%s' "$port" "$work/$1" "$work/known_hosts"; }
probe() { "$bin/xroad-sync" probe -e "$(shell_for "${key:-id}")" "$@" "$primary"; }

# The command must fail with this code and these words.
refused() {
  local code=$1 words=$2 status=0 said
  shift 2
  said=$("$@" 2>&1) || status=$?
  printf '%s\n' "$said"
  [ "$status" -eq "$code" ] || fail "exit code $status where $code was due"
  grep -q "$words" <<<"$said" || fail "no word of \"$words\""
}

step "A primary: sshd on loopback with a key that can run nothing but xroad-sync-server"
start_primary
echo "listening on 127.0.0.1:$port"

step "Its host key is not known yet: refused, and nothing is written"
: >"$work/known_hosts"
refused 41 'unknown' probe
[ ! -s "$work/known_hosts" ] || fail "known_hosts was written"

step "An administrator vouches for it, by the fingerprint that the host itself gives"
fingerprint=$(ssh-keygen -lf "$work/host_key.pub" | cut -d' ' -f2)
"$bin/xroad-sync" trust --known-hosts "$work/known_hosts" --fingerprint "$fingerprint" "127.0.0.1:$port"

step "A login, a hello, and a megabyte there and back"
probe

step "The same login beside OpenSSH's"
probe --bytes 0 >"$work/probe.out"
login=$(sed -n 's/^login .* \([0-9.]*\) ms.*/\1/p' "$work/probe.out")
began=$(now_ms)
$(shell_for id) -F none -o BatchMode=yes -o StrictHostKeyChecking=yes -p "$port" "$primary" true \
  </dev/null >/dev/null 2>&1 || true
echo "xroad-sync logged in and started the remote program in $login ms; ssh needed $(($(now_ms) - began)) ms for all of its run"

step "The guide's own remote shell works too, and any other program that speaks like ssh"
"$bin/xroad-sync" probe --bytes 65536 -e "$(shell_for id) -F none -o ConnectTimeout=5 " "$primary"

step "A key that the primary does not know is refused"
key=stranger refused 42 'refused' probe

step "Done. Next:"
cat <<TEXT
  $here/check                 every test
  $bin/xroad-sync --help      what it can do today
  $here/README.md             how it works, and what comes next
TEXT
