#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests a client under load with three servers. One is full for a while, one drains
# and starts again, and one is killed. Then tests the client behind nginx.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need curl python3

translate() { "$bin/sheaf" translate --from=en --to=de "$@"; }

for _ in {1..12000}; do printf 'We are going home tomorrow. '; done >"$work/long"
start_server killed && killed=$address killed_metrics=$metrics killed_id=$server
start_server drained && drained=$address drained_id=$server
start_server full --max_sequences=1 --max_queue=1 && full=$address full_metrics=$metrics
all=$killed,$drained,$full

echo '--- one server drains and starts again, one is killed, one is full'
# Two requests take the one place of the full server and the one place in its
# queue, until it has refused a request of the load.
hogs=()
for begun in num_requests_running num_requests_waiting; do
  "$bin/sheaf" translate --server="$full" --from=en --to=de --stream \
    <"$work/long" >/dev/null 2>&1 &
  hogs+=("$!")
  await 60 is_above 0 "$full_metrics" "sheaf_$begun"
done
"$bin/sheaf" load --server="$all" --rate=25 --seconds=30 --timeout=20s \
  --max_attempts=5 --from=en --to=de --text='Where is the train station?' \
  >"$work/load.json" &
load=$!
await 60 is_above 0 "$full_metrics" 'sheaf_requests_rejected_total{.*queue_full'
kill "${hogs[@]}"
sleep 6
kill -TERM "$drained_id"
code=0
wait "$drained_id" || code=$?
[[ $code == 0 ]] || fail "the drained server ended with $code"
"$bin/sheaf-server" --listen="$drained" --metrics_listen=127.0.0.1:0 \
  --kv_cache_bytes=64MiB >"$work/again.out" 2>"$work/again.log" &
children+=("$!")
await 20 "$bin/sheaf" health --server="$drained"
sleep 8
# The stream starts just before the kill, so that it cannot end earlier.
translate --server="$killed" --stream <"$work/long" >"$work/streamed" \
  2>"$work/stream.err" &
stream=$!
await 60 test -s "$work/streamed"
counted=$EPOCHREALTIME
running=$(value "$killed_metrics" sheaf_num_requests_running)
kill -9 "$killed_id"
killed_after=$(python3 -c "print($EPOCHREALTIME - $counted)")
wait "$killed_id" 2>/dev/null || true
code=0
wait "$stream" || code=$?
[[ $code == 1 ]] && grep -q '^sheaf: UNAVAILABLE: ' "$work/stream.err" ||
  fail "the stream of the killed server ended with $code: $(cat "$work/stream.err")"
wait "$load"
echo "the stream: $(cat "$work/stream.err")"
echo "load: $(cat "$work/load.json")"
rejected=$(value "$full_metrics" 'sheaf_requests_rejected_total{.*queue_full')
echo "the full server refused $rejected requests; the killed server ran $running"
# At most the streams that the killed server ran may break, plus those that began
# between the count and the kill.
python3 - "$work/load.json" "$running" "$killed_after" <<'END' || fail 'requests were lost'
import json, math, sys
load, running, seconds = json.load(open(sys.argv[1])), float(sys.argv[2]), float(sys.argv[3])
lost = dict(load["errors"])
broken = lost.pop("UNAVAILABLE", 0)
max_broken = running + math.ceil(load["rate"] * seconds) + 1
sys.exit(bool(lost) or broken > max_broken or load["ok"] + broken != load["requests"])
END

echo '--- behind nginx'
if ! command -v nginx >/dev/null || ! command -v openssl >/dev/null; then
  not_run 'nginx (nginx or openssl is missing); the fleet passed'
fi
start_server second && second=$address second_id=$server
start_nginx door "$drained,$second"
await 20 "$bin/sheaf" health "${through[@]}"
head -c 8000 "$work/long" >"$work/short"
translate --server="$second" "$(cat "$work/short")" >"$work/whole"
translate "${through[@]}" "$(cat "$work/short")" | cmp - "$work/whole" ||
  fail 'the translation through nginx differs'
translate "${through[@]}" --stream "$(cat "$work/short")" >"$work/streamed" || fail 'the stream through nginx failed'
cmp "$work/streamed" "$work/whole" || fail 'the stream through nginx differs'
code=0
translate "${through[@]}" --timeout=50ms <"$work/long" >/dev/null 2>"$work/late" || code=$?
grep -q DEADLINE_EXCEEDED "$work/late" || fail "no DEADLINE_EXCEEDED through nginx: $(cat "$work/late")"
kill -9 "$second_id"
for _ in {1..10}; do
  translate "${through[@]}" 'Where is the train station?' >/dev/null ||
    fail 'a call failed after one server behind nginx was killed'
done
kill "$nginx"
