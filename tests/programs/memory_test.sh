#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0

# Tests the memory of the server and the time of its drain under texts that need
# much memory and time.
#   memory_test.sh BIN_DIR
#
# If the machine allows a new memory control group (version 1 or 2, as root), the
# server runs in one of 512 MiB. This is the limit in docs/OPERATIONS.md for the
# embedded model and 256 MiB of KV cache. Otherwise the test compares the peak with
# this limit.
set -euo pipefail
. "$(dirname "$0")/../support/programs.sh"
if is_sanitized; then
  echo "not run: the server's memory (built with a sanitizer)"
  exit
fi

limit=$((512 << 20))
limit_memory "$limit"
trap 'kill "${children[@]}" 2>/dev/null || true; wait || true
  remove_group; rm -rf "$work"' EXIT
# repeat TEXT BYTES: prints TEXT repeatedly, up to BYTES bytes.
repeat() { python3 -c 'import sys; sys.stdout.write(sys.argv[1] * (int(sys.argv[2]) // len(sys.argv[1].encode())))' "$@"; }
repeat $'a\n' 1048576 >"$work/lines"
repeat 'ส' 1048574 >"$work/thai"
repeat 'The cat sat on the mat. ' 1048576 >"$work/document"

# send NUMBER TEXT METHOD: runs that many clients at the same time, each with a
# timeout of 5 s. Writes the number of calls per code to $work/codes.
send() {
  local clients=() flags=()
  [[ $3 == translate ]] && flags=(--from=en --to=de)
  rm -f "$work"/said.*
  for ((i = 0; i < $1; ++i)); do
    "$bin/sheaf" "$3" --server="$address" --timeout=5s --max_attempts=1 \
      "${flags[@]}" --input="$work/$2" >/dev/null 2>"$work/said.$i" &
    clients+=($!)
  done
  for client in "${clients[@]}"; do wait "$client" || true; done
  grep -ho 'RESOURCE_EXHAUSTED\|DEADLINE_EXCEEDED\|UNAVAILABLE\|CANCELLED\|INTERNAL' \
    "$work"/said.* | sort | uniq -c >"$work/codes" || true
}
is_well() {
  expect_equal "a translation after $1" \
    "$("$bin/sheaf" translate --server="$address" --from=en --to=de --timeout=60s \
      --max_attempts=5 'Where is the train station?')" 'Wo ist der Bahnhof?'
}

echo '--- texts that need too much memory are refused, and the server survives'
start memory --kv_cache_bytes=256MiB --max_queued_bytes=40MiB
for load in '4 lines' '4 thai' '60 document'; do
  # shellcheck disable=SC2086
  send $load summarize
  is_well "$load"
done
grep -q RESOURCE_EXHAUSTED "$work/codes" || fail "none of 60 requests was refused: $(cat "$work/codes")"
if grep -q INTERNAL "$work/codes"; then fail "$(cat "$work/codes")"; fi
peak=$(($(sed -n 's/^VmHWM:\s*\([0-9]*\) kB/\1/p' "/proc/$server/status") * 1024))
((peak < limit)) || fail "the peak was $peak bytes of $limit"
curl -fsS "http://$metrics/metrics" >"$work/metrics"
grep -q '^sheaf_queued_bytes{.*} 0$' "$work/metrics" || fail 'sheaf_queued_bytes is not 0'
grep -q '^sheaf_requests_rejected_total{.*reason="queued_bytes"} [1-9]' \
  "$work/metrics" || fail 'the refusals are not counted'
kill "$server" && wait "$server" || fail 'the server exited with an error'

echo '--- with HTTP full of bodies that arrive and of files that wait'
# In the same group, with as much less cache as HTTP may take.
start http --kv_cache_bytes=192MiB --max_queued_bytes=40MiB --http_listen=127.0.0.1:0
http=$(sed -n 's/.*HTTP on \([0-9.:]*\).*/\1/p' "$work/http.log")
rm -f "$work/full"
python3 - "$http" "$work/full" <<'END' &
import json, signal, socket, sys
host, port = sys.argv[1].split(":")
def send(address, path, kind, body, num_bytes=None):
    link = socket.create_connection((host, int(port)), 20, (address, 0))
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        link.sendall(head.encode() + body[:num_bytes])
    except ConnectionError:  # there was no place for the body
        pass
    return link
# Files without a text are translated at once.
parts = [("source", "en"), ("target", "de"),
         ('file"; filename="a.json', json.dumps([123456] * 500000))]
form = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
               for name, value in parts) + "--b--\r\n"
for i in range(10):
    with send("127.0.0.2", "/translate_file", "multipart/form-data; boundary=b", form.encode()) as link:
        assert b"200 OK" in link.recv(100)
# Bodies of several addresses that stay incomplete.
held = [send(f"127.0.0.{10 + i}", "/v1/translate", "application/json", b" " * 4000000, 3900000)
        for i in range(30)]
open(sys.argv[2], "w").close()
signal.pause()
END
children+=("$!")
await 60 test -e "$work/full"
for load in '4 lines' '4 thai' '60 document'; do
  # shellcheck disable=SC2086
  send $load summarize
  is_well "$load"
done
peak=$(($(sed -n 's/^VmHWM:\s*\([0-9]*\) kB/\1/p' "/proc/$server/status") * 1024))
echo "the peak was $((peak >> 20)) MiB of $((limit >> 20)) MiB"
((peak < limit)) || fail "the peak was $peak bytes of $limit"
kill "$server" && wait "$server" || fail 'the server exited with an error'

echo '--- a drain ends in time although long texts wait'
start drain --drain_timeout=2s
send_at_once() { send 30 thai translate; }
send_at_once &
sender=$!
await 30 eval "curl -fsS http://$metrics/metrics |
  grep '^sheaf_queued_bytes' | awk '{ exit !(\$2 > 10000000) }'"
began=$SECONDS
kill -TERM "$server"
code=0
wait "$server" || code=$?
expect_equal 'exit code after SIGTERM' "$code" 0
wait "$sender"
((SECONDS - began < 40)) || fail "the drain took $((SECONDS - began)) s"

echo PASSED
