#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Repeats the experiments of the GQA paper in small. It trains a model from scratch
# with as many KV heads as query heads, and measures
#   - the conversion methods (figure 4 of the paper),
#   - the quality against the share of training after conversion (figure 5),
#   - time and KV bytes against the number of KV heads (figure 6).
#
#   reproduce.sh BIN_DIR MODEL_DIR DATA_DIR OUT_DIR
#
# MODEL_DIR gives the shape and the tokenizer. DATA_DIR has mt.en-de.train.tsv (or
# .xz) and mt.en-de.dev.tatoeba_dev.tsv. The run takes hours, and resumes after it
# was killed. Each result is a line of OUT_DIR/results.tsv, from which the script
# draws figureN.svg. The environment may set STEPS, BATCH_TOKENS, SEEDS, ALPHAS,
# ITEMS, SHAPE, ORIGIN, MAX_TOKENS, TRAIN_FLAGS and UP_FLAGS, as below.
set -euo pipefail
shopt -s inherit_errexit
bin=$1
model=$2
data=$3
out=$4
steps=${STEPS:-20000}
batch_tokens=${BATCH_TOKENS:-4096}
read -ra seeds <<<"${SEEDS:-1 2 3}"
read -ra alphas <<<"${ALPHAS:-0 1 2.5 5 10}"  # percent of $steps
items=${ITEMS:-500}                           # number of sentences of the dev set
read -ra shape <<<"${SHAPE:-}"  # changes to the shape, such as num_layers=3 d_ff=512
origin=${ORIGIN:-}              # only pairs with this third column; empty for all
max_tokens=${MAX_TOKENS:-160}   # maximum of a source or target; others are left out
read -ra train_flags <<<"${TRAIN_FLAGS:-}"
# Flags of the training after conversion. The average of the weights is short,
# because the training is short.
read -ra up_flags <<<"${UP_FLAGS:---rate=1e-3 --embedding_rate=1 --guide=0 --ema=0.9}"

methods=(mean first random svd svd-calibrated)

mkdir -p "$out"
results=$out/results.tsv
dev=$data/mt.en-de.dev.tatoeba_dev.tsv

# once KEY COMMAND...: appends the output of the command as a line of the results,
# unless the results have a line that begins with the key.
once() {
  local key=$1
  shift
  if [[ -f $results ]] && grep -qF -- "$key"$'\t' "$results"; then return; fi
  local line
  line=$("$@")
  printf '%s\t%s\n' "$key" "$line" >>"$results"
  printf '%s\t%s\n' "$key" "$line"
}

# tokens NAME COMMAND...: makes a token file of the pairs that the command prints.
tokens() {
  local file=$out/$1.tok
  shift
  if [[ -f $file ]]; then return; fi
  "$@" | "$bin/sheaf-tokenize" --model="$model" --task=translation_en_to_de \
    --align=words --max_source_tokens="$max_tokens" --max_target_tokens="$max_tokens" \
    --output="$file.partial"
  mv "$file.partial" "$file"
}

# train NAME FLAG ...: starts or resumes the training of that name, unless it is
# done.
train() {
  local name=$1
  shift
  if [[ -f $out/$name/done ]]; then return; fi
  "$bin/sheaf-train" --output="$out/$name" --train="$out/train.tok" \
    --batch_tokens="$batch_tokens" "${train_flags[@]}" "$@" >&2
  rm -f "$out/$name/state.safetensors"
  touch "$out/$name/done"
}

# score DIR: prints BLEU, chrF, tokens per second and KV bytes per request of a model
# directory. Runs in a subshell, whose exit ends the server.
score() {
  "$bin/sheaf-server" --model="$1" --listen=127.0.0.1:0 \
    --metrics_listen=127.0.0.1:0 --kv_cache_bytes=256MiB >"$out/server.out" 2>/dev/null &
  server=$!
  local address
  trap 'kill "$server" 2>/dev/null || true' EXIT
  until address=$(sed -n 's/^listening on //p' "$out/server.out") && [[ $address ]]; do
    kill -0 "$server"
    sleep 0.1
  done
  "$bin/sheaf-eval" --data="$dev" --limit="$items" --server="$address" --beam_size=1 |
    awk '{ value[$1] = $2 } END { OFS = "\t"; print value["bleu"], value["chrf2"],
      value["output_tokens_per_second"], value["kv_bytes_per_request"] }'
}

# converted METHOD G SEED: prints the directory of the converted base model.
converted() {
  local dir=$out/$1-g$2-s$3 how=(--method="$1")
  if [[ $1 == svd-calibrated ]]; then
    how=(--method=svd --calibration="$out/calibration.tsv"
      --calibration_prefix='translate English to German: ')
  fi
  if [[ ! -d $dir ]]; then
    "$bin/sheaf-convert" --input="$out/base/last" --output="$dir" --kv_heads="$2" \
      "${how[@]}" --seed="$3" >"$dir.log"
  fi
  echo "$dir"
}

# uptrained METHOD G ALPHA SEED: prints the scores after ALPHA percent of the
# training.
uptrained() {
  local dir up_steps
  dir=$(converted "$1" "$2" "$4")
  up_steps=$(awk -v s="$steps" -v a="$3" 'BEGIN { printf "%d", s * a / 100 }')
  if ((up_steps == 0)); then
    score "$dir"
    return
  fi
  local name=up-$1-g$2-a$3-s$4
  train "$name" --model="$dir" --steps="$up_steps" "${up_flags[@]}" --seed="$4"
  score "$out/$name/last"
}

any() { if [[ -f $1 ]]; then cat "$1"; else xzcat "$1.xz"; fi; }
pairs() { any "$data/mt.en-de.train.tsv" | awk -F'\t' -v o="$origin" 'o == "" || $3 == o'; }
tokens train pairs
tokens dev cat "$dev"
[[ -f $out/calibration.tsv ]] || awk 'NR <= 200' <(pairs) >"$out/calibration.tsv"
mkdir -p "$out/shape"
edits=()
for change in "${shape[@]}"; do
  edits+=(-e "s/\"${change%%=*}\": *[0-9]*/\"${change%%=*}\": ${change#*=}/")
done
sed -e '/"num_key_value_heads"\|"cross_num_key_value_heads"/d' "${edits[@]}" \
  "$model/config.json" >"$out/shape/config.json"
cp "$model/spiece.model" "$model/generation_config.json" "$out/shape"
train base --model="$out/shape" --init=random --steps="$steps" --short_first=0.2 \
  --dev="$out/dev.tok" --dev_pairs=200 --dev_decode=32
heads=$(grep -o '"num_heads": *[0-9]*' "$out/shape/config.json" | grep -o '[0-9]*$')
once "base mha" score "$out/base/last"

for seed in "${seeds[@]}"; do
  for alpha in 0 5; do
    for method in "${methods[@]}"; do
      # Results differ between seeds only if weights are drawn or trained.
      if [[ $alpha == 0 && $method != random && $seed != "${seeds[0]}" ]]; then
        continue
      fi
      once "figure4 $method 1 $alpha $seed" uptrained "$method" 1 "$alpha" "$seed"
    done
  done
  for kv_heads in 1 2 4 "$heads"; do
    for alpha in "${alphas[@]}"; do
      if [[ $alpha == 0 && $seed != "${seeds[0]}" ]]; then continue; fi
      once "figure5 mean $kv_heads $alpha $seed" uptrained mean "$kv_heads" "$alpha" "$seed"
    done
  done
done
for kv_heads in 1 2 4 8 16; do
  once "figure6 t5-large $kv_heads" "$bin/sheaf-bench" --shape=t5-large \
    --kv_heads="$kv_heads" --weight_type=int8 --batch=8 --source=2048 --generate=16
done

command -v gnuplot >/dev/null || {
  echo "no figures: gnuplot is not installed" >&2
  exit 0
}
# Columns: figure, method, KV heads, alpha, number of runs, and the mean, minimum and
# maximum of BLEU over the seeds.
awk -F'\t' '/^figure[45] / { split($1, k, " "); key = k[1] " " k[2] " " k[3] " " k[4]
    if (!(key in n) || $2 < least[key]) least[key] = $2
    if (!(key in n) || $2 > most[key]) most[key] = $2
    n[key]++; sum[key] += $2 }
  END { for (key in n) print key, n[key], sum[key] / n[key], least[key], most[key] }' \
  "$results" | sort -k1,1 -k2,2 -k3n -k4n >"$out/summary.txt"
for method in "${methods[@]}"; do
  awk -v m="$method" '$1 == "figure4" && $2 == m { v[$4] = $6; l[$4] = $7; h[$4] = $8 }
    END { print m, v[0], l[0], h[0], v[5], l[5], h[5] }' "$out/summary.txt"
done >"$out/figure4.dat"
awk '$1 == "figure5" { print $3, $4, $6, $7, $8 }' "$out/summary.txt" >"$out/figure5.dat"
sed -n 's/^figure6 t5-large \([0-9]*\)\t.*"step_seconds":\([0-9.e-]*\).*/\1 \2/p' \
  "$results" >"$out/figure6.dat"
gnuplot <<END
set terminal svg size 640,400 background "white"
set key top left
set style data histograms
set style histogram errorbars gap 2 lw 1
set style fill solid 0.6
set yrange [0:*]
set ylabel "BLEU, tatoeba_dev"
set output "$out/figure4.svg"
plot "$out/figure4.dat" using 2:3:4:xtic(1) title "converted to 1 KV head", \
  "" using 5:6:7 title "and trained 5 % further"
set key bottom right
set yrange [*:*]
set output "$out/figure5.svg"
set xlabel "training after conversion, % of the first training"
set ylabel "BLEU, tatoeba_dev"
plot for [g in "1 2 4 $heads"] "< grep '^" . g . " ' $out/figure5.dat" using 2:3:4:5 with yerrorlines title g . " KV heads"
set output "$out/figure6.svg"
set logscale x 2
set xlabel "KV heads"
set ylabel "decode step, seconds"
plot "$out/figure6.dat" using 1:2 with linespoints notitle
END
echo "results in $results"
