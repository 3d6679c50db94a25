#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests the trainer as a user runs it. It learns, it resumes after kill -9 with the
# same result as without, and the server reads its output.
#   trainer_test.sh BIN_DIR MODEL_DIR
set -euo pipefail
model=$2
. "$(dirname "$0")/../support/programs.sh"

for i in {1..40}; do
  printf 'The %d cats see %d dogs.\tDie %d Katzen sehen %d Hunde.\n' \
    "$i" $((i * 3)) "$i" $((i * 3))
done >"$work/pairs.tsv"
"$bin/sheaf-tokenize" --model="$model" --task=translation_en_to_de --align=words \
  --input="$work/pairs.tsv" --output="$work/pairs.tok"

# A model of random weights, small enough for a test.
mkdir "$work/shape"
sed -e 's/"d_model": [0-9]*/"d_model": 32/; s/"d_ff": [0-9]*/"d_ff": 48/' \
  -e 's/"num_layers": [0-9]*/"num_layers": 2/' \
  -e 's/"num_decoder_layers": [0-9]*/"num_decoder_layers": 2/' \
  "$model/config.json" >"$work/shape/config.json"
cp "$model/spiece.model" "$model/generation_config.json" "$work/shape"
# train OUTPUT FLAG ...: runs the trainer. Call it in a subshell, which becomes the
# trainer, so that a signal to the subshell reaches the trainer.
train() {
  exec "$bin/sheaf-train" --model="$work/shape" --init=random --train="$work/pairs.tok" \
    --dev="$work/pairs.tok" --dev_decode=4 --output="$work/$1" --threads=1 \
    --steps=30 --batch_tokens=300 --accumulate=2 --log_every=1 --eval_every=15 \
    --save_every=10 "${@:2}"
}

echo '--- the loss falls'
(train whole) >"$work/whole.log"
first=$(sed -n 's/^step 1 .*loss \([0-9.]*\).*/\1/p' "$work/whole.log")
last=$(sed -n 's/^step 30 .*loss \([0-9.]*\).*/\1/p' "$work/whole.log" | head -1)
awk -v a="$first" -v b="$last" 'BEGIN { exit !(b < a - 1) }' ||
  fail "loss from $first to $last"

echo '--- a run that is killed just after a save resumes with the same result'
train killed >"$work/killed.log" &
trainer=$!
until grep -q '^step 12 ' "$work/killed.log"; do
  kill -0 "$trainer" 2>/dev/null || break
  sleep 0.01
done
kill -KILL "$trainer" 2>/dev/null || true
wait "$trainer" 2>/dev/null || true
[[ ! -d $work/killed/last ]] || fail 'the run ended before it was killed'
(train killed) >"$work/resumed.log"
grep -q 'from step [12]0$' "$work/resumed.log" ||
  fail "not resumed: $(head -1 "$work/resumed.log")"
for directory in last best; do
  cmp "$work/whole/$directory/model.safetensors" \
    "$work/killed/$directory/model.safetensors" || fail "$directory differs"
done

echo '--- the same holds with Muon, and SIGTERM saves the state before the end'
(train muon --optimizer=muon) >"$work/muon.log"
train stopped --optimizer=muon --save_every=0 >"$work/stopped.log" &
trainer=$!
until grep -q '^step 3 ' "$work/stopped.log"; do
  kill -0 "$trainer" 2>/dev/null || break
  sleep 0.01
done
kill -TERM "$trainer"
wait "$trainer" || fail "exit code $? after SIGTERM"
[[ ! -d $work/stopped/last ]] || fail 'the run ended before it was stopped'
(train stopped --optimizer=muon --save_every=0) >"$work/resumed_muon.log"
cmp "$work/muon/last/model.safetensors" "$work/stopped/last/model.safetensors" ||
  fail 'the resumed run differs'

echo '--- two threads with a batch each learn the same'
losses() { sed -n 's/^step [1-9] .*loss \([0-9.]*\).*/\1/p' "$1"; }
for threads in 1 2; do
  (train "by_$threads" --dropout=0 --threads="$threads") >"$work/by_$threads.log"
done
paste <(losses "$work/by_1.log") <(losses "$work/by_2.log") |
  awk '{ n += $1 - $2 < 0.002 && $2 - $1 < 0.002 } END { exit n != 9 }' ||
  fail "losses: $(losses "$work/by_1.log") and $(losses "$work/by_2.log")"

echo '--- the output is a model directory'
"$bin/sheaf-convert" --input="$work/whole/last" --output="$work/mqa" --kv_heads=1 \
  --method=svd
"$bin/sheaf-train" --model="$work/mqa" --train="$work/pairs.tok" \
  --output="$work/uptrained" --steps=3 --log_every=1 --store=bf16 >"$work/up.log"
"$bin/sheaf-tokenize" --model="$work/uptrained/last" --ids="$work/whole/dev-pairs.ids" \
  >"$work/texts"
[[ $(wc -l <"$work/texts") == 4 ]] || fail "dev outputs: $(cat "$work/texts")"
start uptrained --model="$work/uptrained/last"
"$bin/sheaf" translate --server="$address" --from=en --to=de --max_new_tokens=8 \
  'The 7 cats see 21 dogs.' >"$work/translated"

echo '--- an error is one clear line'
refuse 2 'there is no flag --speed' sheaf-train --speed=9
refuse 1 'is of the other --optimizer' sheaf-train --model="$work/shape" --init=random --steps=30 \
  --output="$work/stopped" --train="$work/pairs.tok"
refuse 2 '--dropout=2 is not allowed' sheaf-train --dropout=2
refuse 2 'one of --steps and --minutes' sheaf-train --model=a --output=b --train=c
head -c 1000 "$work/pairs.tok" >"$work/cut.tok"
refuse 1 'cut short' sheaf-train --model="$work/shape" --init=random --steps=1 \
  --output="$work/x" --train="$work/cut.tok"
printf 'x' | dd of="$work/pairs.tok" bs=1 seek=2000 conv=notrunc status=none
refuse 1 'checksum' sheaf-train --model="$work/shape" --init=random --steps=1 \
  --output="$work/x" --train="$work/pairs.tok"

echo PASSED
