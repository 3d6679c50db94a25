#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests the programs that make models, as a user runs them: convert, serve,
# evaluate and tokenize.
#   making_models_test.sh BIN_DIR MODEL_DIR
set -euo pipefail
model=$2
. "$(dirname "$0")/../support/programs.sh"

printf '%s\t%s\n' 'Where is the train station?' 'Wo ist der Bahnhof?' \
  'Tom is my brother.' 'Tom ist mein Bruder.' \
  'She has two cats.' 'Sie hat zwei Katzen.' >"$work/pairs.tsv"

echo '--- a model is converted, with and without calibration, and served'
"$bin/sheaf-convert" --input="$model" --output="$work/mqa" --kv_heads=1 \
  --method=svd >"$work/plain"
"$bin/sheaf-convert" --input="$model" --output="$work/mixed" --kv_heads=2 \
  --cross_kv_heads=1 --method=svd --calibration="$work/pairs.tsv" \
  --calibration_prefix='translate English to German: ' >"$work/calibrated"
grep -q '^layer 0 self: error of keys 0.0000, of values 0.0000; 0 bytes saved$' \
  "$work/calibrated" || fail "self-attention changed: $(cat "$work/calibrated")"
grep -q '^layer 2 cross: error of keys 0\.[0-9]*, .* 32768 bytes saved$' \
  "$work/calibrated" || fail "cross-attention: $(cat "$work/calibrated")"
cmp "$model/spiece.model" "$work/mqa/spiece.model"
# The file shrinks by the reported bytes, except for the length of the header.
saved=$(sed -n 's/^\([0-9]*\) bytes of weights saved;.*/\1/p' "$work/plain")
shrunk=$(($(stat -c %s "$model/model.safetensors") -
  $(stat -c %s "$work/mqa/model.safetensors")))
((shrunk > saved - 2000 && shrunk < saved + 2000)) ||
  fail "reported $saved bytes, the file shrank by $shrunk"
start mixed --model="$work/mixed"

echo '--- a server and the file of its answers get the same scores'
"$bin/sheaf-eval" --data="$work/pairs.tsv" --server="$address" --json \
  --output="$work/answers" >"$work/by_server"
grep -q '"kv_heads":2' "$work/by_server" || fail "$(cat "$work/by_server")"
grep -q '"cross_kv_heads":1' "$work/by_server" || fail "$(cat "$work/by_server")"
grep -q '"output_tokens_per_second":[0-9.]*[1-9]' "$work/by_server" ||
  fail "$(cat "$work/by_server")"
"$bin/sheaf-eval" --data="$work/pairs.tsv" --hypotheses="$work/answers" --json \
  >"$work/by_file"
bleu() { grep -o '"bleu":[0-9.e-]*' "$1"; }
expect_equal 'BLEU' "$(bleu "$work/by_file")" "$(bleu "$work/by_server")"
cut -f2 "$work/pairs.tsv" >"$work/perfect"
expect_equal 'BLEU of the references' "$("$bin/sheaf-eval" \
  --data="$work/pairs.tsv" --hypotheses="$work/perfect" | grep '^bleu ')" \
  'bleu 100.00'
printf '{"document": "The cat sat. It left.", "summaries": ["The cat sat."]}\n' \
  >"$work/sum.jsonl"
"$bin/sheaf-eval" --task=summarize --data="$work/sum.jsonl" --server="$address" \
  >"$work/summaries"
grep -q '^first_sentence_rougeL 100.00$' "$work/summaries" ||
  fail "$(cat "$work/summaries")"

echo '--- texts become tokens, and tokens become texts'
"$bin/sheaf-tokenize" --model="$model" --task=translation_en_to_de --align=words \
  --input="$work/pairs.tsv" --output="$work/pairs.tok" >"$work/tokenized"
grep -q '^3 pairs, .*; 0 pairs left out$' "$work/tokenized" ||
  fail "$(cat "$work/tokenized")"
"$bin/sheaf-tokenize" --model="$model" --task=translation_en_to_de \
  --max_target_tokens=3 --input="$work/pairs.tsv" --output="$work/few.tok" \
  >"$work/tokenized"
grep -q '3 pairs left out$' "$work/tokenized" || fail "$(cat "$work/tokenized")"
echo '5 6 7' >"$work/ids"
[[ $("$bin/sheaf-tokenize" --model="$model" --ids="$work/ids") ]] ||
  fail 'the ids have no text'

echo '--- a shortlist is made, and served if it is asked for'
cp -r "$model" "$work/short"
chmod -R u+w "$work/short"
refuse 3 "$work/short/shortlist.safetensors" sheaf-server --model="$work/short" \
  --shortlist --listen=127.0.0.1:0
"$bin/sheaf-convert" --input="$model" --shortlist="$work/pairs.tsv" \
  --output="$work/short/shortlist.safetensors" --shortlist_frequent=5 \
  --shortlist_per_token=3 >"$work/listed"
grep -q '^3 pairs; [0-9]* common tokens; an output may have [0-9]* of 8064 tokens' \
  "$work/listed" || fail "$(cat "$work/listed")"
start whole --model="$work/short"
text='Where are the three old bridges of the city?'
whole=$("$bin/sheaf" translate --server="$address" --from=en --to=de "$text")
has_shortlist() { "$bin/sheaf" models --json --server="$address" | grep -o '"has_shortlist":[a-z]*'; }
expect_equal 'without the flag' "$(has_shortlist)" '"has_shortlist":false'
start short --model="$work/short" --shortlist
expect_equal 'with the flag' "$(has_shortlist)" '"has_shortlist":true'
short=$("$bin/sheaf" translate --server="$address" --from=en --to=de "$text")
[[ $short && $short != "$whole" ]] ||
  fail "the shortlist of three sentences changes nothing: $short"
refuse 2 'exists already' sheaf-convert --input="$model" \
  --shortlist="$work/pairs.tsv" --output="$work/short/shortlist.safetensors"
refuse 2 '--kv_heads' sheaf-convert --input="$model" --shortlist="$work/pairs.tsv" \
  --output="$work/x" --kv_heads=1
refuse 2 '--shortlist_per_token is -1' sheaf-convert --input="$model" \
  --shortlist="$work/pairs.tsv" --output="$work/x" --shortlist_per_token=-1
printf X | dd of="$work/short/shortlist.safetensors" bs=1 seek=8 conv=notrunc 2>/dev/null
refuse 3 'shortlist.safetensors' sheaf-server --model="$work/short" --shortlist \
  --listen=127.0.0.1:0

echo '--- documents become texts to copy'
long=$(for i in {1..60}; do printf 'Sentence %d says that number %d is there. ' "$i" "$i"; done)
printf '%s\n' 'Fast models are needed. We present a fast model of words. We prove it.' \
  "Cats are not dogs at all. $long" >"$work/documents.tsv"
texts=$(dirname "$0")/../../train/data
"$texts/summary_texts.py" "$work/documents.tsv" "$work/texts"
expect_equal 'the first sentence that says what we do, or otherwise the first' \
  "$(cut -f2 "$work/texts/whole.tsv")" \
  $'We present a fast model of words.\nCats are not dogs at all.'
expect_equal 'number of words of the whole sentences up to 300' \
  "$(sed -n 2p "$work/texts/whole.tsv" | cut -f1 | wc -w)" 294
awk -F'\t' '!index($1, $2) { exit 1 }' "$work"/texts/{whole,windows,shuffled}.tsv ||
  fail 'a target is not in its text'
awk -F'\t' '$1 != $2 { exit 1 }' "$work/texts/sentences.tsv" "$work/texts/words.tsv" ||
  fail 'a target differs from its text'

echo '--- and contain traps for a model that copies'
for _ in {1..40}; do printf '%s\n' "$long"; done >"$work/documents.tsv"
"$texts/summary_texts.py" "$work/documents.tsv" "$work/texts"
awk -F'\t' '{ split($2, w, " "); begun += gsub(w[1] " " w[2] " says", "", $1) > 1 }
  END { exit !(begun > 5) }' "$work/texts/shuffled.tsv" ||
  fail 'no sentence begins like the target and ends differently'
for i in {1..9}; do printf 'Number %d is odd here.\n' "$i"; done >"$work/documents.tsv"
"$texts/summary_texts.py" "$work/documents.tsv" "$work/texts"
awk -F'\t' '{ texts++; if (gsub("is odd here", "", $1) < 3) exit 1 }
  END { exit !(texts == 3) }' "$work/texts/gathered.tsv" ||
  fail "texts of single sentences: $(cat "$work/texts/gathered.tsv")"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$texts python3 - <<'END' || fail 'phrases or shortened sentences are wrong'
import summary_texts
def comes_again(words):
  pairs = list(zip(words, words[1:]))
  return len(set(pairs)) < len(pairs)
many = [str(i) for i in range(1000)]
assert sum(comes_again(summary_texts.repeating(many)) for _ in range(200)) > 100
long = ' '.join(many[:20])
for sentence, short in {
    'In this paper, we also show that cats are no dogs.': 'We also show that cats are no dogs.',
    'This article describes how to feed a cat.': 'Describes how to feed a cat.',
    'This article is about how to feed a cat.': 'This article is about how to feed a cat.',
    f'A cat {long}, which has the food that it likes.': f'A cat {long}.',
    f'A cat {long}, dogs, and all of the other animals.':
        f'A cat {long}, dogs, and all of the other animals.',
    f'When a cat {long}, and it is fed, it will sleep.':
        f'When a cat {long}, and it is fed, it will sleep.',
}.items():
  assert summary_texts.shortened(sentence) == short, (sentence, summary_texts.shortened(sentence))
late = ['It is so.'] * 8 + ['We present a cat.']
assert summary_texts.chosen(late) == 'It is so.' and summary_texts.chosen(late[1:]) == late[-1]
END

echo '--- an error is one clear line'
refuse 3 "$work/nowhere" sheaf-convert --input="$work/nowhere" --output="$work/x" \
  --kv_heads=1
refuse 2 'the model has 2' sheaf-convert --input="$model" --output="$work/x" \
  --kv_heads=8
refuse 2 'exists already' sheaf-convert --input="$model" --output="$work/mqa" \
  --kv_heads=1
refuse 2 'median' sheaf-convert --input="$model" --output="$work/x" --kv_heads=1 \
  --method=median
refuse 2 'there is no flag' sheaf-convert --heads=1
cp -r "$model" "$work/broken"
chmod -R u+w "$work/broken"
truncate -s 1000000 "$work/broken/model.safetensors"
refuse 3 'model.safetensors' sheaf-convert --input="$work/broken" \
  --output="$work/x" --kv_heads=1
[[ ! -e $work/x && ! -e $work/x.partial ]] || fail 'a refused conversion left files behind'
refuse 2 'has summarization, translation_en_to_de' sheaf-tokenize \
  --model="$model" --task=translation_en_to_fr --output="$work/x"
refuse 1 'there are 3 sources' sheaf-eval --data="$work/pairs.tsv" \
  --hypotheses="$work/ids"
refuse 2 '--data is not given' sheaf-eval --server="$address"

echo PASSED
