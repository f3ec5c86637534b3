#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs each fuzz target of a build for a while: first the corpus, then what the fuzzer makes of it. An
# input that ends a target is kept, and named at the end of its output.
set -eu
if [ $# -ne 2 ]; then
  echo "usage: $0 BUILD_DIRECTORY SECONDS" >&2
  exit 2
fi
build=$1
seconds=$2
corpus=$(dirname "$0")/corpus
for directory in "$corpus"/*/; do
  target=$(basename "$directory")
  found=$build/tests/fuzz/found/$target
  mkdir -p "$found"
  echo "$target: $(find "$directory" -type f | wc -l) inputs in the corpus, $seconds seconds"
  log=$found/log
  # New inputs go to the first directory, which is not the corpus; what it keeps grows from run to run.
  mkdir -p "$found/inputs"
  if ! "$build/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -max_len=2000 -timeout=10 \
      -print_final_stats=1 -artifact_prefix="$found/" "$found/inputs" "$directory" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "$target: failed; the whole output is in $log. Once it is mended, keep the input in $directory" >&2
    exit 1
  fi
  grep -E '^stat::number_of_executed_units|^stat::peak_rss' "$log"
done
