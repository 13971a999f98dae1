#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# names.sh ROOT: fails when two headers of one namespace define a type of the same name. A program
# that links both would mix them up, and neither compiler nor linker would say so.
set -euo pipefail
cd "$1"
twice_in() {
  find "$@" -name '*.h' -print0 | sort -z |
    xargs -0 grep -HoE '^(struct|class|enum class) [A-Z][A-Za-z]*( final)?( *:[^;{]*)? *\{' |
    sed -E 's/^([^:]*):(struct|class|enum class) ([A-Za-z]+).*/\3 \1/' |
    awk '{ where[$1] = where[$1] " " $2; count[$1]++ } END { for (name in count) if (count[name] > 1) print "  " name ":" where[name] }'
}
# The tests' support has a namespace of its own.
twice=$(twice_in base protocol sync companion cli && twice_in tests/support)
if [ -n "$twice" ]; then
  printf 'types that are defined twice:\n%s\n' "$twice"
  exit 1
fi
echo "no type is defined twice"
