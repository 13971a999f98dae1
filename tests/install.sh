#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install.sh BUILD: installs the build into a temporary directory, and looks whether everything that an operator is to
# find is there, and nothing that is not named here.
set -euo pipefail
build=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/xroad-sync-install.XXXXXX")
trap 'rm -rf "$work"' EXIT

DESTDIR=$work/root cmake --install "$build" --prefix /usr >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
cat >"$work/wanted" <<LIST
/etc/logrotate.d/xroad-sync
/usr/bin/xroad-companion
/usr/bin/xroad-sync
/usr/bin/xroad-sync-server
/usr/lib/systemd/catalog/xroad-sync.catalog
/usr/lib/systemd/system/xroad-companion.service
/usr/lib/systemd/system/xroad-sync.service
/usr/lib/systemd/system/xroad-sync.timer
/usr/lib/sysusers.d/xroad-sync.conf
/usr/lib/tmpfiles.d/xroad-sync.conf
/usr/share/bash-completion/completions/xroad-companion
/usr/share/bash-completion/completions/xroad-sync
/usr/share/doc/xroad-sync/companion.ini.example
/usr/share/doc/xroad-sync/events.schema.json
/usr/share/doc/xroad-sync/xroad-sync.ini.example
/usr/share/fish/vendor_completions.d/xroad-companion.fish
/usr/share/fish/vendor_completions.d/xroad-sync.fish
/usr/share/man/man1/xroad-companion.1
/usr/share/man/man1/xroad-sync.1
/usr/share/man/man5/companion.ini.5
/usr/share/man/man5/xroad-sync.ini.5
/usr/share/man/man8/xroad-sync-server.8
/usr/share/zsh/vendor-completions/_xroad-companion
/usr/share/zsh/vendor-completions/_xroad-sync
LIST
(cd "$work/root" && find . -type f | sed 's/^\.//; s,^/usr/local/etc/,/etc/,' | LC_ALL=C sort) >"$work/found"
diff "$work/wanted" "$work/found" || { echo "install.sh: '<' is missing, '>' was not to be installed" >&2; exit 1; }
for program in xroad-companion xroad-sync; do
  "$work/root/usr/bin/$program" completion bash | cmp - "$work/root/usr/share/bash-completion/completions/$program"
done
