#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# symbols.sh BINARY...: the oldest libssh that we support is 0.9.6; its newer symbols carry a version of their own.
set -euo pipefail
for binary in "$@"; do
  table=$(objdump -T "$binary")
  if ! grep -q 'LIBSSH_4_5_0\|LIBSSH_' <<<"$table"; then
    echo "$binary does not use libssh at all: is this the right file?"
    exit 1
  fi
  if newer=$(grep -E 'LIBSSH_(4_(9|[1-9][0-9])|[5-9])_' <<<"$table"); then
    printf '%s needs a libssh newer than 0.9.6:\n%s\n' "$binary" "$newer"
    exit 1
  fi
done
