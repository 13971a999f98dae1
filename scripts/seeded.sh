#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# seeded.sh BUILD [NUMBER...]: builds each mistake of sync/seeded.h into the model test and fails if one goes unnoticed.
# BUILD is a release build: only the files that mention the mistake are compiled again.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
shift

mapfile -t names < <(sed -n '/^enum class Seeded/,/^};/p' sync/seeded.h | grep -oE '^  [A-Z][A-Za-z]+' | tr -d ' ' | grep -v '^Last$')
[ "${#names[@]}" -ge 20 ] || { echo "seeded.sh: only ${#names[@]} mistakes in sync/seeded.h" >&2; exit 1; }

one() {
  local number=$1 name=$2 work objects=() file status=0
  work=$(mktemp -d "${TMPDIR:-/tmp}/xroad-sync-seeded.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" RETURN
  local flags=(-std=c++20 -O1 -I. "-DXS_SEEDED_BUG=$number")
  read -ra spdlog <<<"$(pkg-config --cflags spdlog)"
  while IFS= read -r file; do
    g++ "${flags[@]}" "${spdlog[@]}" -c "$file" -o "$work/$(basename "$file").o"
    objects+=("$work/$(basename "$file").o")
  done < <(grep -lE "Seeded::$name\b" sync/*.cc)
  [ ${#objects[@]} -gt 0 ] || { echo "seeded $number $name: no place makes this mistake" >&2; return 1; }
  # The changed objects come first, so that the library's own are never asked for.
  g++ "${objects[@]}" "$build"/tests/CMakeFiles/model_test.dir/crash/*.o "$build/tests/libtest_support.a" \
    "$build/sync/libxs_engine.a" "$build/protocol/libxs_wire.a" "$build/base/libxs_base.a" \
    -lspdlog -lfmt -lxxhash -lzstd -lrsync -lCatch2WithMain -lpthread -o "$work/model_test"
  XS_MODEL_SEED=1 XS_MODEL_STATES=${XS_MODEL_STATES:-1000000} timeout 300 "$work/model_test" --abort >"$work/out" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    echo "seeded $number $name: SURVIVED" >&2
    return 1
  fi
  [ "$status" -ne 124 ] || { echo "seeded $number $name: the test did not end" >&2; return 1; }
  echo "seeded $number $name: caught"
}
export -f one
export build

if [ $# -eq 0 ]; then
  for number in $(seq "${#names[@]}"); do set -- "$@" "$number"; done
fi
# shellcheck disable=SC2016
for number in "$@"; do printf '%s %s\n' "$number" "${names[number - 1]}"; done |
  xargs -P "$(nproc)" -L 1 bash -c 'set -euo pipefail; one "$0" "$1"'
echo "seeded: all of $# caught"
