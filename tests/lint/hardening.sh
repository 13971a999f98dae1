#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hardening.sh BINARY...: what a release must have: PIE, full RELRO, no executable stack, stack protector, fortify.
set -euo pipefail
failed=0
need() {
  if ! grep -qE "$2" <<<"$3"; then
    echo "$binary: $1 is missing"
    failed=1
  fi
}
for binary in "$@"; do
  need "PIE" 'Type:[[:space:]]+DYN' "$(readelf -h "$binary")"
  segments=$(readelf -lW "$binary")
  need "RELRO" 'GNU_RELRO' "$segments"
  need "a stack that is not executable" 'GNU_STACK.* RW[[:space:]]' "$segments"
  need "BIND_NOW (full RELRO)" 'BIND_NOW|FLAGS_1.*NOW' "$(readelf -d "$binary")"
  symbols=$(readelf -sW --dyn-syms "$binary")
  need "the stack protector" '__stack_chk_fail' "$symbols"
  need "_FORTIFY_SOURCE" '_chk(@|$)' "$(grep -v stack_chk <<<"$symbols")"
done
exit $failed
