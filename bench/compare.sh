#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Compares the working tree with a revision of the repository:
#   compare.sh REV
#
# First it compares hashes of what models compute (model_hashes.cc), which must
# be equal. Then sheaf-bench and step_bench of both trees run in turns. A
# benchmark fails if both its median and its best time are longer in the working
# tree than in REV. REV is built in build/compare, where it stays for the next
# time.
# Times are reliable only while the machine does nothing else. With ROUNDS=0, any
# machine will do.
#
# Environment:
#   ROUNDS             runs of every benchmark per tree; 0 for hashes only (5)
#   TOLERANCE_PERCENT  percentage by which a time may be longer (2)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${ROUNDS:-5}
tolerance=${TOLERANCE_PERCENT:-2}
if (($# != 1)); then
  echo 'usage: ./run compare REV' >&2
  exit 2
fi
commit=$(git rev-parse --verify --end-of-options "$1^{commit}")
if ! git cat-file -e "$commit:bench/model_hashes.cc" 2>/dev/null; then
  first=$(git log --diff-filter=A --format='%h (%s)' -- bench/model_hashes.cc |
    tail -1)
  echo "compare: $1 has no bench/model_hashes.cc; the first commit that has" \
    "it is ${first:-not in the history of HEAD}" >&2
  exit 2
fi

ours=$PWD
theirs=$PWD/build/compare/$commit
if [[ ! -d $theirs ]]; then
  rm -rf "$theirs.new"
  mkdir -p "$theirs.new"
  git archive "$commit" | tar -x -C "$theirs.new"
  mv "$theirs.new" "$theirs"
fi
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# build_tree TREE: builds the programs that are compared.
build_tree() {
  echo "building $1" >&2
  cd "$1"
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
    export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  fi
  cmake --preset release >/dev/null
  cmake --build --preset release \
    --target model_hashes sheaf-bench step_bench >&2
}

# compare_hashes: both programs read the models of REV.
compare_hashes() {
  local models
  mapfile -t models < <(find "$theirs/tests" "$theirs/models" \
    -name '*.safetensors' -printf '%h\n' | sort -u)
  "$theirs/build/release/bench/model_hashes" "${models[@]}" >"$results/theirs"
  "$ours/build/release/bench/model_hashes" "${models[@]}" >"$results/ours"
  awk -F '\t' '
    NR == FNR { theirs[$1] = $2; next }
    theirs[$1] == "refused" && $2 != "refused" { delete theirs[$1] }
    !($1 in theirs) { ++num_ours_only; next }
    {
      ++num_compared
      if ($2 == "refused" && theirs[$1] == $2) ++num_refused
      if ($2 != theirs[$1]) {
        ++num_different
        printf "%s\n  - %s\n  + %s\n", $1, theirs[$1], $2
      }
      delete theirs[$1]
    }
    END {
      for (name in theirs) ++num_theirs_only
      printf "hashes: %d compared (%d refused by both), %d differ; %d only " \
        "in REV, %d only here\n", num_compared, num_refused, num_different,
        num_theirs_only, num_ours_only
      exit num_different > 0 || num_compared == num_refused
    }' "$results/theirs" "$results/ours"
}

# Both print lines of a name, a tab, and nanoseconds.
# run_sheaf_bench BUILD_DIR WEIGHT_TYPE BATCH
run_sheaf_bench() {
  "$1/bin/sheaf-bench" --shape=t5-base --weight_type="$2" --batch="$3" \
    --source=32 --generate=32 | tr ',' '\n' |
    awk -F '"' -v OFS='\t' -v name="t5-base $2 batch $3" '
      $2 ~ /^(encode|step)_seconds$/ {
        print name " " substr($2, 1, index($2, "_") - 1), 1e9 * substr($3, 2)
      }'
}
# run_step_bench BUILD_DIR BENCHMARK. The processor's time says more than the
# clock's where others share the processor, but not about waiting.
run_step_bench() {
  "$1/bench/step_bench" --benchmark_format=csv --benchmark_min_time=0.1 \
    --benchmark_filter="^$2\$" 2>/dev/null |
    awk -F ',' -v OFS='\t' '
      /^"BM_/ {
        gsub("\"", "", $1)
        print $1, $1 ~ /real_time$/ ? $3 : $4
      }'
}

# in_turns COMMAND ARG...: runs COMMAND BUILD_DIR ARG... for both trees, one after
# the other, so that other processes slow both equally.
in_turns() {
  local tree trees=(theirs ours)
  if ((round % 2 == 0)); then trees=(ours theirs); fi
  for tree in "${trees[@]}"; do
    "$1" "${!tree}/build/release" "${@:2}" | sed "s/^/$tree\t/"
  done >>"$results/times"
}

measure() {
  local weight_type batch benchmark
  for weight_type in int8 f32; do
    for batch in 1 8 32; do in_turns run_sheaf_bench $weight_type $batch; done
  done
  for benchmark in $("$theirs/build/release/bench/step_bench" \
    --benchmark_list_tests); do
    in_turns run_step_bench "$benchmark"
  done
}

# Prints a table of medians. A real loss of speed appears in both the median and the
# best run; another process that uses the processor for a while affects only one
# of them.
compare_times() {
  sort -t $'\t' -k2,2 -k1,1 -k3,3g "$results/times" | awk -F '\t' \
    -v tolerance="$tolerance" -v rounds="$rounds" '
    # The lines are sorted, so that the first of a group is its best one and the
    # middle one its median.
    {
      time[$1, $2, ++count[$1, $2]] = $3
      if (!has_name[$2]++) names[++num_names] = $2
    }
    function median(tree, name, n) {
      n = count[tree, name]
      return (time[tree, name, int((n + 1) / 2)] + \
              time[tree, name, int(n / 2) + 1]) / 2
    }
    END {
      printf "%-57s %10s %10s %6s %6s\n", "median of " rounds ", microseconds",
        "REV", "here", "ratio", "best"
      limit = 1 + tolerance / 100
      for (i = 1; i <= num_names; ++i) {
        name = names[i]
        if (!count["theirs", name] || !count["ours", name]) continue
        ++num_compared
        ratio = median("ours", name) / median("theirs", name)
        best_ratio = time["ours", name, 1] / time["theirs", name, 1]
        is_slower = ratio > limit && best_ratio > limit
        num_slower += is_slower
        printf "%-57s %10.3f %10.3f %6.3f %6.3f%s\n", name,
          median("theirs", name) / 1e3, median("ours", name) / 1e3, ratio,
          best_ratio, is_slower ? "  slower" : ""
      }
      printf "times: %d compared, %d slower by more than %s %%\n", num_compared,
        num_slower, tolerance
      exit num_slower > 0 || num_compared == 0
    }'
}

(build_tree "$theirs")
(build_tree "$ours")
compare_hashes
for ((round = 1; round <= rounds; ++round)); do
  echo "measuring: round $round of $rounds" >&2
  measure
done
if ((rounds > 0)); then compare_times; fi
