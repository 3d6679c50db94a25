#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Prints a table for each class of instructions (amx, avx512, avx2) that this
# machine has, the best first: encoding, decode steps and their floor. The floor
# is measured in the same run: the bytes of a step by the bandwidth of memory, or
# its arithmetic by the fastest product of the class, whichever takes longer.
#   table.sh BIN_DIR [FLAG OF sheaf-bench ...]
# With --isa=CLASS there is one table.
set -euo pipefail
bin=$1
shift
flags=("$@")

# field NAME: prints a value of the JSON line in $line.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" <<<"$line"; }

# maximum NAME < LINES: prints the largest value in several JSON lines.
maximum() {
  while read -r line; do field "$1"; done | sort -g | tail -n 1
}

# row CLASS SHAPE WEIGHTS BATCH BEAMS SOURCE GENERATE: measures, prints a line of
# the table and adds the JSON line to $lines.
row() {
  line=$("$bin/sheaf-bench" --isa="$1" --shape="$2" --weight_type="$3" \
    --batch="$4" --beam_size="$5" --source="$6" --generate="$7" \
    "${flags[@]}")
  lines+=$line$'\n'
  awk -v shape="$2" -v weights="$3" -v batch="$4" -v beams="$5" -v source="$6" \
    -v step="$(field step_seconds)" -v floor="$(field floor_seconds)" \
    -v ratio="$(field floor_ratio)" -v tokens="$(field tokens_per_second)" \
    -v encode="$(field encode_seconds)" 'BEGIN {
      printf "%-10s %-7s %5d %5d %6d %9.1f %9.2f %9.2f %6.2f %9.0f\n", shape,
        weights, batch, beams, source, 1e3 * encode, 1e3 * step, 1e3 * floor,
        ratio, tokens
    }'
}

# table CLASS
table() {
  local class=$1 shape batch weights
  lines=
  printf '%s\n%-10s %-7s %5s %5s %6s %9s %9s %9s %6s %9s\n' "$class" shape \
    weights batch beams source 'encode ms' 'step ms' 'floor ms' ratio tokens/s
  for shape in t5-base opus-mt bart-large nllb-600m; do
    for batch in 1 8 32; do row "$class" $shape int8 $batch 1 32 32; done
    row "$class" $shape int8 8 4 32 32
  done
  for weights in f32 bf16; do
    for batch in 1 8 32; do row "$class" t5-base $weights $batch 1 32 32; done
  done
  for source in 512 2048; do row "$class" t5-base int8 1 1 $source 8; done
  line=${lines%%$'\n'*}
  printf '%s threads; the best of all runs: reads %s' "$(field threads)" \
    "$(maximum read_bandwidth_bytes_per_second <<<"${lines%$'\n'}" |
      awk '{ printf "%.0f GB/s", $1 / 1e9 }')"
  for weights in int8 bf16 f32; do
    printf ', %s products %s' $weights \
      "$(grep "\"weight_type\":\"$weights\"" <<<"$lines" |
        maximum gemm_flops_per_second |
        awk '{ printf "%.0f GFLOP/s", $1 / 1e9 }')"
  done
  printf '\n'
}

for flag in "$@"; do
  if [[ $flag == --isa=* ]]; then
    table "${flag#*=}"
    exit
  fi
done
line=$("$bin/sheaf-bench" --shape=opus-mt --weight_type=int8 --batch=1 \
  --source=1 --generate=2)
best=$(field isa)
classes=(amx avx512 avx2)
while ((${#classes[@]} > 0)) && [[ ${classes[0]} != "$best" ]]; do
  classes=("${classes[@]:1}")
done
((${#classes[@]} > 0)) || classes=("$best")
for class in "${classes[@]}"; do table "$class"; done
