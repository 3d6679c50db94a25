#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Prints a table of decode steps. The floor is measured in the same run: the bytes
# by the memory bandwidth, or the arithmetic by the fastest product, whichever
# takes longer.
#   table.sh BIN_DIR [FLAG OF sheaf-bench ...]
set -euo pipefail
bin=$1
shift

# field NAME: prints a value of the JSON line in $line.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" <<<"$line"; }

printf '%-9s %-7s %5s %6s %9s %9s %6s %9s %10s\n' \
  shape weights batch source 'step ms' 'floor ms' ratio tokens/s 'encode ms'
for shape in t5-small t5-base; do
  for weights in f32 bf16 int8; do
    for batch in 1 8 32; do
      line=$("$bin/sheaf-bench" --shape=$shape --weight_type=$weights \
        --batch=$batch --source=32 --generate=32 "$@")
      awk -v shape=$shape -v weights=$weights -v batch=$batch \
        -v source="$(field source)" -v step="$(field step_seconds)" \
        -v floor="$(field floor_seconds)" -v ratio="$(field floor_ratio)" \
        -v tokens="$(field tokens_per_second)" \
        -v encode="$(field encode_seconds)" 'BEGIN {
          printf "%-9s %-7s %5d %6d %9.2f %9.2f %6.2f %9.0f %10.1f\n", shape,
            weights, batch, source, 1e3 * step, 1e3 * floor, ratio, tokens,
            1e3 * encode
        }'
    done
  done
done
awk -v isa="$(field isa)" -v threads="$(field threads)" \
  -v read="$(field read_bandwidth_bytes_per_second)" 'BEGIN {
    printf "%s, %d threads, read bandwidth %.1f GB/s\n", isa, threads,
      read / 1e9
  }'
