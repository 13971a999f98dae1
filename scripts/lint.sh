#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lint.sh format|shell|gcc BUILD|tidy BUILD ...: what a machine can see of the style. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

sources() { git ls-files -- '*.cc' '*.h'; }

format() { sources | xargs clang-format-14 --dry-run -Werror; }

shell() { shellcheck -x check demo .ci/run scripts/*.sh; }

# What BUILD configured but did not build, g++ reads: the tests are compiled by clang alone.
gcc() {
  python3 - "$1" <<'PYTHON' | xargs -P "$(nproc)" -d '\n' -n 1 sh -c
import json, os, sys
for entry in json.load(open(sys.argv[1] + "/compile_commands.json")):
    command, _, rest = entry["command"].partition(" -o ")
    if not os.path.exists(os.path.join(entry["directory"], rest.split(" ")[0])):
        print(f"cd '{entry['directory']}' && {command} -O0 -U_FORTIFY_SOURCE -fsyntax-only '{entry['file']}'")
PYTHON
}

# Of the files on stdin, those that are compiled there.
built_in() {
  while IFS= read -r file; do
    ! grep -qF "/$file\"" "$1/compile_commands.json" || printf '%s\n' "$file"
  done
}

# Tests are left to the compiler: Catch2's macros are not ours. The analyzer doubles the time, and the checks that are
# named here take a third of what is left and have never found anything, so all of them are for --long.
seldom=stringview-nullptr,standalone-empty,multiple-statement-macro,reserved-identifier,suspicious-string-compare
seldom+=,infinite-loop,suspicious-semicolon,unused-raii,assert-side-effect,inc-dec-in-conditions
tidy() {
  local checks=()
  [ "${XS_LONG:-no}" = yes ] ||
    checks=("--checks=-clang-analyzer-*,-bugprone-${seldom//,/,-bugprone-}" --extra-arg=-Wno-deprecated-declarations)
  git ls-files -- 'base/*.cc' 'protocol/*.cc' 'sync/*.cc' 'companion/*.cc' 'cli/*.cc' 'fuzz/*_fuzz.cc' |
    built_in "$1" |
    xargs -P "$(nproc)" -n 3 clang-tidy-19 -p "$1" --quiet "${checks[@]}" 2>/dev/null
}

while [ $# -gt 0 ]; do
  case "$1" in
    format | shell) "$1" ;;
    gcc | tidy)
      "$1" "$2"
      shift
      ;;
    *)
      echo "lint.sh: unknown check $1" >&2
      exit 1
      ;;
  esac
  shift
done
