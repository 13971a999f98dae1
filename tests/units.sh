#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# units.sh SYSTEMD_SOURCE SYSTEMD_BUILD: what systemd's own tools say about our units and snippets. Runs no systemd and
# changes nothing outside a temporary directory. Exits 77, with a sentence, where the tools are missing.
set -euo pipefail
source_dir=$1
build_dir=$2
threshold=15  # exposure 1.5

for tool in systemd-analyze systemd-sysusers systemd-tmpfiles; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is missing (package systemd)"; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/xroad-sync-units.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
  printf 'units.sh: %s\n' "$*" >&2
  exit 1
}

# The units as installed, but for their programs, which are not installed yet.
grep -q '^ExecStart=/.*/xroad-sync$' "$build_dir/xroad-sync.service" || fail "the unit starts something else"
grep -q '^ExecStart=/.*/xroad-companion serve$' "$build_dir/xroad-companion.service" || fail "no companion is started"
for unit in xroad-sync xroad-companion; do
  sed 's,^ExecStart=.*,ExecStart=/bin/true,' "$build_dir/$unit.service" >"$work/$unit.service"
done
cp "$source_dir/xroad-sync.timer" "$work"

# Warnings are failures: an unknown key is only a warning, and does nothing.
clean() { ! systemd-analyze verify --man=no "$@" 2>&1 | grep .; }
clean "$work/xroad-sync.service" "$work/xroad-sync.timer" "$work/xroad-companion.service" || fail "systemd-analyze verify has something to say"
mkdir "$work/worse"
sed 's/^NoNewPrivileges=/NoNewPrivilege=/' "$work/xroad-sync.service" >"$work/worse/xroad-sync.service"
! clean "$work/worse/xroad-sync.service" >/dev/null || fail "an unknown key went unnoticed"

secure() { systemd-analyze security --offline=yes --threshold=$threshold "$1" >"$work/security" 2>&1; }
for unit in xroad-sync xroad-companion; do
  secure "$work/$unit.service" || fail "less secure than $threshold: $(tail -n 1 "$work/security")"
  tail -n 1 "$work/security"
done
grep -v '^CapabilityBoundingSet=' "$work/xroad-sync.service" >"$work/worse/xroad-sync.service"
! secure "$work/worse/xroad-sync.service" || fail "a unit with all capabilities passed"

# A flag that the unit looked at would make it fail or skip; the program has to say that it is paused.
! grep -E '^(Exec(StartPre|Condition)|Condition|Assert)' "$work/xroad-sync.service" || fail "the unit decides by itself"
! grep -E '^PrivateTmp=(yes|true|1)' "$work/xroad-sync.service" || fail "the pause flag is out of sight"
grep -qx 'SuccessExitStatus=40' "$work/xroad-sync.service" || fail "a run that finds another at work fails the unit"
grep -qx 'StateDirectoryMode=0755' "$work/xroad-sync.service" || fail "monitoring cannot read the status"
grep -qE '^MemoryMax=[0-9]+G$' "$work/xroad-sync.service" || fail "nothing limits what a primary can make us hold"
before=$(sed -n 's/^Before=//p' "$work/xroad-sync.service")
for unit in xroad-proxy xroad-signer xroad-confclient xroad-proxy-ui-api; do
  [[ " $before " == *" $unit.service "* ]] || fail "not before $unit"
done

# The companion: it says itself when it is ready and that it lives; a taken port or a wrong setting must not end it for
# good; it has one user with xroad-sync, whose state directory it shares; it starts behind those whose ports it leaves
# alone; nothing is read anew at SIGHUP.
for line in Type=notify Restart=on-failure StartLimitIntervalSec=0 User=xroad StateDirectory=xroad-sync \
  StateDirectoryMode=0755; do
  grep -qx "$line" "$work/xroad-companion.service" || fail "xroad-companion.service: no $line"
done
grep -qE '^WatchdogSec=[0-9]+$' "$work/xroad-companion.service" || fail "nobody watches the companion"
grep -qE '^MemoryMax=[0-9]+M$' "$work/xroad-companion.service" || fail "nothing limits the companion's memory"
grep -q '^After=.*xroad-proxy.service' "$work/xroad-companion.service" || fail "the companion races xroad-proxy"
! grep -E '^(ExecReload|Requires|BindsTo|ReadWritePaths)=' "$work/xroad-companion.service" || fail "not a companion's"

# The account, on a system with X-Road's own group.
root=$work/root
mkdir -p "$root/etc" "$root/var/tmp/xroad" "$root/var/tmp/old" "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d"
cp "$source_dir/xroad-sync.sysusers" "$root/usr/lib/sysusers.d/xroad-sync.conf"
echo 'root:x:0:0::/root:/bin/sh' >"$root/etc/passwd"
echo 'xroad:x:107:112::/var/lib/xroad:/bin/bash' >>"$root/etc/passwd"
printf 'root:x:0:\nxroad:x:112:\n' >"$root/etc/group"
if [ "$(id -u)" -eq 0 ]; then
  systemd-sysusers --root="$root" 2>&1
  grep -q '^xroad-slave:.*:/var/lib/xroad-sync-server:/bin/sh$' "$root/etc/passwd" || fail "no account xroad-slave"
  grep -q '^xroad:x:112:xroad-slave$' "$root/etc/group" || fail "xroad-slave cannot read through the group"
fi

# Cleaning, with an age of 0 for all of /var/tmp, must take its other files and leave the flag.
touch "$root/var/tmp/xroad/sync-disabled" "$root/var/tmp/old/file"
echo 'd /var/tmp 1777 - - 0' >"$root/usr/lib/tmpfiles.d/age.conf"
cp "$source_dir/xroad-sync.tmpfiles" "$root/usr/lib/tmpfiles.d/xroad-sync.conf"
systemd-tmpfiles --clean --root="$root" 2>&1
[ ! -e "$root/var/tmp/old/file" ] || fail "nothing was cleaned at all"
[ -e "$root/var/tmp/xroad/sync-disabled" ] || fail "the flag was cleaned away"
rm "$root/usr/lib/tmpfiles.d/xroad-sync.conf"
systemd-tmpfiles --clean --root="$root" 2>&1
[ ! -e "$root/var/tmp/xroad/sync-disabled" ] || fail "the flag survives without us: this test shows nothing"

# A catalogue that journalctl could not read would only show when somebody asks it.
if command -v journalctl >/dev/null && [ "$(id -u)" -eq 0 ]; then
  mkdir -p "$root/usr/lib/systemd/catalog" "$root/var/lib/systemd/catalog"
  cp "$source_dir/xroad-sync.catalog" "$root/usr/lib/systemd/catalog"
  journalctl --update-catalog --root="$root" 2>&1
  [ -s "$root/var/lib/systemd/catalog/database" ] || fail "journalctl made nothing of the catalogue"
fi

if command -v logrotate >/dev/null; then
  sed "s,^/var/log/xroad/,$work/,; s/su xroad xroad/su $(id -un) $(id -gn)/" "$source_dir/xroad-sync.logrotate" >"$work/rotate"
  chmod 644 "$work/rotate"
  echo "a line" >"$work/xroad-sync.log"
  said=$(logrotate -d -s "$work/state" "$work/rotate" 2>&1) || fail "logrotate: $said"
  ! grep -iE '^(error|warning)' <<<"$said" | grep -v 'in debug mode' || fail "logrotate complains"
  logrotate -f -s "$work/state" "$work/rotate" 2>&1
  [ -e "$work/xroad-sync.log.1" ] || fail "the log was not rotated"
  [ ! -e "$work/xroad-sync.log" ] || fail "a new log was made, by the wrong user"
else
  echo "logrotate is missing: its snippet was not checked"
fi
