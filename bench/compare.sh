#!/usr/bin/env bash
# Compares the working tree with a revision of the repository:
#   compare.sh REV
#
# First it compares hashes of what models compute (model_hashes.cc), which must
# be equal. Then sheaf-bench and step_bench of both run in turns; the median
# times of the working tree must not be longer than those of REV. REV is built
# in build/compare, where it stays for the next time.
#
# Environment:
#   ROUNDS             runs of every benchmark per tree; 0: only hashes (5)
#   TOLERANCE_PERCENT  by which a median may be longer (2)
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

# build_tree TREE: what is compared.
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

# measure TREE NAME: one run of every benchmark of TREE. Appends lines to times:
# what was measured, a tab, NAME, a tab, nanoseconds.
measure() {
  local weights batch bin=$1/build/release
  for weights in int8 f32; do
    for batch in 1 8 32; do
      "$bin/bin/sheaf-bench" --shape=t5-base --weight_type=$weights \
        --batch=$batch --source=32 --generate=32 |
        tr ',' '\n' | awk -F '"' -v OFS='\t' -v tree="$2" \
        -v shape="t5-base $weights batch $batch" '
          $2 ~ /^(encode|step)_seconds$/ {
            print shape " " substr($2, 1, index($2, "_") - 1), tree,
              1e9 * substr($3, 2)
          }'
    done
  done >>"$results/times"
  "$bin/bench/step_bench" --benchmark_format=csv --benchmark_min_time=0.1 \
    2>/dev/null | awk -F ',' -v OFS='\t' -v tree="$2" '
      /^"BM_/ { gsub("\"", "", $1); print $1, tree, $3 }' >>"$results/times"
}

# Prints a table of medians; fails if one of ours is too long.
compare_times() {
  sort -t $'\t' -k1,1 -k2,2 -k3,3g "$results/times" | awk -F '\t' \
    -v tolerance="$tolerance" -v rounds="$rounds" '
    BEGIN {
      printf "%-52s %11s %11s %7s\n", "median of " rounds ", microseconds",
        "REV", "here", "ratio"
    }
    # The lines are sorted, so the middle one of a group is its median.
    {
      group = $1 FS $2
      n = ++count[group]
      value[group, n] = $3
      if (!seen[$1]++) names[++num_names] = $1
    }
    function median(group, n) {
      n = count[group]
      return (value[group, int((n + 1) / 2)] + value[group, int(n / 2) + 1]) / 2
    }
    END {
      for (i = 1; i <= num_names; ++i) {
        name = names[i]
        if (!count[name FS "theirs"] || !count[name FS "ours"]) continue
        ++num_compared
        theirs = median(name FS "theirs")
        ours = median(name FS "ours")
        is_slower = ours > theirs * (1 + tolerance / 100)
        num_slower += is_slower
        printf "%-52s %11.3f %11.3f %7.3f%s\n", name, theirs / 1e3, ours / 1e3,
          ours / theirs, is_slower ? "  slower" : ""
      }
      printf "times: %d compared, %d slower by more than %s %%\n", num_compared,
        num_slower, tolerance
      exit num_slower > 0 || num_compared == 0
    }'
}

(build_tree "$theirs")
(build_tree "$ours")
compare_hashes
for ((round = 0; round < rounds; ++round)); do
  echo "measuring: round $((round + 1)) of $rounds" >&2
  if ((round % 2 == 0)); then
    measure "$theirs" theirs
    measure "$ours" ours
  else
    measure "$ours" ours
    measure "$theirs" theirs
  fi
done
if ((rounds > 0)); then compare_times; fi
