#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Starts the server on the embedded model, calls it as a client would, shows its
# metrics, and stops it. With --keep, it runs until it is interrupted.
#   demo.sh FOLDER_OF_THE_PROGRAMS [--keep]
set -euo pipefail
bin=$1
keep=${2:-}
if [[ $keep && $keep != --keep ]]; then
  echo "unexpected argument \"$keep\"; only --keep is allowed" >&2
  exit 2
fi
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
  printf '\033[2m$ sheaf %s\033[0m\n' "$*"
  "$bin/sheaf" "$1" --server="$address" "${@:2}"
}

: >"$work/out"
say 'Starting sheaf-server on the embedded model'
"$bin/sheaf-server" --listen=127.0.0.1:0 --metrics_listen=127.0.0.1:0 \
  --http_listen=127.0.0.1:0 --kv_cache_bytes=64MiB >"$work/out" 2>"$work/log" &
server=$!
until address=$(sed -n 's/^listening on //p' "$work/out") && [[ $address ]]; do
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.1
done
metrics=$(sed -n 's/.*metrics on //p' "$work/log")
http=$(sed -n 's/.*HTTP on //p' "$work/log")
echo "listening on $address, metrics on $metrics, HTTP on $http"

show models

say 'A translation while it is generated'
show translate --from=en --to=de --stream 'Where is the train station?'
show translate --from=en --to=de 'I love you. We are going home tomorrow.'

say 'A file, translated line by line in one continuous batch'
printf '%s\n' 'Tom is my brother.' '' 'She has two cats.' 'It is cold today.' |
  tee "$work/lines" | sed 's/^/  /'
echo '---'
show translate --from=en --to=de <"$work/lines"

say 'HTML with a placeholder: tags and placeholders come back'
show translate --from=en --to=de --format=html \
  '<p>Press the <b>red</b> button &amp; wait for {name}.</p>'

say 'The same server in place of LibreTranslate'
printf '\033[2m$ curl http://%s/translate -d q=... -d source=auto -d target=de\033[0m\n' "$http"
curl -fsS "http://$http/translate" -d 'q=Good morning, my friend.' -d source=auto -d target=de
echo

say 'A summary, which is the sentence that says what the text is about'
show summarize 'We present a method to convert multi-head attention models into
models with grouped-query attention using a small part of the training compute.
Grouped-query attention uses fewer key and value heads than query heads, and
its quality is close to multi-head attention at the speed of one head.'

say 'Metrics while 200 lines are translated'
for i in {1..200}; do echo "Number $i: the train to Berlin leaves at $((i % 24)) o'clock."; done |
  "$bin/sheaf" translate --server="$address" --from=en --to=de >"$work/many" &
client=$!
scrape() {
  curl -fsS "http://$metrics/metrics" |
    grep -E '^sheaf_(kv_cache_(bytes|usage_ratio)|generation_tokens_(total|per_second)|num_(requests|sequences)_running)'
}
until scrape >"$work/metrics" &&
  (($(sed -n 's/^sheaf_generation_tokens_total{.*} //p' "$work/metrics") > 500)); do
  kill -0 "$client" 2>/dev/null || break
  sleep 0.05
done
cat "$work/metrics"
wait "$client"

if [[ $keep ]]; then
  say "A page to try it: http://$http/ (Ctrl-C stops the server)"
  trap 'exit 0' INT TERM
  wait "$server"
fi

say 'Stopping the server (SIGTERM drains it)'
kill -TERM "$server"
wait "$server"
echo "exit code $?"
