#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh DIRECTORY: shows the whole job with the programs of that directory: a primary with a tree like a real
# /etc/xroad behind a real sshd of its own, two secondaries, and everything that may happen to them. Private
# configuration, keys and port on loopback, a forced command, nothing outside a temporary directory; as root or not.
# Each step says what happened, and ends the script if it did not.
set -euo pipefail
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)

umask 027
work=$(mktemp -d "${TMPDIR:-/tmp}/xroad-sync-demo.XXXXXX")
sshd_pid=
companion_pid=
made_run=no
cleanup() {
  stop_companion
  stop_primary
  rm -rf "$work"
  [ "$made_run" = no ] || rmdir /run/sshd 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 130' INT TERM

began=$SECONDS
step() { printf '\n-- %s\n' "$*"; }
fail() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}
now_ms() { date +%s%3N; }
tree() { "$here/scripts/xroad_tree.py" "$@"; }

# ---- the primary

free_port() {
  local port
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 30000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  fail "no free port on loopback"
}

# Files that only the account itself may have written are asked for at both sides.
set_up_primary() {
  local name
  for name in host_key id stranger rsync_id; do
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$work/$name"
  done
  printf '[root]\npath = %s/primary\npreset = xroad\nrestore-marker = %s/restore_in_progress\n' "$work" "$work" \
    >"$work/server.ini"
  printf '#!/bin/sh\nexec %q --config %q\n' "$bin/xroad-sync-server" "$work/server.ini" >"$work/serve"
  chmod 700 "$work/serve"
  "$bin/xroad-sync" authorize --server "$work/serve" "$work/id.pub" >"$work/authorized_keys"
  cat "$work/rsync_id.pub" >>"$work/authorized_keys"
  chmod 600 "$work/authorized_keys" "$work/server.ini"
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
}

start_primary() {
  # sshd wants its own empty directory when it is root's.
  if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
    mkdir /run/sshd
    made_run=yes
  fi
  /usr/sbin/sshd -D -e -f "$work/sshd_config" 2>>"$work/sshd.log" &
  sshd_pid=$!
  local deadline=$((SECONDS + 10))
  until (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$sshd_pid" 2>/dev/null || fail "sshd did not start: $(cat "$work/sshd.log")"
    [ "$SECONDS" -lt "$deadline" ] || fail "sshd does not answer: $(cat "$work/sshd.log")"
    read -r -t 0.05 <> <(:) || true
  done
}

stop_primary() {
  [ -n "$sshd_pid" ] || return 0
  kill "$sshd_pid" 2>/dev/null || true
  wait "$sshd_pid" 2>/dev/null || true
  sshd_pid=
}

# ---- the secondaries

set_up_secondary() {
  tree secondary "$work/$1"
  mkdir "$work/$1.state"
  cat >"$work/$1.ini" <<CONFIG
[primary]
host = 127.0.0.1
port = $port
user = $(id -un)
path = $work/primary
identity = $work/id
known-hosts = $work/known_hosts

[sync]
destination = $work/$1

[pause]
flag = $work/$1.state/sync-disabled
state = $work/$1.state/paused

[status]
file = $work/$1.state/status.json

[log]
file = $work/$1.state/sync.log
journal = no

[limits]
retries = 0

[wake]
hooks = $work/$1.state/hooks.d
CONFIG
  chmod 600 "$work/$1.ini"
}

# xroad-sync as the secondary's own service would run it: secondary NAME ARGUMENT...
secondary() { "$bin/xroad-sync" --config "$work/$1.ini" "${@:2}"; }

# The command must fail with this code and these words.
refused() {
  local code=$1 words=$2 status=0 said
  shift 2
  said=$("$@" 2>&1) || status=$?
  printf '%s\n' "$said"
  [ "$status" -eq "$code" ] || fail "exit code $status where $code was due"
  grep -qi "$words" <<<"$said" || fail "no word of \"$words\""
}

# The secondary has the primary's tree, but for what must never travel; that is its own, or not there at all.
same() {
  local differs
  differs=$(diff -r --brief -x db.properties -x node.ini -x xroad.properties -x globalconf -x postgresql -x gpghome \
    -x .xroad-sync -x '*.tmp' "$work/primary" "$work/$1") || fail "$1 differs: $differs"
  grep -q slave "$work/$1/conf.d/node.ini" || fail "$1 has lost its own node.ini"
  local never
  for never in globalconf postgresql gpghome xroad.properties; do
    [ ! -e "$work/$1/$never" ] || fail "$never has left the primary"
  done
}

# The beginning of a long text, and how much more there is.
beginning() {
  head -n "$1" <<<"$2"
  local more=$(($(wc -l <<<"$2") - $1))
  [ "$more" -le 0 ] || echo "... and $more lines more"
}

inode() { stat -c %i "$1"; }

# ---- the companion

# Of X-Road itself nothing runs here, so that X-Road's own checks are off.
start_companion() {
  health=$(free_port)
  until admin=$(free_port); [ "$admin" != "$health" ]; do :; done
  cat >"$work/companion.ini" <<CONFIG
[proxy]
health-check-interface = 127.0.0.1
health-check-port = $health

[admin]
port = $admin

[checks]
global-conf = false
auth-key = false
serverconf-db = false
proxy-alive = false
sync-age = true

[sync-age]
status-file = $work/one.state/status.json
CONFIG
  "$bin/xroad-companion" --config "$work/companion.ini" --xroad "$work/one" serve 2>"$work/companion.log" &
  companion_pid=$!
  local deadline=$((SECONDS + 10))
  until [[ $(probe 2>/dev/null) == "HTTP/1.1 200"* ]]; do
    kill -0 "$companion_pid" 2>/dev/null || fail "the companion did not start: $(cat "$work/companion.log")"
    [ "$SECONDS" -lt "$deadline" ] || fail "the companion does not answer: $(cat "$work/companion.log")"
    read -r -t 0.05 <> <(:) || true
  done
}

stop_companion() {
  [ -n "$companion_pid" ] || return 0
  kill "$companion_pid" 2>/dev/null || true
  wait "$companion_pid" 2>/dev/null || true
  companion_pid=
}

companion() { "$bin/xroad-companion" --config "$work/companion.ini" --xroad "$work/one" "$@"; }

# What a load balancer sees: the status line and the body.
probe() {
  local reply
  exec 3<>"/dev/tcp/127.0.0.1/$health"
  printf 'GET / HTTP/1.0\r\n\r\n' >&3
  reply=$(tr -d '\r' <&3)
  exec 3>&-
  printf '%s\n' "${reply%%$'\n'*}"
  case $reply in *$'\n\n'*) printf '%s\n' "${reply#*$'\n\n'}" ;; esac
}

# ---- the story

step "A primary: an X-Road tree with real keys, and an sshd whose key can run nothing but xroad-sync-server"
tree make "$work/primary"
set_up_primary
start_primary
echo "listening on 127.0.0.1:$port"
: >"$work/known_hosts"
set_up_secondary one
set_up_secondary two

step "Its host key is not known yet: refused, and nothing is written"
refused 41 'unknown' secondary one
[ ! -s "$work/known_hosts" ] || fail "known_hosts was written"
[ ! -e "$work/one/signer" ] || fail "something was copied"

step "An administrator vouches for it, by the fingerprint that the host itself gives"
fingerprint=$(ssh-keygen -lf "$work/host_key.pub" | cut -d' ' -f2)
"$bin/xroad-sync" trust --known-hosts "$work/known_hosts" --fingerprint "$fingerprint" "127.0.0.1:$port"

step "A key that the primary does not know is refused"
refused 42 'refused' secondary one --identity "$work/stranger"

step "The first sync of secondary one, from its configuration, each change in a line"
said=$(secondary one -i)
beginning 12 "$said"
grep -q '^>f+++++++++ signer/keyconf.xml$' <<<"$said" || fail "keyconf.xml was not told"
same one
tree check "$work/one"

step "Secondary two, by the cluster guide's own command line with rsync replaced by xroad-sync"
guide=(-aqz --timeout=10 --delete-delay --exclude db.properties --exclude "/conf.d/node.ini" --exclude "*.tmp"
  --exclude "/postgresql" --exclude "/globalconf" --exclude "/gpghome" --delay-updates)
account="$(id -un)@127.0.0.1"
shell_for() { printf 'ssh -o ConnectTimeout=5 -p %s -i %s -o UserKnownHostsFile=%s ' "$port" "$work/$1" "$work/known_hosts"; }
secondary two -e "$(shell_for id)" "${guide[@]}" --log-file="$work/two.state/sync.log" \
  "$account:$work/primary/" "$work/two/"
same two
tail -n 3 "$work/two.state/sync.log"
grep -q '>f+++++++++ signer/keyconf.xml' "$work/two.state/sync.log" || fail "the log does not tell it"

step "A new key on the primary: its file and keyconf.xml arrive together"
key=$(tree add-key "$work/primary")
said=$(secondary one -i)
echo "$said"
grep -q "^>f+++++++++ signer/softtoken/$key.p12\$" <<<"$said" || fail "the new key was not told"
grep -q '^>f.*signer/keyconf.xml$' <<<"$said" || fail "keyconf.xml was not told"
same one
tree check "$work/one"

step "The primary saves an unchanged keyconf.xml, as it does every minute: nothing happens here"
tree save "$work/primary"
touch -d '+1 minute' "$work/primary/signer/keyconf.xml"
was=$(inode "$work/one/signer/keyconf.xml")
started=$(now_ms)
said=$(secondary one -i)
ours=$(($(now_ms) - started))
! grep -E '^([<>ch.][fdL]|\*deleting)' <<<"$said" || fail "something was changed"
[ "$(inode "$work/one/signer/keyconf.xml")" = "$was" ] || fail "keyconf.xml was replaced"
if command -v rsync >/dev/null; then
  mkdir "$work/by_rsync"
  by_rsync=(rsync -e "$(shell_for rsync_id) -F none -o BatchMode=yes" "${guide[@]}" --exclude /xroad.properties
    "$account:$work/primary/" "$work/by_rsync/")
  "${by_rsync[@]}"
  touch -d '+2 minutes' "$work/primary/signer/keyconf.xml"
  was=$(inode "$work/by_rsync/signer/keyconf.xml")
  started=$(now_ms)
  "${by_rsync[@]}"
  theirs=$(($(now_ms) - started))
  replaced="left alone"
  [ "$(inode "$work/by_rsync/signer/keyconf.xml")" = "$was" ] || replaced="replaced, which wakes the signer"
  echo "xroad-sync: $ours ms, keyconf.xml left alone; rsync over the same sshd: $theirs ms, keyconf.xml $replaced"
else
  echo "xroad-sync: $ours ms, keyconf.xml left alone (rsync is not installed: nothing to compare with)"
fi

step "Paused for an upgrade: a key that is new on the primary stays away, and that is no failure"
secondary one pause --reason "upgrade to 7.8"
[ -e "$work/one.state/paused" ] || fail "nothing says so"
key=$(tree add-key "$work/primary")
said=$(secondary one 2>&1)
echo "$said"
grep -qi paused <<<"$said" || fail "it does not say that it is paused"
[ ! -e "$work/one/signer/softtoken/$key.p12" ] || fail "the key has arrived"
secondary one status | grep -i 'paused' || fail "the status does not say so"

step "Forced in spite of that, then resumed"
secondary one pull --ignore-pause
[ -e "$work/one/signer/softtoken/$key.p12" ] || fail "the key has not arrived"
same one
secondary one resume
touch "$work/one.state/sync-disabled"
said=$(secondary one)
echo "$said"
grep -q 'sync-disabled' <<<"$said" || fail "the cluster guide's own flag does not pause"
secondary one resume
[ ! -e "$work/one.state/sync-disabled" ] || fail "the flag is still there"
[ ! -e "$work/one.state/paused" ] || fail "it is still paused"

# Files of the primary that say which attempt this is; a commit of all of them takes long enough to be hit.
many=1000
journal=$work/one/.xroad-sync/journal
site=conf.d/site
change_site() {
  mkdir -p "$work/primary/$site"
  local at
  for ((at = 0; at < many; at++)); do echo "attempt=$1" >"$work/primary/$site/$at.ini"; done
}
new_files() { { grep -rlx "attempt=$attempt" "$work/one/$site" 2>/dev/null || true; } | wc -l; }
first_is_new() {
  local line=
  { read -r line <"$work/one/$site/0.ini"; } 2>/dev/null && [ "$line" = "attempt=$attempt" ]
}
# Kills it as soon as the first of them is new. Succeeds when the commit was under way and not over.
kill_in_commit() {
  # Not through secondary(): the program itself is to be killed, not a shell that waits for it.
  "$bin/xroad-sync" --config "$work/one.ini" >"$work/killed.out" 2>&1 &
  local pid=$!
  until first_is_new || ! kill -0 "$pid" 2>/dev/null; do :; done
  kill -9 "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  [ -e "$journal" ] && [ "$(new_files)" -lt $many ]
}

step "kill -9 in the middle of a commit of $many files"
attempt=1
change_site $attempt
until kill_in_commit; do
  [ "$attempt" -lt 20 ] || fail "the commit was over before the kill, $attempt times"
  secondary one
  attempt=$((attempt + 1))
  change_site $attempt
done
before=$(new_files)
echo "killed (attempt $attempt): $before of $many files are new, and the journal knows the rest"
[ "$before" -lt $many ] || fail "the commit went on after the kill"

step "The primary is switched off; the next start completes that commit all the same, then finds nobody to ask"
stop_primary
status=0
secondary one || status=$?
[ "$status" -ne 0 ] || fail "a primary that is off was not noticed"
[ "$(new_files)" -eq $many ] || fail "only $(new_files) of $many files are new"
[ ! -e "$journal" ] || fail "the journal is still there"
echo "exit code $status; $many of $many files are new"
same one
start_primary
secondary one
same one

step "A wrong setting arrives, and is rolled back"
echo "mistake=yes" >>"$work/primary/conf.d/local.ini"
secondary one -i
grep -q mistake "$work/one/conf.d/local.ini" || fail "the setting has not arrived"
secondary one generations
secondary one rollback
! grep -q mistake "$work/one/conf.d/local.ini" || fail "the setting is still there"
tree check "$work/one"

step "Put right on the primary; both secondaries sync at the same time"
sed -i '/^mistake=/d' "$work/primary/conf.d/local.ini"
secondary one & first=$!
secondary two & second=$!
wait "$first" || fail "secondary one failed"
wait "$second" || fail "secondary two failed"
same one
same two
echo "one and two are what the primary is"

step "What the status says"
secondary one status
secondary one status --check
secondary one status --json | python3 -m json.tool >/dev/null || fail "the status is not JSON"

step "The companion tells a load balancer whether secondary one can work"
start_companion
probe

step "Taken out for an upgrade, by a command; then back in"
companion maintenance on --reason "upgrade to 7.8" --for 600
said=$(probe)
echo "$said"
grep -qx 'Health check interface is in maintenance mode.' <<<"$said" || fail "the load balancer is not told"
companion maintenance status
companion maintenance off
[[ $(probe) == "HTTP/1.1 200"* ]] || fail "it is not back in"

step "What it knows, and, with X-Road's own checks, why this machine is no security server"
companion check
stop_companion
sed -i '/^global-conf\|^auth-key\|^serverconf-db\|^proxy-alive/d' "$work/companion.ini"
refused 2 'cannot work' companion check

step "Done in $((SECONDS - began)) s. Next:"
cat <<TEXT
  $here/check                 every test
  $bin/xroad-sync --help      what it can do
  $here/README.md             how it works, and how to set it up
TEXT
