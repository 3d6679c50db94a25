#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests the programs as a user runs them: sheaf-server on the embedded model and on
# broken directories, and sheaf as its client.
#   programs_test.sh BIN_DIR MODELS_DIR
set -euo pipefail
models=$2
. "$(dirname "$0")/../support/programs.sh"

metric() {
  curl -fsS "http://$metrics/metrics" | grep -v '^#' | grep -F "$1" | sed 's/.* //'
}

# refuse_server CODE TEXT FLAG ...: like refuse, for a server with these flags.
refuse_server() {
  refuse "$1" "$2" sheaf-server --listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0 "${@:3}"
}

echo '--- a wrong model directory or flag is one clear line'
small=$models/sheaf-small
broken() {
  rm -rf "$work/model" && cp -r "$small" "$work/model" && chmod -R u+w "$work/model"
}
refuse_server 3 "$work/nowhere" --model="$work/nowhere"
broken && rm "$work/model/config.json"
refuse_server 3 config.json --model="$work/model"
broken && rm "$work/model/model.safetensors"
refuse_server 3 model.safetensors --model="$work/model"
broken && truncate -s 1000000 "$work/model/model.safetensors"
refuse_server 3 model.safetensors --model="$work/model"
broken && truncate -s 100000 "$work/model/spiece.model"
refuse_server 3 spiece.model --model="$work/model"
broken && sed -i 's/"d_ff": 640/"d_ff": 641/' "$work/model/config.json"
refuse_server 3 'DenseReluDense' --model="$work/model"
broken && sed -i 's/"model_type": "t5"/"model_type": "gpt2"/' "$work/model/config.json"
refuse_server 3 gpt2 --model="$work/model"
for file in config.json generation_config.json model.safetensors spiece.model; do
  broken
  printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 9999\n' 0 \
    >"$work/model/$file"
  refuse_server 3 "$file is a Git LFS pointer" --model="$work/model"
done
cp "$work/model/spiece.model" "$work/tasks.json"
refuse_server 3 'tasks.json is a Git LFS pointer' --model="$small" --tasks="$work/tasks.json"
broken && : >"$work/model/model.safetensors"
refuse_server 3 'model.safetensors is empty' --model="$work/model"
broken && : >"$work/model/spiece.model"
refuse_server 3 'spiece.model' --model="$work/model"
broken && mv "$work/model/model.safetensors" "$work/model/pytorch_model.bin"
refuse_server 3 'pytorch_model.bin' --model="$work/model"
echo '--- sizes are checked before memory is allocated; a lack of it is one line'
broken && sed -i 's/"vocab_size": [0-9]*/"vocab_size": 4194304/; s/"d_model": [0-9]*/"d_model": 65536/' \
  "$work/model/config.json" && rm -f "$work/model/sheaf_alignment.json"
refuse_server 3 'config.json asks for [4194304, 65536]' --model="$work/model"
python3 - "$work/model" <<'END' # a sparse file with the tensors of an enormous config.json
import json, struct, sys
vocab, wide = 1 << 22, 1 << 16
header, end = {}, 0
def tensor(name, *shape):
    global end
    size = 2
    for n in shape:
        size *= n
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
    end += size
tensor("shared.weight", vocab, wide)
for stack, attentions in ("encoder", ["SelfAttention"]), ("decoder", ["SelfAttention", "EncDecAttention"]):
    layer = stack + ".block.0.layer."
    tensor(stack + ".final_layer_norm.weight", wide)
    tensor(layer + "0.SelfAttention.relative_attention_bias.weight", 32, 1)
    for i, attention in enumerate(attentions):
        for name in "qkv":
            tensor(f"{layer}{i}.{attention}.{name}.weight", 1, wide)
        tensor(f"{layer}{i}.{attention}.o.weight", wide, 1)
        tensor(f"{layer}{i}.layer_norm.weight", wide)
    tensor(f"{layer}{len(attentions)}.DenseReluDense.wi.weight", 1, wide)
    tensor(f"{layer}{len(attentions)}.DenseReluDense.wo.weight", wide, 1)
    tensor(f"{layer}{len(attentions)}.layer_norm.weight", wide)
text = json.dumps(header).encode()
with open(sys.argv[1] + "/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    file.truncate(8 + len(text) + end)
config = {"model_type": "t5", "vocab_size": vocab, "d_model": wide, "d_kv": 1, "d_ff": 1,
          "num_layers": 1, "num_heads": 1}
with open(sys.argv[1] + "/config.json", "w") as file:
    json.dump(config, file)
END
refuse_server 3 'less 1099517657344 of weights' --model="$work/model"
if is_sanitized; then
  echo 'not run: ulimit -v and -d (built with a sanitizer)'
else
  (ulimit -v 600000 && refuse_server 3 'limit (ulimit -v) leaves' --model="$small")
  (ulimit -d 400000 && refuse_server 3 'limit (ulimit -d) leaves' --model="$small")
fi
refuse_server 2 max_sequences --max_sequences=0
refuse_server 2 'or --behind_proxy' --listen=0.0.0.0:0
refuse_server 2 kv_cache_bytes --kv_cache_bytes=1000

echo "--- a model is named by --model_name, or by its repository in the hub's cache"
mkdir -p "$work/models--acme--tiny-t5/snapshots"
ln -s "$small" "$work/models--acme--tiny-t5/snapshots/0123abcd"
expect 0 'model "tiny-t5" are right' "$bin/sheaf-server" --check_config \
  --model="$work/models--acme--tiny-t5/snapshots/0123abcd/"
expect 0 'model "a name" are right' "$bin/sheaf-server" --check_config \
  --model_name='a name'
refuse_server 2 model_name --model_name=$'a\nb'

echo '--- every program names its version'
for program in sheaf sheaf-server sheaf-convert sheaf-tokenize sheaf-eval; do
  expect 0 "$program $(sed -n 's/^project(sheaf VERSION \([0-9.]*\).*/\1/p' \
    "$(dirname "$0")/../../CMakeLists.txt") (commit " "$bin/$program" --version
done

echo '--- a client without descriptors or threads ends with one line'
if is_sanitized; then
  echo 'not run: ulimit -v (a sanitizer)'
else
  # limited FLAG LIMIT ARGUMENT ...: the client within a limit of ulimit. The server
  # is not there, so that a client with enough of both fails with another message.
  limited() {
    expect 1 "(ulimit $1)" timeout 30 bash -c 'ulimit "$1" "$2" && exec "$0" "${@:3}"' \
      "$bin/sheaf" "$@" --server=127.0.0.1:1 --timeout=2s
  }
  limited -n 5 health
  limited -n 6 health
  limited -v 60000 load --rate=5 --seconds=1
  printf '%s\n' a b c d e f g h i >"$work/nine"
  limited -v 300000 translate --to=de --concurrency=200 --input="$work/nine"
fi

echo '--- the embedded model translates each line to one line'
start main --kv_cache_bytes=64MiB
expect_equal 'translation' \
  "$("$bin/sheaf" translate --server="$address" --from=en --to=de \
    'Where is the train station?')" 'Wo ist der Bahnhof?'
expect_equal 'stream' \
  "$("$bin/sheaf" translate --server="$address" --from=en --to=de --stream \
    'Where is the train station?')" 'Wo ist der Bahnhof?'
printf 'Tom is my brother.\n\n  He is here.  I am not.\n' >"$work/lines"
"$bin/sheaf" translate --server="$address" --from=en --to=de \
  <"$work/lines" >"$work/translated"
expect_equal 'number of lines' "$(wc -l <"$work/translated")" 3
expect_equal 'the blank line' "$(sed -n 2p "$work/translated")" ''
[[ $(sed -n 3p "$work/translated") == '  '*'  '* ]] ||
  fail "layout: \"$(sed -n 3p "$work/translated")\""

echo '--- beams give the best of several hypotheses, with scores, also as a stream'
"$bin/sheaf" translate --server="$address" --from=en --to=de --beam_size=4 \
  --num_hypotheses=3 'Where is the train station?' >"$work/beams"
expect_equal 'number of hypotheses' "$(wc -l <"$work/beams")" 3
expect_equal 'best hypothesis' "$(head -1 "$work/beams" | cut -f2)" \
  'Wo ist der Bahnhof?'
expect_equal 'scores in order' "$(cut -f1 "$work/beams")" \
  "$(cut -f1 "$work/beams" | sort -rg)"
expect_equal 'stream of beams' \
  "$("$bin/sheaf" translate --server="$address" --from=en --to=de --stream \
    --beam_size=4 'Where is the train station?')" 'Wo ist der Bahnhof?'

echo '--- answers have whole characters and no control characters'
# The embedded model writes each of these characters as bytes.
printf '%s\n' 'It costs 5 €.' 'The ticket is €12.50 today.' 'Pay £20 now.' \
  'Pay ¥900 now.' '漢字 and 😀 are here.' >"$work/signs"
for beams in 1 4; do
  "$bin/sheaf" translate --server="$address" --from=en --to=de \
    --beam_size="$beams" --input="$work/signs" >"$work/translated"
  python3 - "$work/translated" <<'END' || fail "$(cat -A "$work/translated")"
import sys, unicodedata
text = open(sys.argv[1], encoding="utf-8", errors="strict").read()
wrong = [c for c in text if c == "\ufffd" or (unicodedata.category(c) == "Cc" and c != "\n")]
sys.exit(f"{len(wrong)} wrong characters" if wrong else 0)
END
done

echo '--- a text that is longer than a source is summarized in rounds'
for i in {1..100}; do echo "The sentence with number $i is about a dog."; done \
  >"$work/long"
"$bin/sheaf" summarize --server="$address" --json --max_new_tokens=20 \
  --input="$work/long" >"$work/summary"
grep -q '"segments":[1-9]' "$work/summary" || fail "$(cat "$work/summary")"
! grep -q '"segments":1}' "$work/summary" || fail 'the text was one segment'

echo '--- requests get the same answers together as alone'
for i in {1..64}; do echo "Number $i is $((i * i)) times as large as $i."; done \
  >"$work/many"
"$bin/sheaf" translate --server="$address" --from=en --to=de \
  <"$work/many" >"$work/together"
head -5 "$work/many" | while read -r line; do
  "$bin/sheaf" translate --server="$address" --from=en --to=de "$line"
done >"$work/alone"
diff "$work/alone" <(head -5 "$work/together") || fail 'the answers of a batch differ'

echo '--- the metrics are valid, and the server holds no KV cache'
expect_equal 'KV in use' \
  "$(metric 'sheaf_kv_cache_bytes' | sort -u)" 0
[[ $(metric 'sheaf_generation_tokens_total') -gt 100 ]] || fail 'sheaf_generation_tokens_total is too small'
# The capacity is a whole number of blocks of 16 tokens, 2 KV heads, 3 layers, K and
# V, and 32 floats.
block=$((16 * 2 * 3 * 2 * 32 * 4))
expect_equal 'capacity' "$(metric 'sheaf_kv_cache_capacity_bytes{')" \
  "$((64 * 1024 * 1024 / block * block))"
if command -v promtool >/dev/null; then
  curl -fsS "http://$metrics/metrics" | promtool check metrics ||
    fail 'promtool check metrics'
else
  echo 'not run: promtool check metrics (promtool is missing)'
fi

echo '--- after SIGTERM under load, the stream finishes and the exit code is 0'
for _ in {1..40}; do printf 'We are going home tomorrow. '; done >"$work/long"
"$bin/sheaf" translate --server="$address" --from=en --to=de \
  "$(cat "$work/long")" >"$work/long.before"
"$bin/sheaf" translate --server="$address" --from=en --to=de --stream \
  "$(cat "$work/long")" >"$work/long.during" &
client=$!
until [[ -s $work/long.during ]]; do
  kill -0 "$client" 2>/dev/null || break
  sleep 0.01
done
kill -TERM "$server"
wait "$client" || fail 'the stream failed'
diff "$work/long.before" "$work/long.during" || fail 'the stream is incomplete'
code=0
wait "$server" || code=$?
expect_equal 'exit code after SIGTERM' "$code" 0

echo PASSED
