#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# size.sh ROOT: fails on a function of over 70 lines, and on a .h + .cc pair of over 500.
set -euo pipefail
cd "$1"
longest_function=70
longest_pair=500
failed=0

functions=$(find base protocol sync companion cli \( -name '*.cc' -o -name '*.h' \) -print0 |
  xargs -0 ctags --c++-kinds=f --fields=+ne -f - |
  awk -F'\t' -v max=$longest_function '{
    start = end = 0
    for (i = 4; i <= NF; i++) {
      if ($i ~ /^line:/) start = substr($i, 6)
      if ($i ~ /^end:/) end = substr($i, 5)
    }
    if (end - start + 1 > max) print "  " $2 ":" start " " $1 " has " end - start + 1 " lines"
  }')
if [ -n "$functions" ]; then
  printf 'functions over %s lines:\n%s\n' "$longest_function" "$functions"
  failed=1
fi

counted=0
while read -r stem; do
  lines=0
  for file in "$stem.h" "$stem.cc"; do
    [ ! -e "$file" ] || lines=$((lines + $(wc -l <"$file")))
  done
  counted=$((counted + 1))
  if [ "$lines" -gt "$longest_pair" ]; then
    echo "$stem.h + .cc have $lines lines (at most $longest_pair)"
    failed=1
  fi
done < <(find base protocol sync companion cli \( -name '*.cc' -o -name '*.h' \) | sed 's/\.[a-z]*$//' | sort -u)

[ "$counted" -gt 0 ] || { echo "no sources found below $1"; failed=1; }
exit $failed
