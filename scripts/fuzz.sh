#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fuzz.sh DIRECTORY long|no: runs every libFuzzer target there over its corpus and then on from it. What it finds
# stays in build/fuzz/findings, to become a seed of the corpus once it is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
binaries=$1
runs=${FUZZ_RUNS:-1200000}
seconds=30
if [ "${2:-no}" = yes ]; then
  runs=$((runs * 100))
  seconds=3600
fi

findings=build/fuzz/findings
mkdir -p "$findings"
total=0
failed=0
for target in "$binaries"/*_fuzz; do
  name=$(basename "$target" _fuzz)
  work=build/fuzz/corpus/$name
  mkdir -p "$work"
  (
    "$target" -runs="$runs" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=512 -max_len=4096 -seed="${XS_SEED:-0}" \
      -print_final_stats=1 -artifact_prefix="$findings/$name-" "$work" "fuzz/corpus/$name" \
      >"build/fuzz/$name.log" 2>&1
  ) &
  pids[$!]=$name
  # Two at a time: one a core.
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
    wait -n || true
  done
done
for pid in "${!pids[@]}"; do
  name=${pids[$pid]}
  if wait "$pid"; then
    done_runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log")
    echo "fuzz $name: ${done_runs:-0} executions, nothing found"
    total=$((total + ${done_runs:-0}))
  else
    echo "fuzz $name: FAILED, see below; the input is in $findings" >&2
    tail -n 40 "build/fuzz/$name.log" >&2
    failed=$((failed + 1))
  fi
done
echo "fuzz: $total executions in all"
[ "$failed" -eq 0 ]
